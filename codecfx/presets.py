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

import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecfx.errors import PresetError, UnknownName
from codecfx.preset_tables import MISSING, NO_CHAIN, Building, is_tables, one_line, table_of

if TYPE_CHECKING:
    from codecfx.effects.board import Pedalboard

VERSION = 1
# version -> what turns a table of that version into one of the next
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_TOP_KEYS = ("version", "description", "mix", "chain")


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

        built = Building(self.path)
        plugins = built.plugins(self.chain, "chain")
        built.raise_problems()
        return Pedalboard(plugins, label=self.name, mix=self.mix)

    def problems(self) -> list[str]:
        """Everything wrong with its effects, a line each; empty for a good preset."""
        built = Building(self.path)
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
        table["chain"] = [table_of(board, path.parent)]
    else:
        if not board:
            raise PresetError(f"{path}: the board is empty; a preset takes one effect or more")
        if board.mix != 1:
            table["mix"] = board.mix
        table["chain"] = [table_of(plugin, path.parent) for plugin in board]
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
            raise PresetError(one_line(str(UnknownName("key", key, _TOP_KEYS, where))))
    description, chain, mix = table.get("description", ""), table.get("chain"), table.get("mix", 1.0)
    if not isinstance(description, str):
        raise PresetError(f"{where}: description is {description!r}; it takes text in quotes")
    if not isinstance(mix, int | float) or isinstance(mix, bool) or not 0 <= mix <= 1:
        raise PresetError(f"{where}: mix is {mix!r}; it takes 0 to 1")
    if not chain or not is_tables(chain):
        raise PresetError(f"{where}: chain {NO_CHAIN if chain else MISSING}")
    return Preset(path.stem, description, tuple(chain), float(mix), path)
