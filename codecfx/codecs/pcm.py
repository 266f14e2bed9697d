"""PCM: the lossless reference. What goes in comes out; everything around a codec is tested with it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import NEXT_FRAME, CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.control.parameters import Change, Curve, Parameter, Value


class PCM:
    """Samples as they are (32-bit float), or rounded to fewer bits; at any rate, in frames of any size.

    At 32 bits it is transparent to the last bit. Below, it rounds to that many bits without dither,
    mid-tread, clipping at full scale: the sound of early samplers. One bit is the sign; silence stays.
    """

    name: ClassVar[str] = "pcm"
    title: ClassVar[str] = "PCM"
    description: ClassVar[str] = "Lossless reference, or plain word-length and rate reduction"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "bits",
            "Word length",
            default=32,
            minimum=1,
            maximum=32,
            unit="bits",
            change=Change.NEXT_FRAME,
            description="32 is float and lossless; 24 down to 1 round",
        ),
        Parameter(
            "rate_hz",
            "Sample rate",
            default=192_000,
            minimum=1000,
            maximum=192_000,
            unit="Hz",
            curve=Curve.EXPONENTIAL,
            change=Change.PREPARE,
            description="Hosts above it are resampled there and back; others keep their own",
        ),
        Parameter(
            "frame_samples",
            "Frame",
            default=64,
            minimum=1,
            maximum=8192,
            unit="samples",
            change=Change.PREPARE,
            description="Samples to a packet, at the codec's rate",
        ),
    )

    facts: ClassVar[Facts] = Facts(
        family="reference", bitrate="1-32 bits", changes=NEXT_FRAME, licence="none"
    )

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        rate = min(int(settings["rate_hz"]), sample_rate)
        self.format = CodecFormat(rate, channels, int(settings["frame_samples"]), 0)
        self._bits = int(settings["bits"])

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return 2

    def encode(self, frames: Audio) -> list[Packet]:
        count = check_frames(frames, self.format)
        if self._bits < 32:
            frames = self._rounded(frames)
        size = self.format.frame_samples
        bits = self._bits * size * self.format.channels
        return [
            Packet(frames[:, at : at + size].tobytes(), bits) for at in range(0, count * size, size)
        ]

    def _rounded(self, frames: Audio) -> Audio:
        if self._bits == 1:  # a sign is all there is
            return np.sign(frames)
        full = np.float64(2 ** (self._bits - 1))
        return (np.clip(np.rint(frames * full), -full, full - 1) / full).astype(np.float32)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        return np.concatenate([self._frame(packet) for packet in packets], axis=1)

    def _frame(self, packet: Packet | None) -> Audio:
        """A packet's samples; what a lost or damaged one lacks is silent."""
        frame = silence(self.format.channels, self.format.frame_samples)
        if packet is not None:
            payload = bytes(packet.payload)
            count = min(frame.size, len(payload) // frame.itemsize)
            frame.reshape(-1)[:count] = np.frombuffer(payload, np.float32, count)
        return frame

    def set(self, parameter_id: str, value: Value) -> None:
        if parameter_id == "bits":
            self._bits = int(value)

    def reset(self) -> None:
        pass

    def describe(self, packet: Packet) -> Mapping[str, str]:
        return {}
