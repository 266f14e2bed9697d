"""Files at both ends: no sound card, whose clock is the machine's. [engine]"""

import threading
import time
from collections.abc import Callable

from codecfx.live.memory import Memory, Meter
from codecfx.live.sound_card import Process, Timing

_AHEAD_SECONDS = 0.5  # so much of the file is there before it begins
_PATIENCE_SECONDS = 5.0


class FileClock:
    """Plays what is in one ring through the desk into another, as fast as time goes by."""

    def __init__(
        self,
        process: Process,
        memory: Memory,
        sample_rate: int,
        block_samples: int,
        on_round: Callable[[], None],
    ) -> None:
        """`on_round` is `Timing`'s."""
        self._process, self._memory = process, memory
        self._rate, self._block = sample_rate, block_samples
        self._timing = Timing(sample_rate, memory, on_round)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="codecfx clock", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        memory, block = self._memory, self._block
        patience = time.monotonic() + _PATIENCE_SECONDS
        while memory.played.waiting < self._rate * _AHEAD_SECONDS and time.monotonic() < patience:
            time.sleep(0.005)
        due = time.monotonic()
        while not self._ending.is_set():
            begun = self._timing.begin()
            # nothing is lost for want of time: who reads and writes files is waited for
            while memory.played.waiting < block or memory.out.room < block:
                memory.meters[Meter.CALLBACKS] += 1  # it lives
                if self._ending.wait(0.002):
                    return
            memory.out.write(self._process(memory.played.read(block)))
            self._timing.end(begun, block)
            due += block / self._rate
            rest = due - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            elif rest < -0.1:
                self._timing.dropout()
                due = time.monotonic()
