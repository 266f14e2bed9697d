"""The mirror: the engine's board as its host sees it, with the values that it has there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from codecfx.control.automation import tick_samples
from codecfx.control.controls import Controls
from codecfx.control.learning import Heard
from codecfx.control.mapping import Mapped
from codecfx.control.maps import Map
from codecfx.control.parameters import Parameter, Value
from codecfx.control.takeover import RELATIVE
from codecfx.control.timeline import Timeline
from codecfx.effects.paths import Target, every_path, find
from codecfx.effects.steering import Steering
from codecfx.errors import ConfigurationError
from codecfx.live.deck_making import ROOT, value_of
from codecfx.live.memory import Memory, Meter
from codecfx.live.status import Knob
from codecfx.presets import Preset, preset_of, preset_table, save_preset
from codecfx.recipe import Recipe


class Mirror:
    """One deck's board, its parameters by path, and what moves them."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """`facts` are what the engine says of a deck."""
        self.number: int = facts["number"]
        self.latency: list[tuple[str, int]] = [(name, late) for name, late in facts["latency"]]
        self.preset = named(preset_of(facts["table"], ROOT), facts["name"])
        self._board = self.preset.board()
        self._targets = every_path(self._board)
        self._sources = _sources(self._board, self.preset.controls)
        self._shown: list[Value] | None = None
        self._knobs: tuple[Knob, ...] = ()

    def read(self, memory: Memory) -> None:
        """Take over the values that the engine has, if they are this deck's."""
        if int(memory.meters[Meter.VALUES_OF]) != self.number:
            return
        values = memory.values[: len(self._targets)].tolist()
        for target, number in zip(self._targets.values(), values, strict=False):
            effect, parameter = target.place.effect, target.parameter
            value = parameter.check(value_of(parameter, number))
            if effect.value_of(parameter) != value:
                effect.put(parameter, value)

    def values(self) -> Iterator[tuple[str, Value]]:
        """Every path with its value."""
        return ((path, target.value) for path, target in self._targets.items())

    def target(self, path: str) -> Target:
        """The parameter at `path`. Raises as `codecfx.effects.paths.find`."""
        return self._targets.get(path) or find(self._board, path)

    def table(self) -> dict[str, Any]:
        """The board as a preset's table, with its values now."""
        return preset_table(self._board, ROOT, controls=self.preset.controls)

    def now(self, maps: tuple[Map, ...] | None = None) -> Preset:
        """The board as a preset, with its values now; `maps` in place of its own."""
        preset = named(preset_of(self.table(), ROOT), self.preset.name)
        if maps is None:
            return preset
        return replace(preset, controls=replace(preset.controls, maps=maps))

    def with_map(self, heard: Heard, path: str) -> Preset:
        """As `now`, where this control moves what is at `path`, and nothing else.

        Raises:
            ConfigurationError: it cannot.
        """
        target = self.target(path)
        relative = heard.relative or RELATIVE[0]
        made = Map(heard.source, target.path, mode=heard.mode, relative=relative)
        made = Mapped(made, target.parameter).map
        return self.now((*self._maps_of_others(target, heard), made))

    def without_maps(self, path: str) -> Preset:
        """As `now`, where no control moves what is at `path`. Raises ConfigurationError: nothing is."""
        return self.now(self._maps_of_others(self.target(path)))

    def _maps_of_others(self, target: Target, heard: Heard | None = None) -> tuple[Map, ...]:
        """The maps but those of this parameter, and of the control that is heard."""
        kept = []
        for one in self.preset.controls.maps:
            if heard is not None and one.source == heard.source:
                continue
            if not one.preset:
                try:
                    if _key(find(self._board, one.target)) == _key(target):
                        continue
                except ConfigurationError:  # an optional one
                    pass
            kept.append(one)
        return tuple(kept)

    def save(self, path: Path) -> Path:
        """Write it to a new preset file. Raises PresetError, OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        description = self.preset.description
        return save_preset(self._board, path, description=description, controls=self.preset.controls)

    def mapped(self, sample_rate: int) -> list[tuple[str, Mapped]]:
        """What maps move, by path, and how: for controllers that show it."""
        maps = tuple(
            one
            for one in self.preset.controls.maps
            if not one.preset and one.source.kind != "modulator"
        )
        steering = Steering(
            self._board,
            Controls(maps=maps),
            {},
            Timeline(sample_rate, None),
            tick_samples(sample_rate),
            0,
        )
        paths = {_key(target): path for path, target in self._targets.items()}
        return [(paths[_key(one.steered.target)], one.mapped) for one in steering.maps]

    def knobs(self) -> tuple[Knob, ...]:
        """Every parameter, in order."""
        values = [target.value for target in self._targets.values()]
        if values != self._shown:
            self._shown = values
            self._knobs = tuple(
                Knob(
                    path,
                    target.parameter,
                    value,
                    in_words(target.parameter, value),
                    self._sources.get(_key(target), ""),
                    _position(target),
                )
                for (path, target), value in zip(self._targets.items(), values, strict=True)
            )
        return self._knobs


def preset_from(recipe: Recipe) -> Preset:
    """A recipe's board and what moves it, as a preset of its preset's name. Raises as Recipe.board."""
    board = recipe.board()
    preset = preset_of(preset_table(board, ROOT, controls=recipe.controls()), ROOT)
    return named(preset, board.label)


def named(preset: Preset, name: str) -> Preset:
    """The same under another name."""
    return replace(preset, name=name)


def in_words(parameter: Parameter, value: Value) -> str:
    """A value with its unit: "8 kbps", "voip", "on"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    return f"{value:.4g} {parameter.unit}".rstrip()


def _position(target: Target) -> float:
    """Where a knob would stand, 0 to 1."""
    try:
        return target.parameter.position_of(target.value)
    except ConfigurationError:  # it has no range of its own
        return 0.5


def _key(target: Target) -> tuple[str, str]:
    return target.place.number, target.parameter.id


def _sources(board: Any, controls: Controls) -> dict[tuple[str, str], str]:
    """What moves each parameter, in words."""
    found: dict[tuple[str, str], list[str]] = {}
    moving = [(one.target, str(one.source)) for one in controls.maps if not one.preset]
    moving += [(one.target, "lane") for one in controls.lanes]
    for path, words in moving:
        try:
            found.setdefault(_key(find(board, path)), []).append(words)
        except ConfigurationError:  # an optional map's
            continue
    return {key: ", ".join(words) for key, words in found.items()}
