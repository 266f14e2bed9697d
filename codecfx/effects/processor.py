"""What a stream is, and what runs in it: the half of CONTRACT 3 that hosts see while audio runs."""

from dataclasses import dataclass
from typing import Protocol, SupportsFloat

import numpy as np

from codecfx.audio import Audio
from codecfx.errors import UnsupportedFormat

MAX_CHANNELS = 8
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 768_000
# How much of an array is processed at a time: long enough for a codec to encode and decode at once.
# The samples never depend on it.
STEP_SAMPLES = 65_536
# +120 dB of full scale: no sound is louder, only memory that holds none. It would stay in filters for
# ever, and from 1e8 on LAME ends the process.
LOUDEST = 1e6


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What an effect is prepared for. Every block holds `channels` channels and 0 to
    `max_block_samples` samples, always a multiple of `quantum_samples`.

    `moving` says that parameters will be set while it runs. Where it is False they may be, but some
    jump: what it takes to move them smoothly (a second pedalboard plugin) is not there. The samples
    are the same as long as nothing is set.

    `live` says that blocks come in real time: codecs whose frames take long compute them beside the
    audio, one run of frames later.
    """

    sample_rate: int  # Hz
    channels: int
    max_block_samples: int = STEP_SAMPLES
    quantum_samples: int = 1
    moving: bool = True
    live: bool = False

    def __post_init__(self) -> None:
        """Raises UnsupportedFormat for a rate or a channel count that nothing here takes."""
        for name in ("sample_rate", "channels", "max_block_samples", "quantum_samples"):
            value = getattr(self, name)
            if not isinstance(value, SupportsFloat) or not float(value).is_integer():
                raise UnsupportedFormat(
                    f"the {name.replace('_', ' ')} is {value!r}; it must be a whole number"
                )
            object.__setattr__(self, name, int(float(value)))  # numpy's integers would overflow
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise UnsupportedFormat(
                f"the audio has {self.channels} channels; codecfx takes 1 to {MAX_CHANNELS}"
            )
        if not LOWEST_RATE_HZ <= self.sample_rate <= HIGHEST_RATE_HZ:
            raise UnsupportedFormat(
                f"the sample rate is {self.sample_rate} Hz; codecfx takes {LOWEST_RATE_HZ} to "
                f"{HIGHEST_RATE_HZ}"
            )


class Processor(Protocol):
    """The running half of an effect: what `Effect.build` makes for one stream."""

    @property
    def latency_samples(self) -> int:
        """As Effect.latency_samples."""

    def process_block(self, block: Audio) -> Audio:
        """As Effect.process_block."""

    def reset(self) -> None:
        """As Effect.reset."""


def without_garbage(audio: Audio) -> Audio:
    """`audio`, where silence stands for what is not finite or beyond LOUDEST."""
    if np.vdot(audio, audio) < LOUDEST**2:  # one cheap look before the exact one
        return audio
    return np.where(np.abs(audio) <= LOUDEST, audio, np.float32(0))
