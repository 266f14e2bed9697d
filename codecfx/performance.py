"""Performances: what is played on a board, and who plays it: a player, or a setlist of several."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from codecfx.audio import Audio
from codecfx.audio_file import AudioSource
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.effects.base import Effect
from codecfx.effects.board import Container
from codecfx.effects.decks import Deck, Decks, Performer
from codecfx.effects.player import Event, Listen, Player, no_side_chain
from codecfx.effects.setlist import Setlist
from codecfx.effects.steering import fitting
from codecfx.errors import ConfigurationError
from codecfx.presets import Preset, load_preset


@dataclass(frozen=True, slots=True)
class Performance:
    """What is played on a board: controls, and events in seconds from the source's beginning.

    `in_file_time` is that of `codecfx.effects.player.Player`: whether it meets the source's own sound,
    or acts on the stream as it was when it was played live.
    """

    controls: Controls = Controls()  # noqa: RUF009  (frozen)
    events: Sequence[tuple[Fraction, Event]] = ()
    in_file_time: bool = True
    seed: int = 0  # added to the modulators'
    boards: Sequence[tuple[Fraction, Preset]] = ()  # that take over from the first, and from each other
    live: bool = False  # of a live stream: see StreamSpec

    def __bool__(self) -> bool:
        return bool(self.controls or self.events or self.boards or self.live)

    def on(
        self, board: Effect, sample_rate: int, listen: Listen = no_side_chain, seed: int | None = None
    ) -> Performer | Decks:
        """Who plays it on `board` and, where maps choose presets, on those, whose effects get `seed`.

        Raises:
            UnknownName, PresetError: a preset that is not there, unless its map is optional.
        """
        events = [(round(seconds * sample_rate), event) for seconds, event in self.events]
        if not self.boards:
            return self.player_on(board, sample_rate, events, listen, seed)
        alone = replace(self, events=(), boards=())
        changes = []
        for seconds, preset in self.boards:
            made = preset.board()
            if seed is not None:
                give_seed(made, seed)
            one = replace(alone, controls=preset.controls)
            deck = Deck(made, one.player_on(made, sample_rate, (), listen, seed))
            changes.append((round(seconds * sample_rate), deck))
        return Decks(
            Deck(board, alone.player_on(board, sample_rate, (), listen, seed)), changes, events
        )

    def player_on(
        self,
        board: Effect,
        sample_rate: int,
        events: Sequence[tuple[int, Event]],
        listen: Listen,
        seed: int | None,
    ) -> Performer:
        """Who plays it on `board` alone. Raises as `on` does."""

        def player(board: Effect, controls: Controls, events: Sequence[tuple[int, Event]]) -> Player:
            return Player(
                board,
                controls,
                events=events,
                in_file_time=self.in_file_time,
                seed=self.seed,
                listen=listen,
            )

        players = [player(board, self.controls, ())]
        programs: dict[Map, int] = {}
        numbers: dict[str, int] = {}
        for one in self.controls.maps:
            if not one.preset:
                continue
            if one.preset not in numbers:
                try:
                    preset = load_preset(one.preset)
                    other = preset.board()
                except ConfigurationError:
                    if one.optional:
                        continue
                    raise
                if seed is not None:
                    give_seed(other, seed)
                numbers[one.preset] = len(players)
                players.append(player(other, preset.controls + fitting(other, self.controls), ()))
            programs[one] = numbers[one.preset]
        if not programs:
            return player(board, self.controls, events)
        return Setlist(players, programs, events)


class SideChains:
    """The sounds that modulators listen to, beside the one that is rendered: from their beginnings on,
    silence after their ends.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._open = ExitStack()
        self._sources: dict[tuple[object, str], AudioSource] = {}

    def listen(self, listener: object, path: str, samples: int) -> Audio:
        """The next so many samples of a sound for one of its listeners; 0 to open it.

        Raises AudioFileError for a file that cannot be read, ConfigurationError for another rate.
        """
        key = listener, path
        if key not in self._sources:
            source = self._sources[key] = self._open.enter_context(AudioSource(path))
            if source.sample_rate != self._rate:
                raise ConfigurationError(
                    f"side-chain {path} has {source.sample_rate} Hz, the sound {self._rate} Hz; give "
                    "both one rate"
                )
        heard = self._sources[key].read(samples)
        return np.pad(heard, ((0, 0), (0, samples - heard.shape[1])))

    def __enter__(self) -> "SideChains":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()


def effects_of(effect: Any) -> Iterator[Effect]:
    """An effect and everything of ours inside it, in order."""
    if isinstance(effect, Effect):
        yield effect
    if isinstance(effect, Container):
        for inner in effect:
            yield from effects_of(inner)


def give_seed(board: Effect, seed: int) -> None:
    """Set the seed of every effect that has one."""
    for effect in effects_of(board):
        if "seed" in effect.values:
            effect.set("seed", seed)
