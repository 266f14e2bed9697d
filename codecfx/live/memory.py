"""The block of memory that the engine and its host share: meters, values, messages, sound.

Each part has one writer. What is counted is a 64-bit number that is stored at once; rings have a
writer's and a reader's count, and what lies between them is whole. The memory has no name, so that
nothing of it is left when both processes have ended, however they did.
"""

import marshal
import mmap
import os
import sys
import tempfile
from typing import Any

import numpy as np

from codecfx.audio import Audio
from codecfx.effects.processor import MAX_CHANNELS

MAX_VALUES = 2048
_PAGE = 4096
_MESSAGES_BYTES = 1 << 18
_MIDI_BYTES = 1 << 16
_SOUND_BYTES = 1 << 23  # of stereo at 48 kHz, 21 seconds
_HEAD_BYTES = 64


class Meter:
    """The places of meters in `Memory.meters`."""

    CALLBACKS = 0  # the heartbeat
    SAMPLE = 1  # of the stream, that comes next
    DECK = 2  # that is heard
    VALUES_OF = 3  # the deck that `values` are of
    BLOCK = 4  # samples of the longest one
    REDUCTION_DB = 5
    CLAMPED = 6
    HOWL_HZ = 7  # 0 for none
    SILENT_SAMPLES = 8  # nothing but zeros have come in for so long
    LOAD = 9  # of the last second
    LOAD_WORST = 10  # of the last ten
    DROPOUTS = 11  # blocks that came too late, or were lost
    DROPOUT_AT = 12  # seconds of time.monotonic, of the last one
    STARVED = 13  # samples that a file's reader was late with
    CHANGING = 14
    REAL_TIME = 15
    KBPS = 16
    PACKETS = 17
    LOST_PACKETS = 18
    CONCEALED_PACKETS = 19
    REPAIRED_PACKETS = 20
    DAMAGED_PACKETS = 21
    IN_S = 22  # from the microphone to the board, the block in it
    OUT_S = 23  # from the board to the phones
    SPILLED = 24  # samples that a file's writer left no room for


class Memory:
    """The block, as either process has it."""

    def __init__(self, handle: str = "") -> None:
        """Make one, or open the one that another process gives by its `handle`."""
        size = 2 * _PAGE + 16 * MAX_CHANNELS + 8 * MAX_VALUES + 6 * _HEAD_BYTES
        size += _MESSAGES_BYTES + _MIDI_BYTES + 4 * _SOUND_BYTES
        self._file, self._map = _mapped(size, handle)
        self._at = 0
        # numbers of 64 bits, which a memoryview stores ten times as fast as an array does
        self.meters = memoryview(self._map)[:_PAGE].cast("d")
        self._at = _PAGE
        # of what comes in and goes out, by channel: highest sample, and mean square
        levels = self._part(4 * 4 * MAX_CHANNELS).view(np.float32).reshape(4, MAX_CHANNELS)
        self.in_peaks, self.in_powers, self.out_peaks, self.out_powers = levels
        self.values = self._part(8 * MAX_VALUES).view(np.float64)  # of the newest deck's parameters
        self.messages = MessageRing(self._part(_HEAD_BYTES), self._part(_MESSAGES_BYTES))
        self.midi = MessageRing(self._part(_HEAD_BYTES), self._part(_MIDI_BYTES))  # to the engine
        # what a file plays to the engine; what the board heard, and said; what came out of the host
        self.played, self.dry, self.wet, self.out = (
            SoundRing(self._part(_HEAD_BYTES), self._part(_SOUND_BYTES)) for _ in range(4)
        )

    def _part(self, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        part = np.frombuffer(self._map, np.uint8, size, self._at)
        self._at += size
        return part

    @property
    def handle(self) -> str:
        """What another process opens it by."""
        return str(self._file)

    @property
    def inherited(self) -> tuple[int, ...]:
        """The file descriptors that the other process must inherit."""
        return () if sys.platform == "win32" else (self._file,)

    def clear(self) -> None:
        """As new, but for the MIDI on its way. [while no engine has it]"""
        np.frombuffer(self._map, np.uint8, 2 * _PAGE).fill(0)
        for ring in (self.messages, self.played, self.dry, self.wet, self.out):
            ring.clear()


def _mapped(size: int, handle: str) -> tuple[int, mmap.mmap]:
    """Memory of both processes: Windows forgets what it is called with the last who has it; elsewhere
    it has no name, and is inherited.
    """
    if sys.platform == "win32":
        number = int(handle or os.getpid())
        return number, mmap.mmap(-1, size, tagname=f"codecfx-{number}")
    if handle:
        file = int(handle)
    else:
        if hasattr(os, "memfd_create"):
            file = os.memfd_create("codecfx")
        else:
            with tempfile.TemporaryFile() as made:
                file = os.dup(made.fileno())
        os.ftruncate(file, size)
    return file, mmap.mmap(file, size)


class _Ring:
    """Counts of one writer and one reader, of units of any kind."""

    def __init__(self, head: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self._counts = head.data.cast("Q")  # written, and read

    def clear(self) -> None:
        self._counts[0] = self._counts[1] = 0

    @property
    def waiting(self) -> int:
        """How much has been written and not read."""
        return self._counts[0] - self._counts[1]


class MessageRing(_Ring):
    """Short messages (what `marshal` takes), from one thread to another process."""

    def __init__(self, head: np.ndarray[Any, Any], room: np.ndarray[Any, Any]) -> None:
        super().__init__(head)
        self._room, self._size = room.data, len(room)

    def send(self, message: tuple[Any, ...]) -> bool:
        """Whether there was room."""
        content = marshal.dumps(message)
        content = len(content).to_bytes(4, "little") + content
        if len(content) > self._size - self.waiting:
            return False
        begin = self._counts[0] % self._size
        first = min(len(content), self._size - begin)
        self._room[begin : begin + first] = content[:first]
        self._room[: len(content) - first] = content[first:]
        self._counts[0] += len(content)
        return True

    def receive(self) -> tuple[Any, ...] | None:
        """The oldest message; None for none."""
        counts = self._counts
        if counts[0] == counts[1]:
            return None
        length = int.from_bytes(self._bytes(0, 4), "little")
        message: tuple[Any, ...] = marshal.loads(self._bytes(4, length))
        self._counts[1] += 4 + length
        return message

    def skip(self) -> None:
        """Nothing that was sent so far is received. [reader]"""
        self._counts[1] = self._counts[0]

    def _bytes(self, after: int, count: int) -> bytes:
        begin = (self._counts[1] + after) % self._size
        first = min(count, self._size - begin)
        return bytes(self._room[begin : begin + first]) + bytes(self._room[: count - first])


class SoundRing(_Ring):
    """Sound from one thread to another, float32 (channels, samples) in blocks of any size."""

    def __init__(self, head: np.ndarray[Any, Any], room: np.ndarray[Any, Any]) -> None:
        super().__init__(head)
        self._room = room.view(np.float32)
        self.channels = 1

    def shape(self, channels: int) -> None:
        """How many channels both ends give and take."""
        self.channels = channels
        self._size = len(self._room) // channels
        self._frames = self._room[: self._size * channels].reshape(self._size, channels)

    @property
    def room(self) -> int:
        """Samples that may be written."""
        return self._size - self.waiting

    def write(self, block: Audio) -> bool:
        """Whether there was room for all of it; else nothing is written."""
        samples = block.shape[1]
        if samples > self.room:
            return False
        begin = self._counts[0] % self._size
        first = min(samples, self._size - begin)
        self._frames[begin : begin + first] = block[:, :first].T
        if first < samples:
            self._frames[: samples - first] = block[:, first:].T
        self._counts[0] += samples
        return True

    def read(self, samples: int) -> Audio:
        """The oldest samples, so many at most: a copy."""
        samples = min(samples, self.waiting)
        begin = self._counts[1] % self._size
        first = min(samples, self._size - begin)
        block = np.empty((self.channels, samples), np.float32)
        block[:, :first] = self._frames[begin : begin + first].T
        block[:, first:] = self._frames[: samples - first].T
        self._counts[1] += samples
        return block
