"""Feedback: what comes out of a codec goes back into it, later, and never louder than full scale.

::

    driven ──► + ──► soft ceiling at 0 dB ──► codec ──► soft ceiling at +6 dB ──┬──► heard
               ▲                                                                │
               └── soft ceiling at 0 dB ◄── × feedback ◄── feedback_ms later ◄──┘

Once around takes the codec's latency and `feedback_ms`, to the sample. Blocks are cut at the path's own
delay, so that nothing depends on them. At a feedback of 0 nothing of it is there but a memory of what
was heard, and no ceiling.
"""

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, silence, smooth_step
from codecfx.control.parameters import Curve, Parameter
from codecfx.effects.dry_wet import SmoothGain
from codecfx.effects.processor import Processor
from codecfx.stream.clocks import GROUP

SHORTEST_MS, LONGEST_MS = 1.0, 2000.0
LOUDEST_BACK = 1.0  # what comes back, and with it what the codec gets: full scale
LOUDEST_OUT = 2.0  # what is heard while there is feedback: +6 dB, before any gain after it
_SOFT = 0.5  # of a ceiling: what is below passes as it is
_FADE_MS = 20  # from one delay to another

PARAMETERS = (
    Parameter(
        "feedback",
        "Feedback",
        0.0,
        minimum=0.0,
        maximum=1.1,
        description="How much of the codec's sound goes back into it; from 1 on it stays",
        group=GROUP,
    ),
    Parameter(
        "feedback_ms",
        "Feedback delay",
        250.0,
        minimum=SHORTEST_MS,
        maximum=LONGEST_MS,
        unit="ms",
        curve=Curve.EXPONENTIAL,
        description="On its way back; once around takes the codec's latency too",
        group=GROUP,
    ),
)


def soft_ceiling(sound: Audio, knee: Audio, loudest: float = 1.0) -> Audio:
    """`sound`, bent below `loudest` where it is above `knee`, which is half of that at least; as it is
    where `knee` is `loudest`. Its slope and curvature have no step. `knee` is (1,) or (samples,). May
    return `sound` itself.
    """
    if knee.size == 1 and knee[0] >= loudest:
        return sound
    over = np.abs(sound)
    over -= knee
    is_bent = (over > 0) & (knee < loudest)
    if not is_bent.any():
        return sound
    room = np.maximum(np.float32(loudest) - knee, np.float32(1e-6))
    over /= room
    # square roots are exact to the last bit wherever a sample stands in a block, tanh is not
    bent = np.minimum(over / np.sqrt(np.float32(1) + over * over), np.float32(1))
    lower: Audio = np.where(is_bent, np.copysign(knee + room * bent, sound), sound)
    return lower


class Feedback:
    """A processor with its own output at its input. `sound` is what it gets besides."""

    def __init__(
        self, codec: Processor, sample_rate: int, channels: int, feedback: float, feedback_ms: float
    ) -> None:
        self.latency_samples = codec.latency_samples
        self._codec, self._rate = codec, sample_rate
        self._much = SmoothGain(sample_rate, feedback)
        self._delay = self._before = self._wanted = self._samples_of(feedback_ms)
        self._rising = smooth_step(max(1, sample_rate * _FADE_MS // 1000)).astype(np.float32)
        self._faded = len(self._rising)  # of the way from the delay before to this one
        self._past = _Past(self._samples_of(LONGEST_MS), channels)

    def _samples_of(self, milliseconds: float) -> int:
        return max(1, round(milliseconds * self._rate / 1000))

    def set(self, parameter_id: str, value: float) -> None:
        """From the next block on; a delay that is set while another is faded in waits for it.
        [any thread]
        """
        if parameter_id == "feedback":
            self._much.move_to(value)
        else:
            self._wanted = self._samples_of(value)

    def process_block(self, sound: Audio, knee: Audio) -> Audio:
        """Input, float32 (channels, samples), to output; `knee` is where drive's ceiling begins."""
        samples, is_still = sound.shape[1], self._much.is_still()
        if is_still and self._much.target == 0:
            heard = self._codec.process_block(soft_ceiling(sound, knee))
            self._past.remember(heard)
            self._let_pass(samples)
            return heard
        output = np.empty_like(sound)
        at = 0
        while at < samples:
            length = self._begin(samples - at)
            piece = slice(at, at + length)
            much = _still(self._much) if is_still else self._much.next_gains(length)
            bend = knee if knee.size == 1 else knee[piece]
            output[:, piece] = self._once(sound[:, piece], much, bend)
            self._faded += length
            at += length
        return output

    def _begin(self, samples: int) -> int:
        """How many of so many samples come before something else happens; the next delay begins here,
        if it is time for it.
        """
        if self._faded >= len(self._rising):
            self._before, self._delay = self._delay, self._wanted
            if self._before == self._delay:
                return min(samples, self._delay)
            self._faded = 0
        return min(samples, self._before, self._delay, len(self._rising) - self._faded)

    def _let_pass(self, samples: int) -> None:
        """The same, where nothing is heard of it."""
        while samples and (self._wanted != self._delay or self._faded < len(self._rising)):
            length = self._begin(samples)
            self._faded += length
            samples -= length

    def _once(self, sound: Audio, much: Audio, knee: Audio) -> Audio:
        """A piece that is no longer than the way back."""
        late = self._past.recall(self._delay, sound.shape[1])
        if self._before != self._delay:
            rising = self._rising[self._faded : self._faded + sound.shape[1]]
            old = self._past.recall(self._before, sound.shape[1])
            late = old + (late - old) * rising
        back = soft_ceiling(late * much, np.full(1, _SOFT, np.float32))
        bent = np.minimum(much, np.float32(_SOFT))
        sound = soft_ceiling(sound + back, np.maximum(knee - bent, np.float32(_SOFT)))
        heard = self._codec.process_block(sound)
        heard = soft_ceiling(heard, np.float32(LOUDEST_OUT) - bent, LOUDEST_OUT)
        self._past.remember(heard)
        return heard

    def reset(self) -> None:
        self._codec.reset()
        self._much.reset()
        self._before = self._delay = self._wanted
        self._faded = len(self._rising)
        self._past.reset()


def _still(gain: SmoothGain) -> Audio:
    return np.full(1, gain.target, np.float32)


class _Past:
    """The last samples of a stream."""

    def __init__(self, samples: int, channels: int) -> None:
        self._ring = silence(channels, samples)
        self._at = 0  # the oldest

    def recall(self, delay: int, samples: int) -> NDArray[np.float32]:
        """So many that are `delay` old, which are no more than that."""
        size = self._ring.shape[1]
        begin = (self._at - delay) % size
        first = min(samples, size - begin)
        if first == samples:
            return self._ring[:, begin : begin + samples]
        return np.concatenate((self._ring[:, begin:], self._ring[:, : samples - first]), axis=1)

    def remember(self, block: Audio) -> None:
        """Put a block in."""
        size = self._ring.shape[1]
        block = block[:, -size:]
        first = min(block.shape[1], size - self._at)
        self._ring[:, self._at : self._at + first] = block[:, :first]
        if first < block.shape[1]:
            self._ring[:, : block.shape[1] - first] = block[:, first:]
        self._at = (self._at + block.shape[1]) % size

    def reset(self) -> None:
        self._ring.fill(0)
        self._at = 0
