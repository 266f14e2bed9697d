"""What happens in a live session, as lines: the difference between two statuses, in words."""

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

from codecfx.cli import live_words as words

if TYPE_CHECKING:
    from codecfx.live.status import Status

_SUMMARY_SECONDS = 10.0
_PACE_SECONDS = 0.5  # what changes all the time is told so often


class Journal:
    """Lines for what happened since the last look, each with the time since the start."""

    def __init__(self) -> None:
        self._before: Status | None = None
        self._next_summary = 0.0
        self._told: dict[str, tuple[Hashable, float]] = {}  # by topic: what was told, and when

    def lines(self, status: "Status", now: float) -> list[str]:
        """What is new at `now`, in seconds of the monotonic clock."""
        before, self._before = self._before, status
        if before is None:
            self._next_summary = now + _SUMMARY_SECONDS
            found = list(_beginning(status))
        else:
            found = list(_changes(before, status))
        found += self._moves(before, status, now)
        found += self._counts(status, now)
        if now >= self._next_summary:
            self._next_summary = now + _SUMMARY_SECONDS
            found.append(words.summary(status))
        time = words.clock(status.seconds)
        return [f"{time} {line}" for line in found]

    def _moves(self, before: "Status | None", status: "Status", now: float) -> Iterator[str]:
        """Parameters that moved or are moved by something else; not those that a preset brought."""
        sound = (status.preset, status.side, [knob.path for knob in status.knobs])
        if before is None or sound != (
            before.preset,
            before.side,
            [knob.path for knob in before.knobs],
        ):
            for knob in status.knobs:
                self._told[knob.path] = ((knob.text, knob.source), -math.inf)
        for knob in status.knobs:
            if self._is_told(knob.path, (knob.text, knob.source), now):
                yield words.knob(knob)

    def _counts(self, status: "Status", now: float) -> Iterator[str]:
        if status.dropouts and self._is_told(" dropouts", status.dropouts, now):
            latest = status.recent_dropouts[-1:]
            size = "".join(f", {words.counted(one.blocks, 'block')}" for one in latest)
            yield f"dropouts: {words.dropouts(status)}{size}"
        if status.clamped_samples and self._is_told(" clamped", status.clamped_samples, now):
            yield f"clamped: {words.counted(status.clamped_samples, 'sample')} in all"

    def _is_told(self, topic: str, what: Hashable, now: float) -> bool:
        """Whether it is new, and long enough ago that something of this topic was told; if not, a
        later look will tell.
        """
        told, when = self._told.get(topic, (None, -math.inf))
        if what == told or now - when < _PACE_SECONDS:
            return False
        self._told[topic] = what, now
        return True


def _sound(status: "Status") -> tuple[Hashable, ...]:
    """What says whether it is still the same board."""
    return status.preset, status.side, tuple(knob.path for knob in status.knobs)


def _beginning(status: "Status") -> Iterator[str]:
    yield _state(status)
    yield f"preset: {words.clean(status.preset) or 'none'}"
    yield "muted" if status.is_muted else "sound is on"
    if status.is_bypassed:
        yield "bypass: the dry sound"
    if status.take:
        yield f"take started: {words.clean(status.take)}"
    if status.latency:
        yield f"latency: {words.latency_sum(status.latency)}"
    yield from map(words.clean, status.news)
    if status.trouble:
        yield f"trouble: {words.clean(status.trouble)}"


def _changes(before: "Status", now: "Status") -> Iterator[str]:
    """What is not as it was, but for what moves."""
    if now.state != before.state:
        is_back = before.state == "lost" and now.state == "running"
        yield "device is back; " * is_back + _state(now)
    yield from map(words.clean, fresh(before.news, now.news))
    if now.trouble != before.trouble:
        yield f"trouble: {words.clean(now.trouble)}" if now.trouble else "the trouble is over"
    if now.restarts > before.restarts:
        yield f"the engine was restarted, {words.counted(now.restarts, 'time')} in all"
    if now.side != before.side:
        yield f"side {now.side}"
    if now.preset != before.preset or now.side != before.side:
        yield f"preset: {words.clean(now.preset) or 'none'}"
    if now.is_muted != before.is_muted:
        yield "muted" if now.is_muted else "sound is on"
    if now.is_bypassed != before.is_bypassed:
        yield "bypass: the dry sound" if now.is_bypassed else "bypass is off"
    if now.is_howling != before.is_howling:
        howl = f"howl at {now.howl_hz:.0f} Hz" if now.howl_hz > 0 else "howl"
        yield howl if now.is_howling else "the howl is over"
    if now.has_silent_input != before.has_silent_input:
        yield "no input: nothing but zeros comes in" if now.has_silent_input else "input is there"
    if now.latency and _lateness(now) != _lateness(before):
        yield f"latency: {words.latency_sum(now.latency)}"
    yield from _recording(before, now)
    if now.learning and now.learning != before.learning:
        yield f"learning: move a control, it will move {words.clean(now.learning)}"


def _recording(before: "Status", now: "Status") -> Iterator[str]:
    if now.take == before.take:
        return
    if before.take:
        yield f"take finished: {words.clean(before.take)}, {words.clock(before.take_seconds)}"
    if now.take:
        yield f"take started: {words.clean(now.take)}"


def _lateness(status: "Status") -> list[tuple[str, int, bool]]:
    return [(part.name, part.samples, part.is_known) for part in status.latency]


def _state(status: "Status") -> str:
    match status.state:
        case "running":
            return f"running: {words.devices(status)}"
        case "lost":
            return "device lost"
        case state:
            return state


def fresh(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What is new in `after`, the newest of a list whose oldest go.

    >>> fresh(("a", "b"), ("b", "c")), fresh(("a", "b"), ("a", "b")), fresh((), ("a",))
    (['c'], [], ['a'])
    """
    for gone in range(len(before) + 1):
        kept = before[gone:]
        if tuple(after[: len(kept)]) == tuple(kept):
            return list(after[len(kept) :])
    return list(after)
