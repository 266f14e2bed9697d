"""The link: encode, carry, decode. Where a codec meets the world, and the world's samples."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.base import Codec, Packet
from codecfx.control.parameters import Value

# Runs at least this long are encoded and decoded in two threads, this many frames at a time: long
# enough that handing over costs nothing, and that live blocks never start a thread.
_PIPELINED_FRAMES = 16


@dataclass(slots=True)
class LinkMeter:
    """What went over the link since the last reset."""

    packets: int = 0
    bits: int = 0
    last: Packet | None = None


class Link:
    """Frames through a codec: float32 (channels, k * frame_samples) in and out, the same samples
    for any grouping of frames into runs.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.meter = LinkMeter()
        self._changes: deque[tuple[str, Value]] = deque()
        self._decoder: ThreadPoolExecutor | None = None

    def set(self, parameter_id: str, value: Value) -> None:
        """Change a next-frame parameter from the frame on that is being filled. [any thread]"""
        self._changes.append((parameter_id, value))

    def run(self, frames: Audio) -> Audio:
        """Encode and decode whole frames. [audio thread]"""
        while self._changes:
            self.codec.set(*self._changes.popleft())
        if frames.shape[1] < 2 * _PIPELINED_FRAMES * self.codec.format.frame_samples:
            return self._decode(self._encode(frames))
        return self._run_in_two_threads(frames)

    def _run_in_two_threads(self, frames: Audio) -> Audio:
        """Decode each part of a long run while the next is encoded; engines release the GIL."""
        if self._decoder is None:
            self._decoder = ThreadPoolExecutor(1, "codecfx-decode")
        step = _PIPELINED_FRAMES * self.codec.format.frame_samples
        decoded = [
            self._decoder.submit(self._decode, self._encode(frames[:, at : at + step]))
            for at in range(0, frames.shape[1], step)
        ]
        return np.concatenate([part.result() for part in decoded], axis=1)

    def _encode(self, frames: Audio) -> list[Packet]:
        packets = self.codec.encode(frames)
        meter = self.meter
        meter.packets += len(packets)
        meter.bits += sum(packet.bits for packet in packets)
        meter.last = packets[-1]
        return packets

    def _decode(self, packets: list[Packet]) -> Audio:
        frames = self.codec.decode(packets)
        if not isfinite(np.vdot(frames, frames)):  # one cheap look before the exact one
            frames = np.where(np.isfinite(frames), frames, np.float32(0))
        return frames

    def reset(self) -> None:
        self.codec.reset()
        self.meter = LinkMeter()
