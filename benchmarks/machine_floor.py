"""What a machine takes away by itself: a thread that wakes up every block, computes for as long as a
board does, and looks at the clock. The peer of the live host where programs compete.

usage: python benchmarks/machine_floor.py SECONDS BLOCK_SAMPLES LOAD
"""

import gc
import os
import sys
import time
from contextlib import suppress

RATE = 48_000
_PRIORITY = 60  # as the live host's audio thread


def main(seconds: float, block_samples: int, load: float) -> int:
    """How many blocks were not done in time."""
    if os.environ.get("CODECFX_REAL_TIME") != "0":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    gc.disable()
    span, late = block_samples / RATE, 0
    due = time.perf_counter()
    for _ in range(round(seconds / span)):
        due += span
        time.sleep(max(0.0, due - time.perf_counter()))
        begun = time.thread_time()
        while time.thread_time() - begun < load * span:
            pass
        if time.perf_counter() > due + span:
            late += 1
            due = time.perf_counter()
    return late


if __name__ == "__main__":
    print(main(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
