"""An account as a test holds it: one facade, wherever the mock runs."""
