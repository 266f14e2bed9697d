"""How much audio an MP3 without a length header has.

libsndfile takes the length from the Xing, Info or VBRI header in the first frame. Where a splitter
or a stream recorder left none, it reckons with the first frame's bitrate, which is right at a
constant bitrate only: measured, it then stops reading at 47 % of a variable one without a word.
So such files have their frames counted.
"""

import os
from typing import BinaryIO

# ISO 11172-3 and 13818-3, layer III, kbit/s by bitrate index; 0 is 'free', 15 is forbidden.
_KBPS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATE_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def headerless_samples(file: BinaryIO) -> int | None:
    """Samples per channel, at least, by walking the frames; None where a header gives the length.

    The walk ends at the first thing that is no whole frame: a tag, damage, the end.

    file: an MP3 opened in binary mode; its position is moved. Reads 4 bytes per frame, keeps none.
    """
    length = file.seek(0, os.SEEK_END)
    position = _after_id3v2(file)
    file.seek(position)
    # The header lies behind at most 36 bytes of side information; VBRI at exactly 36.
    first = file.read(64)
    if any(mark in first for mark in (b"Xing", b"Info", b"VBRI")):
        return None
    samples = 0
    while True:
        file.seek(position)
        frame_samples, frame_bytes = _frame(file.read(4))
        position += frame_bytes
        if not frame_bytes or position > length:
            return samples
        samples += frame_samples


def _after_id3v2(file: BinaryIO) -> int:
    """Where the ID3v2 tag at the start of the file ends; 0 where there is none."""
    file.seek(0)
    header = file.read(10)
    if len(header) < 10 or header[:3] != b"ID3":
        return 0
    size = 0
    for byte in header[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(header: bytes) -> tuple[int, int]:
    """(samples, bytes) of the frame with this 4-byte header; (0, 0) if it is no layer III frame."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0, 0
    version = header[1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    kbps_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or kbps_index in (0, 15) or rate_index == 3:
        return 0, 0
    kbps = (_KBPS_MPEG1 if version == 3 else _KBPS_MPEG2)[kbps_index]
    samples = 1152 if version == 3 else 576
    padding = header[2] >> 1 & 1
    return samples, samples // 8 * kbps * 1000 // _RATE_HZ[version][rate_index] + padding
