"""Your own codec on one page: delta modulation, one bit a sample, as toys and radios did it.

A codec takes whole frames and gives packets, and the other way round. Streaming, resampling, channels,
latency, dry/wet, presets and the command line are there already. This one follows the sound in steps
that grow while it keeps running behind (after Jayant, 1970).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from stem import synthesise

import codecfx
from codecfx.audio import Audio
from codecfx.codecs.base import CodecFormat, Packet, Settings, check_frames
from codecfx.control.parameters import Change, Parameter, Value


@codecfx.register
class Delta:
    """One bit a sample: up or down. The step grows when a bit repeats, and shrinks otherwise."""

    name: ClassVar[str] = "delta"
    title: ClassVar[str] = "Delta"
    description: ClassVar[str] = "Adaptive delta modulation, one bit a sample"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("rate_hz", "Bits a second", 16_000, 4_000, 48_000, "Hz", change=Change.PREPARE),
        Parameter("growth", "Step growth", 1.5, 1.1, 3.0, change=Change.NEXT_FRAME),
    )

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        self.format = CodecFormat(int(settings["rate_hz"]), 1, 32, 0)  # mono, frames of 32 samples
        self._growth = float(settings["growth"])
        self.reset()

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return 1  # channels to one codec; stereo gets two

    def reset(self) -> None:
        self._sent, self._heard = _Tracker(), _Tracker()

    def set(self, parameter_id: str, value: Value) -> None:
        self._growth = float(value)

    def encode(self, frames: Audio) -> list[Packet]:
        count = check_frames(frames, self.format)
        packets = []
        for frame in frames[0].reshape(count, -1).tolist():
            bits = []
            for sample in frame:
                bits.append(sample > self._sent.level)
                self._sent.follow(bits[-1], self._growth)
            packets.append(Packet(np.packbits(bits).tobytes(), 32))
        return packets

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        sound = []
        for packet in packets:
            payload = bytes(packet.payload) if packet else b""
            if len(payload) != 4:  # lost or damaged: hold the level
                sound += [self._heard.level] * 32
                continue
            for bit in np.unpackbits(np.frombuffer(payload, np.uint8)).astype(bool).tolist():
                sound.append(self._heard.follow(bit, self._growth))
        return np.array([sound], np.float32)

    def describe(self, packet: Packet) -> Mapping[str, str]:
        return {}


class _Tracker:
    """What both ends know: the level, the step, the last bit."""

    level, step, last = 0.0, 0.01, False

    def follow(self, bit: bool, growth: float) -> float:
        self.step = min(0.3, max(0.001, self.step * (growth if bit == self.last else 1 / growth)))
        self.level = min(1.0, max(-1.0, self.level + (self.step if bit else -self.step)))
        self.last = bit
        return self.level


def main() -> None:
    effect = codecfx.effect_of(Delta)(rate_hz=24_000, mix=0.9)
    wet = effect(synthesise(2.0), 48_000)
    print(f"{effect}: {wet.shape}, {effect.latency_ms:.1f} ms, {effect.meter.kbps:.0f} kbps")


if __name__ == "__main__":
    main()
