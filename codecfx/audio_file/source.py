"""`AudioSource`: an audio file to read from, first sample to last."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile

from codecfx.audio import Audio, planar
from codecfx.audio_file.mp3_length import headerless_samples
from codecfx.audio_file.sequential import FILE_TROUBLE, open_sequential, quoted, reason
from codecfx.errors import AudioFileError

# libsndfile reports 2^63 - 1 where a FLAC or Ogg stream does not say how long it is.
_LENGTH_UNKNOWN = 2**62
_BLOCK_SAMPLES = 16_384

# What is read as integers and scaled here: exact as libsndfile's own conversion, three times faster.
_INTEGERS: dict[str, np.dtype[Any]] = {"PCM_16": np.dtype(np.int16), "PCM_24": np.dtype(np.int32)}

# Two frames of layer III: libsndfile's reckoning may end a little early.
_MP3_GRACE_SAMPLES = 2 * 1152


class AudioSource:
    """An audio file to read from.

    path: as given. sample_rate: Hz. channels. samples: per channel, at least 1; `read` gives
    exactly so many or raises. format, subtype: soundfile's names ('WAV', 'PCM_24'). tags: title,
    artist and so on, by soundfile's names.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open `path`. Raises AudioFileError if there is no audio in it that can be read.

        A file that does not say its length is decoded once to find out.
        """
        self.path = Path(path)
        self._position = 0
        self._file = self._open()
        try:
            self.sample_rate = int(self._file.samplerate)
            self.channels = int(self._file.channels)
            self.format = str(self._file.format)
            self.subtype = str(self._file.subtype)
            self.tags: dict[str, str] = self._file.copy_metadata()
            self.samples = self._length()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no more can be read. May be called twice."""
        self._file.close()

    def read(self, samples: int) -> Audio:
        """The next `samples` samples, or as many as are left: float32 (channels, n), C-contiguous.

        n is 0 at the end. Raises AudioFileError where the file is damaged, or ends before
        `self.samples`, or was closed.
        """
        if self._file.closed:
            raise AudioFileError(f"{quoted(self.path)} was closed; open it anew to read it")
        expected = max(0, min(samples, self.samples - self._position))
        block = self._read(expected)
        self._position += block.shape[1]
        if block.shape[1] < expected:
            raise AudioFileError(
                f"{quoted(self.path)} ends after {self._position} of {self.samples} samples; "
                "it is cut short or damaged, get a whole copy"
            )
        return block

    def _open(self) -> Any:
        try:
            # Asked first: libsndfile gives no reasons, and waits where it is given a pipe.
            if self.path.exists() and not self.path.is_file():
                what = "a folder" if self.path.is_dir() else "no regular file"
                raise AudioFileError(f"{quoted(self.path)} is {what}; give one audio file")
            with self.path.open("rb"):
                pass
            return open_sequential(self.path)
        except FileNotFoundError:
            raise AudioFileError(f"there is no file {quoted(self.path)}; check the path") from None
        except AudioFileError:
            raise
        except OSError as problem:
            raise AudioFileError(
                f"cannot read {quoted(self.path)}: {reason(problem)}; check path and permissions"
            ) from problem
        # TypeError: soundfile goes by the suffix .raw, and then asks for a sample rate.
        except (soundfile.SoundFileError, TypeError, ValueError) as problem:
            raise AudioFileError(
                f"{quoted(self.path)} is no audio file, or a damaged one; takes WAV, RF64, W64, "
                "AIFF, FLAC, Ogg, MP3 and CAF"
            ) from problem

    def _length(self) -> int:
        samples = int(self._file.frames)
        walked = None
        if self.format == "MP3":
            with suppress(OSError), self.path.open("rb") as file:
                walked = headerless_samples(file)
        if samples >= _LENGTH_UNKNOWN or walked is not None:
            samples = self._count()
        if samples <= 0:
            raise AudioFileError(f"{quoted(self.path)} holds no samples; give a file with audio")
        if walked is not None and walked > samples + _MP3_GRACE_SAMPLES:
            raise AudioFileError(
                f"{quoted(self.path)} has a varying bitrate and no length header; write one "
                "with: ffmpeg -i IN.mp3 -c copy OUT.mp3"
            )
        return samples

    def _count(self) -> int:
        """How many samples can be read; leaves the file at its start."""
        samples = 0
        while got := self._read(_BLOCK_SAMPLES).shape[1]:
            samples += got
        self._file.close()
        self._file = self._open()
        return samples

    def _read(self, samples: int) -> Audio:
        kind: np.dtype[Any] = _INTEGERS.get(self.subtype, np.dtype(np.float32))
        frames = np.empty((samples, self.channels), kind)
        try:
            if samples:
                frames = self._file.read(out=frames)
        except FILE_TROUBLE as problem:
            raise AudioFileError(
                f"{quoted(self.path)} cannot be read past sample {self._position}: "
                f"{reason(problem)}; it is damaged, get a whole copy"
            ) from problem
        block = planar(frames).astype(np.float32, copy=False)
        if kind.kind == "i":
            block *= np.float32(1 / 2 ** (8 * kind.itemsize - 1))
        return block
