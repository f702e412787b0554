"""The pure model: what was asked, and what follows from it in time. No Flask, no I/O."""
