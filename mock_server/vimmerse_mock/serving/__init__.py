"""The front: the one HTTP server behind `serve`, `MockServer` and every listener.

It reads a whole request under deadlines and bounds before anything runs, answers at once what
cannot block, gives what may block to a pool with a share for each account, and waits for latency
without a thread: who waits, waits alone.
"""
