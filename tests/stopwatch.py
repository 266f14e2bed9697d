"""Time as far as this machine runs: one that is shared may stand still for seconds."""

import threading
from contextlib import contextmanager

from codecfx.live.patience import Patience

TICK = 0.01  # seconds


@contextmanager
def within(seconds):
    """What is done here takes no longer. Where the machine stands still, this does too."""
    done, patience = threading.Event(), Patience()

    def count():
        while not done.wait(TICK):
            patience.passed()

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield
    finally:
        done.set()
        counting.join()
    passed = patience.passed()
    assert passed < seconds, f"it took {passed:.2f} s"
