"""The OpenAPI 3.1 document, made from the table of operations by apispec."""

from __future__ import annotations

from vimmerse_contracts.openapi.document import openapi_document

__all__ = ["openapi_document"]
