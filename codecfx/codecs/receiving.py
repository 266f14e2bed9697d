"""The receiving half of a classic codec: exactly one frame to a packet, whatever is in it.

A lost packet, and one that the decoder refuses or that comes out with another length, is concealed: by
the decoder itself where it can, else by the last frame played backwards and faded out, which joins on
without a jump; what comes after fades in. Nothing leaves louder than `LOUDEST_PEAK`.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import Packet
from codecfx.codecs.drifting import DriftingDecoder
from codecfx.codecs.engine import LOUDEST_PEAK, Decoder
from codecfx.codecs.row import Row
from codecfx.codecs.sending import Header, StreamPacket, Takeover

_FADE_SECONDS = 0.005


class Receiver:
    """Packets in, frames out. Knows of the sender only what packets say."""

    def __init__(self, row: Row, header: Header) -> None:
        """Raises CodecUnavailable."""
        self._row = row
        stream = header.stream
        self._channels, self._size = stream.channels, stream.frame_samples
        self._flat = row.packet_bytes is not None
        self._ramp = np.linspace(0, 1, self._size, endpoint=False, dtype=np.float32)
        fade = max(1, min(self._size, round(_FADE_SECONDS * stream.sample_rate)))
        self._fade_in = np.minimum(np.arange(self._size, dtype=np.float32) / fade, np.float32(1))
        self._last = silence(self._channels, self._size)
        self._missed = 0  # frames concealed since the last good one
        self._refused = False  # whether the packet before was
        self._open(header)

    def _open(self, header: Header) -> None:
        """A new decoder for a stream."""
        self._header = header
        self._decoder = self._row.decoder(header.stream, header.extradata)
        self._before: Decoder | None = None  # of the stream that this one takes over from
        for payload in header.preroll:
            self._decoder.decode(payload)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        """Float32 (channels, k * frame_samples). Never raises."""
        size = self._size
        decoded = self._joined(packets) if self._flat and not self._missed else None
        if decoded is None:
            decoded = np.empty((self._channels, len(packets) * size), np.float32)
            for index, packet in enumerate(packets):
                decoded[:, index * size : (index + 1) * size] = self._frame(packet)
        if not isfinite(np.vdot(decoded, decoded)):
            decoded = np.where(np.isfinite(decoded), decoded, np.float32(0))
        return np.clip(decoded, -LOUDEST_PEAK, LOUDEST_PEAK, out=decoded)

    def _joined(self, packets: Sequence[Packet | None]) -> Audio | None:
        """Whole packets of one stream at once, where they are but a row of bits; None for others."""
        expected = self._row.packet_bytes(self._header.stream) if self._row.packet_bytes else 0
        payloads = []
        for packet in packets:
            if (
                not isinstance(packet, StreamPacket)
                or packet.header is not self._header
                or packet.stand is not None
                or packet.takeover is not None
                or len(packet.payload) != expected
            ):
                return None
            payloads.append(bytes(packet.payload))
        decoded = self._decoder.decode(b"".join(payloads))
        if decoded is None or decoded.shape[1] != len(payloads) * self._size:
            return None
        self._last = decoded[:, -self._size :].copy()
        return decoded

    def _frame(self, packet: Packet | None) -> Audio:
        frame = None
        if packet is not None:
            frame = self._received(packet)
            if frame is None and self._refused:  # twice in a row: damage has turned the decoder's head
                self._open(self._header)
                frame = self._received(packet)
            self._refused = frame is None
        if frame is None:
            frame = self._sized(self._decoder.conceal())
        if frame is None:
            return self._concealed()
        if self._missed:
            self._missed = 0
            frame = frame * self._fade_in
        self._last = frame
        return frame

    def _received(self, packet: Packet) -> Audio | None:
        """A packet's frame; None if it is refused."""
        payload = bytes(packet.payload)
        if not isinstance(packet, StreamPacket):  # some link's own: of this stream, then
            return self._decoded(self._decoder, payload)
        takeover, before = packet.takeover, self._decoder
        if packet.header is not self._header:
            self._open(packet.header)
            if takeover is not None and not takeover.frame:
                self._before = before
                for earlier in takeover.preroll:
                    self._decoder.decode(earlier)
        decoder = self._decoder
        if isinstance(decoder, DriftingDecoder) and packet.stand and decoder.stand != packet.stand:
            decoder.go_to(packet.stand)
        frame = self._decoded(decoder, payload)
        if takeover is None or self._before is None:
            return frame
        return self._faded(takeover, self._decoded(self._before, takeover.old), frame)

    def _faded(self, takeover: Takeover, old: Audio | None, new: Audio | None) -> Audio | None:
        """A frame on the way from one stream to another, in a straight line."""
        frames = self._row.fade_frames(self._header.stream)
        if takeover.frame + 1 == frames:
            self._before = None
        if new is None or old is None:
            return new
        faded: Audio = old + (new - old) * ((takeover.frame + self._ramp) / np.float32(frames))
        return faded

    def _decoded(self, decoder: Decoder, payload: bytes) -> Audio | None:
        return self._sized(decoder.decode(payload))

    def _sized(self, frame: Audio | None) -> Audio | None:
        return frame if frame is not None and frame.shape[1] == self._size else None

    def _concealed(self) -> Audio:
        self._missed += 1
        if self._missed > 1:
            return np.zeros_like(self._last)
        return self._last[:, ::-1] * self._ramp[::-1]
