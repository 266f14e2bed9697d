"""What is in a preset: effects as tables, and tables as effects. Files are `presets.py`'s business."""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecfx.errors import CodecFxError, ConfigurationError, PresetError

if TYPE_CHECKING:
    from codecfx.effects.base import Effect

_DEEPEST = 32
_PLUGIN_KEYS = ("path", "plugin_name", "state")
MISSING = "is missing; write a [[chain]] table for each effect"
NO_CHAIN = "is no list of effects; write a [[chain]] table for each"


def is_tables(value: object) -> bool:
    """Whether this is a list of tables, as [[chain]] makes them."""
    return isinstance(value, list | tuple) and all(isinstance(one, dict) for one in value)


def one_line(message: str) -> str:
    """A message on one line, whatever keys and texts of the file it quotes."""
    return " ".join(message.splitlines())


class Building:
    """Makes effects of tables, and collects what is wrong with them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        """Raises PresetError with the first problem, and the number of the others."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise PresetError(self.problems[0] + more)

    def plugins(self, tables: Any, where: str) -> list["Effect"]:
        if not is_tables(tables):
            self._problem(where, MISSING if tables is None else NO_CHAIN)
            return []
        made = [self._effect(table, f"{where}[{at}]") for at, table in enumerate(tables, 1)]
        return [effect for effect in made if effect is not None]

    def _problem(self, where: str, what: str) -> None:
        file = f"{self._path}: " if self._path else ""
        self.problems.append(one_line(f"{file}{where}: {what}"))

    def _effect(self, table: Mapping[str, Any], where: str) -> "Effect | None":
        from codecfx.effects import registry

        settings = dict(table)
        name = settings.pop("effect", None)
        if not isinstance(name, str):
            self._problem(where, "effect is missing; name one, see 'codecfx effects'")
            return None
        try:
            if name.lower() == "plugin":
                return self._plugin(settings, where)
            if where.count("chain[") > _DEEPEST:
                raise ConfigurationError(f"{name} is nested deeper than {_DEEPEST} chains")
            kind = registry.find(name)
            if name.lower() in registry.CONTAINERS:
                inner = self.plugins(settings.pop("chain", None), f"{where}.chain")
                return registry.CONTAINERS[name.lower()](inner, **self._checked(kind, settings, where))
            return kind(**self._checked(kind, settings, where))
        except CodecFxError as error:
            self._problem(where, str(error))
            return None

    def _checked(self, kind: "type[Effect]", settings: dict[str, Any], where: str) -> dict[str, Any]:
        """Settings without the wrong ones, each of which is a problem of its own."""
        from codecfx.control.parameters import checked

        good: dict[str, Any] = {}
        try:
            settings = kind.spelled_out(settings)
        except ConfigurationError as error:
            self._problem(where, str(error))
            return good
        files = {one.id for one in kind.parameters if one.is_file}
        for key, value in settings.items():
            try:
                if key in files and value and isinstance(value, str) and self._path:
                    value = str(self._path.parent / value)  # beside the preset, unless absolute
                if key == "label":
                    if not isinstance(value, str):
                        raise ConfigurationError(f"{kind.name}: label is {value!r}; it takes text")
                else:
                    checked(kind.parameters, {key: value}, kind.name)
                good[key] = value
            except ConfigurationError as error:
                self._problem(f"{where}.{key}", str(error))
        return good

    def _plugin(self, settings: dict[str, Any], where: str) -> "Effect":
        from codecfx.effects import native_effect

        path, plugin_name, state = (settings.pop(key, None) for key in _PLUGIN_KEYS)
        if not isinstance(path, str):
            raise ConfigurationError("path is missing; name a VST3 or AU file")
        if not isinstance(plugin_name, str | None):
            raise ConfigurationError(f"plugin_name is {plugin_name!r}; it takes text")
        effect = native_effect.load(path, plugin_name)
        if state is not None:
            try:
                effect.plugin.raw_state = base64.b64decode(state, validate=True)
            except (TypeError, ValueError, RuntimeError, binascii.Error):
                self._problem(f"{where}.state", "is not this plugin's state in base64")
        for key, value in self._checked(type(effect), settings, where).items():
            if key == "label":
                effect.label = value
            else:
                effect.set(key, value)
        return effect


def table_of(plugin: Any, folder: Path) -> dict[str, Any]:
    """One plugin as a preset in `folder` has it: its name, its label, and every value."""
    from codecfx.effects.base import Effect
    from codecfx.effects.board import Chain, Container

    if isinstance(plugin, Container):
        table = _values(plugin, "chain" if isinstance(plugin, Chain) else plugin.name, folder)
        return table | {"chain": [table_of(inner, folder) for inner in plugin]}
    if isinstance(plugin, Effect) and not hasattr(plugin, "plugin_class"):
        return _values(plugin, plugin.name, folder)
    return _native_table(plugin, folder)


def _native_table(plugin: Any, folder: Path) -> dict[str, Any]:
    import pedalboard

    from codecfx.effects.native_effect import NativeEffect, wrap

    if isinstance(plugin, pedalboard.PluginContainer):
        kind = "mix" if isinstance(plugin, pedalboard.Mix) else "chain"
        return {"effect": kind, "chain": [table_of(inner, folder) for inner in plugin]}
    if isinstance(plugin, pedalboard.Convolution):
        raise PresetError("a Convolution does not say its file; use codecfx.native('Convolution', ...)")
    if not isinstance(plugin, NativeEffect):
        plugin = wrap(plugin)
    if not isinstance(plugin.plugin, pedalboard.ExternalPlugin):
        return _values(plugin, plugin.name, folder)
    path, plugin_name = plugin.file
    if not path:
        raise PresetError(f"{plugin.name} does not say its file; load it with codecfx.plugin(path)")
    table = {"effect": "plugin", "path": os.path.abspath(path)}
    if plugin_name:
        table["plugin_name"] = plugin_name
    label = {"label": plugin.label} if plugin.label else {}
    # What was set through us is kept beside the state: not every plugin's state knows of it
    changed = {one.id: plugin.values[one.id] for one in plugin.parameters}
    for one in plugin.natives:
        if changed[one.id] == one.default:
            del changed[one.id]
    state = base64.b64encode(plugin.plugin.raw_state).decode()
    return table | label | changed | {"state": state}


def _seen_from(folder: Path, file: str) -> str:
    """The path of a file for a preset in `folder`: relative inside it, so that both can move."""
    absolute, folder = Path(file).absolute(), folder.absolute()
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)


def _values(effect: "Effect", name: str, folder: Path) -> dict[str, Any]:
    label = {"label": effect.label} if effect.label else {}
    table: dict[str, Any] = {"effect": name, **label}
    groups: dict[str, dict[str, Any]] = {}  # of which only what is not neutral
    for one in effect.parameters:
        value = effect.values[one.id]
        if one.is_file and value:
            value = _seen_from(folder, str(value))
        if not one.group:
            table[one.id] = value
        elif value != one.default:
            groups.setdefault(one.group, {})[one.id] = value
    return table | groups
