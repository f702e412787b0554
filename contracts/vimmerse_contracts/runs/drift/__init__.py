"""Drift: where two services, or two states of one, differ in what the contract speaks of.

Pure comparison of what others have read: `compare_evidence` of two evidence files,
`compare_documents` of two OpenAPI documents. docs/evidence.md says what each severity means.
"""

from vimmerse_contracts.runs.drift.evidence import compare_evidence
from vimmerse_contracts.runs.drift.findings import Finding, Severity, in_order
from vimmerse_contracts.runs.drift.openapi import DocumentError, compare_documents

__all__ = [
    "DocumentError",
    "Finding",
    "Severity",
    "compare_documents",
    "compare_evidence",
    "in_order",
]
