"""Maps: one [[map]] table, a source that moves a parameter or chooses a preset.

>>> table = {"source": "cc 21", "target": "opus.bitrate_kbps", "min": 6, "max": 96}
>>> Map.of(table).to_table() == table
True
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Self

from codecfx.control.parameters import Curve, Value
from codecfx.control.sources import Source, channel_of
from codecfx.control.takeover import RELATIVE
from codecfx.errors import ConfigurationError, UnknownName

CURVES = (*(curve.value for curve in Curve), "stepped")
MODES = ("absolute", "toggle", "momentary", "relative")
_NAMES = {"curve": CURVES, "mode": MODES, "relative": RELATIVE}
_EXAMPLES = {"target": "opus.bitrate_kbps", "preset": "gsm-call"}
_FIELDS = {"min": "minimum", "max": "maximum"}  # Python has functions of these names


@dataclass(frozen=True, slots=True)
class Map:
    """One [[map]] table, checked as far as it can be without its parameter.

    `minimum` and `maximum` are plain values, either way round, and like `curve` the parameter's own
    where they are None. `step` is the share of the range that a detent moves; None is 1/127. Of
    `target` ("opus.bitrate_kbps") and `preset` one is empty.
    """

    source: Source
    target: str = ""
    minimum: Value | None = None
    maximum: Value | None = None
    curve: str | None = None
    steps: int | None = None
    smoothing_ms: float = 0
    pickup: bool = False
    mode: str = "absolute"
    relative: str = RELATIVE[0]
    step: float | None = None
    feedback: bool = True
    optional: bool = False
    preset: str = ""
    where: str = field(default="", compare=False)  # in which file and line, for messages

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """The map that a table says. Messages of errors begin with the key.

        Raises:
            UnknownName: a key, source, curve, mode or encoding that is none; says the nearest.
            ConfigurationError: a value that its key does not take, or keys that do not go together.
        """
        settings = dict(table)
        for key, value in settings.items():
            _check(key, value)
        if "source" not in settings:
            raise ConfigurationError("source: is missing; write what moves it, as in 'cc 21'")
        with naming("channel"):
            channel = channel_of(settings.pop("channel", "omni"))
        with naming("source"):
            source = Source.of(settings.pop("source"), channel or "omni")
        made = cls(source, **{_FIELDS.get(key, key): value for key, value in settings.items()})
        made._check_together(settings)
        return made

    def _check_together(self, settings: Mapping[str, Any]) -> None:
        """Raises ConfigurationError where keys exclude or miss each other."""
        source = self.source
        if self.preset:
            for key in settings:
                if key not in ("preset", "optional"):
                    raise ConfigurationError(f"{key}: does not go with 'preset'; leave one of them out")
            if source.kind != "program":
                raise ConfigurationError(
                    f"preset: is picked by a source 'program N', not by '{source}'"
                )
        elif not self.target:
            raise ConfigurationError("target: is missing; write what moves, as in 'opus.bitrate_kbps'")
        for key, mode in (("pickup", "absolute"), ("relative", "relative"), ("step", "relative")):
            if settings.get(key) and self.mode != mode:
                raise ConfigurationError(f"{key}: wants mode '{mode}', and the mode is '{self.mode}'")
        if (self.curve == "stepped") != (self.steps is not None):
            raise ConfigurationError("steps: goes with curve 'stepped', and that with it; write both")
        if self.mode == "relative" and source.kind != "cc":
            raise ConfigurationError(f"mode: 'relative' wants a source 'cc N', not '{source}'")
        if self.mode != "absolute" and source.kind == "modulator":
            raise ConfigurationError(f"mode: a modulator wants 'absolute', not '{self.mode}'")

    def to_table(self) -> dict[str, Any]:
        """The table that `of` makes this map of: its source, and what differs from the defaults."""
        table: dict[str, Any] = {"source": str(self.source)}
        if self.source.channel is not None:
            table["channel"] = self.source.channel
        keys = {name: key for key, name in _FIELDS.items()}
        for one in fields(self)[1:]:
            if one.compare and getattr(self, one.name) != one.default:
                table[keys.get(one.name, one.name)] = getattr(self, one.name)
        return table


def _check(key: str, value: Any) -> None:
    """Raises where `key` is none, or does not take `value`; source and channel are looked at later."""
    number = None if isinstance(value, bool) or not isinstance(value, int | float) else value
    if number is not None and not abs(number) < math.inf:
        number = None
    match key:
        case "source" | "channel":
            return
        case "target" | "preset":
            is_right = isinstance(value, str) and bool(value.strip())
            allowed = f"a name in quotes, as in '{_EXAMPLES[key]}'"
        case "min" | "max":
            is_right = isinstance(value, bool | str) or number is not None
            allowed = "a value of the parameter"
        case "curve" | "mode" | "relative":
            if isinstance(value, str) and value not in _NAMES[key]:
                kind = "encoding" if key == "relative" else key
                raise UnknownName(kind, value, _NAMES[key], key)
            is_right, allowed = isinstance(value, str), ", ".join(_NAMES[key])
        case "steps":
            is_right = isinstance(number, int) and 2 <= number <= 128
            allowed = "a whole number from 2 to 128"
        case "smoothing_ms":
            is_right, allowed = number is not None and 0 <= number <= 10_000, "0 to 10000 ms"
        case "step":
            is_right, allowed = number is not None and 0 < number <= 1, "a share of the range, up to 1"
        case "pickup" | "feedback" | "optional":
            is_right, allowed = isinstance(value, bool), "true or false"
        case _:
            known = [
                one.name for one in fields(Map) if one.compare and one.name not in _FIELDS.values()
            ]
            raise UnknownName("key", str(key), [*known, *_FIELDS, "channel"])
    if not is_right:
        raise ConfigurationError(f"{key}: is {value!r}; it takes {allowed}")


@contextmanager
def naming(key: str) -> Iterator[None]:
    """Puts `key` before the message of an error."""
    try:
        yield
    except ConfigurationError as error:
        error.args = (f"{key}: {error}",)
        raise
