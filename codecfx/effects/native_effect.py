"""pedalboard's plugins by name, with declared parameters: for presets, the command line and automation.

In Python a pedalboard plugin can stand in a board as it is. Wrapped in a `NativeEffect` it has what our
own effects have: checked parameters, a label, `mix` and `bypass`.
"""

import inspect
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from codecfx.control.parameters import Change, Curve, Parameter, Value
from codecfx.effects.base import COMMON, Effect, Ends
from codecfx.effects.board import LATENT_SETTINGS
from codecfx.effects.native import GRID_SAMPLES, on_the_grid, only_offline, pedalboard, processor
from codecfx.effects.processor import Processor, StreamSpec
from codecfx.effects.twins import Twins
from codecfx.errors import ParameterError, UnknownName, UnsupportedFormat

# What is no effect of its own
_ABSTRACT = {
    "Plugin",
    "PluginContainer",
    "ExternalPlugin",
    "IIRFilter",
    "Pedalboard",
    "Chain",
    "Mix",
}
# pedalboard declares no ranges. These are what makes sense, by the end of a name; it refuses the rest.
_RANGES: dict[str, tuple[float, float]] = {
    "Delay.delay_seconds": (0, 30),
    "Delay.feedback": (0, 1),
    "Chorus.rate_hz": (0.01, 100),
    "BrickwallLimiter.release_ms": (0.1, 60_000),
    "bit_depth": (1, 32),
    "vbr_quality": (0, 9.99),  # LAME refuses 10, in the audio
    "target_sample_rate": (100, 192_000),
    "semitones": (-72, 72),
    "ratio": (1, 1000),
    "lookahead_ms": (0.1, 100),
    "drive": (1, 1000),
    "_db": (-120, 120),
    "_hz": (0.01, 100_000),
    "_ms": (0, 60_000),
    "_seconds": (0, 60),
    **dict.fromkeys(("room_size", "damping", "wet_level", "dry_level", "width"), (0, 1)),
    **dict.fromkeys(("freeze_mode", "depth", "mix", "resonance"), (0, 1)),
    "feedback": (-1, 1),
}
_UNITS = {"_db": "dB", "_hz": "Hz", "_ms": "ms", "_seconds": "s", "_rate": "Hz", "semitones": "st"}


class NativeEffect(Effect):
    """A pedalboard plugin as one of our effects. One with a `mix` of its own keeps it as its own."""

    plugin_class: ClassVar[type[Any]]
    _path: str = ""  # of the VST3 or AU file that it was loaded from
    _plugin_name: str | None = None
    _is_handed_out: bool = False
    _movable: AbstractSet[str] = frozenset()
    _twins: Twins | None = None

    def __init__(self, *, label: str = "", plugin: Any = None, **settings: Any) -> None:
        """`plugin` wraps an instance that exists, its settings untouched but for `settings`."""
        self._plugin = None
        super().__init__(label=label, **settings)
        wanted = dict(self._values)
        self._is_ours = plugin is None
        self._is_handed_out = plugin is not None  # others may turn its knobs
        self._plugin = self._make() if plugin is None else plugin
        for parameter in self.natives:
            now = _read(self._plugin, parameter.id)
            if plugin is not None and parameter.id not in settings:
                self._values[parameter.id] = now  # whatever it is
            elif now != wanted[parameter.id]:
                self.apply(parameter, wanted[parameter.id])
        self._movable = {one.id for one in self.natives if one.change is not Change.PREPARE}
        self._values |= self._as_they_are()

    def _as_they_are(self) -> dict[str, Value]:
        """The values that the plugin has, in its 32 bits, whoever set them."""
        return {parameter_id: _read(self._plugin, parameter_id) for parameter_id in self._movable}

    @property
    def plugin(self) -> Any:
        """The pedalboard plugin inside, with the values that were set. In a moving stream what is heard
        are two others like it, so that a change may fade; what is set past the effect is heard from
        the next `prepare` on, but for a plugin that was handed in.
        """
        self._is_handed_out = True
        return self._plugin

    @property
    def is_made_again(self) -> bool:
        """Whether a preset makes the like of it. A plugin of pedalboard's own that was handed in is
        made with a twin, and fades where this one jumps.
        """
        return self._is_ours or isinstance(self._plugin, pedalboard.ExternalPlugin)

    @property
    def is_copyable(self) -> bool:
        """Not a plugin that was handed in, whose knobs others may turn, or that came from a file."""
        return self._is_ours

    @property
    def file(self) -> tuple[str, str | None]:
        """The VST3 or AU file it was loaded from, and which of its plugins; "" for others."""
        return self._path, self._plugin_name

    @property
    def values(self) -> Mapping[str, Value]:
        """Every parameter's plain value, read-only; the plugin's own as it has them now, whoever set
        them.
        """
        return MappingProxyType(self._values | self._as_they_are())

    @property
    def natives(self) -> list[Parameter]:
        """The plugin's own parameters."""
        return [one for one in self.parameters if not any(one is common for common in COMMON)]

    def _make(self) -> Any:
        if issubclass(self.plugin_class, pedalboard.Convolution):
            path, mix = self._values["impulse_response_filename"], self._values["mix"]
            if not path:
                raise ParameterError(f"{self.name}: give impulse_response_filename, an audio file")
            try:
                return self.plugin_class(path, mix)
            except (ValueError, RuntimeError) as error:
                raise ParameterError(f"{self.name}: {str(error).splitlines()[0]}") from None
        return self.plugin_class()

    def _native_value(self, parameter: Parameter, value: Value) -> Any:
        if isinstance(parameter.default, str) and parameter.choices:
            return _choices(self.plugin_class, parameter.id)[str(value)]
        return value

    def value_of(self, parameter: Parameter) -> Value:
        if parameter.id in self._movable:
            return _read(self._plugin, parameter.id)
        return super().value_of(parameter)

    def _has(self, parameter: Parameter, value: Value) -> bool:
        # What was given last tells, where nobody else turns the plugin's knobs: reading them is slow
        if self._is_handed_out and parameter.id in self._movable:
            return _read(self._plugin, parameter.id) == value
        return super()._has(parameter, value)

    def put(self, parameter: Parameter, value: Value) -> None:
        if not self._has(parameter, value):
            if parameter.id in self._movable:
                setattr(self._plugin, parameter.id, self._native_value(parameter, value))
            super().put(parameter, value)

    def usual_range(self, parameter: Parameter, sample_rate: int) -> Ends:
        if "cutoff" in parameter.id:  # what is heard, and fits the rate
            return 20.0, min(20_000.0, 0.45 * sample_rate)
        return super().usual_range(parameter, sample_rate)

    def refuse(self, parameter: Parameter, value: Value, sample_rate: int) -> None:
        if parameter not in self.natives:
            return
        try:
            _refuse_above_nyquist(parameter, value, sample_rate)
            if not isinstance(self._plugin, pedalboard.ExternalPlugin | pedalboard.Convolution):
                setattr(self._make(), parameter.id, self._native_value(parameter, value))
        except (ValueError, RuntimeError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise ParameterError(f"{self.name}: {parameter.id} is {value}; {reason}") from None

    def apply(self, parameter: Parameter, value: Value) -> None:
        try:
            if self._spec is not None:
                _refuse_above_nyquist(parameter, value, self._spec.sample_rate)
            native = self._native_value(parameter, value)
            setattr(self._plugin, parameter.id, native)
            if self._twins is not None:
                self._twins.set(parameter.id, native)
        except (ValueError, RuntimeError, TypeError, AttributeError) as error:
            self._values[parameter.id] = _read(self._plugin, parameter.id)
            reason = str(error).splitlines()[0]
            raise ParameterError(f"{self.name}: {parameter.id} is {value}; {reason}") from None

    @property
    def quantum_samples(self) -> int:
        return GRID_SAMPLES

    def build(self, spec: StreamSpec) -> Processor:
        for parameter in self.natives:
            value = self.values[parameter.id]
            try:
                _refuse_above_nyquist(parameter, value, spec.sample_rate)
            except ValueError as error:
                raise UnsupportedFormat(f"{self.name}: {parameter.id} is {value}; {error}") from None
            if parameter.change is Change.PREPARE and value != _read(self._plugin, parameter.id):
                if issubclass(self.plugin_class, pedalboard.Convolution):
                    self._plugin = self._make()
                else:
                    self._twins = None
                    self.apply(parameter, value)
        return on_the_grid(spec, self._running_plugin)

    def _running_plugin(self, spec: StreamSpec) -> Processor:
        self._twins = None
        if not spec.moving or not self._is_ours or only_offline(self._plugin):
            return processor([self._plugin], spec)
        plugins = [self._twin(), self._twin()]
        running = [processor([one], spec) for one in plugins]
        self._twins = Twins(plugins, running, GRID_SAMPLES, spec.sample_rate)
        return self._twins

    def _twin(self) -> Any:
        """Another plugin with the same settings."""
        twin = self._make()
        for parameter in self.natives:
            value = getattr(self._plugin, parameter.id, None)
            if getattr(twin, parameter.id, None) != value:
                setattr(twin, parameter.id, value)
        return twin


def _refuse_above_nyquist(parameter: Parameter, value: Value, sample_rate: int) -> None:
    """pedalboard's filters run away where their cutoff does not fit the rate."""
    if "cutoff" in parameter.id and float(value) >= sample_rate / 2:
        raise ValueError(f"at {sample_rate} Hz it takes less than {sample_rate / 2:g} Hz")


def names() -> list[str]:
    """Every effect that pedalboard has built in, by pedalboard's name."""
    return sorted(
        name
        for name, thing in vars(pedalboard).items()
        if isinstance(thing, type)
        and issubclass(thing, pedalboard.Plugin)
        and name == thing.__name__
        and name not in _ABSTRACT
        and not issubclass(thing, pedalboard.ExternalPlugin)
    )


def find(name: str) -> type[NativeEffect]:
    """The effect class of pedalboard's `name`, whatever its case. Raises UnknownName."""
    for known in names():
        if known.lower() == name.lower():
            return effect_of(getattr(pedalboard, known))
    raise UnknownName("pedalboard effect", name, names())


def load(path: str, plugin_name: str | None = None, **settings: Any) -> NativeEffect:
    """A VST3 or AU effect from its file; `plugin_name` chooses among several in one file.

    Raises:
        ParameterError: it does not load, is an instrument, or refuses a setting.
    """
    try:
        plugin = pedalboard.load_plugin(path, plugin_name=plugin_name)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path}: is no VST3 or AU effect that loads here ({reason})") from None
    if not plugin.is_effect:
        raise ParameterError(f"{path}: {plugin.name} is an instrument; a board takes effects")
    effect = wrap(plugin, **settings)
    effect._path, effect._plugin_name = path, plugin_name
    return effect


def wrap(plugin: Any, *, label: str = "", **settings: Any) -> NativeEffect:
    """Any pedalboard effect, a VST3 or AU from `pedalboard.load_plugin` too, as one of ours."""
    if isinstance(plugin, pedalboard.PluginContainer):
        raise TypeError(f"{plugin!r} is no single effect; a codecfx.Chain or Mix takes its plugins")
    if isinstance(plugin, pedalboard.ExternalPlugin):
        return _external(plugin)(plugin=plugin, label=label, **settings)
    built_in: Any = type(plugin)
    return effect_of(built_in)(plugin=plugin, label=label, **settings)


@cache
def effect_of(plugin_class: Any) -> type[NativeEffect]:
    """The effect class of a built-in plugin: its parameters and their defaults are its own."""
    own = tuple(_parameters(plugin_class))
    ids = {parameter.id for parameter in own}
    common = tuple(one for one in COMMON if one.id not in ids)
    return type(
        plugin_class.__name__,
        (NativeEffect,),
        {
            "__doc__": inspect.getdoc(plugin_class),
            "__module__": __name__,
            "plugin_class": plugin_class,
            "name": plugin_class.__name__,
            "description": _first_sentence(plugin_class),
            "parameters": (*own, *common),
        },
    )


def _parameters(plugin_class: type[Any]) -> list[Parameter]:
    """A built-in's parameters, from its constructor's signature line and a fresh instance."""
    signature = (plugin_class.__init__.__doc__ or "").strip().splitlines()[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(")")]
    ids = [part.split(":")[0].strip() for part in inside.split(",") if ":" in part]
    if "impulse_response_filename" in ids:  # Convolution cannot be made without one
        file = Parameter(
            "impulse_response_filename",
            "Impulse response",
            default="",
            change=Change.PREPARE,
            description="Path of an audio file",
            is_file=True,
        )
        return [file, Parameter("mix", "Mix", default=1.0, minimum=0.0, maximum=1.0)]
    ids = [
        one for one in ids if one != "self" and isinstance(getattr(plugin_class, one, None), property)
    ]
    fresh = plugin_class()
    return [_parameter(plugin_class, one, getattr(fresh, one)) for one in ids]


def _parameter(plugin_class: type[Any], parameter_id: str, default: Any) -> Parameter:
    unit = next((unit for end, unit in _UNITS.items() if parameter_id.endswith(end)), "")
    name = f"{plugin_class.__name__}.{parameter_id}"
    low, high = next((ends for end, ends in _RANGES.items() if name.endswith(end)), (None, None))
    return Parameter(
        parameter_id,
        parameter_id.removesuffix(f"_{unit.lower()}").replace("_", " ").capitalize(),
        default=_plain(default),
        minimum=low,
        maximum=high,
        unit=unit,
        choices=tuple(_choices(plugin_class, parameter_id)),
        curve=Curve.EXPONENTIAL if unit == "Hz" else Curve.LINEAR,
        change=Change.PREPARE if parameter_id in LATENT_SETTINGS else Change.IMMEDIATE,
        description=_first_sentence(getattr(plugin_class, parameter_id)),
    )


def _choices(plugin_class: type[Any], parameter_id: str) -> dict[str, Any]:
    """An enumeration's members by their names in lower case; empty for a number."""
    kind = {"mode": "Mode", "quality": "Quality"}.get(parameter_id)
    holder = plugin_class if kind and hasattr(plugin_class, kind) else pedalboard.Resample
    members = getattr(getattr(holder, kind, None), "__members__", {}) if kind else {}
    return {name.lower(): member for name, member in members.items()}


def _external(plugin: Any) -> type[NativeEffect]:
    """The effect class of one loaded plugin, whose parameters are what it declares."""
    own = []
    for parameter_id, declared in plugin.parameters.items():
        default = _read(plugin, parameter_id)
        low, high = getattr(declared, "range", (None, None, None))[:2]
        own.append(
            Parameter(
                parameter_id,
                declared.name,
                default=default,
                minimum=None if low is None else float(low),
                maximum=None if high is None else float(high),
                unit=getattr(declared, "units", "") or "",
            )
        )
    ids = {parameter.id for parameter in own}
    common = tuple(one for one in COMMON if one.id not in ids)
    return type(
        "ExternalEffect",
        (NativeEffect,),
        {"plugin_class": type(plugin), "name": plugin.name, "parameters": (*own, *common)},
    )


def _read(plugin: Any, parameter_id: str) -> Value:
    """What a plugin has for a parameter now."""
    value = getattr(plugin, parameter_id, "")
    if isinstance(plugin, pedalboard.ExternalPlugin):  # wraps its values in classes of its own
        value = plugin.parameters[parameter_id].type(value)
    return _plain(value)


def _plain(value: Any) -> Value:
    """A pedalboard value as one of ours: its floats are 32 bits wide, its enumerations have names."""
    if isinstance(value, bool | str):
        return value
    if hasattr(type(value), "__members__"):
        return str(value.name).lower()
    number = float(value)
    shortest = float(str(np.float32(number)))  # 0.33, not 0.33000001311302185
    return shortest if np.float32(number) == number else number


def _first_sentence(thing: Any) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split())
    return text.split(". ")[0].rstrip(".").replace("``", "")
