"""What an audio file says besides its samples, carried from a source to an output.

Between files of one family (WAV and RF64; AIFF and AIFC) every chunk travels byte for byte: a
field recorder's bext and iXML, cue points, loops, ID3, and whatever else somebody's program keeps
there. Only chunks that describe the audio data itself stay behind: the output has its own.
Between families the common tags travel as libsndfile's strings.

Sources are not trusted: a broken chunk table gives what can be read of it, in bounded time and
memory, and never an error.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

Family = Literal["RIFF", "FORM"]

# soundfile's format names; all others carry tags only.
FAMILIES: dict[str, Family] = {"WAV": "RIFF", "WAVEX": "RIFF", "RF64": "RIFF", "AIFF": "FORM"}

# Not carried: the layout of the file, padding, and what is computed from the samples and would be
# wrong after an effect (PEAK, 'levl' waveform overview, 'MD5 ' of the data chunk).
_RIFF_STRUCTURE = {b"fmt ", b"data", b"fact", b"ds64", b"slnt", b"PEAK", b"levl", b"MD5 "}
_FORM_STRUCTURE = {b"COMM", b"SSND", b"FVER", b"PEAK"}
_CONTAINERS_AND_PADDING = {b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"} | {
    padding for name in (b"JUNK", b"FLLR", b"PAD ", b"FILL") for padding in (name, name.lower())
}
_STRUCTURE = _RIFF_STRUCTURE | _FORM_STRUCTURE | _CONTAINERS_AND_PADDING

# Real files have some ten chunks; a garbled one may pretend to have millions.
_MOST_CHUNKS = 4096
_COPY_BYTES = 1 << 20
_MOST_INFO_BYTES = 1 << 20
_MOST_TAG_BYTES = 1 << 14
_UINT32_MAX = 2**32 - 1

# The size in a WAV's or AIFF's head, which leaves out the first 8 bytes, has 32 bits.
_MOST_FORM_BYTES = _UINT32_MAX + 8

_INFO_TAGS = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"ICRD": "date",
    b"ICMT": "comment",
    b"ICOP": "copyright",
    b"ISFT": "software",
    b"IGNR": "genre",
    b"ITRK": "tracknumber",
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a RIFF or FORM file: its four letters, and where its content lies, in bytes."""

    kind: bytes
    offset: int
    size: int


class SourceMetadata:
    """The tags and chunks of one source file.

    Keeps the file open, so that a source deleted or replaced in mid-render still gives its chunks.
    """

    def __init__(self, path: Path, source_format: str, tags: Mapping[str, str]) -> None:
        """Read the chunk table of the file at `path`. Never raises for what is in the file.

        source_format: soundfile's name. tags: as soundfile read them, by its attribute names.
        """
        self.chunks: list[Chunk] = []
        self.family: Family | None = None
        self._file: BinaryIO | None = None
        with suppress(OSError):
            self._file = path.open("rb")
            head = self._file.read(4)
            # Not RIFX: its chunks are big-endian inside, and the output is not.
            if head != b"RIFX":
                self.family = FAMILIES.get(source_format)
            if self.family:
                self.chunks = [c for c in walk_chunks(self._file) if self._is_carried(c)]
        self.tags = {name: text for name, text in tags.items() if text.strip()}
        if self.family == "RIFF":
            self.tags |= self._missing_info_tags()

    @property
    def carried_bytes(self) -> int:
        """What the carried chunks take in a file of the same family."""
        return sum(8 + chunk.size + chunk.size % 2 for chunk in self.chunks)

    def append_to(self, target: BinaryIO) -> None:
        """Append the chunks to a complete file of the same family and correct its sizes.

        target: open for reading and writing. Raises OSError where it cannot be written. A source
        that can no longer be read ends the copying early; `target` is well-formed all the same.
        """
        end = target.seek(0, os.SEEK_END)
        end += end % 2
        limit = None if _is_rf64(target) else _MOST_FORM_BYTES
        for chunk in self.chunks:
            # Seeking past a pad byte, and cutting behind one, writes it as 0.
            chunk_end = end + 8 + chunk.size + chunk.size % 2
            if limit is not None and chunk_end > limit:
                continue
            target.seek(end)
            size_format = "<I" if self.family == "RIFF" else ">I"
            target.write(chunk.kind + struct.pack(size_format, chunk.size))
            if not self._copy_content(chunk, target):
                break
            end = chunk_end
        cut_form(target, end)

    def close(self) -> None:
        """Close the source file; there are no chunks to append any more."""
        self.chunks = []
        if self._file is not None:
            self._file.close()

    def _copy_content(self, chunk: Chunk, target: BinaryIO) -> bool:
        """Copy one chunk's content to where `target` stands; whether all of it could be read."""
        if self._file is None:
            return False
        left = chunk.size
        while left:
            try:
                self._file.seek(chunk.offset + chunk.size - left)
                piece = self._file.read(min(left, _COPY_BYTES))
            except OSError:
                return False
            if not piece:
                return False
            target.write(piece)
            left -= len(piece)
        return True

    def _is_carried(self, chunk: Chunk) -> bool:
        if chunk.kind in _STRUCTURE:
            return False
        # LIST of wavl is audio data in pieces.
        return chunk.kind != b"LIST" or self._content(chunk, 4) != b"wavl"

    def _content(self, chunk: Chunk, most_bytes: int) -> bytes:
        """The content of a chunk, at most that much; b'' where it cannot be read."""
        with suppress(OSError):
            if self._file is not None:
                self._file.seek(chunk.offset)
                return self._file.read(min(chunk.size, most_bytes))
        return b""

    def _missing_info_tags(self) -> dict[str, str]:
        """The LIST/INFO tags that libsndfile 1.2.2 did not get to, or that are not UTF-8.

        It does not look behind 4 GiB of audio; and what Windows wrote in code page 1252, soundfile
        gives with U+FFFD for each accent.
        """
        found: dict[str, str] = {}
        for chunk in self.chunks:
            content = self._content(chunk, _MOST_INFO_BYTES) if chunk.kind == b"LIST" else b""
            position = 4 if content[:4] == b"INFO" else len(content)
            while position + 8 <= len(content):
                kind, size = struct.unpack_from("<4sI", content, position)
                text = content[position + 8 : position + 8 + size].split(b"\0")[0]
                name = _INFO_TAGS.get(kind)
                if text and name and "\ufffd" in self.tags.get(name, "\ufffd"):
                    found[name] = _decoded(text)
                position += 8 + size + size % 2
        return found


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")


def tag_strings(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The tags as libsndfile takes them: all encodable, and cut to a sensible length."""
    for name, text in tags.items():
        encoded = text.encode("utf-8", "replace")[:_MOST_TAG_BYTES]
        yield name, encoded.decode("utf-8", "ignore")


def walk_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a RIFF, RF64, BW64 or FORM file, in order; none of any other file.

    Sizes are cut to the file's. Ends at the first thing that is no chunk; always moves forward.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    form = file.read(12)
    if len(form) < 12 or form[:4] not in (b"RIFF", b"RF64", b"BW64", b"FORM"):
        return
    order = ">" if form[:4] == b"FORM" else "<"
    form_end = 8 + struct.unpack(order + "I", form[4:8])[0]
    end = length
    data_size_64: int | None = None
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if position + 8 > end or len(header) < 8 or not _is_kind(header[:4]):
            return
        kind, size = struct.unpack(order + "4sI", header)
        if kind == b"ds64":
            sizes = file.read(16)
            if len(sizes) == 16:
                data_size_64 = struct.unpack_from("<Q", sizes, 8)[0]
        elif kind in (b"data", b"SSND"):
            if size == _UINT32_MAX and data_size_64 is not None:
                size = data_size_64
            # What lies behind the form's end (an ID3v1 tag, junk) is not the form's. But recorders
            # that were switched off, and streams, leave an end that is plainly wrong.
            if position + 8 + size <= form_end <= length:
                end = form_end
        size = min(size, end - position - 8)
        yield Chunk(kind, position + 8, size)
        position += 8 + size
        if size % 2:
            # Odd chunks are padded, except by the programs that forget it.
            file.seek(position)
            there = file.read(5)
            position += 0 if _is_kind(there[:4]) and not _is_kind(there[1:]) else 1


def settle_header(file: BinaryIO, samples: int, audio_bytes: int) -> None:
    """Correct what libsndfile 1.2.2 leaves wrong or unrepeatable in a WAV or AIFF it closed.

    The PEAK chunk of float files has the time of day: two renders of one thing would differ. And
    8-bit mono AIFF of odd length counts its pad byte as a sample.

    file: open for reading and writing. samples: per channel; audio_bytes: of all channels. Raises
    OSError.
    """
    for chunk in list(walk_chunks(file)):
        if chunk.kind == b"PEAK" and chunk.size >= 8:
            file.seek(chunk.offset + 4)
            file.write(bytes(4))
        elif chunk.kind == b"COMM" and chunk.size >= 6:
            file.seek(chunk.offset + 2)
            file.write(struct.pack(">I", samples))
        elif chunk.kind == b"SSND":
            file.seek(chunk.offset - 4)
            file.write(struct.pack(">I", 8 + audio_bytes))


def cut_form(file: BinaryIO, length: int) -> None:
    """Cut a RIFF, RF64 or FORM file to `length` bytes and give it the size that goes with that."""
    file.truncate(length)
    file.seek(0)
    kind = file.read(4)
    if kind == b"RF64":
        # The true size is the first field of ds64, which libsndfile puts first.
        file.seek(20)
        file.write(struct.pack("<Q", length - 8))
    else:
        file.seek(4)
        file.write(struct.pack(">I" if kind == b"FORM" else "<I", length - 8))


def _is_rf64(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(4) == b"RF64"


def _is_kind(letters: bytes) -> bool:
    """Whether these four bytes can name a chunk: printable ASCII."""
    return len(letters) == 4 and all(0x20 <= letter <= 0x7E for letter in letters)
