"""What the live screen is drawn with: letters, bars and sliders, in Unicode or in ASCII."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

_FLOOR_DB = -60.0  # where a meter begins
_ZONES = ((-12.0, "green"), (-3.0, "yellow"), (math.inf, "red"))  # dB of full scale, up to


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs; every sign is one cell wide."""

    parts: str  # of a filled cell, from none to all of it
    mark: str  # a held peak
    on: str  # a slider's way so far
    half: str
    off: str
    rule: str
    pointer: str
    arrow: str
    left_right: str
    ellipsis: str
    encoding: str = "utf-8"  # names that are not ours must pass through it

    def blocks(self, share: float, cells: int) -> str:
        """So much of `cells`, and spaces."""
        steps = len(self.parts) - 1
        filled = round(min(1.0, max(0.0, share)) * cells * steps)
        whole, rest = divmod(filled, steps)
        return (self.parts[-1] * whole + self.parts[rest] * (rest > 0)).ljust(cells)

    def short(self, text: str, cells: int) -> str:
        """`text` in at most `cells`, without its end."""
        if cell_len(text) <= cells:
            return text
        return set_cell_size(text, max(0, cells - 1)).rstrip() + self.ellipsis if cells > 0 else ""

    def short_path(self, path: str, cells: int) -> str:
        """A path in at most `cells`, with the parameter's own name as long as may be."""
        if cell_len(path) <= cells:
            return path
        place, dot, name = path.rpartition(".")
        room = cells - cell_len(name) - 1
        return self.short(place, room) + dot + name if dot and room >= 2 else self.short(name, cells)

    def shown(self, text: str) -> str:
        """`text` as the terminal can show it, as wide as it was."""
        if text.isascii() or self.encoding == "utf-8":
            return text
        plain = text.encode(self.encoding, "replace").decode(self.encoding)
        return set_cell_size(plain, cell_len(text))


UNICODE = Glyphs(" ▏▎▍▌▋▊▉█", "│", "━", "╸", "─", "─", "▸", "→", "←→", "…")


def ascii_glyphs(encoding: str) -> Glyphs:
    """For a terminal of another encoding, of which ASCII is a part."""
    return Glyphs(" #", "|", "=", "-", ".", "-", ">", ">", "</>", "~", encoding)


def glyphs_for(encoding: str | None) -> Glyphs:
    """The signs that a stream of this encoding can show."""
    name = (encoding or "ascii").lower().replace("_", "-")
    return UNICODE if name in ("utf-8", "utf8") else ascii_glyphs(name)


def bar(level_db: float, peak_db: float, cells: int, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    """A level over 60 dB, green, yellow and red, and a mark where its held peak stands."""
    filled = glyphs.blocks(1 - level_db / _FLOOR_DB, cells)
    place = math.floor((1 - max(peak_db, 2 * _FLOOR_DB) / _FLOOR_DB) * cells)
    place = min(place, cells - 1)
    begin = 0
    for limit_db, colour in _ZONES:
        end = cells if limit_db == math.inf else round((1 - limit_db / _FLOOR_DB) * cells)
        if begin <= place < end:
            yield filled[begin:place], colour
            yield glyphs.mark, f"bold {colour}"
            begin = place + 1
        yield filled[begin:end], colour
        begin = max(begin, end)


def slider(position: float, cells: int, glyphs: Glyphs) -> Iterator[tuple[str, str]]:
    """Where a parameter stands."""
    halves = round(min(1.0, max(0.0, position)) * cells * 2)
    on = glyphs.on * (halves // 2) + glyphs.half * (halves % 2)
    yield on, "cyan"
    yield glyphs.off * (cells - len(on)), "dim"
