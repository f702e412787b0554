"""The client: one method for each operation of the contract, and waiting and downloading."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests

from vimmerse_client.errors import (
    ConfigurationError,
    UnexpectedResponse,
    VideoNotReady,
    VimmerseError,
    WaitTimeout,
    excerpt,
)
from vimmerse_client.images import ImageInput, is_url, read_images
from vimmerse_client.models import Batch, is_batch
from vimmerse_client.progress import progress_bar
from vimmerse_client.saving import save
from vimmerse_client.transport import (
    Now,
    OutOfTime,
    RetryPolicy,
    Sleep,
    Timeout,
    Transport,
    are_seconds,
)
from vimmerse_contracts import operations
from vimmerse_contracts.fields import url_problem
from vimmerse_contracts.markers import find_markers
from vimmerse_contracts.network import is_production_url
from vimmerse_contracts.operations import Operation
from vimmerse_contracts.unfrozen import monotonic
from vimmerse_contracts.vocabulary import PRODUCTION_URL

OnProgress = Callable[[Batch], object]
_OK = 200


class Client:
    """A client of the Vimmerse batch API; close it, or use it in a `with` statement.

    Args:
        api_key: The API key; by default that of `VIMMERSE_API_KEY`. It is sent to `base_url` only,
            and no repr, log or exception shows it.
        base_url: The URL of the service; by default that of `VIMMERSE_BASE_URL`, else the real
            service.
        timeout: Seconds to connect, and seconds to have the whole answer from then on, for every
            single request; or one number for both. An upload and a download get a second more
            for each 16 KiB.
        retry: How a GET is retried. POST and PUT are never retried: that could pay twice.
        session: A `requests.Session` to use. It stays open; its adapters must not retry. Only a
            session of the client's own, or one with a `vimmerse_client.DeadlineAdapter`, ends an
            answer whose headers drip, and an upload that stalls.
        sleep: The function that waits, in seconds.
        now: The function that returns the time, in monotonic seconds.

    Raises:
        ConfigurationError: no key, or an address or timeout that can't be used.

    Every method that calls the service raises `ApiError` (a class for each documented status),
    `TransportError` where no answer came, and `UnexpectedResponse` where it can't be read: no JSON,
    no batch, more than 4 MiB. Each has the `batch_id`, as soon as one is known. A batch that is
    not quite as the contract has it is a `Batch` with `deviations`.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: Timeout = (5.0, 60.0),
        retry: RetryPolicy | None = None,
        session: requests.Session | None = None,
        sleep: Sleep = time.sleep,  # noqa: TID251 - it waits for a real service; tests pass theirs
        now: Now = monotonic,
    ) -> None:
        if base_url is None:
            base_url = os.environ.get("VIMMERSE_BASE_URL") or PRODUCTION_URL
        if api_key is None:
            api_key = os.environ.get("VIMMERSE_API_KEY", "")
        self._transport = Transport(
            base_url,
            api_key,
            timeout=timeout,
            retry=retry,
            session=session,
            sleep=sleep,
            now=now,
        )

    def __repr__(self) -> str:
        return f"Client(base_url={self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """The address of the service, without a slash at its end."""
        return self._transport.base_url

    def close(self) -> None:
        """Close the connections, unless you passed a session."""
        self._transport.close()

    def create(
        self,
        images: Iterable[ImageInput],
        *,
        title: str | None = None,
        description: str | None = None,
        visibility_status: str | None = None,
        is_highlights: str | None = None,
        is_transition: bool | None = None,
        motion_range: int | None = None,
        motion_type: str | None = None,
        prompt: str | None = None,
        quantity: int | None = None,
        duration: int | None = None,
        loop: int | None = None,
        aspect_ratio: str | None = None,
        sound_effects: str | None = None,
        webhook_url: str | None = None,
    ) -> Batch:
        """Create a batch from images, which starts its processing and costs credit (S).

        Only the given fields are sent. The server has the defaults, and decides what is valid (P25
        documents both). Never retried.

        Args:
            images: All files or all URLs: paths, http(s) URLs, bytes, binary file objects or
                `(name, bytes)`. Each becomes one media (S).
            title: Any text (S).
            description: Any text (P25).
            visibility_status: "0" private, "1" unlisted, "2" public (P25).
            is_highlights: Any text (P25).
            is_transition: Whether to make transitions between consecutive images (P25).
            motion_range: 1 to 10 (P25).
            motion_type: The video model, such as "KlingAI" (S).
            prompt: What the video is to show (S).
            quantity: Videos for each image, 1 to 4 (P25).
            duration: Seconds, 1 to 10 (P25).
            loop: 1 to 6 (P25).
            aspect_ratio: Such as "9:16" (S).
            sound_effects: "Yes" or "No" (S).
            webhook_url: Where the service reports the end of the processing (S).

        Raises:
            ConfigurationError: no images, files mixed with URLs, or a magic marker for the real
                service; nothing was sent.
            OSError: a file can't be read; nothing was sent.
        """
        given = read_images(images)
        self._refuse_markers("title", title or "")
        self._refuse_markers("images", *given.names)
        form = _form(
            title=title,
            description=description,
            visibility_status=visibility_status,
            is_highlights=is_highlights,
            is_transition=is_transition,
            motion_range=motion_range,
            motion_type=motion_type,
            prompt=prompt,
            quantity=quantity,
            duration=duration,
            loop=loop,
            aspect_ratio=aspect_ratio,
            sound_effects=sound_effects,
            webhook_url=webhook_url,
        )
        answer = self._transport.call(
            operations.CREATE,
            form=[*form, *_sendable(("image_urls", url) for url in given.urls)],
            files=[("image_files", part) for part in given.files],
        )
        return self._batch(operations.CREATE, answer)

    def get(self, batch_id: Batch | str) -> Batch:
        """Retrieve a batch, given by its id or an earlier reading (S).

        Retried on connection errors, 429 and 5xx.
        """
        asked = _id_of(batch_id)
        answer = self._transport.call(operations.READ, asked)
        return self._batch(operations.READ, answer, asked)

    def update(
        self,
        batch_id: Batch | str,
        *,
        title: str | None = None,
        description: str | None = None,
        rating: str | None = None,
        visibility_status: str | None = None,
        webhook_url: str | None = None,
        prompt: str | None = None,
        motion_type: str | None = None,
        quantity: int | None = None,
        duration: int | None = None,
        loop: int | None = None,
        aspect_ratio: str | None = None,
        sound_effects: str | None = None,
    ) -> Batch:
        """Update a batch; only the given fields are sent. Never retried.

        Any of `prompt`, `motion_type`, `quantity`, `duration`, `loop`, `aspect_ratio` and
        `sound_effects` processes the batch again and costs credits again (S), even if its value
        does not change (P26). The other fields are free.

        Args:
            batch_id: The batch, or its id.
            title: Any text (S).
            description: Any text (S).
            rating: "1" to "5" (S).
            visibility_status: "0" private, "1" unlisted, "2" public (S).
            webhook_url: Where the service reports the end of the processing (S).
            prompt: What the video is to show (S).
            motion_type: The video model, such as "RunwayML" (S).
            quantity: Videos for each image, 1 to 4 (S, P25).
            duration: Seconds, 1 to 10 (S, P25).
            loop: 1 to 6 (S, P25).
            aspect_ratio: Such as "9:16" (S).
            sound_effects: "Yes" or "No" (S).

        Raises:
            ConfigurationError: a magic marker in the title, for the real service; nothing was sent.
        """
        self._refuse_markers("title", title or "")
        form = _form(
            title=title,
            description=description,
            rating=rating,
            visibility_status=visibility_status,
            webhook_url=webhook_url,
            prompt=prompt,
            motion_type=motion_type,
            quantity=quantity,
            duration=duration,
            loop=loop,
            aspect_ratio=aspect_ratio,
            sound_effects=sound_effects,
        )
        asked = _id_of(batch_id)
        answer = self._transport.call(operations.UPDATE, asked, form=form)
        return self._batch(operations.UPDATE, answer, asked)

    def concat(self, batch_id: Batch | str) -> Batch:
        """Concatenate all finished videos of a batch; `video_url` follows (S). Never retried.

        The sample of the reference has the answer `{ }` (S). If it comes, the batch is fetched.
        """
        asked = _id_of(batch_id)
        answer = self._transport.call(operations.CONCAT, asked)
        if not answer or (isinstance(answer, dict) and not answer.get("data", True)):
            return self.get(asked)
        return self._batch(operations.CONCAT, answer, asked)

    def health(self) -> Mapping[str, Any]:
        """Return the health of the service, `{"status": "ok"}` (A). No key is sent (P26)."""
        answer = self._transport.call(operations.HEALTH)
        if not isinstance(answer, dict):
            raise self._unexpected(operations.HEALTH, "a JSON object", answer)
        return answer

    def wait(
        self,
        batch_id: Batch | str,
        *,
        timeout: float = 1200.0,
        poll: float = 2.0,
        backoff: float = 1.5,
        longest_poll: float = 30.0,
        on_progress: OnProgress | None = None,
        progress: bool = False,
    ) -> Batch:
        """Poll a batch until it is done (`status.is_final`), and return it, whatever its status.

        The reference says that generation takes 5 to 15 minutes and a concat 1 to 3, and to poll
        every 30 s (P26). Call `raise_for_status` on the batch if a failure is an error.

        Args:
            batch_id: The batch, or its id.
            timeout: Seconds until the deadline. There is always one reading, and one at its end.
            poll: Seconds between the first two readings.
            backoff: By how much each pause is longer than the one before.
            longest_poll: Seconds that no pause exceeds.
            on_progress: Called with every reading, the last one too.
            progress: Whether to show a progress bar on stderr.

        Raises:
            WaitTimeout: the deadline passed; carries the last reading.
            ConfigurationError: negative seconds, or a backoff under 1.
        """
        if not are_seconds(timeout, poll, longest_poll) or not backoff >= 1:
            raise ConfigurationError(
                "wait: expected no negative seconds, a year at most, and a backoff of 1 or more"
            )
        asked = _id_of(batch_id)
        pause, deadline = poll, self._transport.now() + timeout
        batch: Batch | None = None
        with progress_bar() if progress else nullcontext() as show:
            while True:
                try:
                    answer = self._transport.call(operations.READ, asked, deadline=deadline)
                except OutOfTime as error:
                    raise WaitTimeout(asked, timeout, batch) from error.__cause__
                batch = self._batch(operations.READ, answer, asked)
                for report in filter(None, (show, on_progress)):
                    report(batch)
                if batch.status.is_final:
                    return batch
                left = deadline - self._transport.now()
                if left <= 0:
                    raise WaitTimeout(asked, timeout, batch)
                self._transport.sleep(min(pause, longest_poll, left))
                pause *= backoff

    def download(
        self,
        source: Batch | str,
        path: str | os.PathLike[str],
        *,
        most_bytes: int = 4 * 1024**3,
    ) -> Path:
        """Save a composed video to a file, which appears complete or not at all.

        The API key is not sent. Retried like every GET, also if the transfer breaks off.

        Args:
            source: A batch that has a `video_url`, or an http(s) URL.
            path: The file to write; an existing one is replaced, and a link stays a link. A device
                or a pipe gets the whole video once it is there.
            most_bytes: The largest video that is accepted.

        Raises:
            VideoNotReady: the batch has no `video_url`.
            ConfigurationError: the text is no http(s) URL.
            OSError: the file can't be written.
        """
        url, target = source, _path_of(path)
        if isinstance(source, Batch):
            if source.video_url is None:
                raise VideoNotReady(source)
            url = source.video_url
        if not is_url(url) or url_problem(url) is not None:
            raise ConfigurationError(f"download: {excerpt(repr(url))} is not an http(s) URL")
        try:
            self._transport.download(url, most_bytes, lambda pieces: save(pieces, target))
        except VimmerseError as error:
            error.batch_id = source.id if isinstance(source, Batch) else None
            raise
        return target

    def _batch(self, operation: Operation, answer: object, asked: str | None = None) -> Batch:
        """Return the batch of an answer: whatever has an id and a status is one."""
        data = answer.get("data", answer) if isinstance(answer, dict) else None
        if not is_batch(data):
            raise self._unexpected(operation, "{'data': {...}}, the Batch object", answer, asked)
        batch = Batch.from_dict(data)
        if data is answer:
            outside = {"data": "The batch stands outside of it."}
            return replace(batch, deviations={**outside, **batch.deviations})
        return batch

    def _unexpected(
        self, operation: Operation, expected: str, got: object, asked: str | None = None
    ) -> UnexpectedResponse:
        shown = "an empty body" if got is None else excerpt(repr(self._transport.key.redact(got)))
        error = UnexpectedResponse(operation.id, _OK, expected, shown)
        error.batch_id = asked or _id_in(got)
        return error

    def _refuse_markers(self, argument: str, *texts: str) -> None:
        """Refuse magic markers for the real service.

        There, a test that was pointed at the wrong address would spend real credit.
        """
        if not is_production_url(self.base_url):
            return
        host = urlsplit(self.base_url).hostname
        for marker in chain.from_iterable(map(find_markers, texts)):
            raise ConfigurationError(
                f"{argument}: {marker.text!r} is a magic marker for the mock, and {host} is the "
                "real service; take it out, or set base_url (VIMMERSE_BASE_URL) to a mock's address"
            )


def _form(**values: str | int | None) -> list[tuple[str, str]]:
    # Booleans go as "true" and "false", as FastAPI's samples write them.
    return _sendable(
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in values.items()
        if value is not None
    )


def _sendable(form: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    fields = list(form)
    for name, text in fields:
        if not _is_text(text):
            raise ConfigurationError(
                f"{name}: {excerpt(repr(text))} has half of a surrogate pair, which UTF-8 has no "
                "bytes for; nothing was sent"
            )
    return fields


def _id_of(batch: Batch | str) -> str:
    batch_id = batch.id if isinstance(batch, Batch) else batch
    if not isinstance(batch_id, str) or not _is_text(batch_id):
        raise ConfigurationError(
            f"batch id {excerpt(repr(batch_id))}: expected a Batch, or the text of its id, a UUID"
        )
    return batch_id


def _path_of(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise ConfigurationError(f"download: {excerpt(repr(path))} is no path of a file")
    return Path(text)


def _id_in(answer: object) -> str | None:
    """Return the id in an answer that is no batch for all that."""
    data = answer.get("data", answer) if isinstance(answer, dict) else None
    found = data.get("id") if isinstance(data, dict) else None
    return found if isinstance(found, str) and found else None


def _is_text(value: str) -> bool:
    """Whether a text can be sent: half of a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
