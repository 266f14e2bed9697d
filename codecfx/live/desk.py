"""The desk: everything that happens to a block between microphone and phones. [audio thread]

::

    microphone ─► as many channels as the board ─► decks ─► dry or wet ─► guard ─► mute ─► phones
                            └ take: dry               └ take: wet
"""

from collections import deque

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.effects.decks import Deck, Decks
from codecfx.effects.dry_wet import SmoothGain, mixed
from codecfx.effects.player import Event, Move
from codecfx.effects.processor import StreamSpec, without_garbage
from codecfx.live.guard import Guard
from codecfx.live.howl import HowlDetector
from codecfx.live.levels import Levels
from codecfx.live.memory import Memory


class Desk:
    """One stream through the decks, and what people hear of it."""

    def __init__(
        self, decks: Decks, spec: StreamSpec, memory: Memory, heard: int, *, muted: bool
    ) -> None:
        """`decks` are prepared for `spec`; `memory` gets levels, messages and sound; the microphone has
        `heard` channels.
        """
        self.decks, self._spec, self._memory = decks, spec, memory
        self.guard = Guard(spec.sample_rate, spec.channels)
        self.howl = HowlDetector(spec.sample_rate, spec.channels)
        for ears in (self.guard, self.howl):  # what is done for the first time takes milliseconds
            ears.process(silence(spec.channels, spec.sample_rate // 10))
            ears.reset()
        self._loud = SmoothGain(spec.sample_rate, 0.0 if muted else 1.0)
        self._wet = SmoothGain(spec.sample_rate, 1.0)
        self._asked: deque[bool | None] = deque()
        self._records: bool | None = None  # with the wet sound, or without; None for no take
        self._is_recording = False  # not before a deck begins
        rate, said = spec.sample_rate, spec.channels
        self.heard = Levels(rate, memory.in_peaks[:heard], memory.in_powers[:heard])
        self.said = Levels(rate, memory.out_peaks[:said], memory.out_powers[:said])
        decks.on_event, decks.on_begin = self._on_event, self._on_begin

    # From other threads

    def mute(self, muted: bool) -> None:
        """Fade out or in, in 20 ms. [control thread]"""
        self._loud.move_to(0.0 if muted else 1.0)

    def bypass(self, bypassed: bool) -> None:
        """Fade to what comes in, with no latency, or back. [control thread]"""
        self._wet.move_to(0.0 if bypassed else 1.0)

    def record(self, *, wet: bool) -> None:
        """Record a take, with what the board gives if it is to be `wet`. It begins with the next deck
        that begins, whose first sample is its own. [control thread]
        """
        self._asked.append(wet)

    def end_recording(self) -> None:
        """The take ends here. [control thread]"""
        self._asked.append(None)

    # The stream

    def process(self, heard: Audio) -> Audio:
        """The microphone's next block, (its channels, samples), to the phones', (channels, samples);
        both are looked at later, and have to stay as they are.
        """
        while (message := self._memory.midi.receive()) is not None:
            self.decks.post(message[0])
        heard = without_garbage(heard)
        samples = heard.shape[1]
        self.heard.hear(heard)
        block = matched(heard, self._spec.channels)
        while self._asked:
            self._end_recording()
            self._records = self._asked.popleft()
            if self._records is not None and not self.decks.now:
                self._begin_recording(0, self.decks.heard)
        begun = self.decks.now
        wet = self.decks.process_block(block).copy()  # it may be memory of an effect's own
        if self._is_recording:
            self._record(begun, block, wet)
        out = wet
        if not self._wet.is_still():
            out = mixed(block, wet, self._wet.next_gains(samples))
        elif self._wet.target == 0:
            out = block
        out = self.howl.process(self.guard.process(out))
        if not self._loud.is_still():
            out = out * self._loud.next_gains(samples)
        elif self._loud.target == 0:
            out = np.zeros_like(out)
        self.said.hear(out)
        return out

    # Takes

    def _begin_recording(self, sample: int, deck: Deck) -> None:
        self._memory.messages.send(("begin", sample, deck.number, self._records))
        self._is_recording = True

    def _end_recording(self) -> None:
        if self._is_recording:
            self._memory.messages.send(("end", self.decks.now))
        self._records, self._is_recording = None, False

    def _record(self, begun: int, block: Audio, wet: Audio) -> None:
        there = self._memory.dry.write(block)
        if there and self._records:
            there = self._memory.wet.write(wet)
        if not there:  # nobody fetches it: what there is so far is a take
            self._memory.messages.send(("overrun", begun))
            self._records, self._is_recording = None, False

    def _on_begin(self, sample: int, deck: Deck) -> None:
        if self._records is not None and not self._is_recording:
            self._begin_recording(sample, deck)
        else:
            self._memory.messages.send(("deck", sample, deck.number))

    def _on_event(self, sample: int, event: Event) -> None:
        said = (event.path, event.value) if isinstance(event, Move) else event
        self._memory.messages.send(("event", sample, said))


def matched(heard: Audio, channels: int) -> Audio:
    """So many channels: the same, one on all of them, or the mean of them on each."""
    if len(heard) == channels:
        return heard
    if len(heard) > channels == 1:
        mono: Audio = heard.mean(axis=0, keepdims=True, dtype=np.float32)
        return mono
    if len(heard) == 1:
        return np.repeat(heard, channels, axis=0)
    return np.concatenate((heard, np.zeros((channels, heard.shape[1]), np.float32)))[:channels]
