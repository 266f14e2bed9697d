"""Lyra v2: speech from 0.2 to 9.2 kbps, by a neural network. NEWCOMERS START HERE.

20 ms of sound become 64 features (`network.py` runs the encoder), the features become tokens, one for
each book of codewords (`quantizer.py`), and the way back is another network, which `concealment.py`
keeps going where packets are lost. More books are more bits and a finer frame; a packet may hold any
number of them.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from codecfx import models
from codecfx.audio import Audio
from codecfx.codecs.base import NEXT_FRAME, CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.codecs.lyra.comfort_noise import HOP, SAMPLE_RATE
from codecfx.codecs.lyra.concealment import Receiver
from codecfx.codecs.lyra.loading import load
from codecfx.codecs.lyra.quantizer import BITS_PER_BOOK, BOOK_SIZE, Tokens
from codecfx.codecs.residual_quantizer import NO_TOKEN
from codecfx.control.parameters import Change, Curve, Parameter, Value

_KBPS_PER_BOOK = 0.2  # 4 bits, 50 times a second
_MOST_BOOKS = 46


class Lyra:
    """Google's codec for speech at the lowest bitrates, on its own published weights.

    16 kHz mono; total delay is a frame of 20 ms less a sample, for nothing of the next frame is heard.
    Made for voices: music and noise come out as what a voice could have been.
    """

    name: ClassVar[str] = "lyra"
    title: ClassVar[str] = "Lyra"
    description: ClassVar[str] = "Neural speech codec of Google's calls, 0.2 to 9.2 kbps"
    model: ClassVar[str] = "lyra"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=3.2,
            minimum=_KBPS_PER_BOOK,
            maximum=9.2,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="In steps of 0.2, of each channel; Lyra's own are 3.2, 6 and 9.2",
        ),
        Parameter(
            "coupling",
            "Coupling",
            default="dual_mono",
            choices=("dual_mono", "mono"),
            change=Change.PREPARE,
            description="dual_mono: a codec for each side; mono: folded to mono",
        ),
        Parameter(
            "backend",
            "Backend",
            default="numpy",
            choices=("numpy", "litert"),
            change=Change.PREPARE,
            description="litert is faster where it is installed, and sounds slightly different",
        ),
    )
    facts: ClassVar[Facts] = Facts(
        family="neural",
        sample_rates=(SAMPLE_RATE,),
        channels=(1,),
        bitrate="0.2-9.2",
        changes=NEXT_FRAME,
        licence="Apache-2.0",
    )
    computes_long: ClassVar[bool] = True
    codewords: ClassVar[int] = BOOK_SIZE

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        self.format = CodecFormat(SAMPLE_RATE, 1, HOP, lookahead_samples=0)
        model = load(models.files(self.model), str(settings["backend"]))
        self._encoder, self._quantizer = model.encoder, model.quantizer
        self._receiver = Receiver(model.generator, model.quantizer.features)
        self.set("bitrate_kbps", settings["bitrate_kbps"])

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return 1 if settings["coupling"] == "dual_mono" else 2

    def encode(self, frames: Audio) -> list[Packet]:
        count = check_frames(frames, self.format)
        # the networks have seen nothing louder; where they run in 8 bits it would clip inside them
        sound = np.clip(frames[0], -1, 1).reshape(count, HOP)
        return [self._packet(frame) for frame in sound]

    def _packet(self, frame: Audio) -> Packet:
        tokens = self._quantizer.encode(self._encoder.run(frame), self._books)
        return Packet(tokens.reshape(1, -1, 1), BITS_PER_BOOK * tokens.size)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        decoded = np.empty((1, len(packets) * HOP), np.float32)
        for packet, frame in zip(packets, decoded.reshape(-1, HOP), strict=True):
            tokens = self._tokens(packet)
            features = None if tokens is None else self._quantizer.decode(tokens)
            self._receiver.receive(features, frame)
        return decoded

    def _tokens(self, packet: Packet | None) -> Tokens | None:
        """What is in a packet, (books); None if it is lost, or holds anything but tokens."""
        payload = None if packet is None else packet.payload
        if (
            not isinstance(payload, np.ndarray)
            or payload.dtype.kind not in "iu"
            or payload.ndim != 3
            or payload.shape != (1, payload.size, 1)
            or not 0 < payload.size <= self._quantizer.books
            or payload.min() < NO_TOKEN
            or payload.max() >= BOOK_SIZE
        ):
            return None
        return payload.reshape(-1)

    def set(self, parameter_id: str, value: Value) -> None:
        if parameter_id == "bitrate_kbps":
            self._books = min(max(1, round(float(value) / _KBPS_PER_BOOK)), self._quantizer.books)

    def reset(self) -> None:
        self._encoder.reset()
        self._receiver.reset()

    def describe(self, packet: Packet) -> Mapping[str, str]:
        tokens = self._tokens(packet)
        return {} if tokens is None else {"books": str(tokens.size)}


class SoundStream(Lyra):
    """Google's SoundStream, as shipped in Lyra v2: the weights and the samples are those of `lyra`.

    The published networks are of SoundStream's family; they differ from the paper's in their layers
    (grouped convolutions) and books (46 of 16 codewords).
    """

    name: ClassVar[str] = "soundstream"
    title: ClassVar[str] = "SoundStream"
    description: ClassVar[str] = (
        "Google's SoundStream as shipped in Lyra v2: lyra's weights and samples"
    )
