from __future__ import annotations

from pathlib import Path
from signal import SIGTERM

import pytest

from support.serving import Serve, Victim
from support.waiting import pause


def begin(serve: Serve, early: int) -> None:
    """Wait until some of the workers answer, or for some instant before."""
    if early:
        pause(0.4 + early / 20)
    else:
        serve.await_url()


@pytest.mark.parametrize("early", range(4))
def test_sigterm_stops_it_while_it_starts(tmp_path: Path, early: int) -> None:
    """Asked to stop before all of its workers answer, it ends, and so do they."""
    with Serve(tmp_path, "--store", f"sqlite:///{tmp_path}/mock.db", "--workers", "2") as serve:
        begin(serve, early)
        serve.process.terminate()
        assert serve.process.wait() in (0, -SIGTERM)
        serve.await_end()


@pytest.mark.parametrize("early", range(4))
def test_workers_do_not_outlive_the_main_process(tmp_path: Path, early: int) -> None:
    """Whenever the main process is killed, none of its workers goes on answering."""
    with Serve(tmp_path, "--store", f"sqlite:///{tmp_path}/mock.db", "--workers", "2") as serve:
        begin(serve, early)
        serve.kill(Victim.MAIN)
        serve.await_end()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """A worker that dies is started anew, and the mock answers all the while."""
    with Serve(tmp_path, "--store", f"sqlite:///{tmp_path}/mock.db", "--workers", "2") as serve:
        serve.await_listening(2)
        serve.kill(Victim.WORKER)
        serve.await_listening(2)
        assert serve.stop() == 0
