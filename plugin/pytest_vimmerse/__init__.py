"""The pytest plugin of the Vimmerse mock: its fixtures, and the targets of the contract suite."""
