"""The agenda: what happens on a stream, at which sample, and in which order."""

import heapq
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from itertools import count, groupby
from operator import itemgetter
from typing import Any

from codecfx.control.parameters import Value
from codecfx.effects.steering import PlayedLane, PlayedModulator, Steered, Steering

# Moves are worked out so far ahead: long enough that numpy's calls cost little per move
_PLANNED_TICKS = 64
_NEVER = 2**63 - 1


class Rank(IntEnum):
    """What comes first where several things happen at a sample, after what was planned."""

    FOLLOWED = 0  # moves of modulators that listen
    GLIDES = 1
    LATE = 2  # moves that have met their sound
    PERFORMED = 3  # what hands do comes last, and counts


class Agenda:
    """Moves of lanes and modulators, worked out ahead, and what comes up on the way.

    The order of everything depends on the stream's samples only, not on when it is asked for.
    """

    def __init__(self, steering: Steering, tick_samples: int, start: int = 0) -> None:
        """Nothing happens before sample `start`."""
        self._steering, self._tick_samples = steering, tick_samples
        self._start = self._followed_to = start
        self._window = _PLANNED_TICKS * tick_samples
        self._planned_to = start // self._window * self._window
        self._planned: deque[tuple[int, dict[Steered, Value]]] = deque()
        self._order = count()
        self._due: list[tuple[int, Rank, int, int, Any]] = []  # a heap

    def push(self, sample: int, rank: Rank, what: Any, number: int = 0) -> None:
        """Something will happen; of one rank at one sample the lower `number` comes first, then who was
        pushed first.
        """
        heapq.heappush(self._due, (sample, rank, number, next(self._order), what))

    def plan(self, end: int) -> None:
        """Work out what moves by itself before sample `end`, up to which modulators have heard."""
        steering, tick = self._steering, self._tick_samples
        for follower in steering.followers:
            for sample, steered, value in follower.moves(self._followed_to, end, tick):
                self.push(sample, Rank.FOLLOWED, (steered, value), steered.number)
        self._followed_to = end
        while self._planned_to < end:
            begin, self._planned_to = self._planned_to, self._planned_to + self._window
            tracks: list[PlayedLane | PlayedModulator] = [*steering.lanes, *steering.modulators]
            moves = [move for track in tracks for move in track.moves(begin, self._planned_to, tick)]
            if begin < self._start:
                moves = [move for move in moves if move[0] >= self._start]
            moves.sort(key=itemgetter(0))
            for sample, at_once in groupby(moves, key=itemgetter(0)):
                self._planned.append((sample, {steered: value for _, steered, value in at_once}))

    @property
    def next_sample(self) -> int:
        """The next sample where something happens."""
        planned = self._planned[0][0] if self._planned else _NEVER
        return min(planned, self._due[0][0]) if self._due else planned

    def planned_at(self, sample: int) -> dict[Steered, Value]:
        """Take what was worked out for a sample; of what moves twice, the last counts."""
        moved: dict[Steered, Value] = {}
        while self._planned and self._planned[0][0] == sample:
            moved |= self._planned.popleft()[1]
        return moved

    def due_at(self, sample: int) -> Iterator[tuple[Rank, Any]]:
        """Take what is due at a sample, also what comes up while it is taken."""
        while self._due and self._due[0][0] == sample:
            _, rank, _, _, what = heapq.heappop(self._due)
            yield rank, what
