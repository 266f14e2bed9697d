"""Presets: a board as a TOML file, one sound to a file.

::

    version = 1
    description = "A call over hotel Wi-Fi"

    [[chain]]
    effect = "HighpassFilter"        # pedalboard's effects by their names
    cutoff_frequency_hz = 200

    [[chain]]
    effect = "opus"                  # codecs by theirs
    bitrate_kbps = 8                 # plain values, in the parameter's unit
    label = "call"                   # optional: a name for controllers

    [[chain]]
    effect = "mix"                   # or "chain": a container, whose plugins are its own `chain`
    [[chain.chain]]
    effect = "Reverb"

`effect = "plugin"` with `path` (and `plugin_name`) loads a VST3 or AU; `state` is its own, in base64.
A Convolution's `impulse_response_filename` lies beside the preset, unless its path is absolute.
Values are stored plain and complete, so that a preset sounds the same when a default or a range of ours
changes; `version` says how to read it, and `MIGRATIONS` bring older files up to date.
"""

import base64
import binascii
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecfx.errors import CodecFxError, ConfigurationError, PresetError, UnknownName

if TYPE_CHECKING:
    from codecfx.effects.base import Effect
    from codecfx.effects.board import Pedalboard

VERSION = 1
# version -> what turns a table of that version into one of the next
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_TOP_KEYS = ("version", "description", "mix", "chain")
_DEEPEST = 32
_PLUGIN_KEYS = ("path", "plugin_name", "state")
_MISSING = "is missing; write a [[chain]] table for each effect"
_NO_CHAIN = "is no list of effects; write a [[chain]] table for each"


@dataclass(frozen=True, slots=True)
class Preset:
    """A sound: its name (the file's), one line about it, and its effects as tables."""

    name: str
    description: str
    chain: tuple[dict[str, Any], ...]
    mix: float = 1.0
    path: Path | None = field(default=None, compare=False)

    def board(self) -> "Pedalboard":
        """A new board of this preset's effects, labelled with its name.

        Raises:
            PresetError: an effect, parameter or value that does not exist; names file and key, and
                counts the others.
        """
        from codecfx.effects.board import Pedalboard

        built = _Building(self.path)
        plugins = built.plugins(self.chain, "chain")
        built.raise_problems()
        return Pedalboard(plugins, label=self.name, mix=self.mix)

    def problems(self) -> list[str]:
        """Everything wrong with its effects, a line each; empty for a good preset."""
        built = _Building(self.path)
        built.plugins(self.chain, "chain")
        return built.problems


def load_preset(name_or_path: str | os.PathLike[str]) -> Preset:
    """The preset of a name (`codecfx presets list`) or in a file.

    Raises:
        UnknownName: no such preset; says the nearest.
        PresetError: a file that cannot be read as one; names file and key.
    """
    return _parsed(preset_path(name_or_path))


def preset_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Where a preset is. Raises UnknownName or, for a file that is not there, PresetError."""
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or os.sep in text:
        if not Path(text).is_file():
            raise PresetError(f"{text}: no such preset file; see 'codecfx presets list'")
        return Path(text)
    known = preset_names()
    if text not in known:
        raise UnknownName("preset", text, known)
    return known[text]


def preset_names() -> dict[str, Path]:
    """Every preset by name; your own come before the built-in ones of the same name."""
    found: dict[str, Path] = {}
    for folder in preset_folders():
        if folder.is_dir():
            for path in sorted(folder.glob("*.toml")):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def preset_folders() -> Iterator[Path]:
    """Where presets are looked for: `CODECFX_PRESETS`, your own folder, the built-in ones."""
    import platformdirs

    for folder in os.environ.get("CODECFX_PRESETS", "").split(os.pathsep):
        if folder:
            yield Path(folder)
    yield platformdirs.user_config_path("codecfx") / "presets"
    package = Path(__file__).parent
    installed = package / "_presets"
    yield installed if installed.is_dir() else package.parent / "presets"


def save_preset(
    board: Any,
    path: str | os.PathLike[str],
    *,
    description: str = "",
    overwrite: bool = False,
) -> Path:
    """Write a board's effects and all their values to a preset file, whole or not at all. What is no
    chain (a `Mix`, a single effect, a board of pedalboard's) becomes the only effect in it.

    Raises:
        PresetError: the file exists, the board is empty, or a plugin in it cannot be told in text.
        OSError: the file cannot be written.
    """
    import tomli_w

    from codecfx.effects.board import Chain

    path = Path(path)
    if path.suffix != ".toml":
        raise PresetError(f"{path}: a preset's file name ends in .toml")
    if path.exists() and not overwrite:
        raise PresetError(f"{path}: exists; choose another name, or overwrite=True")
    table: dict[str, Any] = {"version": VERSION, "description": description}
    if not isinstance(board, Chain) or board.bypass:  # a preset's own values are but its mix
        table["chain"] = [_table(board, path.parent)]
    else:
        if not board:
            raise PresetError(f"{path}: the board is empty; a preset takes one effect or more")
        if board.mix != 1:
            table["mix"] = board.mix
        table["chain"] = [_table(plugin, path.parent) for plugin in board]
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(tomli_w.dumps(table), encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def migrated(table: dict[str, Any], where: str) -> dict[str, Any]:
    """`table` as this version writes it. Raises PresetError for a version nobody can read."""
    version = table.get("version")
    if version is None:
        raise PresetError(f"{where}: version is missing; begin the file with 'version = {VERSION}'")
    if not isinstance(version, int) or isinstance(version, bool):
        raise PresetError(f"{where}: version is {version!r}; begin the file with 'version = {VERSION}'")
    if version > VERSION:
        raise PresetError(
            f"{where}: version is {version}, and this codecfx reads up to {VERSION}; update codecfx"
        )
    while version < VERSION:
        if version not in MIGRATIONS:
            raise PresetError(f"{where}: version is {version}; versions begin at 1")
        table = MIGRATIONS[version](table)
        version += 1
    return table | {"version": VERSION}


def _parsed(path: Path) -> Preset:
    where = str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors write a mark
    except OSError as error:
        raise PresetError(f"{where}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or without measure
        raise PresetError(f"{where}: is no TOML ({error})") from None
    table = migrated(table, where)
    for key in table:
        if key not in _TOP_KEYS:
            raise PresetError(_one_line(str(UnknownName("key", key, _TOP_KEYS, where))))
    description, chain, mix = table.get("description", ""), table.get("chain"), table.get("mix", 1.0)
    if not isinstance(description, str):
        raise PresetError(f"{where}: description is {description!r}; it takes text in quotes")
    if not isinstance(mix, int | float) or isinstance(mix, bool) or not 0 <= mix <= 1:
        raise PresetError(f"{where}: mix is {mix!r}; it takes 0 to 1")
    if not chain or not _is_tables(chain):
        raise PresetError(f"{where}: chain {_NO_CHAIN if chain else _MISSING}")
    return Preset(path.stem, description, tuple(chain), float(mix), path)


def _is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, dict) for one in value)


def _one_line(message: str) -> str:
    """A message on one line, whatever keys and texts of the file it quotes."""
    return " ".join(message.splitlines())


class _Building:
    """Makes effects of tables, and collects what is wrong with them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise PresetError(self.problems[0] + more)

    def plugins(self, tables: Any, where: str) -> list["Effect"]:
        if not _is_tables(tables):
            self._problem(where, _MISSING if tables is None else _NO_CHAIN)
            return []
        made = [self._effect(table, f"{where}[{at}]") for at, table in enumerate(tables, 1)]
        return [effect for effect in made if effect is not None]

    def _problem(self, where: str, what: str) -> None:
        file = f"{self._path}: " if self._path else ""
        self.problems.append(_one_line(f"{file}{where}: {what}"))

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
            impulse = settings.get("impulse_response_filename")
            if isinstance(impulse, str) and self._path:  # beside the preset, unless absolute
                settings["impulse_response_filename"] = str(self._path.parent / impulse)
            return kind(**self._checked(kind, settings, where))
        except CodecFxError as error:
            self._problem(where, str(error))
            return None

    def _checked(self, kind: "type[Effect]", settings: dict[str, Any], where: str) -> dict[str, Any]:
        """Settings without the wrong ones, each of which is a problem of its own."""
        from codecfx.control.parameters import checked

        good = {}
        for key, value in settings.items():
            try:
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


def _table(plugin: Any, folder: Path) -> dict[str, Any]:
    """One plugin as a preset in `folder` has it: its name, its label, and every value."""
    from codecfx.effects.base import Effect
    from codecfx.effects.board import Container, Mix

    if isinstance(plugin, Container):
        table = _values(plugin, "mix" if isinstance(plugin, Mix) else "chain")
        return table | {"chain": [_table(inner, folder) for inner in plugin]}
    if isinstance(plugin, Effect) and not hasattr(plugin, "plugin_class"):
        return _values(plugin, plugin.name)
    return _native_table(plugin, folder)


def _native_table(plugin: Any, folder: Path) -> dict[str, Any]:
    import pedalboard

    from codecfx.effects.native_effect import NativeEffect, wrap

    if isinstance(plugin, pedalboard.PluginContainer):
        kind = "mix" if isinstance(plugin, pedalboard.Mix) else "chain"
        return {"effect": kind, "chain": [_table(inner, folder) for inner in plugin]}
    if isinstance(plugin, pedalboard.Convolution):
        raise PresetError("a Convolution does not say its file; use codecfx.native('Convolution', ...)")
    if not isinstance(plugin, NativeEffect):
        plugin = wrap(plugin)
    if not isinstance(plugin.plugin, pedalboard.ExternalPlugin):
        table = _values(plugin, plugin.name)
        if "impulse_response_filename" in table:
            table["impulse_response_filename"] = _seen_from(folder, table["impulse_response_filename"])
        return table
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


def _values(effect: "Effect", name: str) -> dict[str, Any]:
    label = {"label": effect.label} if effect.label else {}
    return {"effect": name, **label, **effect.values}
