"""The receiving half of a classic codec: exactly one frame to a packet, whatever is in it.

A lost packet, and one that the decoder refuses or that comes out with another length, is concealed: by
the decoder itself where it can, else by the last frame played backwards and faded out, which joins on
without a jump; what comes after fades in. Nothing leaves louder than `LOUDEST_PEAK`.
"""

from collections.abc import Sequence
from math import isfinite
from typing import TypeGuard

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import Packet
from codecfx.codecs.drifting import DriftingDecoder
from codecfx.codecs.engine import LOUDEST_PEAK, Decoder, RunDecoder
from codecfx.codecs.row import Row
from codecfx.codecs.sending import Header, StreamPacket, Takeover

_FADE_IN_SECONDS = 0.005  # after a loss


class Receiver:
    """Packets in, frames out. Knows of the sender only what packets say."""

    def __init__(self, row: Row, header: Header) -> None:
        """Raises CodecUnavailable."""
        self._row = row
        stream = header.stream
        self._channels, self._size = stream.channels, stream.frame_samples
        self._ramp = np.linspace(0, 1, self._size, endpoint=False, dtype=np.float32)
        fade = max(1, min(self._size, round(_FADE_IN_SECONDS * stream.sample_rate)))
        self._fade_in = np.minimum(np.arange(self._size, dtype=np.float32) / fade, np.float32(1))
        self._last = silence(self._channels, self._size)
        self._missed = 0  # frames concealed since the last good one
        self._refused = False  # whether the packet before was
        self._is_new = True
        self._open(header)

    def _open(self, header: Header) -> None:
        """A new decoder for a stream."""
        self._header = header
        self._decoder = self._row.decoder(header.stream, header.extradata)
        self._before: Decoder | None = None  # of the stream that this one takes over from
        self._run_decoder = self._decoder if isinstance(self._decoder, RunDecoder) else None
        self._flat_bytes = self._row.packet_bytes(header.stream) if self._row.packet_bytes else 0
        self._get_going(header.preroll)

    def _get_going(self, payloads: tuple[bytes, ...]) -> None:
        """Decode what nobody hears."""
        for payload in (b"".join(payloads),) if self._flat_bytes else payloads:
            self._decoder.decode(payload)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        """Float32 (channels, k * frame_samples). Never raises."""
        size = self._size
        decoded = np.empty((self._channels, len(packets) * size), np.float32)
        at = 0
        while at < len(packets):
            run, stopped = self._run(packets, at)
            decoded[:, at * size : at * size + run.shape[1]] = run
            at += run.shape[1] // size
            if at < len(packets):
                frame = self._frame(packets[at], was_refused=stopped)
                decoded[:, at * size : (at + 1) * size] = frame
                at += 1
        self._is_new = False
        return decoded

    def _run(self, packets: Sequence[Packet | None], first: int) -> tuple[Audio, bool]:
        """What the packets from `first` on hold, decoded at once while nothing is the matter with them,
        and whether the one after them was refused.
        """
        size, nothing = self._size, (silence(self._channels, 0), False)
        payloads = self._plain_payloads(packets, first)
        if len(payloads) < 2:
            return nothing
        stopped = False
        if self._run_decoder is not None and not self._flat_bytes:
            decoded = self._run_decoder.decode_run(payloads, size)
            stopped = decoded.shape[1] < len(payloads) * size
            audio = self._cleaned(decoded, decoded.shape[1])
        else:
            audio = self._decoded(self._decoder, b"".join(payloads), len(payloads) * size)
        if audio is None:
            return nothing
        if audio.shape[1]:
            self._last, self._refused = audio[:, -size:].copy(), False
        return audio, stopped

    def _plain_payloads(self, packets: Sequence[Packet | None], first: int) -> list[bytes]:
        """Of the packets from `first` on that can be decoded at once; none where the decoder cannot, or
        has something to conceal.
        """
        payloads: list[bytes] = []
        if self._missed or not (self._flat_bytes or self._run_decoder):
            return payloads
        for index in range(first, len(packets)):
            packet = packets[index]
            if not self._is_plain(packet):
                break
            payloads.append(bytes(packet.payload))
        return payloads

    def _is_plain(self, packet: Packet | None) -> TypeGuard[StreamPacket]:
        """Whether it is the next of this stream, and nothing else."""
        return (
            isinstance(packet, StreamPacket)
            and packet.header is self._header
            and packet.stand is None
            and packet.takeover is None
            and self._before is None
            and (len(packet.payload) == self._flat_bytes if self._flat_bytes else bool(packet.payload))
        )

    def _frame(self, packet: Packet | None, *, was_refused: bool) -> Audio:
        """A packet's frame; one that was refused already is not tried again, unless anew."""
        frame = None
        if packet is not None and packet.payload and not self._is_late(packet):
            frame = None if was_refused else self._received(packet)
            if frame is None and self._refused:  # twice in a row: damage has turned the decoder's head
                self._open(self._header)
                frame = self._received(packet)
            self._refused = frame is None
        if frame is None:
            frame = self._cleaned(self._decoder.conceal(), self._size)
        if frame is None:
            return self._concealed()
        if self._missed:
            self._missed = 0
            frame = frame * self._fade_in
        self._last = frame
        return frame

    def _is_late(self, packet: Packet) -> bool:
        """Whether it is of a stream that is over."""
        return isinstance(packet, StreamPacket) and packet.header.number < self._header.number

    def _received(self, packet: Packet) -> Audio | None:
        """A packet's frame; None if it is refused."""
        payload = bytes(packet.payload)
        if not isinstance(packet, StreamPacket):  # some link's own: of this stream, then
            return self._decoded(self._decoder, payload, self._size)
        takeover = packet.takeover
        if packet.header is not self._header:
            if packet.header != self._header:
                self._enter(packet.header, takeover)
            self._header = packet.header  # of equal ones the packets' own, which is known at a glance
        if packet.stand is not None and isinstance(self._decoder, DriftingDecoder):
            self._decoder.stand_at(packet.stand)
        frame = self._decoded(self._decoder, payload, self._size)
        if takeover is None:
            self._before = None
        if takeover is None or self._before is None:
            return frame
        return self._faded(takeover, self._decoded(self._before, takeover.old, self._size), frame)

    def _enter(self, header: Header, takeover: Takeover | None) -> None:
        """Begin with another stream: beside the one before, or, where that or the change was missed, as
        after a loss.
        """
        before, number = self._decoder, self._header.number
        self._open(header)
        if takeover is not None:
            self._get_going(takeover.preroll)
        if takeover is not None and takeover.old_number == number:
            self._before = before
        elif not self._is_new:
            self._missed = max(1, self._missed)

    def _faded(self, takeover: Takeover, old: Audio | None, new: Audio | None) -> Audio | None:
        """A frame on the way from one stream to another, in a straight line."""
        if new is None or old is None:
            return new
        frames = self._row.fade_frames(self._header.stream)
        faded: Audio = old + (new - old) * ((takeover.frame + self._ramp) / np.float32(frames))
        return faded

    def _decoded(self, decoder: Decoder, payload: bytes, samples: int) -> Audio | None:
        return self._cleaned(decoder.decode(payload), samples)

    def _cleaned(self, audio: Audio | None, samples: int) -> Audio | None:
        """What a decoder gave, of that length, finite, and no louder than anything should be."""
        if audio is None or audio.shape[1] != samples:
            return None
        if not isfinite(np.vdot(audio, audio)):
            audio = np.where(np.isfinite(audio), audio, np.float32(0))
        return np.clip(audio, -LOUDEST_PEAK, LOUDEST_PEAK)

    def _concealed(self) -> Audio:
        self._missed += 1
        if self._missed > 1:
            return np.zeros_like(self._last)
        return self._last[:, ::-1] * self._ramp[::-1]
