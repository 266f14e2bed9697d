"""A codec between pedalboard's own effects, a parallel branch, and the same board streamed.

usage: python examples/chain_with_native_effects.py [OUT.wav]
"""

import sys

import numpy as np
import pedalboard
import soundfile
from stem import synthesise

import codecfx

RATE = 48_000


def main() -> None:
    stem = synthesise(8.0, RATE)
    board = codecfx.Pedalboard(
        [
            pedalboard.Compressor(threshold_db=-20, ratio=4),
            codecfx.Mix(  # branches are aligned by their latency: no comb filter
                [
                    codecfx.Opus(bitrate_kbps=6, application="voip", label="crushed"),
                    pedalboard.Gain(gain_db=-6),
                ]
            ),
            pedalboard.Reverb(room_size=0.3, wet_level=0.2, dry_level=0.8),
        ]
    )
    wet = board(stem, RATE)
    print(f"{board}\n{board.latency_samples} samples of latency, removed: {wet.shape} for {stem.shape}")

    blocks = [stem[:, at : at + 256] for at in range(0, stem.shape[1], 256)]
    board.reset()
    live = np.concatenate([board.process(block, RATE, reset=False) for block in blocks], axis=1)
    late = board.latency_samples
    print(
        "in blocks of 256, as live:",
        np.array_equal(live[:, late:], wet[:, :-late]) and "the same samples",
    )

    target = sys.argv[1] if len(sys.argv) > 1 else "chain.wav"
    soundfile.write(target, wet.T, RATE)
    codecfx.save_preset(
        board, target.removesuffix(".wav") + ".toml", description="Parallel", overwrite=True
    )
    print(f"{target}, and the board as a preset beside it")


if __name__ == "__main__":
    main()
