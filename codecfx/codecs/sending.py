"""The sending half of a classic codec: exactly one packet to a frame, and changes without a click.

An encoder that keeps frames back is primed with silence. One that cannot change while it runs is
replaced: a second is opened beside it and given the same frames until it knows the sound as well
(`Row.warm_frames`); then its packets go out, the first few of them (`Row.fade_frames`) with what the
receiver needs to fade from one stream to the other. The delay never changes.
"""

from collections import deque
from dataclasses import dataclass, replace

from codecfx.audio import Audio, silence
from codecfx.codecs.base import Packet
from codecfx.codecs.drifting import DriftingDecoder, Stand
from codecfx.codecs.engine import Stream
from codecfx.codecs.row import Row
from codecfx.control.parameters import Value
from codecfx.errors import StreamError


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What a receiver must know of a stream before its first packet, as a container would say it."""

    stream: Stream
    extradata: bytes
    preroll: tuple[bytes, ...]  # packets of silence that get a decoder going


@dataclass(frozen=True, slots=True)
class Takeover:
    """What comes with the first packets of a stream that takes over from another."""

    frame: int  # of the fade, from 0
    preroll: tuple[bytes, ...]  # with the first: the packets of this stream before it
    old: bytes  # the other stream's packet of the same frame


@dataclass(frozen=True, slots=True)
class StreamPacket(Packet):
    """A packet that says which stream it is of."""

    header: Header
    takeover: Takeover | None = None
    stand: Stand | None = None  # where a decoder that drifts should stand before it


class Sender:
    """Frames in, packets out, by the current settings."""

    def __init__(self, row: Row, stream: Stream) -> None:
        """Raises CodecUnavailable."""
        self._row, self._stream = row, stream
        self._wanted = dict(stream.settings)
        self.reset()

    @property
    def header(self) -> Header:
        """Of the stream that is being sent."""
        return self._current.header

    def reset(self) -> None:
        """As if new; settings are kept."""
        self._current = self._opened()
        self._next: _Encoding | None = None
        self._warm: list[bytes] = []
        self._faded = 0  # frames of the fade that are over
        self._is_new = True

    def set(self, parameter_id: str, value: Value) -> None:
        """Change a setting from the next frame on."""
        self._wanted[parameter_id] = value

    def encode(self, frames: Audio) -> list[Packet]:
        """Float32 (channels, k * frame_samples), k >= 1."""
        self._apply_settings()
        self._is_new = False
        size, packets = self._stream.frame_samples, list[Packet]()
        at = 0
        while at < frames.shape[1]:
            if self._next is None:
                packets += self._current.packets(frames[:, at:])
                break
            packets += self._beside(self._next, frames[:, at : at + size])
            at += size
        return packets

    def _opened(self) -> "_Encoding":
        stream = self._stream
        settings = dict(self._wanted)
        return _Encoding(
            self._row, Stream(stream.sample_rate, stream.channels, stream.frame_samples, settings)
        )

    def _apply_settings(self) -> None:
        now = self._current.settings
        changed = {key for key, value in self._wanted.items() if now[key] != value}
        if not changed or self._next is not None:
            return
        if self._is_new:
            self.reset()
        elif changed <= self._row.tunable:
            self._current.tune(self._wanted)
        else:
            self._next = self._opened()

    def _beside(self, following: "_Encoding", frame: Audio) -> list[Packet]:
        """One frame through both streams: the old one's packet while the new one warms up, then the new
        one's with what it takes to fade.
        """
        (old,) = self._current.packets(frame)
        (new,) = following.packets(frame)
        if len(self._warm) < self._row.warm_frames(self._stream):
            self._warm.append(bytes(new.payload))
            return [old]
        preroll = () if self._faded else tuple(self._warm)
        packet = replace(new, takeover=Takeover(self._faded, preroll, bytes(old.payload)))
        self._faded += 1
        if self._faded == self._row.fade_frames(self._stream):
            self._current, self._next, self._warm, self._faded = following, None, [], 0
            self._apply_settings()  # what was set meanwhile
        return [packet]


class _Encoding:
    """An encoder from its first frame on: exactly one packet to a frame."""

    def __init__(self, row: Row, stream: Stream) -> None:
        timing = row.timing_at(stream.sample_rate, stream.settings)
        self.settings = dict(stream.settings)
        self._row, self._stream = row, stream
        self._encoder = row.engine.encoder(stream)
        self._waiting: deque[bytes] = deque()
        self._packet_bytes = row.packet_bytes(stream) if row.packet_bytes else 0
        self._uncut = b""
        if timing.priming_frames:
            self._push(silence(stream.channels, timing.priming_frames * timing.frame_samples))
        preroll = tuple(self._waiting.popleft() for _ in range(timing.preroll_packets))
        self.header = Header(stream, self._encoder.extradata, preroll)
        # what the receiver's decoder should do, for codecs whose errors add up
        self._mirror: DriftingDecoder | None = None
        if row.walk:
            mirror = row.decoder(stream, self._encoder.extradata)
            assert isinstance(mirror, DriftingDecoder)
            self._mirror = mirror

    def tune(self, settings: dict[str, Value]) -> None:
        """Go on with other settings, of those that the encoder takes while it runs."""
        self.settings = dict(settings)
        stream = self._stream
        self._encoder.tune(
            Stream(stream.sample_rate, stream.channels, stream.frame_samples, self.settings)
        )

    def packets(self, frames: Audio) -> list[StreamPacket]:
        """One packet for each frame."""
        self._push(frames)
        count = frames.shape[1] // self._stream.frame_samples
        if len(self._waiting) < count:  # a row's timing is wrong
            raise StreamError("an encoder kept a frame back longer than it may; please report this")
        payloads = [self._waiting.popleft() for _ in range(count)]
        header, bits = self.header, self._row.bits
        return [
            StreamPacket(payload, bits(payload), header, None, self._stand_before(payload))
            for payload in payloads
        ]

    def _stand_before(self, payload: bytes) -> Stand | None:
        if self._mirror is None:
            return None
        stand = self._mirror.stand
        self._mirror.decode(payload)
        return stand

    def _push(self, frames: Audio) -> None:
        parts = self._encoder.encode(frames)
        size = self._packet_bytes
        if not size:
            self._waiting.extend(parts)
            return
        stream = self._uncut + b"".join(parts)
        whole = len(stream) - len(stream) % size
        self._waiting.extend(stream[at : at + size] for at in range(0, whole, size))
        self._uncut = stream[whole:]
