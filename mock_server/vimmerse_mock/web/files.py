"""The files that a Batch links to: composed videos, and the videos of single media."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import flask

from vimmerse_mock.marks import ACCOUNT
from vimmerse_mock.service import BatchNotFoundError, BatchService, BatchView
from vimmerse_mock.web.render import FILES_PATH, media_name, video_name

VIDEO: Final = Path(__file__).with_name("video.mp4")
"""One short playable video, which stands for all of them."""


class Files:
    """Serves videos to whoever has the link, as a media host does (A: no key is asked)."""

    def __init__(self, service: BatchService) -> None:
        self._service = service

    def register(self, app: flask.Flask) -> None:
        """Add the route of the files."""
        app.add_url_rule(
            f"{FILES_PATH}/<customer_id>/<batch_id>/<name>",
            "file",
            self.file,
            provide_automatic_options=False,
        )

    def file(self, customer_id: str, batch_id: str, name: str) -> flask.Response:
        """Answer with a video, if it is there by now; ranges are understood."""
        view = self._service.look(customer_id, batch_id)
        flask.request.environ[ACCOUNT] = view.account
        if name not in _available(view):
            raise BatchNotFoundError(f"the batch has no file {name}")
        return flask.send_file(VIDEO, mimetype="video/mp4", conditional=True)


def _available(view: BatchView) -> set[str]:
    names = {media_name(view.batch.medias[i].id) for i in view.seen.finished}
    return names | {video_name(view.batch)} if view.seen.composed else names
