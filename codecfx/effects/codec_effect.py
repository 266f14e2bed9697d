"""A codec as an effect. NEWCOMERS START HERE: `signal_path` is what happens to the sound."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, ClassVar

from codecfx import codecs
from codecfx.codecs.base import Codec
from codecfx.control.parameters import Parameter, Value, signature_of
from codecfx.effects.base import COMMON, Effect
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.processor import STEP_SAMPLES, Processor, StreamSpec
from codecfx.errors import UnsupportedFormat
from codecfx.stream import damage, network
from codecfx.stream.channels import MatchChannels, SideBySide, groups
from codecfx.stream.distance import Distance, samples_of
from codecfx.stream.link import Link
from codecfx.stream.network_paths import parameters_of
from codecfx.stream.resampling import there_and_back
from codecfx.stream.stage import Series, Stage


def signal_path(link: Link, sample_rate: int, channels: int, far_samples: int = 0) -> Stage:
    """Host -> codec -> host, one line per thing that happens to the sound; what a stream does not need
    is not there. Packets are lost and found in the link.
    """
    codec = link.codec.format
    folded = codec.channels != channels
    there, back = there_and_back(
        sample_rate, codec.sample_rate, codec.channels, codec.lookahead_samples
    )
    return Series(
        [
            *([MatchChannels(channels, codec.channels)] if folded else []),
            *there,
            link.framed(),
            *back,
            *([link.ceiling(Fraction(sample_rate, codec.sample_rate))] if back else []),
            *([MatchChannels(codec.channels, channels)] if folded else []),
            *([Distance(far_samples, channels)] if far_samples else []),
        ]
    )


@dataclass(frozen=True, slots=True)
class CodecMeter:
    """What a codec has sent since the last reset, over all its channels."""

    packets: int
    bits: int
    kbps: float  # true mean; 0 before the first packet
    now_kbps: float  # of the latest packets
    details: Mapping[str, str]  # of the latest packet: mode, bandwidth, ...; empty for plain codecs
    lost: int = 0  # packets that were not there when they were due
    healed: int = 0  # that would have been lost but for their copy
    damaged: int = 0  # that were not what was sent


@dataclass(frozen=True, slots=True)
class PacketReading:
    """One packet as a meter shows it."""

    bits: int
    kbps: float
    details: Mapping[str, str]


class CodecEffect(Effect):
    """Audio through a codec and back: pairs of channels through one codec each, an odd one in mono.

    Latency is one frame (or run of them) less a sample, plus the codec's lookahead, plus the delay of
    the resamplers where the host's rate is not the codec's, which round it up to whole samples; plus
    the network's jitter buffer, in whole frames, and its distance. Live, a codec that computes long is
    a run later, and never computes in the audio thread.
    """

    codec: ClassVar[type[Codec]]
    _links: tuple[Link, ...] = ()

    @classmethod
    def spelled_out(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Also what `network` stands for: a path's name, "hotel", or a table of its parameters; and
        `damage`, a table.
        """
        spelled = dict(settings)
        if network.GROUP in spelled:
            spelled = parameters_of(spelled.pop(network.GROUP)) | spelled
        if isinstance(table := spelled.get(damage.GROUP), Mapping):
            del spelled[damage.GROUP]
            spelled = {**table, **spelled}
        return spelled

    def build(self, spec: StreamSpec) -> Processor:
        parts = groups(spec.channels, self.codec.widest(self.values))
        at_once = spec.max_block_samples >= STEP_SAMPLES and getattr(
            self.codec, "gains_by_two_threads", False
        )
        beside = spec.live and getattr(self.codec, "computes_long", False)
        links = []
        settings = {one.id: self.values[one.id] for one in self.codec.parameters}
        far = samples_of(float(self.values["distance_km"]), spec.sample_rate)
        for part in parts:
            codec = self.codec(spec.sample_rate, part.stop - part.start, settings)
            links.append(Link(codec, self.values, in_two_threads=at_once, beside=beside))
        paths = [
            signal_path(link, spec.sample_rate, part.stop - part.start, far)
            for part, link in zip(parts, links, strict=True)
        ]
        self._links = tuple(links)
        stage = paths[0] if len(paths) == 1 else SideBySide(parts, paths)
        return FixedLatency(stage, spec.channels)

    def apply(self, parameter: Parameter, value: Value) -> None:
        for link in self._links:
            link.set(parameter.id, value)

    @property
    def is_outdated(self) -> bool:
        """Whether its values make another format now: MP3 at 8 kbps has another sample rate."""
        format_of = getattr(self.codec, "format_of", None)  # of codecs where they may
        if format_of is None or not self._links or self._spec is None:
            return False
        first, *_ = groups(self._spec.channels, self.codec.widest(self.values))
        try:
            wanted = format_of(self._spec.sample_rate, first.stop - first.start, self.values)
        except UnsupportedFormat:
            return True
        return bool(wanted != self._links[0].codec.format)

    @property
    def late_runs(self) -> int:
        """How often, live, a codec was not done in time and the audio waited, since `prepare`.
        [any thread]
        """
        return sum(link.late_runs for link in self._links)

    @property
    def problem(self) -> str:
        """What went wrong in a codec, live, where silence was heard instead: the first exception since
        `prepare`, with its traceback; "" for none. [any thread]
        """
        return next((link.problem for link in self._links if link.problem), "")

    @property
    def meter(self) -> CodecMeter:
        """True bits and what the codec did; nothing sent yet before the first frame. [any thread]"""
        meters = [link.meter for link in self._links]  # a reset on the audio thread makes new ones
        packets = sum(meter.packets for meter in meters)
        bits = sum(meter.bits for meter in meters)
        latest = [meter.recent[-1] for meter in meters if meter.recent]
        if not packets or not latest:
            return CodecMeter(0, 0, 0.0, 0.0, {})
        codec = self._links[0].codec
        frames_per_ms = codec.format.sample_rate / codec.format.frame_samples / 1000
        return CodecMeter(
            packets,
            bits,
            kbps=bits / (packets / len(self._links)) * frames_per_ms,
            now_kbps=sum(packet.bits for packet in latest) * frames_per_ms,
            details=codec.describe(latest[0]),
            lost=sum(link.lost for link in self._links),
            healed=sum(link.healed for link in self._links),
            damaged=sum(link.damaged for link in self._links),
        )

    def recent_packets(self, group: int = 0) -> list[PacketReading]:
        """The last 1024 packets at most of one group of channels, oldest first. [any thread]"""
        if not self._links:
            return []
        link = self._links[group]
        codec = link.codec
        per_ms = codec.format.sample_rate / codec.format.frame_samples / 1000
        return [
            PacketReading(packet.bits, packet.bits * per_ms, codec.describe(packet))
            for packet in tuple(link.meter.recent)
        ]


@cache
def effect_of(codec: type[Codec]) -> type[CodecEffect]:
    """The effect class of a codec: its parameters, and mix and bypass, as attributes."""
    common = (*COMMON, *network.PARAMETERS, *damage.PARAMETERS)
    return type(
        codec.title,
        (CodecEffect,),
        {
            "__doc__": codec.__doc__,
            "__module__": codec.__module__,
            "__signature__": signature_of((*codec.parameters, *common)),
            "codec": codec,
            "name": codec.name,
            "description": codec.description,
            "parameters": (*codec.parameters, *common),
        },
    )


def find(name: str) -> type[CodecEffect]:
    """The effect class of the codec called `name`. Raises UnknownName with the nearest."""
    return effect_of(codecs.find(name))
