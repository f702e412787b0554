"""HTTP: the public API and the files it links to."""
