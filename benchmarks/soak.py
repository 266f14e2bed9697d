"""Plays live for a long time, and looks for what grows, drifts or is lost.

usage: make soak MINUTES=30
"""

import sys
import time
from itertools import pairwise

import numpy as np
from live_session import BOARD, PIECE_SECONDS, RATE, machine, memory_mib, session

_GROWTH_MIB = 5.0
_SETTLING_MINUTES = 2  # until every buffer has been used once


def lag_of(played: np.ndarray, heard: np.ndarray) -> int:
    """How many samples later, by correlation: a codec changes the samples."""
    size = 1 << (len(heard) + len(played)).bit_length()
    spectra = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    return int(np.argmax(np.fft.irfft(spectra)[: RATE // 2]))


def main(minutes: float) -> int:
    noise = (0.1 * np.random.default_rng(0).standard_normal((2, PIECE_SECONDS * RATE))).astype("f4")
    print("min   engine    host  lag  dropouts  late cycles  stolen")
    grown: dict[str, float] = {}
    lags, first = [], {}
    with session(*BOARD) as (running, rig):
        began, before, cycles = time.monotonic(), machine(), 0
        while (passed := (time.monotonic() - began) / 60) < minutes:
            heard = rig.play(noise, tail=RATE)
            cycles += rig.xruns
            lags.append(lag_of(noise[0], heard[0]))
            now = {name: memory_mib(pid) for name, pid in running.pids.items()}
            if passed > min(_SETTLING_MINUTES, minutes / 2):
                first = first or now
                grown = {name: now[name] - first[name] for name in first if name in now}
            every, _, stolen = (one - then for one, then in zip(machine(), before, strict=True))
            print(
                f"{passed:4.1f}  {now['engine']:5.1f} M  {now['host']:5.1f} M  {lags[-1]:4d}  "
                f"{running.status['dropouts']:8d}  {cycles:11d}  {100 * stolen / every:5.1f} %",
                flush=True,
            )
        restarts = running.status["restarts"]
    drifted = sum(one != other for one, other in pairwise(lags))
    print(
        f"memory grew by {', '.join(f'{name} {mib:.1f} MiB' for name, mib in grown.items())} "
        f"(bound {_GROWTH_MIB:g}); the latency changed {drifted} times; {restarts} restarts"
    )
    return int(any(mib > _GROWTH_MIB for mib in grown.values()) or drifted > 0 or restarts > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0))
