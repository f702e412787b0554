"""Evidence: what a run of the suite asked, was answered, and found, as a file of JSON lines.

`file.py` says what stands in the file, writes it and reads it back, whatever became of it;
`redaction.py` says what must not stand in it; `recorder.py` sees what a run does. docs/evidence.md
describes the format.
"""
