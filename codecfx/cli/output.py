"""What the verbs print: tables for people, JSON for programs."""

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_error(message: str, screen: "Console | None" = None) -> None:
    """Print one line on standard error, whatever is in `message`; above the bars of `screen`."""
    print_aside(f"codecfx: error: {' '.join(message.splitlines())}", screen)


def print_aside(line: str, screen: "Console | None" = None) -> None:
    """Print a line on standard error, above the bars of `screen`."""
    if screen is not None:
        screen.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
    elif sys.stderr is not None:  # None: closed by whoever started us
        print(line, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print `value` as JSON; numbers JSON does not have (an infinite level) become null."""
    print(json.dumps(_finite(value), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[str] = (),
    *,
    close: bool = False,
) -> None:
    """Print rows under their columns, those in `right` aligned to the right; the last may wrap. `close`
    leaves one space between columns instead of three.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    padding = (0, 0) if close else (0, 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column != columns[-1],
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(table)


def print_wrapped(text: str) -> None:
    """Print a long line in as many as the terminal's width makes of it, the others indented."""
    columns = shutil.get_terminal_size().columns
    print(textwrap.fill(text, columns, subsequent_indent="  ", break_on_hyphens=False))


def level(decibels: float) -> str:
    """A peak in words: '-1.2 dB', 'silent'."""
    return f"{decibels:.1f} dB" if math.isfinite(decibels) else "silent"
