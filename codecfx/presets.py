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
    effect = "mix"                   # or "chain", "split", ...: a container with a `chain` of its own
    [[chain.chain]]
    effect = "Reverb"

`[[map]]`, `[[modulator]]`, `[[lane]]` and `tempo` are those of `codecfx.control.control_file`: what
moves the sound is a part of it.

`effect = "plugin"` with `path` (and `plugin_name`) loads a VST3 or AU; `state` is its own, in base64.
Files that a parameter names (a Convolution's, a donor, a trace of losses) lie beside the preset, unless
their path is absolute.
Values are stored plain and complete, so that a preset sounds the same when a default or a range of ours
changes; `version` says how to read it, and `MIGRATIONS` bring older files up to date.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecfx.errors import ConfigurationError, ControlFileError, PresetError, UnknownName
from codecfx.preset_tables import MISSING, NO_CHAIN, Building, is_tables, one_line, table_of

if TYPE_CHECKING:
    from codecfx.control.controls import Controls
    from codecfx.effects.board import Pedalboard

VERSION = 1
# version -> what turns a table of that version into one of the next
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_TOP_KEYS = ("version", "description", "mix", "chain")  # and those of controls


@dataclass(frozen=True, slots=True)
class Preset:
    """A sound: its name (the file's), one line about it, its effects as tables, and what moves them."""

    name: str
    description: str
    chain: tuple[dict[str, Any], ...]
    mix: float = 1.0
    controls: "Controls" = field(default_factory=lambda: _no_controls())
    path: Path | None = field(default=None, compare=False)

    def board(self) -> "Pedalboard":
        """A new board of this preset's effects, labelled with its name.

        Raises:
            PresetError: an effect, parameter or value that does not exist; names file and key, and
                counts the others.
        """
        from codecfx.effects.board import Pedalboard

        built = Building(self.path)
        plugins = built.plugins(self.chain, "chain")
        built.raise_problems()
        return Pedalboard(plugins, label=self.name, mix=self.mix)

    def problems(self) -> list[str]:
        """Everything wrong with its effects, a line each; empty for a good preset."""
        built = Building(self.path)
        plugins = built.plugins(self.chain, "chain")
        if not built.problems:
            from codecfx.effects.board import Pedalboard
            from codecfx.effects.steering import refuse_unknown

            try:
                refuse_unknown(Pedalboard(plugins, mix=self.mix), self.controls)
            except ConfigurationError as error:
                return [one_line(str(error))]
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
    """Every preset by name, those in folders within folders too; your own come before the built-in ones
    of the same name.
    """
    found: dict[str, Path] = {}
    for folder in preset_folders():
        if folder.is_dir():
            for path in sorted(folder.rglob("*.toml")):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def preset_folders() -> Iterator[Path]:
    """Where presets are looked for: `CODECFX_PRESETS`, your own folder, the built-in ones."""
    yield from _folders("presets")


def load_map(name_or_path: str | os.PathLike[str]) -> "Controls":
    """The maps of a name (`codecfx midi maps`) or in a file.

    Raises:
        UnknownName: no such map; says the nearest.
        ControlFileError: a file that cannot be read as one; names file and line.
    """
    from codecfx.control.control_file import load_controls

    text = os.fspath(name_or_path)
    if text.lower().endswith((".toml", ".json")) or os.sep in text:
        return load_controls(text)
    known = map_names()
    if text not in known:
        raise UnknownName("map", text, known)
    return load_controls(known[text])


def map_names() -> dict[str, Path]:
    """The maps that come along, and your own in a folder `maps` beside your presets, by name."""
    found: dict[str, Path] = {}
    for folder in _folders("maps"):
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def _folders(kind: str) -> Iterator[Path]:
    import platformdirs

    for folder in os.environ.get(f"CODECFX_{kind.upper()}", "").split(os.pathsep):
        if folder:
            yield Path(folder)
    yield platformdirs.user_config_path("codecfx") / kind
    package = Path(__file__).parent
    installed = package / f"_{kind}"
    yield installed if installed.is_dir() else package.parent / kind


def save_preset(
    board: Any,
    path: str | os.PathLike[str],
    *,
    description: str = "",
    controls: "Controls | None" = None,
    overwrite: bool = False,
) -> Path:
    """Write a board's effects and all their values to a preset file, whole or not at all, and
    `controls`, what moves them. What is no chain (a `Mix`, a single effect, a board of pedalboard's)
    becomes the only effect in it.

    Raises:
        PresetError: the file exists, the board is empty, or a plugin in it cannot be told in text.
        OSError: the file cannot be written.
    """
    import tomli_w

    path = Path(path)
    if path.suffix != ".toml":
        raise PresetError(f"{path}: a preset's file name ends in .toml")
    if path.exists() and not overwrite:
        raise PresetError(f"{path}: exists; choose another name, or overwrite=True")
    table = preset_table(board, path, description=description, controls=controls)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(tomli_w.dumps(table), encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def preset_table(
    board: Any, path: Path, *, description: str = "", controls: "Controls | None" = None
) -> dict[str, Any]:
    """What `save_preset` writes to `path`, and `preset_of` reads: text, numbers, lists and tables.
    Raises PresetError as it does.
    """
    table: dict[str, Any] = {"version": VERSION, "description": description}
    if is_first_effect(board):
        table["chain"] = [table_of(board, path.parent)]
    else:
        if not board:
            raise PresetError(f"{path}: the board is empty; a preset takes one effect or more")
        if board.mix != 1:
            table["mix"] = board.mix
        table["chain"] = [table_of(plugin, path.parent) for plugin in board]
    if controls:
        from codecfx.control import control_file

        table |= control_file.table_of(controls, path.parent)
    return table


def is_first_effect(board: Any) -> bool:
    """Whether a preset of `board` has it as its first and only effect, rather than as the board that it
    makes: what is no chain, is bypassed, or a delta, since a preset's own values are but its mix.
    """
    from codecfx.effects.board import Chain

    return not isinstance(board, Chain) or board.bypass or board.delta != "off"


def _no_controls() -> "Controls":
    from codecfx.control.controls import Controls

    return Controls()


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
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors write a mark
        table = tomllib.loads(text)
    except OSError as error:
        raise PresetError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or without measure
        raise PresetError(f"{path}: is no TOML ({error})") from None
    return preset_of(table, path, text)


def preset_of(table: dict[str, Any], path: Path, text: str = "") -> Preset:
    """The preset in a table, which is of the file `path`, which has `text`: for where something is
    wrong, and for what lies beside it.

    Raises:
        PresetError: something in it is wrong; names file and key.
    """
    from codecfx.control import control_file

    where = str(path)
    table = migrated(table, where)
    for key in table:
        if key not in (known := (*_TOP_KEYS, *control_file.KEYS)):
            raise PresetError(one_line(str(UnknownName("key", key, known, where))))
    description, chain, mix = table.get("description", ""), table.get("chain"), table.get("mix", 1.0)
    if not isinstance(description, str):
        raise PresetError(f"{where}: description is {description!r}; it takes text in quotes")
    if not isinstance(mix, int | float) or isinstance(mix, bool) or not 0 <= mix <= 1:
        raise PresetError(f"{where}: mix is {mix!r}; it takes 0 to 1")
    if not chain or not is_tables(chain):
        raise PresetError(f"{where}: chain {NO_CHAIN if chain else MISSING}")
    try:
        controls = control_file.controls_of(table, path, text)
    except ControlFileError as error:
        raise PresetError(str(error)) from None
    return Preset(path.stem, description, tuple(chain), float(mix), controls, path)
