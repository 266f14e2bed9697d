"""What stands behind a classic codec: an encoder and a decoder of some library, as they come.

An engine is the thin layer over a library: it opens, encodes and decodes, and nothing else. Whole
frames and packets, lost and damaged ones, priming and changes without a click are the business of
`sending.py` and `receiving.py`, once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from codecfx.audio import Audio
from codecfx.codecs.base import Settings

# +6 dB of full scale: what goes into a codec of floats at most, and what comes out of any. Sound that
# clips is below it; a broken packet may decode to 7e10 (Nellymoser).
LOUDEST_PEAK = 2.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What an encoder or a decoder is opened for."""

    sample_rate: int  # Hz, the codec's
    channels: int
    frame_samples: int  # per channel
    settings: Settings

    def number(self, parameter_id: str) -> float:
        """A setting that is a number."""
        return float(self.settings[parameter_id])


class Encoder(Protocol):
    """An encoder of a library. What it withholds at the start is withheld here too."""

    extradata: bytes  # what a container tells a decoder once, before the first packet; often nothing

    def encode(self, frames: Audio) -> list[bytes]:
        """The packets that float32 (channels, k * frame_samples) complete."""

    def tune(self, stream: Stream) -> None:
        """Take those of the stream's settings that a running encoder takes."""


class Decoder(Protocol):
    """A decoder of a library."""

    def decode(self, payload: bytes) -> Audio | None:
        """What a packet holds, float32 (channels, any number); None if it is refused."""

    def conceal(self) -> Audio | None:
        """The library's own guess at a lost packet; None if it makes none."""


@runtime_checkable
class RunDecoder(Decoder, Protocol):
    """A decoder that decodes many packets sooner together than one by one, to the same samples."""

    def decode_run(self, payloads: Sequence[bytes], frame_samples: int) -> Audio:
        """As `decode`, float32 (channels, m * frame_samples), of packets that hold a frame each. Where
        m is less than their number, the one after is refused, and those behind it are not touched.
        """


class Engine(Protocol):
    """Opens both."""

    def encoder(self, stream: Stream) -> Encoder:
        """Raises CodecUnavailable where the library lacks it; says how to get it."""

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        """Raises CodecUnavailable where the library lacks it; says how to get it."""
