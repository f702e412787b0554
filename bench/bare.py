"""What the mock is compared with, a program: one Flask application that answers ready-made bytes.

`bare.py PORT` serves it by granian with one thread, the faster of its settings.
"""

import sys
from pathlib import Path

import flask
from granian import Granian
from granian.constants import Interfaces

ANSWER = Path(__file__).with_name("answer.json").read_bytes()
app = flask.Flask("bare", static_folder=None, template_folder=None)


@app.get("/health")
@app.get("/batch/<batch_id>")
def read(batch_id: str = "") -> flask.Response:  # noqa: ARG001 - Flask calls it by name
    """Read a batch."""
    return flask.Response(ANSWER, mimetype="application/json")


@app.post("/batch")
def create() -> flask.Response:
    """Create a batch of the images of a form."""
    status = 200 if flask.request.form.getlist("image_urls") else 400
    return flask.Response(ANSWER, status, mimetype="application/json")


if __name__ == "__main__":
    port, wsgi = int(sys.argv[1]), Interfaces.WSGI
    server = Granian("bare", port=port, interface=wsgi, blocking_threads=1, log_enabled=False)
    server.serve(target_loader=lambda: app, wrap_loader=False)
