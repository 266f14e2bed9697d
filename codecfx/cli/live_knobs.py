"""The lower half of the live screen: parameters and how they stand, or help; news; keys."""

import textwrap
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from codecfx.cli.live_glyphs import Glyphs, slider
from codecfx.cli.live_words import clean
from codecfx.control.parameters import Change

if TYPE_CHECKING:
    from codecfx.cli.live_panels import Line
    from codecfx.cli.live_view import View
    from codecfx.live.status import Knob, Status

KEYS = (  # the most important first: a narrow screen shows what fits
    ("m", "mute"),
    ("space", "bypass"),
    ("p", "panic"),
    ("x", "A/B"),
    ("n", "next"),
    ("r", "record"),
    ("L", "learn"),
    ("?", "help"),
    ("q", "quit"),
)
HELP = (
    ("m", "mute"),
    ("space, b", "bypass: the dry sound"),
    ("p", "panic: silence, now"),
    ("x", "A/B: the other side"),
    ("n, N", "next, previous preset"),
    ("r", "record a take, or end it"),
    ("s", "save as a preset"),
    ("q, Ctrl-C", "end the take, and quit"),
    ("up, down, PgUp, -Dn", "choose a parameter"),
    ("a", "all, or used ones"),
    ("left, right, h, l", "turn it by a step"),
    ("Shift-left, -right", "by ten; or [ and ]"),
    ("Enter", "type a value"),
    ("L", "learn: move a control"),
    ("Del, Backspace", "forget what moves it"),
    ("?, Esc", "help; close it"),
)


def knobs(status: "Status", view: "View", width: int) -> "list[Line]":
    """A line that says what is chosen, and the parameters around it."""
    at, everything = view.chosen(), view.knobs()
    if at is None:
        return [_rule("parameters", "none", view, width)]
    seen = view.seen()
    title = f"parameters {view.top + 1}-{view.top + len(seen)} of {len(everything)}"
    if len(everything) < len(status.knobs):
        title += f" (a: all {len(status.knobs)})"
    return [
        _rule(title, _about(everything[at]), view, width),
        *_rows(everything, seen, view, width, status.learning),
    ]


def _about(knob: "Knob") -> str:
    """What the chosen one is and takes."""
    anew = ", made anew" if knob.parameter.change is Change.PREPARE else ""
    return f"{clean(knob.parameter.name)}: {clean(knob.parameter.allowed)}{anew}"


def _rule(title: str, about: str, view: "View", width: int) -> "Line":
    rule = view.glyphs.rule
    about = view.glyphs.short(about, max(0, width - cell_len(title) - 12))
    room = width - cell_len(title) - cell_len(about) - 8
    return (
        (f"{rule * 2} ", "dim"),
        (title, "bold"),
        (f" {rule * room} ", "dim"),
        (about, ""),
        (f" {rule * 2}", "dim"),
    )


def _rows(
    everything: "Sequence[Knob]", seen: "Sequence[Knob]", view: "View", width: int, learning: str
) -> "Iterable[Line]":
    texts = 12 if width < 90 else 20  # cells, of a value and of what moves it
    room = width - 3 - 2 * texts - 8
    longest = max(cell_len(knob.path) for knob in everything)
    way = min(40, max(12, room - longest))
    cells = (max(8, min(longest, room - way)), way, texts)
    for knob in seen:
        source = "move a control" if knob.path == learning else knob.source
        yield _row(view.glyphs, knob.path, _way(knob), knob.text, source, knob.path == view.path, cells)


@lru_cache(256)
def _row(
    glyphs: Glyphs,
    path: str,
    way: float,
    text: str,
    source: str,
    is_chosen: bool,
    cells: tuple[int, int, int],
) -> "Line":
    """A parameter; most of them stand as they stood."""
    place, room, texts = cells
    ground = " reverse" if is_chosen else ""
    return (
        (f" {glyphs.pointer if is_chosen else ' '} ", "bold"),
        (_filled(glyphs.short_path(clean(path), place), place + 2), ground),
        *((part, style + ground) for part, style in slider(way, room, glyphs)),
        (_filled(f"  {glyphs.short(clean(text), texts)}", texts + 4), f"bold{ground}"),
        (_filled(glyphs.short(clean(source), texts + 2), texts + 2), ground),
    )


def _way(knob: "Knob") -> float:
    """How far it is on its way: the last of named values is at the end, and off at the beginning."""
    steps = knob.parameter.steps
    if knob.value in steps and len(steps) > 1:
        return steps.index(knob.value) / (len(steps) - 1)
    return knob.position


def _filled(text: str, cells: int) -> str:
    return set_cell_size(text, cells)


def help_lines(view: "View", width: int) -> "list[Line]":
    """Every key, in as many columns as it takes."""
    columns = 2 if width >= 72 else 1
    rows = -(-len(HELP) // columns)
    parts = [HELP[at : at + rows] for at in range(0, len(HELP), rows)]
    lines: list[Line] = [_rule("keys", "? or Esc: back to the parameters", view, width)]
    for row in range(rows):
        spans: list[tuple[str, str]] = [(" ", "")]
        for part in parts:
            key, what = part[row] if row < len(part) else ("", "")
            cells = [2 + max(len(one[column]) for one in part) for column in (0, 1)]
            spans += [(f"{key:<{cells[0]}}", "bold"), (f"{what:<{cells[1]}}", "")]
        lines.append(tuple(spans))
    return lines


def trouble(status: "Status", width: int) -> "list[Line]":
    """What is wrong and what to do, in two lines at most."""
    signs = (" ! ", "   ")
    return [
        ((sign, "bold reverse red"), (_filled(line, width - 3), "reverse red"))
        for sign, line in zip(signs, _wrapped(status.trouble, width - 4, 2), strict=False)
    ]


def news(status: "Status", view: "View", width: int, rows: int) -> "list[Line]":
    """The answer to the latest key, or what is asked for, in three lines at most; or what happened
    lately, in `rows`.
    """
    text, style = view.prompt, "bold"
    if view.notice:
        text, style = view.notice, "bold red" if view.is_refusal else "bold"
    elif status.learning and not text:
        text, style = f"move a control: it will move {status.learning} (Esc: leave it)", "bold cyan"
    lines = [(line, style) for line in _wrapped(text, width - 2, 3)]
    lines = lines or [(clean(one), "") for one in status.news[-rows:]]
    lines = [*[("", "")] * (rows - len(lines)), *lines]
    return [((f" {view.glyphs.short(line, width - 2)}", style),) for line, style in lines]


def _wrapped(text: str, width: int, most: int) -> list[str]:
    return textwrap.wrap(clean(text), width, max_lines=most, placeholder=" ...") if text else []


def keys(view: "View", width: int) -> "Line":
    """As many keys as fit, the way out among them."""
    shown = list(KEYS)
    turning = (f"{view.glyphs.left_right}", "turn")
    shown.insert(6, turning)
    while len(shown) > 1 and sum(cell_len(key) + len(what) + 3 for key, what in shown) > width:
        del shown[-3 if len(shown) > 2 else 0]
    spans: list[tuple[str, str]] = [(" ", "")]
    for key, what in shown:
        spans += [(key, "bold reverse"), (f" {what}  ", "")]
    return tuple(spans)
