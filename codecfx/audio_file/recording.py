"""`Recording`: a WAV file that grows, and is whole whenever it was last synced."""

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from codecfx.audio import Audio, interleaved

_FLOAT = 3  # WAVE_FORMAT_IEEE_FLOAT
_SAMPLE_BYTES = 4
# RIFF header, room for ds64 (EBU Tech 3306), fmt, fact, and the data's header
_HEADER_BYTES = 12 + 36 + 24 + 12 + 8
_LARGEST_RIFF = 2**32 - 1


class Recording:
    """A float32 WAV being written; RF64 once it passes 4 GiB.

    Unlike an `AudioTarget`, it stands under its name from the beginning: what was synced can be read by
    anybody, whatever happens next.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int) -> None:
        """Raises OSError where the file cannot be made, or is there already."""
        self._rate, self._channels = sample_rate, channels
        self.samples = 0  # per channel
        self._file = path.open("xb", buffering=0)
        self._file.write(self._header())

    def write(self, audio: Audio) -> None:
        """Append float32 (channels, samples). Raises OSError (a full disk), nothing appended."""
        unwritten = memoryview(interleaved(audio).tobytes())
        try:
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
        except OSError:
            whole = _HEADER_BYTES + self.samples * self._channels * _SAMPLE_BYTES
            self._file.truncate(whole)
            self._file.seek(whole)
            raise
        self.samples += audio.shape[1]

    def sync(self) -> None:
        """Make all that was written a whole file on the disk. Raises OSError."""
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, os.SEEK_END)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close; may be called twice."""
        if not self._file.closed:
            try:
                self.sync()
            finally:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def _header(self) -> bytes:
        frame = self._channels * _SAMPLE_BYTES
        audio = self.samples * frame
        riff = _HEADER_BYTES - 8 + audio
        is_large = riff > _LARGEST_RIFF
        sizes = (
            (_LARGEST_RIFF, _LARGEST_RIFF, _LARGEST_RIFF) if is_large else (riff, audio, self.samples)
        )
        large = struct.pack("<QQQI", riff, audio, self.samples, 0) if is_large else bytes(28)
        form = struct.pack(
            "<HHIIHH", _FLOAT, self._channels, self._rate, self._rate * frame, frame, 8 * _SAMPLE_BYTES
        )
        return b"".join(
            (
                struct.pack("<4sI4s", b"RF64" if is_large else b"RIFF", sizes[0], b"WAVE"),
                struct.pack("<4sI", b"ds64" if is_large else b"JUNK", 28) + large,
                struct.pack("<4sI", b"fmt ", 16) + form,
                struct.pack("<4sII", b"fact", 4, sizes[2]),
                struct.pack("<4sI", b"data", sizes[1]),
            )
        )
