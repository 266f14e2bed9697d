"""Files in place of a microphone or phones: what the host reads and writes for the engine."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic

from codecfx.audio import Audio, silence
from codecfx.audio_file import AudioSource
from codecfx.audio_file.recording import Recording
from codecfx.errors import AudioFileError
from codecfx.live.memory import SoundRing
from codecfx.stream.resampling import Resampled

_STEP_SAMPLES = 8192
_AHEAD_SECONDS = 2
_SYNC_SECONDS = 1.0


class FilePlayer:
    """Plays a file into a ring, again and again, at the stream's rate. [the files' thread]"""

    def __init__(self, path: Path) -> None:
        """Raises AudioFileError: a file that cannot be read."""
        self._path = path
        self._source = AudioSource(path)
        self.channels, self.sample_rate = self._source.channels, self._source.sample_rate
        self._rest: Audio = silence(1, 0)

    def begin(self, sample_rate: int, channels: Sequence[int]) -> None:
        """Play at this rate, in Hz, these channels, from 1. Raises UnsupportedFormat."""
        own = self._source.sample_rate
        self._picked = [number - 1 for number in channels]
        self._rate, self._resampled = sample_rate, None
        if sample_rate != own:
            self._resampled = Resampled(own, sample_rate, len(channels))
        self._rest = silence(len(channels), 0)

    def work(self, ring: SoundRing) -> None:
        """Fill the ring with two seconds, as far as there is room. Raises AudioFileError."""
        while ring.waiting < _AHEAD_SECONDS * self._rate:
            if not self._rest.shape[1]:
                self._rest = self._next()
            if not ring.write(self._rest):
                return
            self._rest = self._rest[:, :0]

    def _next(self) -> Audio:
        block = self._source.read(_STEP_SAMPLES)
        if not block.shape[1]:  # its end: once more
            self._source.close()
            self._source = AudioSource(self._path)
            block = self._source.read(_STEP_SAMPLES)
        block = block[self._picked]
        return block if self._resampled is None else self._resampled.push(block)

    def close(self) -> None:
        """No more is played."""
        self._source.close()


class FileWriter:
    """Writes what comes out of a ring to a WAV. [the files' thread]"""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Raises AudioFileError: no WAV, or there already."""
        if path.suffix.lower() != ".wav":
            raise AudioFileError(f"{path}: live sound goes to a .wav; render it to others afterwards")
        if path.exists() and not overwrite:
            raise AudioFileError(f"{path} exists; choose another name, or --overwrite")
        self._path = path
        self._file: Recording | None = None
        self._form = 0, 0
        self._next_sync = 0.0
        self._is_full = False

    def begin(self, sample_rate: int, channels: int) -> None:
        """Write a stream of these, from its first sound on: where none comes, what was there is there
        still. One that goes on after another goes on in the same file.

        Raises AudioFileError: nothing can be written there.
        """
        self._form = sample_rate, channels
        try:
            TemporaryFile(dir=self._path.parent).close()
        except OSError as error:
            raise AudioFileError(f"{self._path}: cannot be written ({error.strerror})") from None

    def work(self, ring: SoundRing) -> None:
        """Write what is there. Raises AudioFileError once, where it cannot: then what comes is lost,
        and the file ends where it was.
        """
        try:
            while ring.waiting:
                block = ring.read(_STEP_SAMPLES)
                if self._is_full:
                    continue
                if self._file is None:
                    self._path.unlink(missing_ok=True)
                    self._file = Recording(self._path, *self._form)
                self._file.write(block)
            if self._file is not None and monotonic() >= self._next_sync:
                self._file.sync()
                self._next_sync = monotonic() + _SYNC_SECONDS
        except OSError as error:
            self._is_full = True
            samples = 0 if self._file is None else self._file.samples
            raise AudioFileError(
                f"{self._path} ends after {samples} samples: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """It is whole."""
        if self._file is not None:
            self._file.close()
