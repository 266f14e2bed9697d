"""Sources of movement: an LFO, a follower of a sound, a gate that opens on hits, a random walk.

A modulator says what moves, and is kept in a file. `running` sets it to a timeline; it then gives a
position, 0 to 1, at every control tick: tick k stands at sample k * `tick_samples`. Positions follow
from the seed and the sample alone, however a stream is cut and however many ticks are asked for.

>>> wobble = modulator_of({"name": "wobble", "type": "lfo", "rate_hz": 0.5, "phase": 0.25})
>>> wobble.running(Timeline(48_000), tick_samples=12_000).positions(first_tick=0, count=5).round(3)
array([1.   , 0.854, 0.5  , 0.146, 0.   ])
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.control.cycles import SHAPES, Clock, RunningLFO, RunningWalk, Turns
from codecfx.control.followers import RunningEnvelope, RunningGate
from codecfx.control.parameters import Parameter
from codecfx.control.timeline import Timeline
from codecfx.errors import ConfigurationError, ParameterError, UnknownName

INPUT = "input"  # what a follower listens to, if not to a file


class RunningModulator(Protocol):
    """A modulator on a timeline. Positions are float64, 0 to 1."""

    @property
    def listens_to(self) -> str | None:
        """What `hear` wants: nothing, "input", or the path of a sound that plays along."""

    def hear(self, audio: Audio) -> None:
        """Take the next samples of what it listens to: float32 (channels, samples), any number."""

    def positions(self, first_tick: int, count: int) -> NDArray[np.float64]:
        """The positions at `count` ticks from `first_tick` on.

        Raises:
            IndexError: of a follower: a tick beyond what was heard, or one that it has forgotten.
        """

    def reset(self) -> None:
        """Start again, nothing heard."""


def _number(
    default: float | None, minimum: float, maximum: float, unit: str = ""
) -> Any:  # a Field, which type checkers take for its default
    """A key that is a number, a whole one where its default is; None may stand for none given."""
    takes = Parameter("", "", minimum if default is None else default, minimum, maximum, unit)
    return field(default=default, metadata={"takes": takes})


# Nobody sees slower ones move, and quicker ones are a tone rather than a movement
_RATE_HZ = (0.001, 50.0, "Hz")
_BEATS = (0.01, 1000.0, "beats")
_SEED = (0, 999_999)


@dataclass(frozen=True)
class Modulator(ABC):
    """What moves. Keys are checked and converted where one is made.

    Raises:
        ConfigurationError: a value that does not go; the message begins with its key. It is an
            UnknownName for a word that is none, a ParameterError outside of a range.
    """

    type: ClassVar[str]
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ParameterError(f"name: it takes a word, not {self.name!r}")
        for one in fields(self):
            value = getattr(self, one.name)
            if "takes" in one.metadata and (value is not None or one.default is not None):
                takes: Parameter = one.metadata["takes"]
                try:
                    object.__setattr__(self, one.name, takes.check(value))
                except ParameterError:
                    message = f"{one.name}: it takes {takes.allowed}, not {value!r}"
                    raise ParameterError(message) from None

    def running(
        self, timeline: Timeline, tick_samples: int, seed: int = 0, history: int = 4096
    ) -> RunningModulator:
        """This modulator from sample 0 of `timeline` on.

        `seed` is the performance's own. A follower can be asked for the latest `history` ticks.

        Raises:
            ConfigurationError: a cycle in beats, and no tempo; no distance of ticks, or no history.
        """
        return self._on(Clock(timeline, tick_samples, seed, history))

    @abstractmethod
    def _on(self, clock: Clock) -> RunningModulator: ...

    def to_table(self) -> dict[str, Any]:
        """What `modulator_of` makes this modulator of; defaults are left out."""
        table: dict[str, Any] = {"name": self.name, "type": self.type}
        for one in fields(self)[1:]:
            value = getattr(self, one.name)
            if value != one.default:
                table[one.name] = value
        return table


@dataclass(frozen=True)
class LFO(Modulator):
    """A cycle, over and over, `rate_hz` of them a second (1 unless told) or one in `beats` beats.

    Shapes: "sine" and "triangle" start half way up and rise, so that a `phase` of 0.25 starts at the
    top; "saw-up" climbs from 0 and "saw-down" falls from 1; "square" is 1 for the first `width` of the
    cycle and then 0. "hold" jumps to a random position with every cycle, "random" glides there.
    """

    type: ClassVar[str] = "lfo"
    shape: str = "sine"
    rate_hz: float | None = _number(None, *_RATE_HZ)
    beats: float | None = _number(None, *_BEATS)
    phase: float = _number(0.0, 0.0, 1.0, "of a cycle")
    width: float = _number(0.5, 0.01, 0.99, "of a cycle")  # a square's
    seed: int = _number(0, *_SEED)  # of what is random

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shape, str) or self.shape not in SHAPES:
            raise UnknownName("shape", str(self.shape), SHAPES, "shape")
        _one_rate(self.rate_hz, self.beats)

    def _on(self, clock: Clock) -> RunningLFO:
        turns = Turns(clock, 1.0 if self.rate_hz is None else self.rate_hz, self.beats)
        return RunningLFO(turns, self.shape, self.phase, self.width, self.seed + clock.seed)


@dataclass(frozen=True)
class EnvelopeFollower(Modulator):
    """How loud a sound is, on a scale of dB: 0 at `floor_db` and below, 1 at `ceiling_db` and above.

    Peaks over all channels; a step in level is followed to 1 - 1/e in `attack_ms` or `release_ms`, and
    at once where that is 0.
    """

    type: ClassVar[str] = "envelope"
    of: str = INPUT  # or the path of a sound that plays along from the start
    attack_ms: float = _number(5.0, 0.0, 10_000.0, "ms")
    release_ms: float = _number(150.0, 0.0, 10_000.0, "ms")
    floor_db: float = _number(-60.0, -120.0, 24.0, "dB")
    ceiling_db: float = _number(0.0, -120.0, 24.0, "dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        _a_sound(self.of)
        if self.ceiling_db <= self.floor_db:
            allowed = f"more than floor_db, which is {self.floor_db:g} dB"
            raise ParameterError(f"ceiling_db: it takes {allowed}, not {self.ceiling_db:g}")

    def _on(self, clock: Clock) -> RunningEnvelope:
        times, scale = (self.attack_ms, self.release_ms), (self.floor_db, self.ceiling_db)
        return RunningEnvelope(self.of, clock, times, scale)


@dataclass(frozen=True)
class TransientGate(Modulator):
    """1 from when a hit is heard, for `hold_ms` after the last one; then 0, or down to it in a line of
    `release_ms`.

    A hit rises `threshold_db` above what sounded before it, and is no quieter than `floor_db`. A sound
    that begins is one, too. However short the hold, the first tick after a hit is 1.
    """

    type: ClassVar[str] = "transient"
    of: str = INPUT  # or the path of a sound that plays along from the start
    threshold_db: float = _number(6.0, 1.0, 40.0, "dB")
    floor_db: float = _number(-50.0, -120.0, 0.0, "dB")
    hold_ms: float = _number(50.0, 1.0, 10_000.0, "ms")
    release_ms: float = _number(0.0, 0.0, 10_000.0, "ms")

    def __post_init__(self) -> None:
        super().__post_init__()
        _a_sound(self.of)

    def _on(self, clock: Clock) -> RunningGate:
        levels, times = (self.threshold_db, self.floor_db), (self.hold_ms, self.release_ms)
        return RunningGate(self.of, clock, levels, times)


@dataclass(frozen=True)
class RandomWalk(Modulator):
    """Random steps up and down, reflected at 0 and 1, and a line from each to the next: `rate_hz` steps
    a second (2 unless told), or one in `beats` beats.
    """

    type: ClassVar[str] = "walk"
    rate_hz: float | None = _number(None, *_RATE_HZ)
    beats: float | None = _number(None, *_BEATS)
    step: float = _number(0.2, 0.0, 1.0)  # the largest
    start: float = _number(0.5, 0.0, 1.0)
    seed: int = _number(0, *_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_rate(self.rate_hz, self.beats)

    def _on(self, clock: Clock) -> RunningWalk:
        turns = Turns(clock, 2.0 if self.rate_hz is None else self.rate_hz, self.beats)
        return RunningWalk(turns, self.step, self.start, self.seed + clock.seed)


TYPES: dict[str, type[Modulator]] = {
    one.type: one for one in (LFO, EnvelopeFollower, TransientGate, RandomWalk)
}


def modulator_of(table: Mapping[str, Any]) -> Modulator:
    """The modulator that a `[[modulator]]` table describes.

    Raises:
        ConfigurationError, UnknownName, ParameterError: begins with the key that is wrong.
    """
    for key, wanted in (("type", f"one of {', '.join(TYPES)}"), ("name", "what it is to be called")):
        if key not in table:
            raise ConfigurationError(f"{key}: a modulator wants one; write {wanted}")
    settings = dict(table)
    kind = TYPES.get(str(settings.pop("type")))
    if kind is None:
        raise UnknownName("modulator type", str(table["type"]), TYPES, "type")
    known = [one.name for one in fields(kind)]
    for key in settings:
        if key not in known:
            raise UnknownName(f"{kind.type} key", str(key), [*known, "type"], str(key))
    return kind(**settings)


def _one_rate(rate_hz: float | None, beats: float | None) -> None:
    if rate_hz is not None and beats is not None:
        raise ConfigurationError("beats: there is a rate_hz already; write one of the two")


def _a_sound(of: object) -> None:
    if not isinstance(of, str) or not of.strip():
        raise ParameterError(f"of: it takes '{INPUT}' or the path of a sound, not {of!r}")
