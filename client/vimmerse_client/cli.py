"""The command line `vimmerse`.

Exit codes: 0 done, 1 the service refused, failed or was not reached, 2 wrong usage or settings.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial, wraps
from io import TextIOWrapper
from os import PathLike
from os.path import samestat
from pathlib import Path
from typing import Any, Final

import click
from marshmallow import Schema, fields

from vimmerse_client.client import Client
from vimmerse_client.errors import BatchFailed, ConfigurationError, VimmerseError, excerpt
from vimmerse_client.images import is_url
from vimmerse_client.models import Batch
from vimmerse_client.saving import is_stream
from vimmerse_contracts.schemas import CreateBatchSchema, UpdateBatchSchema
from vimmerse_contracts.vocabulary import RESUBMITTING_FIELDS

Command = Callable[..., None]

_LONGEST_URL: Final = 8000

_FIELDS: Final[Mapping[str, str]] = {
    "title": "Title",
    "description": "Description",
    "rating": "Rating, 1 to 5",
    "visibility_status": "0: private, 1: unlisted, 2: public",
    "is_highlights": "Highlights, any text",
    "is_transition": "Transitions between the videos",
    "motion_range": "Motion range, 1 to 10",
    "motion_type": "Video model, such as KlingAI",
    "prompt": "What the video shows",
    "quantity": "Videos for each image, 1 to 4",
    "duration": "Seconds of each video, 1 to 10",
    "loop": "Loop, 1 to 6",
    "aspect_ratio": "Aspect ratio: 16:9, 4:3, 1:1, 3:4 or 9:16",
    "sound_effects": "Sound effects: Yes or No",
    "webhook_url": "URL for the webhook that reports the end",
}
"""What each form field that has an option means."""


class _Commands(click.Group):
    """A group that says what went wrong in one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click ends quietly when nobody reads the output any more
            raise
        except ConfigurationError as error:
            raise click.UsageError(str(error)) from error
        except (VimmerseError, OSError) as error:
            raise click.ClickException(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Run:
    """One invocation: the client, and what to do with the batch that a command ends with."""

    client: Client
    as_json: bool
    wait: bool = False
    output: Path | None = None
    wait_timeout: float = 0.0
    poll: float = 0.0

    def finish(self, batch: Batch) -> None:
        """Wait for the batch and save its video, as far as that was asked for, and print it."""
        if self.wait or self.output:
            # It is paid for from here on: whatever happens next, its id must be known.
            click.echo(f"batch {excerpt(batch.id)}", err=True)
            batch = self._waited(batch)
        if self.output:
            if batch.video_url is None:
                batch = self._waited(self.client.concat(batch.id))
            self.client.download(batch, self.output)
        self.show(batch, self.output)

    def show(self, batch: Batch, saved: Path | None = None) -> None:
        """Print the batch as JSON or for people; on stderr if its video was saved to stdout."""
        echo = partial(click.echo, err=saved is not None and _is_stdout(saved))
        if self.as_json:
            echo(json.dumps(batch.to_dict(), indent=2))
            return
        finished, failed = len(batch.finished_medias), len(batch.failed_medias)
        echo(f"batch   {excerpt(batch.id)}")
        echo(f"title   {excerpt(batch.title)}")
        echo(f"status  {excerpt(batch.status)} at {batch.progress_percentage} %")
        echo(f"medias  {finished} of {len(batch.medias)} finished, {failed} failed")
        echo(f"video   {excerpt(batch.video_url or 'none yet', _LONGEST_URL)}")
        if batch.message:
            echo(f"message {excerpt(batch.message)}")

    def _waited(self, batch: Batch) -> Batch:
        done = self.client.wait(batch.id, timeout=self.wait_timeout, poll=self.poll, progress=True)
        try:
            done.raise_for_status()
        except BatchFailed:
            self.show(done)
            raise
        return done


def _with_run(command: Command) -> Command:
    """Add the options of the connection, and open the client for a command's `_Run`."""

    @click.option(
        "--api-key",
        envvar="VIMMERSE_API_KEY",
        show_envvar=True,
        help="API key; safer in the environment, where no process list shows it.",
    )
    @click.option(
        "--base-url",
        envvar="VIMMERSE_BASE_URL",
        show_envvar=True,
        help="URL of the service; the real service by default.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the Batch as JSON.")
    @wraps(command)
    def run(api_key: str | None, base_url: str | None, **options: Any) -> None:  # noqa: ANN401 - whatever click parsed
        settings = {name: options.pop(name) for name in _Run.__slots__ if name in options}
        with Client(api_key, base_url) as client:
            command(_Run(client, **settings), **options)

    return run


def _patience(command: Command) -> Command:
    timeout = click.option(
        "--wait-timeout",
        type=click.FloatRange(min=0),
        default=1200.0,
        show_default=True,
        help="The most seconds to wait each time the batch is processed.",
    )
    poll = click.option(
        "--poll",
        type=click.FloatRange(min=0),
        default=2.0,
        show_default=True,
        help="Seconds between the first two reads; later pauses are longer.",
    )
    output = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        callback=_parent_exists,
        help="Wait, concat if there is no composed video yet, and save the video here.",
    )
    return output(timeout(poll(command)))


def _waiting(command: Command) -> Command:
    return click.option("--wait", is_flag=True, help="Wait until it is done.")(_patience(command))


def _is_stdout(path: Path) -> bool:
    try:
        return is_stream(path) and samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # stdout is closed, or no file
        return False


def _parent_exists(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    # Found out before credit is spent on a video that nobody could save.
    if path is not None and not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.absolute().parent}; create it first")
    return path


def _form_fields(
    schema: type[Schema], processing_again: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Make an option of every field; what is valid is the server's to say."""

    def decorate(command: Command) -> Command:
        for name, field in reversed(schema().fields.items()):
            if name not in _FIELDS:
                continue
            flag = name.replace("_", "-")
            is_flag = isinstance(field, fields.Boolean)
            note = " (processes the batch again)" if name in processing_again else ""
            command = click.option(
                f"--{flag}/--no-{flag}" if is_flag else f"--{flag}",
                type=int if isinstance(field, fields.Integer) else None,
                default=None,
                help=f"{_FIELDS[name]}{note}.",
            )(command)
        return command

    return decorate


class _Image(click.Path):
    """A URL, as it is, or the path of a file that is there."""

    def convert(
        self,
        value: str | PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | PathLike[str]:
        return value if is_url(value) else super().convert(value, param, ctx)


_IMAGE: Final = _Image(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """Make videos from images with the Vimmerse batch API."""
    # A letter that the terminal has no code for must not cost the id of what was paid for.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@main.command()
@click.argument("images", nargs=-1, required=True, type=_IMAGE, metavar="IMAGE...")
@_form_fields(CreateBatchSchema)
@_waiting
@_with_run
def create(run: _Run, images: tuple[str | Path, ...], **form: Any) -> None:  # noqa: ANN401 - whatever click parsed
    """Create a batch from image files or URLs; this costs credits."""
    run.finish(run.client.create(images, **form))


@main.command()
@click.argument("batch_id")
@_with_run
def get(run: _Run, batch_id: str) -> None:
    """Show a batch."""
    run.show(run.client.get(batch_id))


@main.command()
@click.argument("batch_id")
@_form_fields(UpdateBatchSchema, RESUBMITTING_FIELDS)
@_waiting
@_with_run
def update(run: _Run, batch_id: str, **form: Any) -> None:  # noqa: ANN401 - whatever click parsed
    """Update a batch; options that process it again cost credits again."""
    run.finish(run.client.update(batch_id, **form))


@main.command()
@click.argument("batch_id")
@_waiting
@_with_run
def concat(run: _Run, batch_id: str) -> None:
    """Concatenate all finished videos of a batch into one composed video."""
    run.finish(run.client.concat(batch_id))


@main.command()
@click.argument("batch_id")
@_patience
@_with_run
def wait(run: _Run, batch_id: str) -> None:
    """Wait until a batch is done."""
    replace(run, wait=True).finish(run.client.get(batch_id))


@main.command()
@click.argument("batch_id")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), callback=_parent_exists)
@_with_run
def download(run: _Run, batch_id: str, path: Path) -> None:
    """Save the composed video of a batch."""
    batch = run.client.get(batch_id)
    run.client.download(batch, path)
    run.show(batch, path)
