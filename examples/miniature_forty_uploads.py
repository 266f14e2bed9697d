"""Miniature 2, "Forty uploads": a phrase for strings that is uploaded, downloaded and uploaded again.

Each time it comes through more generations of the codecs that the web has used, until nothing but the
codecs is left; then what each of them took away on its first pass is heard alone, all of it together.

usage: python examples/miniature_forty_uploads.py [FOLDER of recordings] [OUT.wav]
"""

import sys

import numpy as np
from sources import RATE, Sound, faded, recording, silence, together, write

import codecfx

PHRASE_SECONDS = 4.6
UPLOADS = (0, 1, 3, 9, 21, 42)


def uploaded(phrase: Sound, times: int) -> Sound:
    """The phrase after so many uploads: MP3, AAC and Opus by turns, never in step."""
    if not times:
        return phrase
    if times == 1:
        return codecfx.MP3(bitrate_kbps=96)(phrase, RATE)
    turns = max(1, times // 3)
    copies = codecfx.Generations(
        [
            codecfx.MP3(bitrate_kbps=64),
            codecfx.AAC(bitrate_kbps=48),
            codecfx.Opus(bitrate_kbps=24, frame_ms=60),
        ],
        generations=turns,
    )
    return copies(phrase, RATE)


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    target = sys.argv[2] if len(sys.argv) > 2 else "miniature-forty-uploads.wav"
    phrase = faded(recording(folder, "brahms_strings.ogg", 0.2, PHRASE_SECONDS), 0.02, 0.3)

    parts = []
    for number, times in enumerate(UPLOADS):
        print(f"  {times} uploads")
        copy = uploaded(phrase, times)
        copy = copy * (0.708 / max(0.2, np.abs(copy).max()))
        parts.append((number * (PHRASE_SECONDS - 0.2), faded(copy, 0.01, 0.25), 1.0))
    end = len(UPLOADS) * (PHRASE_SECONDS - 0.2)

    # The last copy is frozen where it ends, and what was taken away comes up behind it
    hold = codecfx.Opus(bitrate_kbps=6, freeze_packets=12, scatter=0.4, seed=3)
    last = np.concatenate((parts[-1][1], silence(9.0)), axis=1)
    at = PHRASE_SECONDS - 0.9
    frozen = hold(
        last, RATE, automation=codecfx.Controls(lanes=(codecfx.Lane("freeze", [(f"{at} s", True)]),))
    )
    frozen = frozen[:, round((PHRASE_SECONDS - 0.3) * RATE) :]
    taken = sum(
        codec(phrase, RATE)
        for codec in (
            codecfx.MP3(bitrate_kbps=64, delta="on"),
            codecfx.AAC(bitrate_kbps=48, delta="on"),
            codecfx.Opus(bitrate_kbps=24, delta="on"),
            codecfx.SBC(delta="on"),
        )
    )
    taken = codecfx.native("Reverb", room_size=0.85, wet_level=0.35, dry_level=0.7)(
        np.concatenate((taken, silence(4.0)), axis=1).astype(np.float32), RATE
    )
    piece = together(
        *parts,
        (end - 0.5, faded(frozen, 0.4, 6.0), 0.5),
        (end + 1.0, faded(taken * (0.7 / np.abs(taken).max()), 0.5, 3.0), 0.9),
    )
    write(target, piece)


if __name__ == "__main__":
    main()
