"""`AudioTarget`: an audio file to write to, which stands under its name only when it is whole."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
import soundfile

from codecfx.audio import Audio
from codecfx.audio_file.metadata import (
    FAMILIES,
    SourceMetadata,
    cut_form,
    settle_header,
    tag_strings,
)
from codecfx.audio_file.part_file import PartFile
from codecfx.audio_file.sample_format import (
    BYTES_PER_SAMPLE,
    CONTAINERS,
    FORM_LIMIT_BYTES,
    FULL_SCALE_BITS,
    VORBIS_COMPRESSION,
    storable,
)
from codecfx.audio_file.sequential import (
    FILE_TROUBLE,
    open_sequential,
    quoted,
    reason,
    system_path,
)
from codecfx.audio_file.source import AudioSource
from codecfx.errors import AudioFileError, UnsupportedFormat

# A WAV of more audio than this is written as RF64. 64 MiB under the 4 GiB where WAV ends: room for
# carried chunks and for the tails of effects, which nobody knows when the file is begun.
RF64_FROM_BYTES = 2**32 - 2**26

_BLOCK_SAMPLES = 16_384


class AudioTarget:
    """An audio file to write to.

    Samples go to a hidden file beside `path`, and `commit` gives it its name. Leaving the `with`
    block without `commit`, by whatever way, removes it; what a killed process left is removed when
    the same file is next written.

    path: as given; the suffix picks the container. sample_rate (Hz), channels: the source's.
    format, subtype: soundfile's names of what is written. samples: written so far, per channel.
    peak: largest absolute sample so far, before clipping. clipped_samples: how many, over all
    channels, were beyond ±1 and cut to it; always 0 where the format keeps floats.
    """

    def __init__(
        self, path: str | os.PathLike[str], like: AudioSource, *, overwrite: bool = False
    ) -> None:
        """Begin a file with the rate, channels, sample format (see `sample_format`), tags and
        chunks (see `metadata`) of `like`, which may be closed once this returns.

        Raises AudioFileError, and leaves nothing behind, where the path or container will not do.
        """
        self.path = Path(path)
        self.sample_rate = like.sample_rate
        self.channels = like.channels
        self.samples = 0
        self.peak = 0.0
        self.clipped_samples = 0
        self._overwrite = overwrite
        self._file: Any = None
        self._part: PartFile | None = None
        self._refuse_path(like)
        container = CONTAINERS.get(self.path.suffix.lower())
        if container is None:
            raise self._error("no such output; name it " + ", ".join(sorted(CONTAINERS)))
        if refusal := container.refusal(self.sample_rate, self.channels):
            raise self._error(refusal)
        self.subtype = container.subtype_like(like.subtype)
        self._metadata = SourceMetadata(like.path, like.format, like.tags)
        try:
            self.format = self._choose_format(container.format, like)
            self._begin()
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, audio: Audio) -> None:
        """Append float32 (channels, n), n >= 0. Samples that are not finite are written as 0.

        Raises UnsupportedFormat for another shape or type, AudioFileError where it cannot be
        written (a full disk): then nothing is left of the file.
        """
        if audio.ndim != 2 or len(audio) != self.channels or audio.dtype != np.float32:
            raise UnsupportedFormat(
                f"{quoted(self.path)} takes float32 ({self.channels}, samples), "
                f"not {audio.dtype} {audio.shape}"
            )
        self._require_open()
        audio_bytes = self._audio_bytes(self.samples + audio.shape[1])
        if self.format in FAMILIES and self.format != "RF64" and audio_bytes > FORM_LIMIT_BYTES:
            self._fail(f"it passes the 4 GiB that {self.format} can hold; write .w64 or .caf")
        for start in range(0, audio.shape[1], _BLOCK_SAMPLES):
            self._write_block(audio[:, start : start + _BLOCK_SAMPLES])

    def commit(self) -> None:
        """Finish the file and give it its name. Nothing can be written afterwards.

        Raises AudioFileError where that fails, and where nothing was written; then nothing is left
        of the file, and what stood under the name before still stands.
        """
        part = self._require_open()
        if not self.samples:
            self._fail("nothing was written to it; write at least one sample")
        try:
            self._file.close()
            self._carry_chunks(part.path)
            # Vorbis and FLAC lose their last block on a full disk without a word.
            whole = self._is_whole(part.path)
            if whole:
                part.publish(overwrite=self._overwrite)
        except FileExistsError:
            self._fail("it appeared while this was being written; give another name")
        except FILE_TROUBLE as problem:
            self._fail_for(problem)
        if not whole:
            self._fail(
                (part.write_error() or "it does not read back") + "; make room or write elsewhere"
            )
        self.discard()

    def discard(self) -> None:
        """Give up what is not committed and remove it. May be called twice, and after `commit`."""
        if self._file is not None:
            # A full disk makes closing fail as well; the file is going away anyway.
            with suppress(*FILE_TROUBLE):
                self._file.close()
        if self._part is not None:
            self._part.discard()
            self._part = None
        self._metadata.close()

    def _refuse_path(self, like: AudioSource) -> None:
        """Raise where `path` must not be written: the input itself, or something that exists."""
        try:
            os.lstat(self.path)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as problem:
            raise self._error(f"{reason(problem)}; give another name") from problem
        is_input = False
        with suppress(OSError):
            is_input = os.path.samefile(self.path, like.path)
        if is_input:
            raise self._error("that is the input itself; give another name")
        if self.path.exists() and not self.path.is_file():
            what = "a folder" if self.path.is_dir() else "no regular file"
            raise self._error(f"that is {what}; give a file name")
        if not self._overwrite:
            raise self._error("it exists; give another name, or allow overwriting (--overwrite)")

    def _choose_format(self, container_format: str, like: AudioSource) -> str:
        audio_bytes = self._audio_bytes(like.samples)
        if container_format == "AIFF" and audio_bytes > FORM_LIMIT_BYTES:
            raise self._error("AIFF holds up to 4 GiB and this is longer; write .wav or .caf")
        if container_format != "WAV":
            return container_format
        if audio_bytes + self._metadata.carried_bytes > RF64_FROM_BYTES:
            return "RF64"
        return "WAVEX" if like.format == "WAVEX" else "WAV"

    def _begin(self) -> None:
        """Create the hidden file, open it for writing and give it the source's tags."""
        try:
            self._part = PartFile(self.path)
        except FileNotFoundError:
            raise self._error("there is no such folder; create it first") from None
        except OSError as problem:
            raise self._error(f"{reason(problem)}; choose another folder") from problem
        try:
            self._file = open_sequential(
                self._part.path,
                "w",
                self.sample_rate,
                self.channels,
                self.subtype,
                format=self.format,
                compression_level=VORBIS_COMPRESSION if self.subtype == "VORBIS" else None,
            )
        except FILE_TROUBLE as problem:
            self._fail_for(problem)
        if not self._carries_chunks():
            for name, text in tag_strings(self._metadata.tags):
                # W64 has no tags at all, AIFF not all of them.
                with suppress(soundfile.SoundFileError):
                    setattr(self._file, name, text)

    def _write_block(self, block: Audio) -> None:
        magnitude = np.abs(block)
        if not np.isfinite(magnitude.max()):
            block = np.where(np.isfinite(block), block, np.float32(0))
            magnitude = np.abs(block)
        self.peak = max(self.peak, float(magnitude.max()))
        if self.subtype in FULL_SCALE_BITS:
            self.clipped_samples += int(np.count_nonzero(magnitude > 1))
        try:
            self._file.write(storable(block, self.subtype))
        except FILE_TROUBLE as problem:
            self._fail_for(problem)
        self.samples += block.shape[1]

    def _audio_bytes(self, samples: int) -> int:
        return samples * self.channels * BYTES_PER_SAMPLE[self.subtype]

    def _carries_chunks(self) -> bool:
        """Whether the output takes the source's chunks as they are; else it gets its tags."""
        family = self._metadata.family
        return family is not None and FAMILIES.get(self.format) == family

    def _carry_chunks(self, part: Path) -> None:
        if self.format not in FAMILIES:
            return
        with part.open("r+b") as file:
            settle_header(file, self.samples, self._audio_bytes(self.samples))
            bare_length = file.seek(0, os.SEEK_END)
            if not self._carries_chunks() or not self._metadata.chunks:
                return
            self._metadata.append_to(file)
        # A garbled chunk that libsndfile never got to in the source must not spoil the output.
        if not self._is_whole(part):
            with part.open("r+b") as file:
                cut_form(file, bare_length)

    def _is_whole(self, part: Path) -> bool:
        """Whether libsndfile finds in the file all that was written, up to the last sample."""
        try:
            with soundfile.SoundFile(system_path(part)) as file:
                found = (file.frames, file.channels, file.samplerate)
                if found != (self.samples, self.channels, self.sample_rate):
                    return False
                file.seek(self.samples - 1)
                return len(file.read(1)) == 1
        except soundfile.SoundFileError:
            return False

    def _require_open(self) -> PartFile:
        if self._part is None:
            raise self._error("it is finished; open it anew to write more")
        return self._part

    def _error(self, why: str) -> AudioFileError:
        return AudioFileError(f"cannot write {quoted(self.path)}: {why}")

    def _fail(self, why: str) -> NoReturn:
        self.discard()
        raise self._error(why)

    def _fail_for(self, problem: Exception) -> NoReturn:
        """Fail with the system's reason. libsndfile's errors have none, so the system is asked."""
        why = reason(problem)
        if not isinstance(problem, OSError) or isinstance(problem, FileNotFoundError):
            why = (self._part.write_error() if self._part is not None else "") or why
        self.discard()
        raise self._error(f"{why}; make room or write elsewhere") from problem
