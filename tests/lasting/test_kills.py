from __future__ import annotations

from pathlib import Path

from lasting.ordeal import Ordeal, Plan


def test_nothing_is_lost_when_the_mock_is_killed(database_url: str, tmp_path: Path) -> None:
    """After five `kill -9` under load every promise, credit and webhook is accounted for.

    `make soak` does the same a hundred times, and waits for the leases of the dead.
    """
    report = Ordeal(Plan(database_url, tmp_path, kills=5, seed="five")).run()
    assert not report.problems, f"{report}\n{(tmp_path / 'serve.log').read_text()[-5_000:]}"
    assert sum(report.kills.values()) == 5
    assert report.creations
