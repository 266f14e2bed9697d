"""Hear Opus fall apart: one bitrate after the other, from 64 kbps down to 2, without a gap.

usage: python examples/hear_opus_fall_apart.py [IN.wav] [OUT.wav]
"""

import sys

import numpy as np
import soundfile
from stem import synthesise

import codecfx

STEPS_KBPS = (64, 32, 24, 16, 12, 8, 6, 4, 3, 2)


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else None
    target = sys.argv[2] if len(sys.argv) > 2 else "opus-falling-apart.wav"
    if source:
        audio, rate = soundfile.read(source, dtype="float32", always_2d=True)
        audio = audio.T
    else:
        audio, rate = synthesise(20.0), 48_000

    opus = codecfx.Opus(bitrate_kbps=STEPS_KBPS[0])
    parts = []
    for part, kbps in zip(np.array_split(audio, len(STEPS_KBPS), axis=1), STEPS_KBPS, strict=True):
        opus.bitrate_kbps = kbps  # heard from the frame it falls in, without a click
        parts.append(opus.process(part, rate, reset=False))
        meter = opus.meter
        print(f"{kbps:3} kbps asked, {meter.now_kbps:5.1f} sent: {meter.details.get('mode')}, "
              f"{meter.details.get('bandwidth')}")  # fmt: skip
    soundfile.write(target, np.concatenate(parts, axis=1).T, rate)
    print(f"{target}: {opus.latency_ms:.1f} ms late, as a live stream is")


if __name__ == "__main__":
    main()
