"""The command line `vimmerse`.

Exit codes: 0 done, 1 the service refused, failed or was not reached, 2 wrong usage or settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from vimmerse_client.client import Client
from vimmerse_client.errors import BatchFailed, ConfigurationError, VimmerseError, excerpt
from vimmerse_client.models import Batch

Command = Callable[..., None]

_CREATE_TEXTS: Final[Mapping[str, str]] = {
    "title": "Title.",
    "description": "Description.",
    "visibility_status": "0 private, 1 unlisted, 2 public.",
    "is_highlights": "Highlights (any text).",
    "motion_type": "Video model, such as KlingAI.",
    "prompt": "What the video is to show.",
    "aspect_ratio": "16:9, 4:3, 1:1, 3:4 or 9:16.",
    "sound_effects": "Yes or No.",
    "webhook_url": "Where the service reports the end of the processing.",
}
_CREATE_NUMBERS: Final[Mapping[str, str]] = {
    "motion_range": "1 to 10.",
    "quantity": "Videos for each image, 1 to 4.",
    "duration": "Seconds, 1 to 10.",
    "loop": "1 to 6.",
}
_UPDATE_TEXTS: Final[Mapping[str, str]] = {
    "title": "Title.",
    "description": "Description.",
    "rating": "1 to 5.",
    "visibility_status": "0 private, 1 unlisted, 2 public.",
    "webhook_url": "Where the service reports the end of the processing.",
    "prompt": "What the video is to show (processes again).",
    "motion_type": "Video model, such as RunwayML (processes again).",
    "aspect_ratio": "16:9, 4:3, 1:1, 3:4 or 9:16 (processes again).",
    "sound_effects": "Yes or No (processes again).",
}
_UPDATE_NUMBERS: Final[Mapping[str, str]] = {
    "quantity": "Videos for each image, 1 to 4 (processes again).",
    "duration": "Seconds, 1 to 10 (processes again).",
    "loop": "1 to 6 (processes again).",
}


class _Refused(click.ClickException):
    """The service refused, failed or was not reached: exit code 1, which is click's own."""


class _Misused(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """A group that says what went wrong in one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click ends quietly when nobody reads the output any more
            raise
        except ConfigurationError as error:
            raise _Misused(str(error)) from error
        except (VimmerseError, OSError) as error:
            raise _Refused(str(error)) from error


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
        if not (self.wait or self.output):
            self.show(batch)
            return
        # It is paid for from here on: whatever happens next, its id must be known.
        click.echo(f"batch {batch.id}", err=True)
        done = self._composed(self._waited(batch)) if self.output else self._waited(batch)
        if self.output:
            self.client.download(done, self.output)
        self.show(done)

    def show(self, batch: Batch) -> None:
        """Print the batch as JSON or for people."""
        text = json.dumps(batch.to_dict(), indent=2) if self.as_json else _summary(batch)
        click.echo(text)

    def _waited(self, batch: Batch) -> Batch:
        done = self.client.wait(batch.id, timeout=self.wait_timeout, poll=self.poll, progress=True)
        try:
            done.raise_for_status()
        except BatchFailed:
            self.show(done)
            raise
        return done

    def _composed(self, batch: Batch) -> Batch:
        return batch if batch.video_url else self._waited(self.client.concat(batch.id))


@contextmanager
def _run(ctx: click.Context) -> Iterator[tuple[_Run, dict[str, Any]]]:
    """Open the client; yields the run, and the parameters that are the command's own."""
    options = dict(ctx.params)
    with Client(options.pop("api_key"), options.pop("base_url")) as client:
        names = set(options) & set(_Run.__slots__)
        yield _Run(client, **{name: options.pop(name) for name in names}), options


def _connection(command: Command) -> Command:
    key = click.option(
        "--api-key",
        envvar="VIMMERSE_API_KEY",
        show_envvar=True,
        help="The key; better in the environment, where no process list shows it.",
    )
    url = click.option(
        "--base-url",
        envvar="VIMMERSE_BASE_URL",
        show_envvar=True,
        help="The service; the real one if not given.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the Batch as JSON.")
    return key(url(as_json(command)))


def _patience(command: Command) -> Command:
    timeout = click.option(
        "--wait-timeout",
        type=click.FloatRange(min=0),
        default=1200.0,
        show_default=True,
        help="Seconds to wait at most, for each processing.",
    )
    poll = click.option(
        "--poll",
        type=click.FloatRange(min=0),
        default=2.0,
        show_default=True,
        help="Seconds between the first two readings; later pauses are longer.",
    )
    output = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        callback=_parent_exists,
        help="Wait, compose the videos if there is no composed one, and save it here.",
    )
    return output(timeout(poll(command)))


def _waiting(command: Command) -> Command:
    return click.option("--wait", is_flag=True, help="Wait until it is done.")(_patience(command))


def _images(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> tuple[str | Path, ...]:
    """Leave URLs as they are; anything else is a file that must be there."""
    path = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
    urls = ("http://", "https://")
    return tuple(
        image if image.lower().startswith(urls) else Path(path.convert(image, param, ctx))
        for image in given
    )


def _parent_exists(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    # Found out before credit is spent on a video that nobody could save.
    if path is not None and not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.absolute().parent}; make it first")
    return path


def _fields(texts: Mapping[str, str], numbers: Mapping[str, str]) -> Callable[[Command], Command]:
    """Make an option of every field; what is valid is the server's affair."""

    def decorate(command: Command) -> Command:
        for name, meaning in reversed({**texts, **numbers}.items()):
            kind = int if name in numbers else str
            command = click.option(f"--{name.replace('_', '-')}", type=kind, help=meaning)(command)
        return command

    return decorate


def _summary(batch: Batch) -> str:
    counts = (len(batch.finished_medias), len(batch.medias), len(batch.failed_medias))
    lines = [
        f"batch   {batch.id}",
        f"title   {excerpt(batch.title)}",
        f"status  {batch.status} at {batch.progress_percentage} %",
        "medias  {} of {} finished, {} failed".format(*counts),
        f"video   {batch.video_url or 'none yet'}",
    ]
    return "\n".join([*lines, f"message {excerpt(batch.message)}"] if batch.message else lines)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vimmerse-mock")
def main() -> None:
    """Make videos from images with the Vimmerse batch API."""


@main.command()
@click.argument("images", nargs=-1, required=True, callback=_images, metavar="IMAGE...")
@_fields(_CREATE_TEXTS, _CREATE_NUMBERS)
@click.option("--is-transition/--no-is-transition", default=None, help="Transitions in between.")
@_waiting
@_connection
@click.pass_context
def create(ctx: click.Context, /, **_options: object) -> None:
    """Create a batch from image files, or from image URLs; this costs credit."""
    with _run(ctx) as (run, options):
        images = options.pop("images")
        run.finish(run.client.create(images, **options))


@main.command()
@click.argument("batch_id")
@_connection
@click.pass_context
def get(ctx: click.Context, /, **_options: object) -> None:
    """Show a batch."""
    with _run(ctx) as (run, options):
        run.show(run.client.get(**options))


@main.command()
@click.argument("batch_id")
@_fields(_UPDATE_TEXTS, _UPDATE_NUMBERS)
@_waiting
@_connection
@click.pass_context
def update(ctx: click.Context, /, **_options: object) -> None:
    """Update a batch; the options that process again cost credit again."""
    with _run(ctx) as (run, options):
        run.finish(run.client.update(**options))


@main.command()
@click.argument("batch_id")
@_waiting
@_connection
@click.pass_context
def concat(ctx: click.Context, /, **_options: object) -> None:
    """Compose all finished videos of a batch into one."""
    with _run(ctx) as (run, options):
        run.finish(run.client.concat(**options))


@main.command()
@click.argument("batch_id")
@_patience
@_connection
@click.pass_context
def wait(ctx: click.Context, /, **_options: object) -> None:
    """Wait until a batch is done."""
    with _run(ctx) as (run, options):
        replace(run, wait=True).finish(run.client.get(**options))


@main.command()
@click.argument("batch_id")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), callback=_parent_exists)
@_connection
@click.pass_context
def download(ctx: click.Context, /, **_options: object) -> None:
    """Save the composed video of a batch."""
    with _run(ctx) as (run, options):
        batch = run.client.get(options["batch_id"])
        run.client.download(batch, options["path"])
        run.show(batch)
