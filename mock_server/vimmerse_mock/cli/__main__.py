"""`python -m vimmerse_mock.cli` is `vimmerse-mock`."""

from vimmerse_mock.cli import main

main()
