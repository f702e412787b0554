"""A FastAPI application with the operations of the API, which answers with what it has read."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, UploadFile

from vimmerse_contracts import vocabulary as v

Answered = tuple[int, Mapping[str, str], bytes]

app = FastAPI()


@app.post("/batch")
async def create(
    title: Annotated[str, Form()] = "",
    image_files: Annotated[list[UploadFile], File()] = [],  # noqa: B006 - FastAPI copies it
    image_urls: Annotated[list[str], Form()] = [],  # noqa: B006 - as above
    is_transition: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of the form
    duration: Annotated[int, Form(ge=v.DURATION_SECONDS[0], le=v.DURATION_SECONDS[1])] = 5,
) -> dict[str, Any]:
    """Read the form of a creation."""
    return {
        "title": title,
        "image_files": [[each.filename, each.size] for each in image_files],
        "image_urls": image_urls,
        "is_transition": is_transition,
        "duration": duration,
    }


@app.get("/batch/{batch_id}")
async def read(batch_id: str) -> str:
    """Take the path of a batch."""
    return batch_id


@app.get("/health")
async def health() -> None:
    """Take the path of health."""


def ask(method: str, path: str, content_type: str = "", body: bytes = b"") -> Answered:
    """Send a request to the application, without a socket; return status, headers and body."""
    return asyncio.run(_ask(method, path, content_type, body))


async def _ask(method: str, path: str, content_type: str, body: bytes) -> Answered:
    said: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", content_type.encode())],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], headers, b"".join(each.get("body", b"") for each in said)
