"""Shape: what is done to a sound right before a codec and right after it.

::

    block ─► gate ─► drive ─► soft ceiling ─► codec, and feedback around it ─► makeup ─► block

The neutral values do nothing, and a codec with them is the bare one to the last bit.
"""

from collections.abc import Mapping

import numpy as np

from codecfx.audio import Audio, smooth_step
from codecfx.control.parameters import Parameter, Value
from codecfx.effects import feedback
from codecfx.effects.dry_wet import SmoothGain
from codecfx.effects.processor import Processor
from codecfx.stream import clocks

GROUP = clocks.GROUP
ABOUT = "Around it: levels before and after, feedback, and clocks that are not its own"
GATE_OFF_DB = -100.0
_TILE_MS = 1  # what the gate takes a level of, and opens in
_HOLD_MS, _MOVE_MS = 100, 20
_SOFTEST = 0.5  # where the ceiling begins, at 3.5 dB of drive and above
_NO_KNEE = np.ones(1, np.float32)


def _decibels(
    parameter_id: str, name: str, default: float, lowest: float, highest: float, description: str
) -> Parameter:
    return Parameter(
        parameter_id,
        name,
        default,
        lowest,
        highest,
        unit="dB",
        description=description,
        group=GROUP,
    )


MAKEUP = _decibels("makeup_db", "Makeup", 0.0, -36.0, 36.0, "Gain after the codec")
PARAMETERS = (
    _decibels(
        "gate_db",
        "Gate",
        GATE_OFF_DB,
        GATE_OFF_DB,
        0.0,
        "Sound whose peaks stay below it is silence to the codec; -100: no gate",
    ),
    _decibels(
        "drive_db",
        "Drive",
        0.0,
        -36.0,
        36.0,
        "Gain before the codec; above 0, peaks bend below full scale",
    ),
    MAKEUP,
    *feedback.PARAMETERS,
    *clocks.PARAMETERS,
)


class Shaped:
    """A codec's processor with gate, drive, feedback and makeup around it, at the same latency."""

    def __init__(
        self, codec: Processor, sample_rate: int, channels: int, values: Mapping[str, Value]
    ) -> None:
        """`values` hold the parameters of shape, and maybe others."""
        number = {one.id: float(values[one.id]) for one in PARAMETERS}
        self._gate = Gate(sample_rate, number["gate_db"])
        self._drive = SmoothGain(sample_rate, gain_of(number["drive_db"]))
        self._loop = feedback.Feedback(
            codec, sample_rate, channels, number["feedback"], number["feedback_ms"]
        )
        self._makeup = SmoothGain(sample_rate, gain_of(number["makeup_db"]))
        self.latency_samples = codec.latency_samples

    def set(self, parameter_id: str, value: float) -> None:
        """Move there from the next block on, smoothly. [any thread]"""
        if parameter_id == "gate_db":
            self._gate.threshold_db = value
        elif parameter_id == "drive_db":
            self._drive.move_to(gain_of(value))
        elif parameter_id == "makeup_db":
            self._makeup.move_to(gain_of(value))
        else:
            self._loop.set(parameter_id, value)

    def process_block(self, block: Audio) -> Audio:
        block, gain = driven(self._gate.process_block(block), self._drive)
        heard = self._loop.process_block(block, _NO_KNEE if gain is None else knee_of(gain))
        return driven(heard, self._makeup)[0]

    def reset(self) -> None:
        self._gate.reset()
        self._drive.reset()
        self._loop.reset()
        self._makeup.reset()


class Gate:
    """Silence where no sample of any channel reaches a threshold.

    Peaks are taken of tiles of 1 ms at fixed places of the stream. Where the sound rises to the
    threshold, the gate opens along the next tile, so that 2 ms of an attack are lost at most; where the
    threshold falls below the sound, in 20 ms. It stays open for 100 ms, and closes in 20.
    """

    def __init__(self, sample_rate: int, threshold_db: float) -> None:
        self.threshold_db = threshold_db  # GATE_OFF_DB for none [any thread]
        self._tile = max(1, sample_rate * _TILE_MS // 1000)
        # what is left of a move after each of its samples
        self._soon = 1.0 - smooth_step(self._tile)
        self._slowly = 1.0 - smooth_step(self._tile * (_MOVE_MS // _TILE_MS))
        self.reset()

    def reset(self) -> None:
        """Closed, unless there is none."""
        self._at = 0  # of the tile that comes
        self._peak = self._before = 0.0  # in it so far, and in the one before
        self._quiet = 0  # tiles since the last loud one
        self._target = 1.0 if self._is_off else 0.0
        self._ahead = np.zeros_like(self._slowly)  # what is left of moves from this tile on
        self._moving = 0  # tiles until all of them are over
        self._gains = self._along()

    @property
    def _is_off(self) -> bool:
        return self.threshold_db <= GATE_OFF_DB

    def process_block(self, block: Audio) -> Audio:
        samples = block.shape[1]
        if self._is_off and self._target == 1 and not self._moving:
            self._at = (self._at + samples) % self._tile
            self._peak = self._before = 0.0
            self._quiet = 0
            return block
        gains = np.empty(samples, np.float32)
        done = 0
        while done < samples:
            length = min(samples - done, self._tile - self._at)
            piece = slice(done, done + length)
            gains[piece] = self._gains[self._at : self._at + length]
            if not self._is_off:  # what was before there is a gate is not looked at
                self._peak = max(self._peak, float(np.abs(block[:, piece]).max()))
            self._at += length
            done += length
            if self._at == self._tile:
                self._turn()
        return block * gains

    def _along(self) -> Audio:
        """The gains of a tile, (samples,)."""
        gains: Audio = (self._target - self._ahead[: self._tile]).astype(np.float32)
        return gains

    def _turn(self) -> None:
        """A tile is whole: what becomes of the next."""
        is_moving = self._moving > 0
        if is_moving:
            self._moving -= 1
            self._ahead[: -self._tile] = self._ahead[self._tile :]
            self._ahead[-self._tile :] = 0
        threshold = gain_of(self.threshold_db)
        is_loud = self._is_off or self._peak >= threshold
        was_loud = self._is_off or self._before >= threshold
        self._quiet = 0 if is_loud else self._quiet + 1
        if is_loud and self._target == 0:
            if was_loud:
                self._move_to(1.0)
            else:
                self._open_soon(float(self._gains[-1]))
        elif self._quiet > _HOLD_MS // _TILE_MS and self._target == 1:
            self._move_to(0.0)
        if is_moving or self._moving:
            self._gains = self._along()
        self._at, self._before, self._peak = 0, self._peak, 0.0

    def _move_to(self, target: float) -> None:
        """Moves add up, so that none has a corner."""
        self._ahead += (target - self._target) * self._slowly
        self._target, self._moving = target, len(self._slowly) // self._tile

    def _open_soon(self, gain: float) -> None:
        self._ahead[:] = 0
        self._ahead[: self._tile] = (1.0 - gain) * self._soon
        self._target, self._moving = 1.0, 1


def gain_of(decibels: float) -> float:
    """
    >>> gain_of(0), round(gain_of(-6), 3)
    (1.0, 0.501)
    """
    return float(10.0 ** (decibels / 20.0))


def driven(sound: Audio, gain: SmoothGain) -> tuple[Audio, Audio | None]:
    """A sound with the next samples of a gain, and these, (1,) where they are alike; None for 1."""
    if not gain.is_still():
        gains = gain.next_gains(sound.shape[1])
    elif gain.target == 1:  # as nearly always
        return sound, None
    else:
        gains = np.full(1, gain.target, np.float32)
    return sound * gains, gains


def knee_of(gains: Audio) -> Audio:
    """Where a drive's ceiling begins: at full scale up to 0 dB, and lower above it."""
    knee: Audio = np.clip(np.float32(2) - gains, np.float32(_SOFTEST), np.float32(1))
    return knee
