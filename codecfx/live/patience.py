"""Patience: time in which this machine runs, so that one that stands still loses nothing by it."""

import time

LONGEST_ROUND_SECONDS = 0.05  # a longer one stood still itself, and what it waits for with it


class Patience:
    """Adds up the rounds of whoever waits."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin again."""
        self._passed_s, self._before = 0.0, time.monotonic()

    def passed(self) -> float:
        """How long it has waited, in seconds; to be asked every round."""
        now = time.monotonic()
        self._passed_s += min(now - self._before, LONGEST_ROUND_SECONDS)
        self._before = now
        return self._passed_s
