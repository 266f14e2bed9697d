"""The player: a board, and what moves it, to the sample.

::

    lanes ───────► moves, at their samples ─┐
    modulators ──► a move a tick ───────────┤   block cut at every move
    messages ──► maps ──► moves, glides ────┴─► set, process, set, process, ...

Whatever moves a parameter, the block is cut where it moves (on pedalboard's grid where the board is on
it), so that the samples never depend on the blocks. Live, a message is applied at the first sample of
the next block; played again from there, it gives the same samples.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from codecfx.audio import Audio
from codecfx.control.automation import tick_samples
from codecfx.control.controls import Controls
from codecfx.control.messages import is_message
from codecfx.control.modulation import INPUT
from codecfx.control.parameters import Value
from codecfx.control.timeline import Timeline
from codecfx.effects.agenda import Agenda, Rank
from codecfx.effects.base import Effect
from codecfx.effects.paths import places
from codecfx.effects.processor import STEP_SAMPLES, StreamSpec, without_garbage
from codecfx.effects.steering import Glide, Steered, Steering
from codecfx.errors import ConfigurationError, shown


@dataclass(frozen=True, slots=True)
class Move:
    """A parameter set by hand: path, plain value."""

    path: str
    value: Value


Event: TypeAlias = bytes | Move
"""What a performer does: a MIDI message, or a parameter moved by hand."""

Automation: TypeAlias = Controls | Mapping[str, ArrayLike]
"""What `Effect.process` takes: controls, or by path an array with a value for each sample."""

Listen: TypeAlias = Callable[[object, str, int], Audio]
"""A side-chain: who listens, a path, a number of samples; to the next so many samples of that sound."""


def no_side_chain(listener: object, path: str, samples: int) -> Audio:
    """Raises ConfigurationError: where no files are read, none plays along."""
    raise ConfigurationError(f"{path}: a side-chain from a file is heard in 'codecfx render' only")


class Player:
    """Runs a board and moves it: a processor, as an effect's running half is.

    Time is taken in one of two ways. A performance in a file's own time (lanes, a .mid) meets the sound
    where it was: a move comes as much later as the sound is late that reaches its effect. A live one is
    in the stream's time: what arrives now acts now.
    """

    def __init__(
        self,
        board: Effect,
        controls: Controls | None = None,
        *,
        events: Iterable[tuple[int, Event]] = (),
        curves: Mapping[str, ArrayLike] | None = None,
        in_file_time: bool = False,
        seed: int = 0,
        listen: Listen = no_side_chain,
    ) -> None:
        """
        Args:
            events: (sample, message or move) as they were played, ascending.
            curves: values by path, (samples,): one for each sample from the first on.
            in_file_time: whether positions are the sound's own, as of a file, or those of the stream,
                as live.
            seed: added to every modulator's own.
            listen: plays the files that modulators listen to.
        """
        self.board = board
        self._controls = controls or Controls()
        self._curves = dict(curves or {})
        self._events = list(events)
        self._in_file_time, self._seed, self._listen = in_file_time, seed, listen
        self._before = [
            (place.effect, one, place.effect.value_of(one))
            for place in places(board)
            for one in place.parameters
        ]
        self._posts: deque[Event] = deque()
        self._is_prepared = False
        # told of everything posted that is good, with the sample where it applies [audio thread]
        self.on_event: Callable[[int, Event], None] | None = None
        self.ignored = 0  # what was posted and is no message, path or value
        self.moves = 0  # parameters moved so far [any thread]

    def prepare(self, spec: StreamSpec, samples: int | None = None) -> None:
        """Get ready to play from the first sample, with the board's values as they were when this
        player was made. `samples` is the sound's length, for positions in percent. [control thread]

        Raises:
            ConfigurationError: a path, value or way that the board does not have; says where it is
                written, and the nearest right one.
        """
        for effect, parameter, value in self._before:
            effect.put(parameter, value)
        self._steer(spec, samples)
        self._steering.begin(0, self._tick_samples, running=False)
        self._running = self.board.prepared(replace(spec, moving=True))
        self.latency_samples = self._running.latency_samples
        # nothing in a board on a grid sees what happens between its points: blocks are cut on them only
        self._grid_samples = self.board.quantum_samples
        self._steering.meet(self._grid_samples, self._in_file_time)
        self._rewind()

    def attach(self, spec: StreamSpec) -> None:
        """Go on with a board that runs: its next sample is this player's first."""
        self._steer(spec, None)
        self._running, self._grid_samples = self.board, 1
        self.latency_samples = self.board.latency_samples
        self._rewind()

    def _steer(self, spec: StreamSpec, samples: int | None) -> None:
        self._tick_samples = tick_samples(spec.sample_rate)
        timeline = Timeline(spec.sample_rate, samples, self._controls.tempo)
        self._steering = Steering(
            self.board, self._controls, self._curves, timeline, self._tick_samples, self._seed
        )
        self._events = [
            (sample, self._checked(event) if isinstance(event, Move) else event)
            for sample, event in self._events
        ]

    def restore(self) -> None:
        """Give the board the values that it had when this player was made: now, or, what this stream's
        rate does not take, for its next. [control thread]
        """
        for effect, parameter, value in self._before:
            try:
                effect.move(parameter, value)
            except ConfigurationError:
                effect.put(parameter, value)

    # The stream

    def post(self, event: Event) -> None:
        """Play this from the next block's first sample on. What is no message, path or value is counted
        in `ignored`; `on_event` is told of all else. [any thread]
        """
        good = self.checked(event)
        if good is None:
            self.ignored += 1
        else:
            self._posts.append(good)

    def checked(self, event: object) -> Event | None:
        """An event as it is played; None for what is none on this board. [any thread]"""
        if not self._is_prepared:
            return None
        if isinstance(event, bytes | bytearray | memoryview):
            message = bytes(event)
            return message if is_message(message) else None
        try:
            return self._checked(event) if isinstance(event, Move) else None
        except ConfigurationError:
            return None

    def _checked(self, move: Move) -> Move:
        """A move with its value as the parameter has it. Raises as `steerable` and `check` do."""
        if not isinstance(move.path, str):
            raise ConfigurationError(f"path {shown(move.path)} is none; write one as in 'opus.mix'")
        return Move(move.path, self._steering.at(move.path).target.parameter.check(move.value))

    def reset(self) -> None:
        """From the first sample again. [audio thread]"""
        self.restore()
        self._steering.begin(0, self._tick_samples, running=True)
        self._running.reset()
        self._rewind()

    def _rewind(self) -> None:
        self._is_prepared = True
        for modulator in self._steering.hearing:
            modulator.reset()
            if modulator.listens_to not in (None, INPUT):
                self._listen(self, str(modulator.listens_to), 0)  # what is wrong with it is said now
        self._now = 0
        self._agenda = Agenda(self._steering, self._tick_samples)
        for sample, event in self._events:
            self.perform(sample, event)
        self._steering.rewind()

    def listen(self, block: Audio) -> None:
        """Let a block pass without playing: only modulators hear it. [audio thread]"""
        self._hear(without_garbage(block))
        self._now += block.shape[1]

    def begin_here(self) -> None:
        """Play from the next sample on, which is a multiple of 64 of the stream, as if just prepared.
        [audio thread]
        """
        self.restore()
        self._steering.begin(self._now, self._tick_samples, running=True)
        self._running.reset()
        self._agenda = Agenda(self._steering, self._tick_samples, self._now)
        self._steering.rewind()

    def perform(self, sample: int, event: Event) -> None:
        """Play this at a sample to come. [audio thread]"""
        if isinstance(event, Move) or is_message(event):
            self._agenda.push(sample, Rank.PERFORMED, event)
        else:
            self.ignored += 1

    def process_block(self, block: Audio) -> Audio:
        """As Effect.process_block."""
        if block.shape[1] > STEP_SAMPLES:  # longer than modulators remember
            pieces = range(0, block.shape[1], STEP_SAMPLES)
            played = [self.process_block(block[:, at : at + STEP_SAMPLES]).copy() for at in pieces]
            return np.concatenate(played, axis=1)
        block = without_garbage(block)
        begin, end = self._now, self._now + block.shape[1]
        while self._posts:
            self._take(self._posts.popleft())
        if end > begin:
            if self._steering.hearing:
                self._hear(block)
            self._agenda.plan(end)
        self._now = end
        if self._agenda.next_sample >= end:
            return self._running.process_block(block)
        output = np.empty_like(block)
        at = begin
        while at < end:
            sample = self._agenda.next_sample
            to = end if sample >= end else max(at, sample - sample % self._grid_samples)
            if to > at:
                piece = slice(at - begin, to - begin)
                output[:, piece] = self._running.process_block(block[:, piece])
                at = to
            if sample < end:
                self._act(sample)
        return output

    def _take(self, event: Event) -> None:
        self._agenda.push(self._now, Rank.PERFORMED, event)
        if self.on_event is not None:
            self.on_event(self._now, event)

    def _hear(self, block: Audio) -> None:
        sounds = {INPUT: block}
        for modulator in self._steering.hearing:
            path = modulator.listens_to or INPUT
            if path not in sounds:
                sounds[path] = self._listen(self, path, block.shape[1])
            modulator.hear(sounds[path])

    def _act(self, sample: int) -> None:
        """Everything that happens at a sample; of what moves twice, the last counts."""
        moved = self._agenda.planned_at(sample)
        for steered in moved:
            steered.glide = None
        for rank, what in self._agenda.due_at(sample):
            match rank:
                case Rank.PERFORMED:
                    self._perform(sample, what, moved)
                case Rank.FOLLOWED:
                    steered, value = what
                    steered.glide = None
                    moved[steered] = value
                case Rank.GLIDES:
                    glide, steered = what
                    if steered.glide is glide:  # nothing else has moved it meanwhile
                        moved[steered] = glide.value_at(steered.target.parameter, sample)
                        self._glide_on(sample, steered)
                case Rank.LATE:
                    steered, value, glide_samples = what
                    steered.waiting.pop(0)
                    self._go(sample, steered, value, glide_samples, moved)
        self.moves += len(moved)
        for steered, value in moved.items():
            try:
                steered.move(value)
            except ConfigurationError:
                self.ignored += 1

    def _perform(self, sample: int, event: Event, moved: dict[Steered, Value]) -> None:
        if isinstance(event, Move):
            good = self.checked(event)  # it may be of another board
            if isinstance(good, Move):
                self._go_late(sample, self._steering.at(good.path), good.value, 0, moved)
            else:
                self.ignored += 1
        else:
            for played in self._steering.listening(event):
                steered = played.steered
                given = played.mapped.receive(event, steered.wanted(moved))
                if given is not None:
                    self._go_late(sample, steered, given, played.glide_samples, moved)

    def _go_late(
        self,
        sample: int,
        steered: Steered,
        value: Value,
        glide_samples: int,
        moved: dict[Steered, Value],
    ) -> None:
        """Move there when the sound of this sample reaches the effect."""
        due = steered.due(sample)
        if due == sample:
            self._go(sample, steered, value, glide_samples, moved)
            return
        steered.waiting.append(value)
        self._agenda.push(due, Rank.LATE, (steered, value, glide_samples))

    def _go(
        self,
        sample: int,
        steered: Steered,
        value: Value,
        glide_samples: int,
        moved: dict[Steered, Value],
    ) -> None:
        """Move there, at once or gliding."""
        steered.glide = None
        start = value
        if glide_samples:
            start = moved.get(steered, steered.target.value)
        if start == value:
            moved[steered] = value
            return
        steered.glide = Glide(sample, sample + glide_samples, start, value)
        self._glide_on(sample, steered)

    def _glide_on(self, sample: int, steered: Steered) -> None:
        """Be there again at the next tick, and at the end."""
        glide = steered.glide
        assert glide is not None
        if sample == glide.end:
            steered.glide = None
            return
        tick = (sample // self._tick_samples + 1) * self._tick_samples
        self._agenda.push(min(tick, glide.end), Rank.GLIDES, (glide, steered), steered.number)


@contextmanager
def playing(board: Effect, spec: StreamSpec, automation: Automation, samples: int) -> Iterator[Player]:
    """A player of so many samples from the start; afterwards the board's values are what they were.

    Raises:
        ConfigurationError: automation of what there is not, or an array of another length.
    """
    player = _player(board, automation, samples, in_file_time=True)
    try:
        player.prepare(spec, samples)
        yield player
    finally:
        player.restore()


def attached(board: Effect, spec: StreamSpec, automation: Automation, samples: int) -> Player:
    """A player of the next so many samples of a board that runs. Raises as `playing` does."""
    player = _player(board, automation, samples, in_file_time=False)
    player.attach(spec)
    return player


def _player(board: Effect, automation: Automation, samples: int, in_file_time: bool) -> Player:
    if isinstance(automation, Controls):
        return Player(board, automation, in_file_time=in_file_time)
    if not isinstance(automation, Mapping):
        kind = type(automation).__name__
        raise ConfigurationError(
            f"automation is a {kind}; it takes Controls, or a dict of paths and arrays"
        )
    for path, curve in automation.items():
        if not isinstance(path, str):
            raise ConfigurationError(f"path {shown(path)} is none; write one as in 'opus.mix'")
        if np.shape(curve) != (samples,):
            raise ConfigurationError(
                f"{path}: the array's shape is {np.shape(curve)}; it takes a value for each sample, "
                f"({samples},)"
            )
    return Player(board, curves=automation if samples else {}, in_file_time=in_file_time)
