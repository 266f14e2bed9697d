"""One row of the table of classic codecs: everything that tells one from another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from codecfx.codecs.base import CROSSFADE, NEXT_FRAME, CodecFormat, Facts, Settings
from codecfx.codecs.drifting import DriftingDecoder, StepWalk
from codecfx.codecs.engine import Decoder, Engine, Stream
from codecfx.control.parameters import Change, Parameter
from codecfx.errors import UnsupportedFormat

# How long a stream that takes over is encoded beside the old one, beyond its delay: predictors and
# step sizes meet in that time
_WARM_SECONDS = 0.02
_TAKEOVER_SECONDS = 0.01  # and at least a frame: shorter, and codecs far apart are heard to change
# A lower rate that goes into the host's evenly is worth this much bandwidth: cheaper, and no worse
_WORTH = 0.9


@dataclass(frozen=True, slots=True)
class Timing:
    """A codec's frame and delays, in samples of its own rate and in frames."""

    frame_samples: int
    delay_samples: int = 0  # from input to decoded output, both counted from their first sample
    withheld_frames: int = 0  # most that the encoder keeps back before a packet comes
    preroll_packets: int = 0  # that the decoder wants before a frame comes

    @property
    def priming_frames(self) -> int:
        """Frames of silence that fill encoder and decoder, so that a frame gives a frame."""
        return self.withheld_frames + self.preroll_packets


def _whole_bytes(payload: bytes) -> int:
    return 8 * len(payload)


def _no_details(payload: bytes) -> Mapping[str, str]:
    return {}


def _any_bitrate(rate: int, settings: Settings) -> tuple[float, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A codec: what people call it, what it takes, and the engine behind it."""

    name: str
    title: str
    family: str
    description: str
    licence: str
    engine: Engine
    rates: tuple[int, ...]  # Hz, ascending
    timing: Timing | Callable[[int, Settings], Timing]  # of a rate and settings
    channels: tuple[int, ...] = (1, 2)  # that one codec carries
    parameters: tuple[Parameter, ...] = ()
    couplings: tuple[str, ...] = ()  # instead of the usual ones; "mono" and "dual_mono" have a meaning
    default_rate: int = 0  # Hz; 0 for the highest
    bitrate: str = ""  # kbps in few words, where there is no parameter to say it
    # kbps that a rate has, for codecs that do not have all at all rates; () for any
    bitrates: Callable[[int, Settings], tuple[float, ...]] = _any_bitrate
    tunable: frozenset[str] = frozenset()  # parameters that a running encoder takes
    tunable_from_hz: int = 0  # codec rates at which it does
    # Of a frame, where packets are a plain row of bits that can be cut and joined anywhere
    packet_bytes: Callable[[Stream], int] | None = None
    header_bytes: int = 0  # that a packet cannot be decoded without
    computes_long: bool = False  # a stereo stream's frame takes a millisecond or more
    walk: StepWalk | None = None  # of a decoder that adds up differences for ever, errors too
    # What a network would carry of a payload, where that is less than its bytes
    bits: Callable[[bytes], int] = _whole_bytes
    describe: Callable[[bytes], Mapping[str, str]] = _no_details

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Its own, and those that come from its rates and channels."""
        common = []
        if len(self.rates) > 1:
            common.append(
                Parameter(
                    "rate_hz",
                    "Sample rate",
                    default=self.default_rate or self.rates[-1],
                    choices=self.rates,
                    unit="Hz",
                    change=Change.PREPARE,
                    description="At most; a host below it gets the next rate above its own",
                )
            )
        if self.all_couplings:
            common.append(
                Parameter(
                    "coupling",
                    "Coupling",
                    default=self.all_couplings[0],
                    choices=self.all_couplings,
                    change=Change.PREPARE,
                    description="; ".join(f"{one}: {_COUPLINGS[one]}" for one in self.all_couplings),
                )
            )
        return (*self.parameters, *common)

    @property
    def facts(self) -> Facts:
        """What the table of codecs says."""
        live = {one.id for one in self.parameters if one.change is Change.NEXT_FRAME}
        ends = [
            (one.choices[0], one.choices[-1]) if one.choices else (one.minimum, one.maximum)
            for one in self.parameters
            if one.id == "bitrate_kbps"
        ]
        return Facts(
            family=self.family,
            sample_rates=self.rates,
            channels=self.channels,
            bitrate=self.bitrate or "-".join(f"{end:g}" for end in ends[0]),
            changes=(NEXT_FRAME if live & self.tunable else CROSSFADE) if live else "",
            licence=self.licence,
        )

    @property
    def all_couplings(self) -> tuple[str, ...]:
        """How it may carry a pair of channels; empty where there is but one way."""
        usual = {(1,): ("dual_mono", "mono"), (1, 2): ("stereo", "mono", "dual_mono"), (2,): ()}
        return self.couplings or usual[self.channels]

    def widest(self, settings: Settings) -> int:
        """Most channels of a host's stream to one codec."""
        return 1 if settings.get("coupling") == "dual_mono" else 2

    def stream(self, sample_rate: int, channels: int, settings: Settings) -> Stream:
        """What the engine is opened for: the rate and channels that are next to a host's.

        Raises:
            UnsupportedFormat: no rate that the settings allow has the bitrate asked for.
        """
        rate = self._rate(sample_rate, settings)
        if settings.get("coupling") == "mono":
            channels = 1
        carried = next(count for count in self.channels if count >= channels)
        return Stream(rate, carried, self.timing_at(rate, settings).frame_samples, settings)

    def timing_at(self, rate: int, settings: Settings) -> Timing:
        """Frame and delays at a rate."""
        return self.timing if isinstance(self.timing, Timing) else self.timing(rate, settings)

    def format(self, stream: Stream) -> CodecFormat:
        """The codec's format: priming and the engine's own delay are its lookahead."""
        timing = self.timing_at(stream.sample_rate, stream.settings)
        lookahead = timing.priming_frames * timing.frame_samples + timing.delay_samples
        return CodecFormat(stream.sample_rate, stream.channels, timing.frame_samples, lookahead)

    def warm_frames(self, stream: Stream) -> int:
        """How long a new stream runs beside the old one before it takes over."""
        timing = self.timing_at(stream.sample_rate, stream.settings)
        samples = timing.delay_samples + _WARM_SECONDS * stream.sample_rate
        return timing.priming_frames + ceil(samples / timing.frame_samples)

    def fade_frames(self, stream: Stream) -> int:
        """How many frames lead from one stream to another."""
        return ceil(_TAKEOVER_SECONDS * stream.sample_rate / stream.frame_samples)

    def tunable_at(self, rate: int) -> frozenset[str]:
        """Parameters that a running encoder takes at a codec's rate in Hz."""
        return self.tunable if rate >= self.tunable_from_hz else frozenset()

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        """A new decoder for a stream. Raises CodecUnavailable."""

        def opened() -> Decoder:
            return self.engine.decoder(stream, extradata)

        return DriftingDecoder(opened, self.walk, stream.channels) if self.walk else opened()

    def _rate(self, sample_rate: int, settings: Settings) -> int:
        highest = int(settings.get("rate_hz", self.rates[-1]))
        allowed = [rate for rate in self.rates if rate <= highest]
        asked = settings.get("bitrate_kbps")
        having = [rate for rate in allowed if asked in (self.bitrates(rate, settings) or (asked,))]
        if not having:
            listed = ", ".join(f"{kbps:g}" for kbps in self.bitrates(highest, settings))
            raise UnsupportedFormat(
                f"{self.name}: {asked:g} kbps is not to be had at {highest} Hz; there it takes "
                f"{listed} kbps, or set another rate_hz"
            )
        above = [rate for rate in having if rate >= sample_rate]
        if above:
            return above[0]
        return max(
            (rate for rate in having if rate >= _WORTH * having[-1]),
            key=lambda rate: (sample_rate % rate == 0, rate),
        )


_COUPLINGS = {
    "joint": "what both sides share is sent once",
    "stereo": "one codec for two channels",
    "mono": "folded to mono",
    "dual_mono": "a codec for each side",
}


def nearest(legal: tuple[float, ...], asked: float) -> float:
    """The legal value next to the one asked for; that one itself where all are.

    >>> nearest((32, 40, 48), 41)
    40
    """
    return min(legal, key=lambda one: abs(one - asked)) if legal else asked
