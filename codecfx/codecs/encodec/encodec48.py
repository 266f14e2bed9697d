"""EnCodec at 48 kHz: Meta's stereo model, which sees whole segments, one after another.

::

    frame ─► segment ─► its loudness taken out ─► encoder ─► books ─► tokens and loudness, a packet
             (and the end of the one before)
    frame ◄─ overlapping ends crossfaded ◄─ loudness put back ◄─ decoder ◄─ books
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import NEXT_FRAME, CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.codecs.encodec import model
from codecfx.codecs.encodec.checkpoint import HOP_SAMPLES, STEREO
from codecfx.codecs.encodec.encodec import BITS_PER_TOKEN
from codecfx.codecs.engine import LOUDEST_PEAK
from codecfx.codecs.residual_quantizer import NO_TOKEN, Tokens
from codecfx.control.parameters import Change, Curve, Parameter, Value

SAMPLE_RATE = 48_000
KBPS_PER_BOOK = SAMPLE_RATE / HOP_SAMPLES * BITS_PER_TOKEN / 1000  # 1.5
_OVERLAP = 100  # of a segment's samples, one in that many is in the next one too
_LOUDNESS_BITS = 32  # as Meta's file format stores it
_QUIETEST = 1e-8  # added to the loudness that a segment is divided by
_LOUDEST = 1e6  # no sound that is encoded is louder
_FADE = 0.5  # what a lost segment repeats of the last one: half of it, then a quarter
_SILENT = 1e-4  # until it is -80 dB


@dataclass(frozen=True, slots=True)
class SegmentPacket(Packet):
    """Tokens (1, books, hops), and how loud the segment was that they stand for."""

    loudness: float  # RMS of both channels' mean


class EnCodec48:
    """Meta's EnCodec at 48 kHz, stereo: the sound of a second at a time, one second late.

    Segments of a second that overlap by a hundredth are Meta's own. Shorter ones have a sound that is
    theirs: less to see at once, and a loudness that moves with every block.
    """

    name: ClassVar[str] = "encodec48"
    title: ClassVar[str] = "EnCodec48"
    description: ClassVar[str] = "Neural codec (Meta 2022) for stereo music: 1.5 to 24 kbps at 48 kHz"
    model: ClassVar[str] = STEREO.model
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=6.0,
            minimum=KBPS_PER_BOOK,
            maximum=STEREO.books * KBPS_PER_BOOK,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="Of a stereo stream, in steps of 1.5; the paper's are 3, 6, 12 and 24",
        ),
        Parameter(
            "segment_s",
            "Segment",
            default=1.0,
            minimum=0.1,
            maximum=1.0,
            unit="s",
            change=Change.PREPARE,
            description="What is seen at once, and how late it is: 1 is Meta's, less another sound",
        ),
    )
    facts: ClassVar[Facts] = Facts(
        family="neural",
        sample_rates=(SAMPLE_RATE,),
        channels=(2,),
        bitrate="1.5-24",
        changes=NEXT_FRAME,
        licence="unclear",
    )
    computes_long: ClassVar[bool] = True
    codewords: ClassVar[int] = 1 << BITS_PER_TOKEN

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        self._hops = round(float(settings["segment_s"]) * SAMPLE_RATE / HOP_SAMPLES)
        self._segment = self._hops * HOP_SAMPLES
        # as the encodec package rounds it: its segments of a second are 47,520 samples apart
        self._overlap = self._segment - int((1 - 1 / _OVERLAP) * self._segment)
        self.format = CodecFormat(
            SAMPLE_RATE, STEREO.channels, self._segment - self._overlap, self._overlap
        )
        self._model = model.load(STEREO)
        self._books = round(float(settings["bitrate_kbps"]) / KBPS_PER_BOOK)
        rise = np.arange(1, self._overlap + 1, dtype=np.float32) / np.float32(self._overlap + 1)
        self._rise, self._fall = rise, rise[::-1]
        self._before = silence(STEREO.channels, self._overlap)  # what the next segment begins with
        self._end = silence(STEREO.channels, self._overlap)  # of the last segment
        self._heard: tuple[Tokens, float] | None = None  # what sounds on where a packet is lost
        self._gain = 1.0  # and how loud

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return STEREO.channels

    def encode(self, frames: Audio) -> list[Packet]:
        check_frames(frames, self.format)
        packets: list[Packet] = []
        for at in range(0, frames.shape[1], self.format.frame_samples):
            frame = frames[:, at : at + self.format.frame_samples]
            segment = np.concatenate((self._before, frame), axis=1)
            self._before = segment[:, segment.shape[1] - self._overlap :]
            packets.append(self._encoded(segment))
        return packets

    def _encoded(self, segment: Audio) -> SegmentPacket:
        middle = segment.mean(axis=0, dtype=np.float64)
        loudness = _QUIETEST + float(np.sqrt(np.square(middle).mean()))
        latents, _ = self._model.encoder.run(segment[np.newaxis] / np.float32(loudness))
        tokens = self._model.quantizer.encode(np.ascontiguousarray(latents[0].T), self._books)
        bits = BITS_PER_TOKEN * tokens.size + _LOUDNESS_BITS
        return SegmentPacket(tokens[np.newaxis], bits, loudness)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        return np.concatenate([self._decoded(packet) for packet in packets], axis=1)

    def _decoded(self, packet: Packet | None) -> Audio:
        """A frame: where segments overlap, the end of the last one falls and this one rises."""
        heard = self._heard_in(packet)
        if heard is not None:
            self._heard, self._gain = heard, 1.0
        else:  # lost: what was last heard again, more softly
            self._gain *= _FADE
        segment = silence(STEREO.channels, self._segment)
        if self._heard is not None and self._gain > _SILENT:
            tokens, loudness = self._heard
            latents = self._model.quantizer.decode(tokens).T[np.newaxis]
            sound, _ = self._model.decoder.run(np.ascontiguousarray(latents))
            segment = np.clip(sound[0] * np.float32(loudness), -LOUDEST_PEAK, LOUDEST_PEAK)
            segment *= np.float32(self._gain)
        start = self._end * self._fall + segment[:, : self._overlap] * self._rise
        self._end = segment[:, self.format.frame_samples :]
        return np.concatenate((start, segment[:, self._overlap : self.format.frame_samples]), axis=1)

    def _heard_in(self, packet: Packet | None) -> tuple[Tokens, float] | None:
        """A packet's tokens (books, hops) and loudness; None if lost, or if it holds something else."""
        if not isinstance(packet, SegmentPacket):
            return None
        tokens, loudness = packet.payload, packet.loudness
        if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu" or tokens.ndim != 3:
            return None
        _, books, hops = tokens.shape
        if len(tokens) != 1 or not 1 <= books <= STEREO.books or hops != self._hops:
            return None
        if tokens.min() < NO_TOKEN or tokens.max() >= self._model.quantizer.codewords:
            return None
        if not isinstance(loudness, float) or not 0 <= loudness <= _LOUDEST:
            return None
        return tokens[0].astype(np.int32), loudness

    def set(self, parameter_id: str, value: Value) -> None:
        if parameter_id == "bitrate_kbps":
            self._books = round(float(value) / KBPS_PER_BOOK)

    def reset(self) -> None:
        self._before = np.zeros_like(self._before)
        self._end = np.zeros_like(self._end)
        self._heard, self._gain = None, 1.0

    def describe(self, packet: Packet) -> Mapping[str, str]:
        heard = self._heard_in(packet)
        if heard is None:
            return {}
        tokens, loudness = heard
        level = 20 * np.log10(max(loudness, _QUIETEST))
        return {"books": str(len(tokens)), "loudness": f"{level:.0f} dB"}
