"""The sending half of a classic codec: exactly one packet to a frame, and changes without a click.

An encoder that keeps frames back is primed with silence. One that cannot change while it runs is
replaced: a second is opened beside it and given the same frames until it knows the sound as well
(`Row.warm_frames`); then its packets go out, the first few of them (`Row.fade_frames`) with what the
receiver needs to fade from one stream to the other. The delay never changes.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

from codecfx.audio import Audio, silence
from codecfx.codecs.base import Packet
from codecfx.codecs.drifting import DriftingDecoder, Stand
from codecfx.codecs.engine import Stream
from codecfx.codecs.row import Row
from codecfx.control.parameters import Value
from codecfx.errors import CodecUnavailable, StreamError


@dataclass(frozen=True, slots=True)
class Header:
    """What a receiver must know of a stream before its first packet, as a container would say it."""

    number: int  # of the stream, ascending since the last reset
    stream: Stream
    extradata: bytes
    preroll: tuple[bytes, ...]  # packets of silence that get a decoder going


@dataclass(frozen=True, slots=True)
class Takeover:
    """What comes with the first packets of a stream that takes over from another."""

    frame: int  # of the fade, from 0
    preroll: tuple[bytes, ...]  # all packets of this stream before it
    old: bytes  # the other stream's packet of the same frame
    old_number: int


@dataclass(frozen=True, slots=True)
class StreamPacket(Packet):
    """A packet that says which stream it is of. Its bits are those of its own payload: what comes with
    a takeover is not counted.
    """

    header: Header
    takeover: Takeover | None = None
    stand: Stand | None = None  # where a decoder that drifts should stand before it


class Sender:
    """Frames in, packets out, by the current settings."""

    def __init__(self, row: Row, stream: Stream) -> None:
        """Raises CodecUnavailable."""
        self._row, self._stream = row, stream
        self._wanted = dict(stream.settings)
        self._ready: _Encoding | None = None
        self.reset()

    @property
    def header(self) -> Header:
        """Of the stream that is being sent."""
        return self._current.header

    def reset(self) -> None:
        """As if new; settings are kept."""
        self._current = self._opened(0)
        self._stay()
        self._is_new = True

    def _stay(self) -> None:
        """Let no stream take over."""
        self._next: _Encoding | None = None
        self._warm: list[bytes] = []  # its packets so far
        self._faded = 0  # frames of the fade that are over

    def announce(self, parameter_id: str, value: Value) -> None:
        """Get ready for a `set`: open the encoder that it asks for. [control thread]"""
        settings = self._wanted | {parameter_id: value}
        if settings != self._current.stream.settings and not self._takes((parameter_id,)):
            self._ready = _Encoding(self._row, replace(self._stream, settings=settings))

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

    def _takes(self, parameter_ids: Collection[str]) -> bool:
        """Whether a running encoder takes these."""
        return self._row.tunable_at(self._stream.sample_rate).issuperset(parameter_ids)

    def _opened(self, number: int) -> "_Encoding":
        ready, self._ready = self._ready, None
        stream = replace(self._stream, settings=dict(self._wanted))
        if ready is None or ready.stream != stream:
            ready = _Encoding(self._row, stream)
        ready.header = replace(ready.header, number=number)
        return ready

    def _apply_settings(self) -> None:
        now = self._current.stream.settings
        changed = {key for key, value in self._wanted.items() if now[key] != value}
        if self._next is not None:
            if not changed and not self._faded:  # there and back before anybody heard of it
                self._stay()
        elif changed and self._is_new:
            self.reset()
        elif changed and self._takes(changed):
            self._current.tune(dict(self._wanted))
        elif changed:
            self._next = self._opened(self.header.number + 1)

    def _beside(self, following: "_Encoding", frame: Audio) -> list[Packet]:
        """One frame through both streams: the old one's packet while the new one warms up, then the new
        one's with what it takes to fade.
        """
        (old,) = self._current.packets(frame)
        (new,) = following.packets(frame)
        preroll = tuple(self._warm)
        self._warm.append(bytes(new.payload))
        if len(preroll) < self._row.warm_frames(self._stream):
            return [old]
        takeover = Takeover(self._faded, preroll, bytes(old.payload), self.header.number)
        self._faded += 1
        if self._faded == self._row.fade_frames(self._stream):
            self._current = following
            self._stay()
            self._apply_settings()  # what was set meanwhile
        return [replace(new, takeover=takeover)]


class _Encoding:
    """An encoder from its first frame on: exactly one packet to a frame."""

    def __init__(self, row: Row, stream: Stream) -> None:
        timing = row.timing_at(stream.sample_rate, stream.settings)
        self.stream = stream
        self._row = row
        self._encoder = row.engine.encoder(stream)
        self._waiting: deque[bytes] = deque()
        self._packet_bytes = row.packet_bytes(stream) if row.packet_bytes else 0
        self._uncut = b""
        if timing.priming_frames:
            self._push(silence(stream.channels, timing.priming_frames * timing.frame_samples))
        if len(self._waiting) < timing.preroll_packets:
            raise CodecUnavailable(
                f"{row.name}: this version of its encoder keeps frames back longer than codecfx knows; "
                "install the one that codecfx asks for (pip install --upgrade codecfx)"
            )
        preroll = tuple(self._waiting.popleft() for _ in range(timing.preroll_packets))
        self.header = Header(0, stream, self._encoder.extradata, preroll)
        # what the receiver's decoder should do, for codecs whose errors add up
        self._mirror: DriftingDecoder | None = None
        decoder = row.decoder(stream, self._encoder.extradata) if row.walk else None
        if row.walk and isinstance(decoder, DriftingDecoder):
            self._mirror = decoder
            self._steps = (row.walk.first,) * stream.channels

    def tune(self, settings: dict[str, Value]) -> None:
        """Go on with other settings, of those that the encoder takes while it runs."""
        self.stream = replace(self.stream, settings=settings)
        self._encoder.tune(self.stream)

    def packets(self, frames: Audio) -> list[StreamPacket]:
        """One packet for each frame."""
        self._push(frames)
        count = frames.shape[1] // self.stream.frame_samples
        if len(self._waiting) < count:  # a row's timing is wrong
            raise StreamError("an encoder kept a frame back longer than it may; please report this")
        payloads = [self._waiting.popleft() for _ in range(count)]
        header, bits = self.header, self._row.bits
        return [
            StreamPacket(payload, bits(payload), header, None, self._stand_before(payload))
            for payload in payloads
        ]

    def _stand_before(self, payload: bytes) -> Stand | None:
        if self._mirror is None or self._row.walk is None:
            return None
        stand = Stand(self._mirror.levels, self._steps)
        self._mirror.decode(payload)
        self._steps = self._row.walk.after(self._steps, payload)
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
