"""Control files: lanes, maps, modulators and a tempo, in TOML, JSON or, lanes alone, CSV.

::

    version = 1
    tempo = 120                          # for beats; or changes: [[0, 120], [16, 90]]

    [[lane]]
    target = "opus.bitrate_kbps"
    interpolation = "exponential"        # step, linear, exponential, smooth; of a point: its third item
    points = [["0 s", 96], ["2.5 s", 6], ["50 %", 24, "step"], ["16 beats", 64], [960000, 6]]

    [[map]]
    source = "cc 21"
    target = "opus.bitrate_kbps"         # more of it: codecfx.control.mapping

    [[modulator]]
    name = "wobble"
    type = "lfo"                         # more of it: codecfx.control.modulation

JSON has the same, with lists of objects; CSV is that of `codecfx.control.spreadsheet`.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from codecfx.control.automation import Interpolation, Lane
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.control.modulation import INPUT, Modulator, modulator_of
from codecfx.control.spreadsheet import lanes_of_csv
from codecfx.control.timeline import tempo_of
from codecfx.errors import ConfigurationError, ControlFileError, UnknownName

VERSION = 1
KEYS = ("lane", "map", "modulator", "tempo")  # of a preset too
_LANE_KEYS = ("target", "points", "interpolation")
_LARGEST = 16 * 2**20  # bytes; a lane of a million points has as many

_Made = TypeVar("_Made", Lane, Map, Modulator)


def load_controls(path: str | os.PathLike[str]) -> Controls:
    """The lanes, maps, modulators and tempo in a file; its suffix says how it is written.

    Raises:
        ControlFileError: a file that cannot be read, or something in it that is wrong; names the line.
    """
    path = Path(path)
    readers = {".toml": _from_toml, ".json": _from_json, ".csv": lanes_of_csv}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise ControlFileError(f"{path}: is no control file; use one of {', '.join(readers)}")
    try:
        if path.stat().st_size > _LARGEST:
            raise ControlFileError(f"{path}: is larger than 16 MiB, which no control file is")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ControlFileError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ControlFileError(f"{path}: is no text in UTF-8") from None
    return read(text, path)


def _from_toml(text: str, path: Path) -> Controls:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ControlFileError(f"{path}: is no TOML ({error})") from None
    return _versioned(table, path, text)


def _from_json(text: str, path: Path) -> Controls:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ControlFileError(f"{path}: is no JSON ({error})") from None
    if not isinstance(table, dict):
        raise ControlFileError(f'{path}: is no table; begin with {{"version": {VERSION}, ...')
    return _versioned(table, path, "")


def _versioned(table: dict[str, Any], path: Path, text: str) -> Controls:
    version = table.pop("version", None)
    if version != VERSION or isinstance(version, bool):
        what = "is missing" if version is None else f"is {version!r}"
        raise ControlFileError(f"{path}: version {what}; this codecfx reads 'version = {VERSION}'")
    for key in table:
        if key not in KEYS:
            raise ControlFileError(str(UnknownName("key", key, ("version", *KEYS), str(path))))
    return controls_of(table, path, text)


def controls_of(table: Mapping[str, Any], path: Path, text: str = "") -> Controls:
    """The controls in a table that may hold other things too, as a preset's does. `text` is the TOML
    that it was read from, for the lines in messages; paths of sounds are seen from the file's folder.

    Raises:
        ControlFileError: what is wrong, with file and line.
    """
    tempo = None
    if "tempo" in table:
        try:
            tempo = tempo_of(table["tempo"])
        except ConfigurationError as error:
            raise ControlFileError(f"{_place(path, text, 'tempo')}: {error}") from None
    lanes = tuple(_each(table, "lane", _lane, path, text))
    maps = tuple(_each(table, "map", Map.of, path, text))
    modulators = tuple(
        _beside(one, path) for one in _each(table, "modulator", modulator_of, path, text)
    )
    named: set[str] = set()
    for number, one in enumerate(modulators):
        if one.name in named:
            where = _place(path, text, "modulator", number, "name")
            raise ControlFileError(f"{where}: name: there are two modulators '{one.name}'; rename one")
        named.add(one.name)
    return Controls(lanes, maps, modulators, tempo)


def table_of(controls: Controls, folder: Path) -> dict[str, Any]:
    """What `controls_of` reads, for a file in `folder`."""
    table: dict[str, Any] = {}
    if controls.tempo is not None:
        table["tempo"] = [[float(beat), float(bpm)] for beat, bpm in controls.tempo.changes]
    made = {
        "lane": [one.to_table() for one in controls.lanes],
        "map": [one.to_table() for one in controls.maps],
        "modulator": [one.to_table() for one in controls.modulators],
    }
    return table | {
        kind: [_seen_from(folder, one) for one in tables] for kind, tables in made.items() if tables
    }


def _seen_from(folder: Path, table: dict[str, Any]) -> dict[str, Any]:
    """A table with the paths of its sound and its preset as a file in `folder` has them."""
    for key in ("of", "preset"):
        text = table.get(key, INPUT)
        if text != INPUT and (key == "of" or text.endswith(".toml")):
            file, folder = Path(text).absolute(), folder.absolute()
            inside = file.is_relative_to(folder)
            table[key] = file.relative_to(folder).as_posix() if inside else str(file)
    return table


def _each(
    table: Mapping[str, Any],
    kind: str,
    make: Callable[[Mapping[str, Any]], _Made],
    path: Path,
    text: str,
) -> Iterator[_Made]:
    """What is made of every [[kind]] table."""
    tables = table.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise ControlFileError(f"{path}: {kind} is no list of tables; write [[{kind}]] for each")
    for number, one in enumerate(tables):
        try:
            made = make(one)
        except ConfigurationError as error:
            key = re.match(r"(\w+): ", str(error))
            where = _place(path, text, kind, number, key[1] if key else "")
            raise ControlFileError(" ".join(f"{where}: {error}".splitlines())) from None
        if isinstance(made, Map) and made.preset.endswith(".toml"):
            made = replace(made, preset=str(path.parent / made.preset))  # type: ignore[call-arg]
        if isinstance(made, Lane | Map):
            where = _place(path, text, kind, number, "target")
            made = replace(made, where=where)  # type: ignore[call-arg]
        yield made


def _lane(table: Mapping[str, Any]) -> Lane:
    for key in table:
        if key not in _LANE_KEYS:
            raise UnknownName("key", key, _LANE_KEYS)
    target, points, way = (table.get(key) for key in _LANE_KEYS)
    if not isinstance(target, str) or not target.strip():
        raise ConfigurationError("target: is missing; write what moves, as in 'opus.bitrate_kbps'")
    if not isinstance(points, list):
        raise ConfigurationError("points: is missing; write a list of [position, value]")
    try:
        return Lane(target, points, None if way is None else Interpolation.of(way))
    except UnknownName as error:
        raise ConfigurationError(f"{'interpolation' if way else 'points'}: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"points: {error}") from None


def _beside(modulator: Modulator, path: Path) -> Modulator:
    """A modulator whose sound lies beside the file, unless its path is absolute."""
    of = getattr(modulator, "of", INPUT)
    return modulator if of == INPUT else replace(modulator, **{"of": str(path.parent / of)})


def _place(path: Path, text: str, kind: str, number: int = 0, key: str = "") -> str:
    """File and line of a key in the so-manieth [[kind]] table; without the text, its number."""
    lines = text.splitlines()
    opening = (
        re.compile(rf"\s*\[\[\s*{kind}\s*\]\]") if key or kind != "tempo" else re.compile(r"\s*tempo")
    )
    found = [line for line, written in enumerate(lines, 1) if opening.match(written)]
    if number >= len(found):
        return f"{path}: {kind} {number + 1}" if kind != "tempo" else f"{path}: tempo"
    line = found[number]
    for at in range(line, len(lines)):
        if lines[at].lstrip().startswith("["):
            break
        if key and re.match(rf"\s*{key}\s*=", lines[at]):
            line = at + 1
            break
    return f"{path}:{line}"
