"""Measures the mock beside what a user would have without it; `python -m bench --help`."""
