"""How many requests the mock answers: beside bare Flask, and without its journal."""

from functools import partial

from bench.figures import Figure, Run
from bench.servers import BARE, mock, serving
from bench.wrk import CONNECTIONS, compare, create_call, load, read_calls


def rates(run: Run) -> list[Figure]:
    """Requests beside bare Flask.

    `vimmerse-mock serve`, its store in memory and with its journal, beside a bare Flask application
    on granian with one thread that is sent the same requests. That one answers ready-made bytes, an
    answer of the mock's, and reads one field of a POST's form. What is read is still processing.
    p99: 99 % of the answers were faster. The journal: beside `--journal 0`.
    """
    figures: list[Figure] = []
    plain = serving(run, mock("--journal", "0"))
    with serving(run, mock()) as ours, serving(run, BARE) as bare, plain as without:
        reads, others = read_calls(ours.url, run.amount(200, 2_000)), read_calls(without.url, 1)
        for what, calls, connections, rate, p99 in (
            ("GET", reads[:1], CONNECTIONS, "≥ 0.8 x", "≤ 3 x, ≤ 10 ms"),
            ("GET", reads[:1], 64, "", "≤ 40 ms"),
            (f"GET of {len(reads):,} batches in turn", reads, CONNECTIONS, "≥ 0.6 x", ""),
            ("create, a form", [create_call()], CONNECTIONS, "≥ 0.35 x", ""),
        ):
            load_ours = partial(load, run, ours.url, calls, connections)
            load_bare = partial(load, run, bare.url, calls, connections)
            title = f"{what}, {connections} connections"
            figures += compare(run, title, load_ours, load_bare, rate, p99)
        journaled = partial(load, run, ours.url, reads[:1])
        plain_read = partial(load, run, without.url, others)
        figures += compare(run, "GET with the journal", journaled, plain_read, "≥ 0.9 x")
    return figures
