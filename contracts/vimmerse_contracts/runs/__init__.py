"""What a run of the suite may cost, what it found, and what it relied on."""
