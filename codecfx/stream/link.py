"""The link: encode, carry, decode. Where a codec meets the world, and the world's samples.

::

    frames ─► codec.encode ─► damage ─► network ─► codec.decode ─► ears ─► concealment ─► frames
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import ceil, isfinite
from typing import TypeAlias
from weakref import ref

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.codecs.base import Codec, Packet
from codecfx.control.parameters import Value
from codecfx.stream.beside import Beside
from codecfx.stream.clocks import Clocks
from codecfx.stream.concealment import Concealment, Gap
from codecfx.stream.damage import Damage
from codecfx.stream.ears import Ceiling, Ears, Parcel
from codecfx.stream.framing import Framed
from codecfx.stream.network import Network
from codecfx.stream.splicing import Donor

Due: TypeAlias = Packet | Parcel | Gap
"""What a decoder gets when a packet is due."""

# What one thread hands the other at a time: long enough that handing over costs nothing
_PART_SAMPLES = 16_384
_RECENT_PACKETS = 1024
_RINGS_SAMPLES = 64  # of a resampler, at the lower of its rates, and more


@dataclass(slots=True)
class LinkMeter:
    """What went over the link since the last reset."""

    packets: int = 0  # that were sent
    bits: int = 0
    recent: deque[Packet] = field(default_factory=lambda: deque(maxlen=_RECENT_PACKETS))


class Link:
    """Frames through a codec: float32 (channels, k * frame_samples) in and out, the same samples
    for any grouping of frames into runs.
    """

    def __init__(
        self,
        codec: Codec,
        values: Mapping[str, Value] | None = None,
        donor: Donor = (),
        *,
        in_two_threads: bool = False,
        beside: bool = False,
    ) -> None:
        """`values` hold parameters of network, damage and clocks; without, all is well. Packets of
        `donor` may be spliced in.

        `in_two_threads` lets long runs be encoded and decoded at once: for rendering, not live.
        `beside` computes runs in a thread of their own, each a run later: for live, where one takes
        longer than a block.
        """
        self.codec = codec
        self.meter = LinkMeter()
        form = codec.format
        self.clocks = Clocks.of(values or {})
        packet_ms = 1000 * form.frame_samples / form.sample_rate / float(self.clocks.encode)
        self._network = Network(values or {}, packet_ms, form.run_frames)
        self._damage = Damage(values or {}, self._network.chance, codec, packet_ms, donor)
        self.ears = Ears(form.frame_samples)
        self._concealment = Concealment(form, int(self._network.values["seed"]))
        self._changes: dict[tuple[int, str], Value] = {}  # by frame of the next run, and parameter
        # not held: both would wait for a garbage collection, and with them a thread
        self._framed: ref[Framed] | None = None
        self._decoder = ThreadPoolExecutor(1, "codecfx-decode") if in_two_threads else None
        self._beside = Beside(codec.format.channels, codec.format.run_samples) if beside else None

    def framed(self) -> Framed:
        """This link as a stage: samples in any amounts, in runs of frames through the codec."""
        form = self.codec.format
        framed = Framed(
            form.run_samples,
            form.channels,
            self.run,
            self.reset,
            form.lookahead_samples,
            withheld_samples=self._network.delay_packets * form.frame_samples
            + (form.run_samples if self._beside else 0),
        )
        self._framed = ref(framed)
        return framed

    def ceiling(self, ratio: Fraction) -> Ceiling:
        """What keeps this link from hurting after a resampler of this ratio."""
        return Ceiling(
            self.ears,
            self.codec.format.frame_samples * ratio,
            ceil(_RINGS_SAMPLES * max(ratio, Fraction(1))),
        )

    def set(self, parameter_id: str, value: Value) -> None:
        """Change a next-frame parameter from the frame on that is being filled, also where frames are
        computed in runs. What is slow about it happens here, not in the audio. [control thread]
        """
        if not self._ways_to(parameter_id) and self._beside is None:  # whose worker has the time itself
            announce = getattr(self.codec, "announce", None)  # of codecs that open an encoder for it
            if announce is not None:
                announce(parameter_id, value)
        framed = self._framed() if self._framed else None
        waiting = framed.waiting_samples if framed else 0
        frame = waiting // self.codec.format.frame_samples
        for later in list(self._changes):  # of a run that is gone meanwhile: this one is newer
            if later[1] == parameter_id and later[0] > frame:
                self._changes.pop(later, None)
        self._changes[frame, parameter_id] = value

    def run(self, frames: Audio) -> Audio:
        """Encode and decode whole runs of frames; beside the audio, those of a run ago come back.
        [audio thread]
        """
        while self._changes:
            change = partial(self._apply, *self._changes.popitem())
            if self._beside is None:
                change()
            else:
                self._beside.do(change)
        if self._beside is None:
            return self._compute(frames)
        return self._beside.run(frames, self._compute)

    def _apply(self, where: tuple[int, str], value: Value) -> None:
        frame, parameter_id = where
        ways = self._ways_to(parameter_id)
        for way in ways:
            way.set(parameter_id, value, frame)
        if ways:
            return
        if frame:
            self.codec.set_within(parameter_id, value, frame)  # type: ignore[attr-defined]
        else:
            self.codec.set(parameter_id, value)

    def _ways_to(self, parameter_id: str) -> list[Damage | Network]:
        """Whose parameter it is; nobody's here for one of the codec's."""
        return [one for one in (self._damage, self._network) if parameter_id in one.ids]

    def _compute(self, frames: Audio) -> Audio:
        if self._decoder is None or frames.shape[1] < 2 * _PART_SAMPLES:
            return self._decode(self._encode(frames))
        return self._run_in_two_threads(frames, self._decoder)

    def _run_in_two_threads(self, frames: Audio, decoder: ThreadPoolExecutor) -> Audio:
        """Decode each part of a long run while the next is encoded; engines release the GIL."""
        size = self.codec.format.run_samples
        step = -(-_PART_SAMPLES // size) * size
        decoded: list[Future[Audio]] = []
        try:
            for at in range(0, frames.shape[1], step):
                packets = self._encode(frames[:, at : at + step])
                decoded.append(decoder.submit(self._decode, packets))
            return np.concatenate([part.result() for part in decoded], axis=1)
        finally:  # interrupted or not, nobody is left at the decoder
            for part in decoded:
                part.cancel()
            wait(decoded)

    def _encode(self, frames: Audio) -> list[Due]:
        packets = self.codec.encode(frames)
        meter = self.meter
        meter.packets += len(packets)
        meter.bits += sum(packet.bits for packet in packets)
        meter.recent.extend(packets)
        return self._network.carry(self._damage.hit(packets, frames))

    def _decode(self, due: list[Due]) -> Audio:
        if not due:
            return silence(self.codec.format.channels, 0)
        frames = self.codec.decode(self._concealment.packets(due))
        if not isfinite(np.vdot(frames, frames)):  # one cheap look before the exact one
            frames = np.where(np.isfinite(frames), frames, np.float32(0))
        limited = self.ears.limited(frames, due)
        filled = self._concealment.filled(limited, due)
        return filled if filled is limited else self.ears.again(filled)

    @property
    def frames_per_ms(self) -> float:
        """How many are filled, and so sent, at the encoder's clock. [any thread]"""
        form = self.codec.format
        return form.sample_rate / form.frame_samples / 1000 * float(self.clocks.encode)

    @property
    def lost(self) -> int:
        """How many packets were not there when they were due, since the last reset. [any thread]"""
        return self._network.lost

    @property
    def repaired(self) -> int:
        """How many were made good from other packets: a copy came, or the codec had one in the next.
        [any thread]
        """
        return self._network.healed + self._from_copies

    @property
    def concealed(self) -> int:
        """In whose place something else was heard. [any thread]"""
        return self._network.lost - self._from_copies

    @property
    def _from_copies(self) -> int:
        return int(getattr(self.codec, "repaired", 0))  # of codecs with forward error correction

    @property
    def damaged(self) -> int:
        """How many were not what was sent. [any thread]"""
        return self._damage.damaged

    @property
    def late_runs(self) -> int:
        """How many runs came too late from beside the audio, which waited: dropouts. [any thread]"""
        return self._beside.late_runs if self._beside else 0

    @property
    def problem(self) -> str:
        """The first exception beside the audio, where silence was heard, with its traceback; "" for
        none. [any thread]
        """
        return self._beside.problem if self._beside else ""

    def reset(self) -> None:
        if self._beside is not None:
            self._beside.reset()  # nobody is at the codec from here on
        for change in sorted(self._changes):  # the last of each parameter holds from the start
            self._apply((0, change[1]), self._changes.pop(change))
        self.codec.reset()
        self._damage.reset()
        self._network.reset()
        self.ears.reset()
        self._concealment.reset()
        self.meter = LinkMeter()
