"""CONTRACT 3: what an effect is, and how one is used.

The life of an effect::

    build  ──  prepare  ──  (process_block | reset)*  ──  prepare  ── ...
               slow, once    real time, any number        a new rate, a new latency

Whoever streams (the live host, the renderer, a container) calls `prepare` and `process_block`. Whoever
just has an array calls the effect as pedalboard's are called: `Opus(bitrate_kbps=12)(audio, 48000)`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from codecfx.audio import Audio, silence
from codecfx.control.parameters import Change, Parameter, Value, by_id, checked
from codecfx.effects.delta import KINDS, Delta
from codecfx.effects.dry_wet import DryWet
from codecfx.effects.layout import Layout
from codecfx.effects.processor import STEP_SAMPLES, Processor, StreamSpec, without_garbage
from codecfx.errors import NotPrepared, UnknownName

if TYPE_CHECKING:
    from codecfx.effects.player import Automation

Ends: TypeAlias = tuple[float | None, float | None]

MIX = Parameter(
    "mix", "Mix", default=1.0, minimum=0.0, maximum=1.0, description="0 is dry, 1 is wet; aligned"
)
BYPASS = Parameter(
    "bypass", "Bypass", default=False, description="Dry at the same latency, faded over 20 ms"
)
DELTA = Parameter(
    "delta",
    "Delta",
    default="off",
    choices=KINDS,
    description="What it changes: dry less wet, aligned; matched: wet at the level of dry",
)
COMMON = (MIX, BYPASS, DELTA)


class Effect(ABC):
    """A sound-changing thing with parameters.

    Parameters are attributes: `effect.mix = 0.5` checks the value and moves the running sound, or,
    where the parameter's `change` says re-prepare, takes effect with the next prepare. `label` names
    this one of several alike, for presets and controllers.
    """

    name: ClassVar[str]
    description: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = COMMON
    # some plugins have one of their own of that name, and none of ours
    _mixes: ClassVar[bool] = True
    _has_delta: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._mixes = any(one is MIX for one in cls.parameters)
        cls._has_delta = any(one is DELTA for one in cls.parameters)
        for parameter in cls.__dict__.get("parameters", ()):
            setattr(cls, parameter.id, _ParameterAttribute(parameter))

    def __init__(self, *, label: str = "", **settings: Any) -> None:
        """Raises UnknownName or ParameterError, with the nearest name or the allowed range."""
        self._values = checked(self.parameters, self.spelled_out(settings), self.name)
        self._label = str(label)
        self._lock = RLock()
        self._spec: StreamSpec | None = None
        self._running: DryWet | None = None
        self._stale = False
        self._layout: Layout | None = None

    @classmethod
    def spelled_out(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as parameters, what stands for several of them replaced by those. Raises
        ConfigurationError.
        """
        return dict(settings)

    def __setattr__(self, attribute: str, value: object) -> None:
        # a misspelt parameter must not become a silent new attribute
        if not attribute.startswith("_") and not hasattr(type(self), attribute):
            known = (parameter.id for parameter in self.parameters)
            raise AttributeError(str(UnknownName("parameter", attribute, known, self.name)))
        super().__setattr__(attribute, value)

    if TYPE_CHECKING:  # parameters are attributes

        def __getattr__(self, parameter_id: str) -> Any: ...

    def __repr__(self) -> str:
        changed = [
            f"{parameter.id}={self.values[parameter.id]!r}"
            for parameter in self.parameters
            if self.values[parameter.id] != parameter.default
        ]
        if self._label:
            changed.append(f"label={self._label!r}")
        return f"{type(self).__name__}({', '.join(changed)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are new effects with the same values, and streams of their own."""
        from codecfx.effects.registry import rebuilt

        return rebuilt, (self.name, self._label, dict(self.values))

    # Parameters

    @property
    def label(self) -> str:
        """A name for this one; free text, empty unless given."""
        return self._label

    @label.setter
    def label(self, text: str) -> None:
        self._label = str(text)

    @property
    def values(self) -> Mapping[str, Value]:
        """Every parameter's plain value, read-only."""
        return MappingProxyType(self._values)

    def set(self, parameter_id: str, value: object) -> None:
        """Set one parameter, as the attribute does. [control thread]

        Raises:
            UnknownName, ParameterError: with the nearest name, or the allowed range.
        """
        parameter = self.parameter(parameter_id)
        self.move(parameter, checked((parameter,), {parameter_id: value}, self.name)[parameter_id])

    def parameter(self, parameter_id: str) -> Parameter:
        """The parameter called so. Raises UnknownName with the nearest."""
        return by_id(self.parameters, parameter_id, self.name)

    def move(self, parameter: Parameter, value: Value) -> None:
        """As `set`, for a value that `parameter.check` returned: what automation calls, at the sample
        where the value holds, between two blocks. [whoever calls process_block]
        """
        if self._has(parameter, value):
            return
        self._values[parameter.id] = value
        if parameter.change is Change.PREPARE:
            self._stale = True
        elif parameter is MIX or parameter is BYPASS:
            if self._running is not None:
                self._running.set_wet(self._wet)
        elif parameter is DELTA:
            if self._running is not None and self._running.delta is not None:
                self._running.delta.move_to(self._delta)
        else:
            self.apply(parameter, value)

    def put(self, parameter: Parameter, value: Value) -> None:
        """As `move`, but heard from the next `prepare` on, whatever runs now. [control thread]"""
        if not self._has(parameter, value):
            self._values[parameter.id] = value
            self._stale = True

    def refuse(self, parameter: Parameter, value: Value, sample_rate: int) -> None:
        """Raises ParameterError for a value of the right kind and range that the engine behind it will
        not take in a stream of this rate: to be asked before anything sounds. [control thread]
        """
        return

    def usual_range(self, parameter: Parameter, sample_rate: int) -> Ends:
        """Where a control takes a number that was given no ends of its own."""
        return parameter.minimum, parameter.maximum

    def samples_before(self, parameter: Parameter) -> int:
        """How late the sound is, within this effect, where a parameter meets it: 0 at the input, all of
        the latency where dry and wet are mixed. Valid after `prepare`.
        """
        return self.latency_samples if parameter in COMMON else 0

    def value_of(self, parameter: Parameter) -> Value:
        """One parameter's plain value now."""
        return self._values[parameter.id]

    def _has(self, parameter: Parameter, value: Value) -> bool:
        return self._values[parameter.id] == value

    def apply(self, parameter: Parameter, value: Value) -> None:
        """Bring a changed parameter to the running sound; the effect's own to override."""
        return

    @property
    def _wet(self) -> float:
        """The wet gain."""
        if self._values["bypass"]:
            return 0.0
        return float(self._values["mix"]) if self._mixes else 1.0

    @property
    def _delta(self) -> str:
        """What kind of delta."""
        return str(self._values["delta"]) if self._has_delta else "off"

    @property
    def is_copyable(self) -> bool:
        """Whether a copy of it sounds the same."""
        return True

    # The stream

    @property
    def quantum_samples(self) -> int:
        """The blocks it works in: 1 for any size; see StreamSpec."""
        return 1

    @abstractmethod
    def build(self, spec: StreamSpec) -> Processor:
        """What runs for one stream, with the parameters as they are now. [control thread]

        Raises:
            UnsupportedFormat: a rate or channel count that this effect cannot take.
        """

    def prepare(self, spec: StreamSpec) -> None:
        """Get ready for a stream: the only call that may be slow, and the only place where latency may
        change. Memory starts out silent. [control thread]

        Raises:
            UnsupportedFormat: a rate or channel count that this effect cannot take.
            CodecUnavailable: an engine is missing; says how to get it.
        """
        rate, built = spec.sample_rate, self.build(spec)
        self._running = DryWet(built, rate, spec.channels, self._wet, Delta(rate, self._delta))
        self._spec = spec
        self._stale = False

    def prepared(self, spec: StreamSpec) -> Processor:
        """As `prepare`; returns what runs, which stays as it is when this effect is prepared for
        something else. [control thread]
        """
        self.prepare(spec)
        assert self._running is not None
        return self._running

    @property
    def is_stale(self) -> bool:
        """Whether a parameter was set that only the next `prepare` can bring to the sound."""
        return self._stale

    @property
    def is_outdated(self) -> bool:
        """Whether a new stream would be another than this one, whose parameters have moved only as far
        as they can while it runs: then `process` prepares anew where it starts afresh.
        """
        return False

    def process_block(self, block: Audio) -> Audio:
        """float32 (channels, 0 to max_block_samples) in, the same shape out, `latency_samples` later.

        Never raises on audio (what is no sound, see `without_garbage`, counts as silence), never
        blocks, does no I/O. The result may be memory of the effect's own: use or copy it before the
        next call. [audio thread]
        """
        if self._running is None:
            raise self._not_prepared()
        return self._running.process_block(without_garbage(block))

    def reset(self) -> None:
        """Silence every memory; keep parameters. As if just prepared. [audio thread]"""
        if self._running is not None:
            self._running.reset()

    @property
    def latency_samples(self) -> int:
        """Samples, at the host's rate, from the input to its sound in the output. Valid after
        `prepare` (or a first call), and constant until the next.
        """
        if self._running is None:
            raise self._not_prepared()
        return self._running.latency_samples

    @property
    def latency_ms(self) -> float:
        """`latency_samples` in milliseconds."""
        latency = self.latency_samples
        return 1000.0 * latency / self._spec.sample_rate if self._spec else 0.0

    def _not_prepared(self) -> NotPrepared:
        return NotPrepared(f"{self.name} has no stream yet; call prepare(StreamSpec(48000, 2)) first")

    # An array at once

    def process(
        self,
        input_array: ArrayLike,
        sample_rate: float,
        buffer_size: int = 8192,
        reset: bool = True,
        *,
        automation: "Automation | None" = None,
    ) -> Audio:
        """Process an array, as pedalboard's effects do.

        Args:
            input_array: (channels, samples), (samples, channels) or (samples,); any float type. The
                smaller side counts as channels; a running stream keeps the layout it began with.
            sample_rate: Hz, whole.
            buffer_size: accepted for pedalboard's sake; the samples never depend on it.
            reset: True starts afresh and returns the whole sound, aligned to the input, its latency
                removed. False goes on from the call before and returns the stream as it comes,
                `latency_samples` late; a parameter that needs `prepare` starts it afresh.
            automation: what parameters do meanwhile: `Controls`, or by path ("opus.bitrate_kbps") an
                array with a value for each sample. With `reset` it meets the sound where it is in the
                input, and every parameter is afterwards what it was before; without, it acts on the
                stream as it is, and stays.

        Returns:
            float32 of the input's shape: N samples for N samples, either way.

        Raises:
            UnsupportedFormat: a layout, rate or channel count that cannot be processed.
            ConfigurationError: automation of what there is not, or to what it does not take.
        """
        with self._lock:  # two threads may call; each gets its whole sound
            return self._process(input_array, sample_rate, reset, automation)

    def _process(
        self, input_array: ArrayLike, sample_rate: Any, reset: bool, automation: "Automation | None"
    ) -> Audio:
        layout = Layout.of(input_array, None if reset else self._layout)
        audio = layout.inward(input_array)
        spec = StreamSpec(sample_rate, audio.shape[0])
        self._layout = layout
        if automation is not None and reset:
            from codecfx.effects.player import playing

            with playing(self, spec, automation, audio.shape[1]) as player:
                return layout.outward(_through(player, audio, player.latency_samples))
        if spec != self._spec or self.is_stale or (reset and self.is_outdated):
            self.prepare(spec)
        elif reset:
            self.reset()
        if automation is not None:
            from codecfx.effects.player import attached

            player = attached(self, spec, automation, audio.shape[1])
            return layout.outward(_through(player, audio, 0))
        return layout.outward(_through(self, audio, self.latency_samples if reset else 0))

    __call__ = process


def _through(running: Processor | Effect, audio: Audio, late: int) -> Audio:
    """All of `audio` through what runs, without the first `late` samples, then silence for as long."""
    output = np.empty((audio.shape[0], audio.shape[1] + late), np.float32)
    for at in range(0, output.shape[1], STEP_SAMPLES):
        block = audio[:, at : at + STEP_SAMPLES]
        missing = min(STEP_SAMPLES, output.shape[1] - at) - block.shape[1]
        if missing:
            block = np.concatenate((block, silence(audio.shape[0], missing)), axis=1)
        output[:, at : at + STEP_SAMPLES] = running.process_block(block)
    return output[:, late:]


class _ParameterAttribute:
    """A parameter as an attribute of its effect."""

    def __init__(self, parameter: Parameter) -> None:
        self._id = parameter.id
        self.__doc__ = f"{parameter.name}: {parameter.allowed}. {parameter.description}"

    def __get__(self, effect: Effect | None, owner: type[Effect]) -> Any:
        return self if effect is None else effect.values[self._id]

    def __set__(self, effect: Effect, value: object) -> None:
        effect.set(self._id, value)


for _parameter in Effect.parameters:
    setattr(Effect, _parameter.id, _ParameterAttribute(_parameter))
