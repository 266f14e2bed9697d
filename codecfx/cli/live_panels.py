"""The live screen as lines: what the host says, and where the player looks.

::

    presets A and B, time                      which is heard stands in brackets
    MUTED  BYPASS  REC 0:12  take              what must not be overlooked
    in 1 ####--|--  -18.2 dB  out 1 ####--|--  a row a channel
    guard, bits, packets
    latency                                    a sum, in one line or two
    packets                                    lost, concealed, repaired, damaged, where any are
    load, dropouts
    devices, MIDI
    -- parameters ----------------------------
    > opus.bitrate_kbps  ====--  24 kbps cc 21 as many as there is room for
    ! trouble                                  where there is some
    news
    keys
"""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len, set_cell_size

from codecfx.cli import live_knobs as lower
from codecfx.cli import live_words as words
from codecfx.cli.live_glyphs import Glyphs, bar
from codecfx.cli.live_view import View

if TYPE_CHECKING:
    from codecfx.live.status import Level, Status

Line: TypeAlias = tuple[tuple[str, str], ...]  # texts, each with a style of rich's

_ALARM, _WARNING = "bold reverse red", "bold reverse yellow"
_FLAG_STYLES = {"alarm": _ALARM, "warning": _WARNING, "fact": "reverse cyan"}
_MOST_CHANNELS = 4  # rows of meters where there are 24
_ROOMY = 30  # rows


def picture(view: View, width: int, height: int) -> list[Line]:
    """The whole screen, a line a row. `view` learns how many parameters it shows."""
    status = view.status
    gap: list[Line] = [()] if height >= _ROOMY else []
    above = [_presets(status, view, width), _flags(status, view, width), *gap]
    above += [*_meters(status, view, width, height), _signal(view.steady, view, width)]
    facts = [_load(view.steady, width), _devices(status, view, width), _control(status, view, width)]
    news = lower.news(status, view, width, 1 if height < _ROOMY else 3)
    below = [*lower.trouble(status, width), *news, lower.keys(view, width)]
    help_lines = lower.help_lines(view, width) if view.is_help else []
    room = height - len(above) - len(below) - len(gap)
    lines = words.latency_lines(status.latency, width - 10, 2 if room >= 9 else 1)
    facts = [*_latency(lines), *_packets(view.steady, width), *facts]
    del facts[max(0, room - max(4, len(help_lines))) :]
    above += [*facts, *gap]
    view.rows = max(1, height - len(above) - len(below) - 1)
    middle = help_lines or lower.knobs(status, view, width)
    middle = [*middle[: view.rows + 1], *[()] * (view.rows + 1 - len(middle))]
    return [*above, *middle, *below][:height]


def moved(before: Sequence[Line], view: View, width: int, height: int) -> list[Line]:
    """A picture of a moment ago whose meters are those of now, for a quarter of the work."""
    at = 2 + (height >= _ROOMY)
    meters = _meters(view.status, view, width, height)
    return [*before[:at], *meters, *before[at + len(meters) :]]


def _presets(status: "Status", view: View, width: int) -> Line:
    """Both sides, the heard one in brackets; where the preset stands among all; the time."""
    time = words.clock(status.seconds)
    place = ""
    if status.preset in status.presets:
        place = f"{status.presets.index(status.preset) + 1} of {len(status.presets)}"
    room = width - len(time) - len(place) - 8
    names = {name: words.side(status, name) or "empty" for name in ("A", "B")}
    cells = {name: cell_len(text) + 4 for name, text in names.items()}
    if sum(cells.values()) > room:  # the heard one gets what the other leaves, or two thirds
        other = "B" if status.side == "A" else "A"
        cells[other] = min(cells[other], max(room // 3, room - cells[status.side]))
        cells[status.side] = min(cells[status.side], room - cells[other])
    spans = [(" ", "")]
    for name, text in names.items():
        shown = view.glyphs.short(text, cells[name] - 4)
        heard = name == status.side
        spans.append((f"[{name} {shown}]", "bold reverse") if heard else (f" {name} {shown} ", ""))
        spans.append((" ", ""))
    spans.append((f" {place}", "dim"))
    return _spread(spans, [(f"{time} ", "")], width)


def _flags(status: "Status", view: View, width: int) -> Line:
    flags = words.flags(status)
    if view.is_clamping:
        flags.append(("CLAMPED", "warning"))
    spans = [(" ", "")]
    for text, urgency in flags:
        spans += [(f" {text} ", _FLAG_STYLES[urgency]), (" ", "")]
    if not any(text in ("MUTED", "STARTING", "DEVICE LOST") for text, _ in flags):
        spans.insert(1, ("sound is on  ", "green"))
    room = width - sum(cell_len(text) for text, _ in spans) - 1
    take = words.clean(status.take.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return _spread(spans, [(view.glyphs.short(take, room), "")], width)


def _meters(status: "Status", view: View, width: int, height: int) -> list[Line]:
    """Inputs on the left, outputs on the right; channels that find no row share the last one."""
    most = max(1, min(_MOST_CHANNELS, height - 12)) if height < _ROOMY else height // 3
    half = (width - 3) // 2
    sides = [
        _side("in", status.inputs, view.steady.inputs, view.held_in, most, half, view.glyphs),
        _side("out", status.outputs, view.steady.outputs, view.held_out, most, half, view.glyphs),
    ]
    rows = zip_longest(*sides, fillvalue=((" " * half, ""),))
    return [((" ", ""), *left, ("  ", ""), *right) for left, right in rows]


def _side(
    name: str,
    levels: "Sequence[Level]",
    steady: "Sequence[Level]",
    held: Sequence[float],
    most: int,
    width: int,
    glyphs: Glyphs,
) -> list[Line]:
    if not levels:
        return [((set_cell_size(f"{name}  none", width), "dim"),)]
    lines = []
    for at, level in enumerate(levels[:most]):
        group = range(at, len(levels) if at == most - 1 else at + 1)
        loudest = max(group, key=lambda one: levels[one].peak_db)
        figure = steady[loudest].rms_db if loudest < len(steady) else level.rms_db
        peak = max(held[loudest] if loudest < len(held) else levels[loudest].peak_db, -200.0)
        label = f"{name} {at + 1}" + f"-{len(levels)}" * (len(group) > 1)
        figures = f"{words.decibels(figure):>6}" + " dB " * (figure > -200) + "    " * (figure <= -200)
        top = f"{glyphs.mark}{peak:<5.1f}" if peak > -200 else " " * 6
        cells = max(6, len(label) + 1)
        room = width - cells - len(figures) - 7
        if room < 4:  # the figure gives way
            figures, room = "", width - cells - 7
        style = _ALARM if peak >= -0.05 else "bold yellow" if peak > -3 else ""
        lines.append(
            (
                (f"{label:<{cells}}", "bold"),
                *bar(levels[loudest].rms_db, peak, room, glyphs),
                (f" {figures}", ""),
                (top, style),
            )
        )
    return lines


def _signal(status: "Status", view: View, width: int) -> Line:
    reduction = status.reduction_db
    busy = reduction <= -0.05
    guard = f"{reduction:.1f} dB" if busy else "0 dB"
    spans = [
        (" guard ", "bold"),
        (view.glyphs.blocks(min(1.0, -reduction / 20), 8), "yellow"),
        (f"{guard:>9}   ", "bold yellow" if busy else ""),
        (words.bitrate(status), "bold"),
        (f"   {words.losses(status)}", "yellow" if status.lost_packets else ""),
    ]
    if status.clamped_samples:
        spans.append((f"   clamped {status.clamped_samples}", "yellow"))
    return _fitted(spans, width)


def _packets(status: "Status", width: int) -> list[Line]:
    """What became of them, where anything did."""
    if not words.is_wrong(status):
        return []
    return [_fitted([(" packets  ", "bold"), (words.fates(status), "")], width)]


def _latency(lines: Sequence[str]) -> list[Line]:
    labels = [" latency  ", *[" " * 10] * (len(lines) - 1)]
    return [((label, "bold"), (line, "")) for label, line in zip(labels, lines, strict=True)]


def _load(status: "Status", width: int) -> Line:
    worst = status.load.worst
    spans = [
        (" load     ", "bold"),
        (words.load(status.load), _ALARM if worst >= 1 else "yellow" if worst > 0.7 else ""),
        ("   dropouts ", "bold"),
        (words.dropouts(status), "bold red" if status.dropouts else ""),
    ]
    return _fitted(spans, width)


def _devices(status: "Status", view: View, width: int) -> Line:
    facts = f"   {words.rate(status.sample_rate)}   block {status.block_samples}"
    facts *= bool(status.sample_rate)
    names = [words.clean(name) or "?" for name in (status.input_name, status.output_name)]
    room = width - 10 - 3 - cell_len(facts)
    first = max(room - cell_len(names[1]), min(cell_len(names[0]), room // 2))
    shown = view.glyphs.short(names[0], first)
    other = view.glyphs.short(names[1], room - cell_len(shown))
    return _fitted([(" devices  ", "bold"), (f"{shown} {view.glyphs.arrow} {other}{facts}", "")], width)


def _control(status: "Status", view: View, width: int) -> Line:
    priority = "real-time priority yes" if status.is_real_time else "real-time priority NO"
    restarts = f"   {words.counted(status.restarts, 'restart')}" * bool(status.restarts)
    midi = ", ".join(map(words.clean, status.midi_inputs)) or "none"
    shown = view.glyphs.short(midi, width - 10 - 3 - len(priority) - len(restarts))
    style = "" if status.is_real_time else "bold yellow"
    spans = [(" midi     ", "bold"), (f"{shown}   ", ""), (priority, style), (restarts, "bold red")]
    return _fitted(spans, width)


def _fitted(spans: Iterable[tuple[str, str]], width: int) -> Line:
    """What fits, from the left on."""
    left = width
    kept = []
    for text, style in spans:
        if cell_len(text) > left:
            kept.append((set_cell_size(text, left), style))
            break
        kept.append((text, style))
        left -= cell_len(text)
    return tuple(kept)


def _spread(left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]], width: int) -> Line:
    """Some on the left, some on the right."""
    taken = sum(cell_len(text) for text, _ in (*left, *right))
    return (*left, (" " * max(1, width - taken), ""), *right)
