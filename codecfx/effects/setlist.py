"""The setlist: several boards, of which one plays; a program change goes over to another.

The next board begins to hear at the program change, and takes over as soon as that sound comes out of
the slowest of them, faded along a smooth step. Whoever plays, the latency is the slowest one's.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter

import numpy as np

from codecfx.audio import Audio, smooth_step
from codecfx.control.automation import on_grid
from codecfx.control.maps import Map
from codecfx.control.messages import is_message
from codecfx.control.reader import Reader
from codecfx.effects.dry_wet import DelayLine, faded
from codecfx.effects.player import Event, Player
from codecfx.effects.processor import StreamSpec

_FADE_MS = 20


class Setlist:
    """Players on one stream: a processor, as each of them is."""

    def __init__(
        self,
        players: Sequence[Player],
        programs: Mapping[Map, int],
        events: Iterable[tuple[int, Event]] = (),
    ) -> None:
        """
        Args:
            players: the first is heard from the start.
            programs: which of them a map's program change chooses.
            events: (sample, message or move) as they were played, ascending.
        """
        self._players = list(players)
        self._programs = [(Reader(one.source), number) for one, number in programs.items()]
        self._events = list(events)
        self._posts: deque[Event] = deque()
        self.on_event: Callable[[int, Event], None] | None = None
        self.ignored = 0  # what was posted and is nothing on any board

    def prepare(self, spec: StreamSpec, samples: int | None = None) -> None:
        """As Player.prepare, of all of them. [control thread]"""
        for player in self._players:
            player.prepare(spec, samples)
        self.latency_samples = max(player.latency_samples for player in self._players)
        self._waits = [
            DelayLine(self.latency_samples - player.latency_samples, spec.channels)
            for player in self._players
        ]
        self._rising = smooth_step(spec.sample_rate * _FADE_MS // 1000).astype(np.float32)
        self._rewind()

    def reset(self) -> None:
        """From the first sample again. [audio thread]"""
        for player in self._players:
            player.reset()
        self._rewind()

    def _rewind(self) -> None:
        self._now, self._heard = 0, 0
        self._next: int | None = None  # who takes over, from `_begun` on
        self._begun = 0
        self._chosen: tuple[int, int] | None = None  # who is to begin next, and from which sample on
        self._since: list[Event] = []  # what was played after that choice
        self._due = deque(self._events)
        for wait in self._waits:
            wait.reset()

    @property
    def moves(self) -> int:
        """As Player.moves, of all of them."""
        return sum(player.moves for player in self._players)

    def restore(self) -> None:
        """As Player.restore. [control thread]"""
        for player in self._players:
            player.restore()

    def post(self, event: Event) -> None:
        """As Player.post. [any thread]"""
        good = self.checked(event)
        if good is None:
            self.ignored += 1
        else:
            self._posts.append(good)

    def checked(self, event: object) -> Event | None:
        """As Player.checked, on any of the boards. [any thread]"""
        return next((one for player in self._players if (one := player.checked(event))), None)

    def perform(self, sample: int, event: Event) -> None:
        """As Player.perform. [audio thread]"""
        self._due.append((sample, event))
        if len(self._due) > 1:
            self._due = deque(sorted(self._due, key=itemgetter(0)))

    def process_block(self, block: Audio) -> Audio:
        """As Effect.process_block."""
        output = np.empty_like(block)
        at, end = 0, block.shape[1]
        while self._posts:
            event = self._posts.popleft()
            self.perform(self._now, event)
            if self.on_event is not None:
                self.on_event(self._now, event)
        while at < end:
            self._change()
            past = at + min(end - at, self._until_something())
            if self._due and self._due[0][0] < self._now + past - at:
                self._perform(*self._due.popleft())  # which may have been a program change
                continue
            output[:, at:past] = self._play(block[:, at:past])
            at = past
        return output

    def _perform(self, sample: int, event: Event) -> None:
        chosen = None
        if isinstance(event, bytes) and is_message(event):
            read = (number for reader, number in self._programs if reader.read(event) is not None)
            chosen = next(read, None)
        if chosen is not None:
            self._chosen, self._since = (chosen, on_grid(sample)), []
        elif self._chosen is not None:
            self._since.append(event)
        for number in {self._heard, self._playing}:
            self._players[number].perform(sample, event)

    @property
    def _playing(self) -> int:
        """Who is played: the one that takes over, while one does."""
        return self._heard if self._next is None else self._next

    def _until_something(self) -> int:
        """Samples until a board begins, or has taken over."""
        until = 2**62
        if self._next is not None:
            until = self._begun + self.latency_samples + len(self._rising) - self._now
        elif self._chosen is not None:
            until = on_grid(max(self._chosen[1], self._now)) - self._now
        return until

    def _change(self) -> None:
        """Whatever is due now: a takeover is over, a board begins."""
        if self._next is not None:
            if self._now < self._begun + self.latency_samples + len(self._rising):
                return
            self._heard, self._next = self._next, None
        if self._chosen is None or self._now < self._chosen[1] or self._now != on_grid(self._now):
            return
        number, _ = self._chosen
        self._chosen = None
        if number != self._heard:
            self._next, self._begun = number, self._now
            self._players[number].begin_here()
            self._waits[number].reset()
            for event in self._since:  # a scene's program change comes before its controllers
                self._players[number].perform(self._now, event)

    def _play(self, piece: Audio) -> Audio:
        """A piece in which no board begins or ends."""
        sounds = {}
        for number, (player, wait) in enumerate(zip(self._players, self._waits, strict=True)):
            if number in (self._heard, self._next):
                sounds[number] = wait.exchange(player.process_block(piece))
            else:
                player.listen(piece)
        old, begun = sounds[self._heard], self._now
        self._now += piece.shape[1]
        if self._next is None:
            return old
        into = begun - self._begun - self.latency_samples
        return faded(old, sounds[self._next], self._rising, into)
