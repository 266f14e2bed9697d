"""Lanes as a spreadsheet has them: CSV, a row for each position.

Either a column for each parameter, or `target` and `value`, and `interpolation` if you like::

    position,opus.bitrate_kbps,mix        position,target,value
    0 s,96,1                              0 s,opus.bitrate_kbps,96
    2.5 s,6,                              2.5 s,opus.bitrate_kbps,6

A first column called seconds, samples, percent or beats gives plain numbers their unit. Cells may be
parted by commas, tabs, or semicolons, where the comma is the decimal point.
"""

import csv
from collections import defaultdict
from pathlib import Path

from codecfx.control.automation import Lane
from codecfx.control.controls import Controls
from codecfx.errors import ConfigurationError, ControlFileError

_UNITS = {"position": "", "seconds": "s", "samples": "samples", "percent": "%", "beats": "beats"}


def lanes_of_csv(text: str, path: Path) -> Controls:
    """The lanes in the text of a CSV file. Raises ControlFileError with the line of what is wrong."""
    try:
        return _lanes(text, path)
    except csv.Error as error:
        raise ControlFileError(f"{path}: is no CSV ({error})") from None


def _lanes(text: str, path: Path) -> Controls:
    first_row = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_row.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    columns = [cell.strip() for cell in next(rows, [])]
    unit = _UNITS.get(columns[0].lower()) if columns else None
    if unit is None or len(columns) < 2:
        units = ", ".join(list(_UNITS)[1:])
        raise ControlFileError(
            f"{path}:1: the first row names the columns: position (or {units}), then parameters, or "
            "target and value"
        )
    names = [cell.lower() for cell in columns[1:]]
    by_target = names in (["target", "value"], ["target", "value", "interpolation"])
    points: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    lines: dict[str, int] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path}:{rows.line_num}"
        if len(row) > len(columns):
            raise ControlFileError(f"{where}: the row has more cells than the first")
        place, *cells = (_plain(cell, delimiter) for cell in row + [""] * (len(columns) - len(row)))
        if not place:
            raise ControlFileError(f"{where}: the row has no position")
        values = [tuple(cells)] if by_target else zip(columns[1:], cells, strict=True)
        for target, value, *way in values:
            if value:
                points[target].append((f"{place} {unit}", value, *(one for one in way if one)))
                lines.setdefault(target, rows.line_num)
    lanes = []
    for target, written in points.items():
        where = f"{path}:{lines[target]}"
        try:
            lanes.append(Lane(target, written, where=where))
        except ConfigurationError as error:
            raise ControlFileError(f"{where}: {error}") from None
    return Controls(tuple(lanes))


def _plain(cell: str, delimiter: str) -> str:
    """A cell without what spreadsheets put around and into numbers."""
    return (cell.replace(",", ".") if delimiter == ";" else cell).strip()
