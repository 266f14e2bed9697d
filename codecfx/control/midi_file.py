"""MIDI files (Standard MIDI Files, formats 0 and 1): their channel messages, each at its exact time.

Read here rather than by mido. mido 1.3.3 takes a track without an end, a file that claims more tracks
than 32767 and a tempo of 0, reads running status after a sysex as more sysex, and needs 7 s for 200
kB of one endless number; it refuses keys and escapes (F7) that have nothing to do with the sound.
Guarding against that means to walk every event, and after that nothing is left to do.

Source of all numbers: "Standard MIDI Files 1.0" (RP-001), MIDI Manufacturers Association.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from codecfx.control.timeline import TempoMap
from codecfx.errors import ControlFileError

LARGEST_BYTES = 16 * 2**20  # an hour of a controller that never rests, at 1000 messages a second
_STEADY = 500_000  # microseconds per quarter note where a file says nothing: 120 bpm
_FRAMES_PER_SECOND = {24: Fraction(24), 25: Fraction(25), 29: Fraction(30_000, 1001), 30: Fraction(30)}
_END_OF_TRACK, _SET_TEMPO = 0x2F, 0x51
_AGAIN = "export it again from where it was made"


@dataclass(frozen=True, slots=True)
class MidiFile:
    """What a MIDI file plays.

    `messages` are (seconds, bytes) in time order: every channel message of every track, status byte
    first and always there. Messages of one time keep the file's order, track by track. `seconds` is
    where the last track ends. `tempo` is steady at 120 for a file that counts in SMPTE frames.
    """

    messages: tuple[tuple[Fraction, bytes], ...]
    tempo: TempoMap
    seconds: Fraction


@dataclass(slots=True)
class _Track:
    """One track, in ticks from the start of the file; a tempo is microseconds per quarter note."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    ticks: int = 0


def read_midi_file(path: str | os.PathLike[str]) -> MidiFile:
    """The MIDI file at `path`.

    Sysex and meta events other than tempos are skipped, and so are foreign chunks and what follows
    an end of track.

    Raises:
        ControlFileError: no such file, no MIDI file, format 2, or one that is cut off or broken. Says
            where.
    """
    try:
        return _parsed(_content(Path(path)))
    except ControlFileError as error:
        name = os.fspath(path)
        raise ControlFileError(f"{name if name.isprintable() else repr(name)}: {error}") from None


def _content(path: Path) -> bytes:
    """The bytes of a file. A device or a pipe may never end, so that it is not even opened."""
    content = None
    try:
        if path.is_file() or not path.exists():
            with path.open("rb") as file:
                content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ControlFileError("there is no such file; check the path") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ControlFileError(f"cannot be read ({reason})") from None
    if content is None:
        raise ControlFileError("is a folder or a device; give a MIDI file")
    if len(content) > LARGEST_BYTES:
        megabytes = LARGEST_BYTES // 2**20
        raise ControlFileError(f"is larger than {megabytes} MiB; keep the tracks with controllers only")
    return content


class _Bytes:
    """Bytes `at` to `end` of a file, taken from the beginning and never past the end."""

    def __init__(self, content: bytes, at: int, end: int, name: str) -> None:
        self.content, self.at, self.end, self.name = content, at, end, name

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises ControlFileError where there are fewer."""
        start, self.at = self.at, self.at + count
        if self.at > self.end:
            raise self.broken("ends in the middle of an event", self.end)
        return self.content[start : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """A variable-length quantity: seven bits a byte, the last one below 128, at most four."""
        start, number = self.at, 0
        for _ in range(4):
            byte = self.byte()
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        raise self.broken("has a number of more than 4 bytes", start)

    def broken(self, what: str, at: int) -> ControlFileError:
        return ControlFileError(f"{self.name} {what}, at byte {at}; {_AGAIN}")


def _parsed(content: bytes) -> MidiFile:
    if content[:4] != b"MThd":
        raise ControlFileError("is no MIDI file (it does not begin with 'MThd'); give a .mid")
    header_bytes = int.from_bytes(content[4:8], "big")
    if header_bytes < 6 or len(content) < 8 + header_bytes:
        raise ControlFileError(f"its header is cut off; {_AGAIN}")
    form, count, division = (int.from_bytes(content[at : at + 2], "big") for at in (8, 10, 12))
    if form > 1:
        raise ControlFileError(f"is a MIDI file of format {form}; save it as format 0 or 1")
    if form == 0 and count != 1:
        raise ControlFileError(f"has {count} tracks, and format 0 has one; save it as format 1")
    if not division:
        raise ControlFileError(f"has 0 ticks per quarter note; it takes 1 to 32767: {_AGAIN}")
    per_second = _ticks_per_second(division) if division & 0x8000 else None
    tracks = [_track(chunk) for chunk in _chunks(content, 8 + header_bytes, count)]
    if per_second:
        tempo = TempoMap.steady(120)
        clock = _Clock({0: per_second.denominator}, per_second.numerator)
    else:
        tempos = _tempos(tracks)
        tempo = TempoMap(
            tuple((Fraction(at, division), Fraction(60_000_000, one)) for at, one in tempos.items())
        )
        clock = _Clock(tempos, 1_000_000 * division)
    in_order = sorted((one for track in tracks for one in track.messages), key=lambda one: one[0])
    messages = tuple((clock.seconds_at(ticks), message) for ticks, message in in_order)
    end = max((track.ticks for track in tracks), default=0)
    return MidiFile(messages, tempo, clock.seconds_at(end))


class _Clock:
    """Ticks to seconds, forwards only.

    Counts whole parts of a second, of which `parts` make one; `lengths` says how many a tick lasts,
    from each tick on, the first being 0. `TempoMap.seconds_at` says the same, fifteen times slower:
    seconds for a large file.
    """

    def __init__(self, lengths: Mapping[int, int], parts: int) -> None:
        self._changes = deque(lengths.items())
        self._parts = parts
        self._ticks = self._elapsed = self._length = 0

    def seconds_at(self, ticks: int) -> Fraction:
        """When `ticks` is, exactly; `ticks` never goes back."""
        while self._changes and self._changes[0][0] <= ticks:
            change, length = self._changes.popleft()
            self._elapsed += (change - self._ticks) * self._length
            self._ticks, self._length = change, length
        self._elapsed += (ticks - self._ticks) * self._length
        self._ticks = ticks
        return Fraction(self._elapsed, self._parts)


def _ticks_per_second(division: int) -> Fraction:
    """What a division in SMPTE frames says: minus the frames per second, and the ticks of each."""
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in _FRAMES_PER_SECOND or not ticks:
        raise ControlFileError(
            f"has {frames} frames per second and {ticks} ticks a frame; it takes 24, 25, 29 or 30, and "
            f"1 to 255: {_AGAIN}"
        )
    return _FRAMES_PER_SECOND[frames] * ticks


def _chunks(content: bytes, at: int, count: int) -> Iterator[_Bytes]:
    """The `count` track chunks from byte `at` on; chunks of other kinds are passed over."""
    found = 0
    while found < count:
        name = f"track {found + 1} of {count}"
        start = at + 8
        if start > len(content):
            raise ControlFileError(f"the file ends before {name} begins; {_AGAIN}")
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : start], "big")
        at = start + length
        if at > len(content):
            raise ControlFileError(
                f"{name} says it has {length} bytes, and {len(content) - start} are left; {_AGAIN}"
            )
        if kind == b"MTrk":
            found += 1
            yield _Bytes(content, start, at, name)


def _track(chunk: _Bytes) -> _Track:
    """The events of one track chunk. Raises ControlFileError for what is none, and for no end."""
    track, status = _Track(), 0
    while chunk.at < chunk.end:
        track.ticks += chunk.number()
        place, first = chunk.at, chunk.byte()
        if first == 0xFF:
            kind, content = chunk.byte(), chunk.take(chunk.number())
            if kind == _END_OF_TRACK:
                return track
            if kind == _SET_TEMPO:
                tempo = int.from_bytes(content, "big")
                if len(content) != 3 or not tempo:
                    raise chunk.broken("has a tempo that is none", place)
                track.tempos.append((track.ticks, tempo))
        elif first in (0xF0, 0xF7):
            chunk.take(chunk.number())
        elif first > 0xF0:
            raise chunk.broken(f"has an event {first:#x}, which no file can have", place)
        else:
            # By the book a sysex or meta event ends running status. There are files in which it goes
            # on, and nothing else could be meant
            if first & 0x80:
                status = first
            elif status:
                chunk.at = place
            else:
                raise chunk.broken("begins with a message without a status", place)
            values = chunk.take(1 if 0xC0 <= status < 0xE0 else 2)
            if max(values) > 127:
                raise chunk.broken("has a message with a value above 127", place)
            track.messages.append((track.ticks, bytes((status, *values))))
    raise chunk.broken("has no end", chunk.end)


def _tempos(tracks: Iterable[_Track]) -> dict[int, int]:
    """Microseconds per quarter note from each tick on, in order; of several at one tick the last."""
    tempos = {0: _STEADY}
    tempos.update(sorted((one for track in tracks for one in track.tempos), key=lambda one: one[0]))
    return tempos
