"""Evidence: what a run of the suite asked, was answered, and found, as a file of JSON lines.

`lines.py` says what stands in the file, `redaction.py` what must not; `recorder.py` writes it,
`reader.py` reads it back, whatever became of it. docs/evidence.md describes the format.
"""
