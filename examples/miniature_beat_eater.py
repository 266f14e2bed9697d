"""Miniature 3, "Beat eater": a trumpet loop, and codecs that play it as a drum machine would.

Loss falls on the beat, loops freeze for half a bar, a band's bits are spliced into the trumpet's, only
the highs are broken while the rest stays, and the whole thing feeds back into itself before it stops.

usage: python examples/miniature_beat_eater.py [FOLDER of recordings] [OUT.wav]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from sources import RATE, faded, recording, silence, write

import codecfx
from codecfx import Controls, Lane

BPM = 90  # the loop's: two bars of it
BAR = 4 * 60 / BPM  # seconds


def bars(*numbers: float) -> list[str]:
    return [f"{number * BAR:.6f} s" for number in numbers]


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    target = sys.argv[2] if len(sys.argv) > 2 else "miniature-beat-eater.wav"
    loop = recording(folder, "trumpet.ogg", 0.0, 5.3)
    loop = np.concatenate((loop, silence(2 * BAR - loop.shape[1] / RATE)), axis=1)
    band = recording(folder, "vibe_ace.ogg", 20.0, 12.0)

    with tempfile.TemporaryDirectory() as scratch:
        donor = str(Path(scratch) / "band.wav")
        soundfile.write(donor, band.T, RATE)
        eater = codecfx.MP3(
            label="eater",
            bitrate_kbps=48,
            loss_pattern="drawn",
            loss_steps="..x...xx..x.x...",
            loss_beats=4,
            tempo_bpm=BPM,
            conceal="repeat",
            freeze_beats=0.5,
            seed=5,
        )
        highs = codecfx.Split(
            [
                codecfx.Chain(),
                codecfx.Opus(
                    label="highs",
                    bitrate_kbps=12,
                    frame_ms=10,
                    splice_file=donor,
                    splice_share=0.6,
                    splice_place="scattered",
                    tempo_bpm=BPM,
                    seed=6,
                ),
            ],
            low_hz=260,
        )
        again = codecfx.GSM(label="loop", mix=0.0, feedback=0.0, feedback_ms=1000 * BAR / 4, drive_db=3)
        board = codecfx.Pedalboard(
            [
                eater,
                highs,
                again,
                codecfx.native("Compressor", threshold_db=-14, ratio=4, attack_ms=5, release_ms=120),
            ]
        )
        freeze = bars(3.5, 4, 7, 7.5, 7.75, 8, 11.5, 12)
        lanes = (
            Lane("eater.loss", [*zip(bars(2, 4, 6, 8), (0.0, 1.0, 0.5, 1.0), strict=True)], "step"),
            Lane("eater.freeze", [(at, n % 2 == 0) for n, at in enumerate(freeze)]),
            Lane("eater.freeze_beats", [*zip(bars(3, 7, 11), (0.5, 0.25, 0.125), strict=True)], "step"),
            Lane("eater.scatter", [*zip(bars(6, 8), (0.0, 0.6), strict=True)]),
            Lane("highs.splice", [*zip(bars(4, 8, 12), (0.0, 0.7, 0.3), strict=True)]),
            Lane("highs.flip", [*zip(bars(8, 12, 14), (0.0, 0.02, 0.0), strict=True)]),
            Lane("split.low_hz", [*zip(bars(8, 12), (260, 60), strict=True)], "exponential"),
            Lane("loop.mix", [*zip(bars(10, 13), (0.0, 0.6), strict=True)], "smooth"),
            Lane("loop.feedback", [*zip(bars(10, 14, 16), (0.0, 0.95, 0.8), strict=True)]),
        )
        # the trumpet stops; the feedback goes on by itself
        music = np.concatenate((*[loop] * 7, silence(7.0)), axis=1)
        played = board(music, RATE, automation=Controls(lanes=lanes))
    write(target, faded(played, 0.0, 4.0))


if __name__ == "__main__":
    main()
