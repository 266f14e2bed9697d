"""A codec as an effect. NEWCOMERS START HERE: `signal_path` is what happens to the sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, ClassVar

from codecfx import codecs
from codecfx.codecs.base import Codec
from codecfx.control.parameters import Parameter, Value, signature_of
from codecfx.effects import shape
from codecfx.effects.base import COMMON, Effect
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.processor import STEP_SAMPLES, Processor, StreamSpec
from codecfx.errors import ParameterError, UnsupportedFormat, shown
from codecfx.stream import damage, generations, network
from codecfx.stream.channels import MatchChannels, SideBySide, groups
from codecfx.stream.distance import Distance, samples_of
from codecfx.stream.generations import earlier_passes
from codecfx.stream.link import Link
from codecfx.stream.network_paths import parameters_of
from codecfx.stream.splicing import SHARE, Donor, donor_of, refuse_no_donor
from codecfx.stream.stage import Series, Stage

GROUPS: tuple[ModuleType, ...] = (network, *damage.GROUPS, generations, shape)
"""What every codec effect has, neutral by default: each with a GROUP, its name, and its PARAMETERS."""


def signal_path(
    links: Sequence[Link], sample_rate: int, channels: int, far_samples: int = 0, resync: float = 0.0
) -> Stage:
    """Host -> codec -> host, one line per thing that happens to the sound; what a stream does not need
    is not there. There is a link for each generation, and packets are lost and found in the last.
    """
    link = links[-1]
    codec, clocks = link.codec.format, link.clocks
    folded = codec.channels != channels
    again = list(earlier_passes(links[:-1], resync))
    lookahead = codec.lookahead_samples + int(Series(again).lookahead_samples)
    there, back, in_time = clocks.around(sample_rate, codec, lookahead)
    played = codec.sample_rate * clocks.decode
    return Series(
        [
            *([MatchChannels(channels, codec.channels)] if folded else []),
            *there,
            *again,
            link.framed(),
            *back,
            *([link.ceiling(sample_rate / played)] if back else []),
            *in_time,
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
    concealed: int = 0  # of those, in whose place something else was heard
    repaired: int = 0  # that were made good from other packets
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
    a run later, and never computes in the audio thread. A clock makes frames longer or shorter, two of
    them add up to a window.
    """

    codec: ClassVar[type[Codec]]
    _links: tuple[Link, ...] = ()  # of each group of channels
    _earlier: tuple[Link, ...] = ()  # of all generations but the last
    _shaped: shape.Shaped | None = None

    @classmethod
    def spelled_out(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Also what `network` stands for: a path's name, "hotel", or a table of its parameters; and
        "damage" and the other groups, each a table of its own.
        """
        spelled = dict(settings)
        if network.GROUP in spelled:
            spelled = parameters_of(spelled.pop(network.GROUP)) | spelled
        for name in dict.fromkeys(one.group for one in cls.parameters):
            if not name or name not in spelled:
                continue
            table = spelled.pop(name)
            if not isinstance(table, Mapping):
                known = ", ".join(one.id for one in cls.parameters if one.group == name)
                raise ParameterError(
                    f"{name} is {shown(table)}; it takes a table of {known}, each of which can also be "
                    "set by itself"
                )
            spelled = {**table, **spelled}
        return spelled

    def build(self, spec: StreamSpec) -> Processor:
        values = self.values
        resync = float(values["resync"])
        far = samples_of(float(values["distance_km"]), spec.sample_rate)
        parts = groups(spec.channels, self.codec.widest(values))
        passes = [self._links_of(spec, part.stop - part.start) for part in parts]
        paths = [
            signal_path(links, spec.sample_rate, part.stop - part.start, far, resync)
            for part, links in zip(parts, passes, strict=True)
        ]
        self._links = tuple(links[-1] for links in passes)
        self._earlier = tuple(link for links in passes for link in links[:-1])
        stage = paths[0] if len(paths) == 1 else SideBySide(parts, paths)
        self._shaped = shape.Shaped(
            FixedLatency(stage, spec.channels), spec.sample_rate, spec.channels, values
        )
        return self._shaped

    def _links_of(self, spec: StreamSpec, channels: int) -> list[Link]:
        """A link for each generation; what is wrong with packets is on the last."""
        at_once = spec.max_block_samples >= STEP_SAMPLES and getattr(
            self.codec, "gains_by_two_threads", False
        )
        beside = spec.live and getattr(self.codec, "computes_long", False)

        def codec() -> Codec:
            settings = {one.id: self.values[one.id] for one in self.codec.parameters}
            return self.codec(spec.sample_rate, channels, settings)

        def link(values: Mapping[str, Value], donor: Donor = ()) -> Link:
            return Link(codec(), values, donor, in_two_threads=at_once, beside=beside)

        file = str(self.values["splice_file"])
        refuse_no_donor(self.values["splice"], file)
        donor = donor_of(codec(), self.values, file) if file else ()
        first = [link({}) for _ in range(int(self.values["generations"]) - 1)]
        return [*first, link(self.values, donor)]

    def refuse(self, parameter: Parameter, value: Value, sample_rate: int) -> None:
        if parameter is SHARE:
            refuse_no_donor(value, self.values["splice_file"])

    def samples_before(self, parameter: Parameter) -> int:
        return self.latency_samples if parameter is shape.MAKEUP else super().samples_before(parameter)

    def apply(self, parameter: Parameter, value: Value) -> None:
        if parameter.group == shape.GROUP:
            if self._shaped is not None:
                self._shaped.set(parameter.id, float(value))
            return
        for link in self._links:
            link.set(parameter.id, value)
        if parameter in self.codec.parameters:
            for link in self._earlier:
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
        return sum(link.late_runs for link in (*self._earlier, *self._links))

    @property
    def problem(self) -> str:
        """What went wrong in a codec, live, where silence was heard instead: the first exception since
        `prepare`, with its traceback; "" for none. [any thread]
        """
        links = (*self._earlier, *self._links)
        return next((link.problem for link in links if link.problem), "")

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
        frames_per_ms = self._links[0].frames_per_ms
        return CodecMeter(
            packets,
            bits,
            kbps=bits / (packets / len(self._links)) * frames_per_ms,
            now_kbps=sum(packet.bits for packet in latest) * frames_per_ms,
            details=codec.describe(latest[0]),
            lost=sum(link.lost for link in self._links),
            concealed=sum(link.concealed for link in self._links),
            repaired=sum(link.repaired for link in self._links),
            damaged=sum(link.damaged for link in self._links),
        )

    def recent_packets(self, group: int = 0) -> list[PacketReading]:
        """The last 1024 packets at most of one group of channels, oldest first. [any thread]"""
        if not self._links:
            return []
        link = self._links[group]
        codec = link.codec
        per_ms = link.frames_per_ms
        return [
            PacketReading(packet.bits, packet.bits * per_ms, codec.describe(packet))
            for packet in tuple(link.meter.recent)
        ]


@cache
def effect_of(codec: type[Codec]) -> type[CodecEffect]:
    """The effect class of a codec: its parameters, and mix and bypass, as attributes."""
    common = (
        *COMMON,
        *network.PARAMETERS,
        *damage.parameters_for(codec),
        *generations.PARAMETERS,
        *shape.PARAMETERS,
    )
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
