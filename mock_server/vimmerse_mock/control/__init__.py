"""The control plane's contract: what it takes and says, its operations, and the ways to call it."""
