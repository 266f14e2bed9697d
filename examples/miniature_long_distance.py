"""Miniature 1, "Long distance": two people on the phone, and the network between them.

It begins as a good call. Then one of them gets on a train, the other on a ship; a word freezes, the
line hangs on to it, and what is left of the call is sung by the packets alone.

usage: python examples/miniature_long_distance.py [FOLDER of recordings] [OUT.wav]
"""

import sys

import numpy as np
from sources import RATE, Sound, faded, recording, silence, together, write

import codecfx
from codecfx import Lane


def call(voice: Sound, lanes: tuple[Lane, ...], **settings: object) -> Sound:
    """One end of the call."""
    board = codecfx.Pedalboard(
        [
            codecfx.native("HighpassFilter", cutoff_frequency_hz=180),
            codecfx.Opus(
                bitrate_kbps=16, application="voip", bandwidth="wideband", coupling="mono", **settings
            ),
            codecfx.native("Reverb", room_size=0.7, wet_level=0.0, dry_level=0.5),
        ]
    )
    return board(voice, RATE, automation=codecfx.Controls(lanes=lanes))


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    target = sys.argv[2] if len(sys.argv) > 2 else "miniature-long-distance.wav"

    # She gets on a train: bursts get longer, the bitrate falls, the last word is held
    her = np.concatenate((recording(folder, "speech_female.ogg", 0.5, 9.0), silence(9.0)), axis=1)
    train = call(
        her,
        (
            Lane("opus.loss", [("2 s", 0.0), ("6 s", 0.35), ("8 s", 0.6), ("8.4 s", 0.0)], "smooth"),
            Lane("opus.bitrate_kbps", [("2 s", 16), ("8 s", 6)], "exponential"),
            Lane("opus.freeze", [("8.3 s", True), ("17 s", False)]),
            Lane("opus.scatter", [("9 s", 0.0), ("13 s", 1.0)]),
            Lane("opus.freeze_packets", [("8.3 s", 24), ("12 s", 9), ("16 s", 2)], "exponential"),
            Lane("opus.flip", [("11 s", 0.0), ("16 s", 0.03)]),
            Lane("reverb.wet_level", [("8 s", 0.0), ("12 s", 0.4)], "smooth"),
        ),
        loss_pattern="bursts",
        burst_packets=4,
        conceal="stretch",
        seed=11,
    )
    # He is at sea: half a world of fibre away, and behind a narrow link that queues
    him = np.concatenate((recording(folder, "speech_male.ogg", 1.0, 8.0), silence(6.0)), axis=1)
    ship = call(
        him,
        (
            Lane("opus.jitter_ms", [("1 s", 0.0), ("6 s", 60.0)]),
            Lane("opus.bitrate_kbps", [("3 s", 16), ("7 s", 5)], "exponential"),
            Lane("opus.freeze", [("7.2 s", True)]),
            Lane("opus.freeze_packets", [("7.2 s", 30), ("12 s", 4)], "exponential"),
            Lane("opus.slow", [("8 s", 1.0), ("13 s", 4.0)], "exponential"),
            Lane("reverb.wet_level", [("6 s", 0.0), ("10 s", 0.5)], "smooth"),
        ),
        distance_km=16_000,
        buffer_ms=60,
        conceal="repeat",
        seed=12,
    )
    # Below, the carrier: what a codec keeps of strings at next to nothing, backwards
    strings = recording(folder, "brahms_strings.ogg", 12.0, 22.0)
    carrier = codecfx.Pedalboard(
        [
            codecfx.GSM(reverse=True, window_packets=40, encode_clock=0.5, decode_clock=0.5),
            codecfx.native("LowpassFilter", cutoff_frequency_hz=900),
            codecfx.native("Reverb", room_size=0.9, wet_level=0.6, dry_level=0.2),
        ]
    )(strings, RATE)
    piece = together(
        (0.0, faded(train, 0.01, 4.0), 0.8),
        (4.5, faded(ship, 0.01, 4.0), 0.8),
        (3.0, faded(carrier, 7.0, 7.0), 0.35),
    )
    write(target, faded(np.concatenate((piece, silence(0.5)), axis=1), 0.0, 2.0))


if __name__ == "__main__":
    main()
