"""Time as far as this machine runs: one that is shared may stand still for seconds."""

import threading
import time
from contextlib import contextmanager

TICK = 0.01  # seconds
LONGEST = 0.05  # what a tick may take of a machine that runs


@contextmanager
def within(seconds):
    """What is done here takes no longer. Where the machine stands still, this does too."""
    done, passed = threading.Event(), [0.0]

    def count():
        before = time.monotonic()
        while not done.wait(TICK):
            now = time.monotonic()
            passed[0] += min(now - before, LONGEST)
            before = now

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield
    finally:
        done.set()
        counting.join()
    assert passed[0] < seconds, f"it took {passed[0]:.2f} s"
