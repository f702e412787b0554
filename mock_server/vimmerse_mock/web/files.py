"""The videos that a batch links to."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO

import flask

from vimmerse_mock.errors import BatchNotFoundError
from vimmerse_mock.service import BatchService, BatchView
from vimmerse_mock.videos.film import composed_video, media_video
from vimmerse_mock.videos.studio import Studio
from vimmerse_mock.web.record import record_of
from vimmerse_mock.web.render import media_name, video_name


class Files:
    """Serves videos to whoever has the link, as a media host does (A: no key is asked).

    They show the pictures that a `studio` has, or else numbers.
    """

    def __init__(self, service: BatchService, studio: Studio | None = None) -> None:
        self._service = service
        self._studio = studio

    def file(self, customer_id: str, batch_id: str, name: str) -> flask.Response:
        """Answer with a video, if it is there by now; ranges are understood."""
        view = self._service.look(customer_id, batch_id)
        record_of(flask.request.environ).account = view.account
        video = self._video(view, name)
        if video is None:
            raise BatchNotFoundError(f"the batch has no file {name}")
        tag = sha256(video).hexdigest()
        return flask.send_file(BytesIO(video), mimetype="video/mp4", conditional=True, etag=tag)

    def _video(self, view: BatchView, name: str) -> bytes | None:
        """Return a video by its name, if it is there by now."""
        if view.seen.composed and name == video_name(view.batch):
            return composed_video(view.batch, view.seen.finished, self._studio)
        for place in view.seen.finished:
            if name == media_name(view.batch.medias[place].id):
                return media_video(view.batch, place, self._studio)
        return None
