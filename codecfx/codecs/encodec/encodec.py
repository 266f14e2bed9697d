"""EnCodec at 24 kHz: Meta's causal neural codec, streaming hop by hop (Défossez et al., High Fidelity
Neural Audio Compression, 2022).

::

    frames ─► encoder ─► latents ─► books ─► tokens, a packet a hop ─► books ─► decoder ─► frames
              caches                        (channels, books, 1)               caches
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.base import NEXT_FRAME, CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.codecs.encodec import model
from codecfx.codecs.encodec.checkpoint import CAUSAL, HOP_SAMPLES
from codecfx.codecs.encodec.session import Caches
from codecfx.codecs.engine import LOUDEST_PEAK
from codecfx.codecs.residual_quantizer import NO_TOKEN, Tokens
from codecfx.control.parameters import Change, Curve, Parameter, Value

SAMPLE_RATE = 24_000
BITS_PER_TOKEN = 10
KBPS_PER_BOOK = SAMPLE_RATE / HOP_SAMPLES * BITS_PER_TOKEN / 1000  # 0.75
# A lost hop sounds on for 80 ms, fading: what came last is repeated, and more of it is a drone
_FADE_HOPS = 6
_MOST_CHANNELS = 8  # of a stream


class EnCodec:
    """Meta's EnCodec at 24 kHz: a neural codec of 0.75 to 24 kbps, bits and all, in hops of 13.3 ms.

    Every channel is a stream of its own, all of them computed together; pairs may be coded as mid and
    side. Every hop has a bitrate of its own.
    """

    name: ClassVar[str] = "encodec"
    title: ClassVar[str] = "EnCodec"
    description: ClassVar[str] = "Neural codec (Meta 2022), streaming: 0.75 to 24 kbps at 24 kHz"
    model: ClassVar[str] = CAUSAL.model
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=6.0,
            minimum=KBPS_PER_BOOK,
            maximum=CAUSAL.books * KBPS_PER_BOOK,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="Of each channel, in steps of 0.75; the paper's are 1.5, 3, 6, 12 and 24",
        ),
        Parameter(
            "hops",
            "Hops at once",
            default=2,
            choices=(1, 2, 4, 8, 75),
            change=Change.PREPARE,
            description="13.3 ms each: 1 is early, 2 live, 75 renders twice as fast; near-ties differ",
        ),
        Parameter(
            "coupling",
            "Coupling",
            default="dual_mono",
            choices=("dual_mono", "mid_side", "mono"),
            change=Change.PREPARE,
            description="Each channel its own, pairs as mid and side, or folded to mono",
        ),
    )
    facts: ClassVar[Facts] = Facts(
        family="neural",
        sample_rates=(SAMPLE_RATE,),
        channels=(1, _MOST_CHANNELS),
        bitrate="0.75-24",
        changes=NEXT_FRAME,
        licence="unclear",
    )
    computes_long: ClassVar[bool] = True
    codewords: ClassVar[int] = 1 << BITS_PER_TOKEN

    _encoder: Caches  # of all channels, (channels, ...) each
    _decoder: Caches
    _heard: Tokens  # what sounds on where a packet is lost, (channels, books)
    _lost: int  # hops in a row

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        streams = 1 if settings["coupling"] == "mono" else channels
        self._hops = int(settings["hops"])
        self.format = CodecFormat(SAMPLE_RATE, streams, HOP_SAMPLES, 0, run_frames=self._hops)
        self._model = model.load(CAUSAL)
        self._mid_side = settings["coupling"] == "mid_side" and streams == 2
        self._books = round(float(settings["bitrate_kbps"]) / KBPS_PER_BOOK)
        self._planned: dict[int, int] = {}  # books from a hop of the next run on
        self.reset()

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return _MOST_CHANNELS if settings["coupling"] == "dual_mono" else 2

    def encode(self, frames: Audio) -> list[Packet]:
        check_frames(frames, self.format)
        if self._mid_side:
            frames = _turned(frames) * np.float32(0.5)
        packets = []
        for at in range(0, frames.shape[1], self.format.run_samples):
            packets += self._encode_run(frames[:, at : at + self.format.run_samples])
        return packets

    def _encode_run(self, frames: Audio) -> list[Packet]:
        latents, self._encoder = self._model.encoder.run(frames[:, np.newaxis], self._encoder)
        vectors = latents.transpose(0, 2, 1).reshape(-1, latents.shape[1])
        books = [self._books_of(hop) for hop in range(self._hops)]
        tokens = self._model.quantizer.encode(vectors, max(books))
        by_hop = tokens.reshape(len(tokens), -1, self._hops).transpose(2, 1, 0)
        return [_packet(hop[:, :count]) for hop, count in zip(by_hop, books, strict=True)]

    def _books_of(self, hop: int) -> int:
        self._books = self._planned.pop(hop, self._books)
        return self._books

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        runs = [packets[at : at + self._hops] for at in range(0, len(packets), self._hops)]
        frames = np.concatenate([self._decode_run(run) for run in runs], axis=1)
        if self._mid_side:
            frames = _turned(frames)
        return np.clip(frames, -LOUDEST_PEAK, LOUDEST_PEAK, out=frames)

    def _decode_run(self, packets: Sequence[Packet | None]) -> Audio:
        tokens = np.full((CAUSAL.books, self.format.channels, self._hops), NO_TOKEN, np.int32)
        most, gains = 0, [_gain(self._lost)]
        for hop, packet in enumerate(packets):
            heard = self._tokens_of(packet)
            if heard is not None:
                self._heard = heard
            self._lost = 0 if heard is not None else min(self._lost + 1, _FADE_HOPS)
            gains.append(_gain(self._lost))
            tokens[: self._heard.shape[1], :, hop] = self._heard.T
            most = max(most, self._heard.shape[1])
        vectors = self._model.quantizer.decode(tokens[:most].reshape(most, -1))
        latents = vectors.reshape(self.format.channels, self._hops, -1).transpose(0, 2, 1)
        frames, self._decoder = self._model.decoder.run(latents, self._decoder)
        return frames[:, 0] if min(gains) == 1 else frames[:, 0] * _ramps(gains)

    def _tokens_of(self, packet: Packet | None) -> Tokens | None:
        """A packet's tokens (channels, books); None for one that is lost, or holds something else."""
        tokens = None if packet is None else packet.payload
        if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu" or tokens.ndim != 3:
            return None
        channels, books, hops = tokens.shape
        if channels != self.format.channels or not 1 <= books <= CAUSAL.books or hops != 1:
            return None
        legal = tokens.min() >= NO_TOKEN and tokens.max() < self._model.quantizer.codewords
        return tokens[:, :, 0].astype(np.int32) if legal else None

    def set(self, parameter_id: str, value: Value) -> None:
        self.set_within(parameter_id, value, 0)

    def set_within(self, parameter_id: str, value: Value, frame: int) -> None:
        """Change a parameter from a hop of the next run on. [audio thread]"""
        if parameter_id == "bitrate_kbps":
            self._planned[frame] = round(float(value) / KBPS_PER_BOOK)

    def reset(self) -> None:
        for hop in sorted(self._planned):
            self._books = self._planned.pop(hop)
        streams, silent = self.format.channels, self._model.silence
        self._encoder = tuple(np.repeat(one, streams, axis=0) for one in silent.encoder)
        book = slice(self._books - 1, self._books)
        self._decoder = tuple(np.repeat(one[book], streams, axis=0) for one in silent.decoder)
        self._heard = np.repeat(silent.tokens[np.newaxis, : self._books], streams, axis=0)
        self._lost = 0

    def describe(self, packet: Packet) -> Mapping[str, str]:
        tokens = self._tokens_of(packet)
        return {} if tokens is None else {"books": str(tokens.shape[1])}


def _packet(tokens: Tokens) -> Packet:
    """A hop's tokens (channels, books) as a packet."""
    return Packet(tokens[:, :, np.newaxis].copy(), BITS_PER_TOKEN * tokens.size)


def _turned(pair: Audio) -> Audio:
    """Left and right to twice mid and side; mid and side to left and right."""
    return np.stack((pair[0] + pair[1], pair[0] - pair[1]))


def _gain(lost: int) -> float:
    """How loud the last of so many lost hops ends."""
    return 1 - lost / _FADE_HOPS


def _ramps(gains: Sequence[float]) -> Audio:
    """A gain per sample, going from one hop's to the next."""
    ends = HOP_SAMPLES * np.arange(len(gains)) - 1
    return np.interp(np.arange(ends[-1] + 1), ends, gains).astype(np.float32)
