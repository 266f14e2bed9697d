"""Decks: boards one after another on one stream, each brought when it is wanted, the next faded in.

::

    deck 1  ──────────────────────────────╮ heard
    deck 2          begun ─── warms ──────╯──────────────────────────
                    its latency, and more if asked; then a fade of 20 ms

Where a `Setlist` knows all its boards beforehand and keeps one latency, decks are brought while the
sound runs, and the latency is that of the one which is heard. A deck's time begins with its first
sample.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from codecfx.audio import Audio, smooth_step
from codecfx.effects.base import Effect
from codecfx.effects.dry_wet import faded
from codecfx.effects.paths import moves_live, places
from codecfx.effects.player import Event, Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.effects.setlist import Setlist

_FADE_MS = 20

Performer: TypeAlias = Player | Setlist


@dataclass(eq=False, slots=True)
class Deck:
    """A board, who plays it, and how it begins."""

    board: Effect
    performer: Performer
    number: int = 0
    warm_samples: int = 0  # so much longer than its latency does it play unheard
    keeps_values: bool = False  # it is the board that was heard, and goes on with its values
    begun: int = 0  # the stream's sample that was its first


class Decks:
    """Decks on one stream: a processor, as each of their performers is."""

    def __init__(
        self,
        first: Deck,
        changes: Iterable[tuple[int, Deck]] = (),
        events: Iterable[tuple[int, Event]] = (),
    ) -> None:
        """
        Args:
            first: heard from the start.
            changes: (sample, deck) as they began, ascending.
            events: (sample, message or move) as they were played, ascending.
        """
        self._first, self._changes, self._events = first, list(changes), list(events)
        self._posts: deque[Event] = deque()
        self._brought: Deck | None = None
        self.on_event: Callable[[int, Event], None] | None = None
        self.on_begin: Callable[[int, Deck], None] | None = None  # [audio thread]
        self.retired: deque[Deck] = deque()  # not heard any more; to be let go by a control thread
        self.ignored = 0  # what was posted and is nothing on any deck

    def prepare(self, spec: StreamSpec, samples: int | None = None) -> None:
        """As Player.prepare, of all that are known. [control thread]"""
        for deck in (self._first, *(deck for _, deck in self._changes)):
            deck.performer.prepare(spec, samples)
        self._rising = smooth_step(spec.sample_rate * _FADE_MS // 1000).astype(np.float32)
        self._rewind()

    def reset(self) -> None:
        """From the first sample again. [audio thread]"""
        for deck in (self._first, *(deck for _, deck in self._changes)):
            deck.performer.reset()
        self._rewind()

    def _rewind(self) -> None:
        self._now = 0
        self.heard, self.next = self._first, None
        self.heard.begun = 0
        self._due_changes, self._due_events = deque(self._changes), deque(self._events)

    def restore(self) -> None:
        """As Player.restore. [control thread]"""
        for deck in (self._first, *(deck for _, deck in self._changes)):
            deck.performer.restore()

    @property
    def latency_samples(self) -> int:
        """That of the deck which is heard."""
        return self.heard.performer.latency_samples

    next: Deck | None

    @property
    def newest(self) -> Deck:
        """The deck that takes over, or has."""
        return self.next or self.heard

    @property
    def now(self) -> int:
        """The sample that comes next."""
        return self._now

    # Live

    def bring(self, deck: Deck) -> None:
        """Begin this deck, which is prepared, with the next block, or when a takeover is over; of
        several brought meanwhile, the last. [control thread]
        """
        self._brought = deck

    @property
    def is_changing(self) -> bool:
        """Whether a deck takes over, or waits to. [any thread]"""
        return self.next is not None or self._brought is not None

    def post(self, event: Event) -> None:
        """As Player.post. [any thread]"""
        decks = (self.heard, self.next, self._brought)
        checked = (deck.performer.checked(event) for deck in decks if deck is not None)
        good = next((one for one in checked if one is not None), None)
        if good is None:
            self.ignored += 1
        else:
            self._posts.append(good)

    def process_block(self, block: Audio) -> Audio:
        """As Effect.process_block."""
        samples = block.shape[1]
        if not samples:
            return block
        self._take_over()
        if self._brought is not None and self.next is None:
            deck, self._brought = self._brought, None
            self._begin(deck)
        while self._posts:
            self._perform(self._now, self._posts.popleft())
        if self.next is None and not self._due_events and not self._due_changes:
            self._now += samples
            return self.heard.performer.process_block(block)
        output = np.empty_like(block)
        at = 0
        while at < samples:
            self._take_over()
            while self._due_changes and self._due_changes[0][0] <= self._now and self.next is None:
                self._begin(self._due_changes.popleft()[1])
            while self._due_events and self._due_events[0][0] <= self._now:
                self._perform(*self._due_events.popleft())
            past = at + min(samples - at, self._until_something())
            output[:, at:past] = self._play(block[:, at:past])
            at = past
        return output

    def _begin(self, deck: Deck) -> None:
        if deck.keeps_values:  # what has moved since it was made moves here too
            for old, new in zip(places(self.heard.board), places(deck.board), strict=False):
                for one in old.parameters:
                    if one not in new.parameters or not moves_live(one):
                        continue
                    value = old.effect.value_of(one)
                    if new.effect.value_of(one) != value:
                        path = f"{new.number}.{one.id}" if new.number else f"board.{one.id}"
                        self._posts.append(Move(path, value))
        deck.begun = self._now
        self.next = deck
        if self.on_begin is not None:
            self.on_begin(self._now, deck)

    def _perform(self, sample: int, event: Event) -> None:
        for deck in (self.heard, self.next):
            if deck is not None:
                deck.performer.perform(sample - deck.begun, event)
        if self.on_event is not None:
            self.on_event(sample, event)

    def _takeover(self, deck: Deck) -> int:
        """The sample at which a deck begins to be heard."""
        return deck.begun + deck.warm_samples + deck.performer.latency_samples

    def _take_over(self) -> None:
        """Let the old deck go where the new one is all that is heard."""
        if self.next is not None and self._now >= self._takeover(self.next) + len(self._rising):
            self.retired.append(self.heard)
            self.heard, self.next = self.next, None

    def _until_something(self) -> int:
        """Samples until a deck begins or has taken over, or something is played."""
        until = 2**62
        if self.next is not None:
            until = self._takeover(self.next) + len(self._rising) - self._now
        elif self._due_changes:
            until = self._due_changes[0][0] - self._now
        if self._due_events:
            until = min(until, self._due_events[0][0] - self._now)
        return until

    def _play(self, piece: Audio) -> Audio:
        """A piece in which no deck begins or ends."""
        begun = self._now
        self._now += piece.shape[1]
        sound = self.heard.performer.process_block(piece)
        if self.next is None:
            return sound
        into = begun - self._takeover(self.next)
        sound = sound.copy()  # both may be memory of one effect's own
        return faded(sound, self.next.performer.process_block(piece), self._rising, into)
