"""CONTRACT 1: what a codec is. Frames in, packets out; packets in, frames out.

A codec knows nothing of hosts, streams or effects. It names the one format it works in, and the
stages around it (`codecfx.stream`) bring any stream into that format and back. Put nothing in here
that one codec lacks: what only Opus has is a parameter in `opus.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.control.parameters import Parameter, Value
from codecfx.errors import FrameSizeError

Settings = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class CodecFormat:
    """What a codec consumes. Fixed for the codec's life."""

    sample_rate: int  # Hz
    channels: int
    frame_samples: int  # per channel
    lookahead_samples: int  # content delay beyond framing, at sample_rate
    # How many frames are computed at once, never more or fewer: networks of float32 give other bits in
    # other runs. 1 for a codec to which it makes no difference
    run_frames: int = 1

    @property
    def run_samples(self) -> int:
        """Samples of a run, per channel: what is filled before the codec works."""
        return self.run_frames * self.frame_samples


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame, encoded: bytes, or the integer tokens of a neural codec, (channels, books, hops)."""

    payload: bytes | NDArray[np.int32]  # a token of -1 is a book that says nothing
    bits: int  # what a network would carry: for tokens, less than their bytes in memory


@dataclass(frozen=True, slots=True)
class Facts:
    """What a table of codecs says of one, beyond what it can measure."""

    family: str = "your own"
    sample_rates: tuple[int, ...] = ()  # Hz, ascending; () for any
    channels: tuple[int, ...] = (1, 2)  # that one codec carries
    bitrate: str = ""  # kbps in few words: "8-320"
    changes: str = ""  # how a running stream takes a new setting; "" if there is none to take
    licence: str = ""


NEXT_FRAME, CROSSFADE = "next frame", "crossfade"  # Facts.changes


class Codec(Protocol):
    """k frames in, exactly k packets out; k packets in, exactly k frames out.

    One codec serves one stream. The result never depends on how frames were grouped into calls; k is
    a multiple of `format.run_frames`. `encode` and `decode` share no memory, so a link may run each in
    a thread of its own; everything else is called by one thread at a time. A codec whose library
    buffers primes itself with silence in `reset` and counts that as lookahead.
    """

    name: ClassVar[str]  # how presets and the command line call it: lower case
    title: ClassVar[str]  # how people call it, also the effect's class name
    description: ClassVar[str]  # one line
    parameters: ClassVar[tuple[Parameter, ...]]
    facts: ClassVar[Facts] = Facts()
    # Whether encoding and decoding a long run at once saves time: calls that leave Python for long
    gains_by_two_threads: ClassVar[bool] = False
    # Whether a stereo stream's run takes a millisecond or more: live, it is computed beside the audio
    computes_long: ClassVar[bool] = False
    # How many bytes at a packet's beginning it cannot be decoded without
    header_bytes: ClassVar[int] = 0
    # How many codewords each book has, of a codec whose packets are tokens; 0 for one of bytes
    codewords: ClassVar[int] = 0
    format: CodecFormat

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        """A codec for a host stream at `sample_rate` Hz and 1 to `widest(settings)` channels.

        It chooses the nearest format that it has; `settings` holds every parameter, checked.
        Slow work (opening an engine, loading a model) happens here. [control thread]

        Raises:
            CodecUnavailable: its engine is missing; says how to get it.
            UnsupportedFormat: no format of its own can carry this stream.
        """

    @classmethod
    def widest(cls, settings: Settings) -> int:
        """Most channels that one codec of these settings carries; wider streams get several."""

    def encode(self, frames: Audio) -> list[Packet]:
        """Compress float32 (channels, k * frame_samples), k >= 1, finite. [audio thread]

        Raises:
            FrameSizeError: not whole frames, or runs of frames, of this format.
        """

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        """Restore float32 (channels, k * frame_samples). None is a lost packet: conceal it, and
        return a full frame all the same. A packet that the decoder refuses, or that decodes to
        another length, is concealed, cut or padded in the same way: whatever is in a packet, this
        never raises and the decoder stays usable. [audio thread]
        """

    def set(self, parameter_id: str, value: Value) -> None:
        """Change a next-frame parameter, from the next frame encoded on; an engine that cannot change
        while it runs is crossfaded into another within the next few. [audio thread]

        A codec of runs has `set_within(parameter_id, value, frame)` beside it: from that frame of the
        next run on, counted from 0.
        """

    def reset(self) -> None:
        """As if new; settings are kept. [audio thread]"""

    def describe(self, packet: Packet) -> Mapping[str, str]:
        """What the codec did in this packet ("mode": "SILK", ...), for meters; may be empty."""


def check_frames(frames: Audio, codec_format: CodecFormat) -> int:
    """How many frames `frames` holds. Raises FrameSizeError unless they are whole, at least one, and
    whole runs of frames where the format has them.
    """
    channels, samples = frames.shape
    runs, rest = divmod(int(samples), codec_format.run_samples)
    if rest or not runs or channels != codec_format.channels:
        raise FrameSizeError(
            f"got {channels} x {samples} samples; this codec takes {codec_format.channels} channels "
            f"and whole frames of {codec_format.run_samples} samples: cut the stream into frames"
        )
    return runs * codec_format.run_frames
