"""Where the player of a live screen looks, and what the screen remembers of a moment ago."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from codecfx.cli.live_glyphs import Glyphs

if TYPE_CHECKING:
    from codecfx.live.status import Knob, Level, Status

_FIGURE_SECONDS = 0.27  # figures that change faster cannot be read
_HOLD_SECONDS = 1.5  # a peak's mark stays, and what was clamped is known
_NOTICE_SECONDS = 6.0


class View:
    """What is seen, but for what the host says now."""

    def __init__(self, glyphs: Glyphs, status: "Status") -> None:
        self.glyphs = glyphs
        self.status = status
        self.steady = status  # as figures show it
        self.path = ""  # the parameter that is chosen
        self.top, self.rows = 0, 1  # the first parameter that is seen, and how many are
        self.shows_all = False  # also parameters of groups that do nothing
        self.is_help = False
        self.prompt = ""  # what a value is typed for
        self.notice = ""  # an answer to the latest key
        self.is_refusal = False
        self.held_in: list[float] = []  # peaks, dB
        self.held_out: list[float] = []
        self.is_clamping = False
        self._peaks_in, self._peaks_out = PeakHold(), PeakHold()
        self._steady_until = self._notice_until = self._clamping_until = 0.0

    def look(self, status: "Status", now: float) -> None:
        """See how everything is at `now`, in seconds of the monotonic clock."""
        if now >= self._steady_until or status.state != self.status.state:
            self.steady, self._steady_until = status, now + _FIGURE_SECONDS
        if status.clamped_samples > self.status.clamped_samples:
            self._clamping_until = now + _HOLD_SECONDS
        self.is_clamping = now < self._clamping_until
        self.held_in = self._peaks_in.held(status.inputs, now)
        self.held_out = self._peaks_out.held(status.outputs, now)
        if now > self._notice_until:
            self.notice = ""
        self.status = status

    def say(self, text: str, *, is_refusal: bool = False) -> None:
        """Answer a key, for a while."""
        self.notice, self.is_refusal = text, is_refusal
        self._notice_until = time.monotonic() + _NOTICE_SECONDS

    def knobs(self) -> "Sequence[Knob]":
        """The parameters to choose from: of a network and damage, only what is set, moved or chosen,
        unless all are wanted.
        """
        learning = self.status.learning
        return [
            one
            for one in self.status.knobs
            if self.shows_all
            or not one.parameter.group
            or one.value != one.parameter.default
            or one.source
            or one.path in (self.path, learning)
        ]

    def chosen(self) -> int | None:
        """Which of the parameters is chosen: the first, where the one that was is gone."""
        paths = [knob.path for knob in self.knobs()]
        if self.path not in paths:
            self.path = paths[0] if paths else ""
        return paths.index(self.path) if paths else None

    def choose(self, step: int) -> None:
        """Choose another, so many further, but no further than the ends."""
        at, knobs = self.chosen(), self.knobs()
        if at is not None:
            self.path = knobs[min(max(at + step, 0), len(knobs) - 1)].path

    def seen(self) -> "Sequence[Knob]":
        """As many parameters as there are rows, the chosen one among them; scrolls no further than
        that takes.
        """
        at, knobs = self.chosen(), self.knobs()
        if at is not None:
            self.top = min(max(self.top, at - self.rows + 1), at, max(0, len(knobs) - self.rows))
        return knobs[self.top : self.top + self.rows]


class PeakHold:
    """Peaks that stay for a while."""

    def __init__(self) -> None:
        self._held: list[tuple[float, float]] = []  # dB, and until when

    def held(self, levels: "Sequence[Level]", now: float) -> list[float]:
        """Every channel's held peak, in dB."""
        if len(self._held) != len(levels):
            self._held = [(level.peak_db, now + _HOLD_SECONDS) for level in levels]
        for at, level in enumerate(levels):
            peak_db, until = self._held[at]
            if level.peak_db >= peak_db or now > until:
                self._held[at] = (level.peak_db, now + _HOLD_SECONDS)
        return [peak_db for peak_db, _ in self._held]
