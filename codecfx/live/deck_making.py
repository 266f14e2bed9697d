"""Making decks: a preset, or the board that is heard, as one that can be brought; and reading them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import silence
from codecfx.control.controls import Controls
from codecfx.control.parameters import Parameter, Value
from codecfx.effects.base import Effect
from codecfx.effects.board import Container
from codecfx.effects.codec_effect import CodecEffect
from codecfx.effects.decks import Deck
from codecfx.effects.paths import Target, every_path, find
from codecfx.effects.player import no_side_chain
from codecfx.effects.processor import StreamSpec
from codecfx.errors import NotPrepared
from codecfx.live.complaints import Complaints
from codecfx.live.memory import Meter
from codecfx.performance import Performance, effects_of, give_seed
from codecfx.presets import preset_of, preset_table

# Where the tables of boards lie, so that what they name has its whole path
ROOT = Path(Path.cwd().anchor) / "board.toml"
_WARMING_SECONDS = 0.3  # of silence, before anybody hears it: memory is fetched, tables are filled
_WARMING_SAMPLES = 256


@dataclass(eq=False, slots=True)
class LiveDeck(Deck):
    """A deck, and what of it is told to the host."""

    name: str = ""
    controls: Controls = Controls()  # noqa: RUF009  (frozen)
    targets: tuple[Target, ...] = ()  # every parameter
    codecs: tuple[CodecEffect, ...] = ()
    complaints: Complaints = field(default_factory=Complaints)


class DeckMaker:
    """Makes decks for one stream. [control thread]"""

    def __init__(self, spec: StreamSpec, seed: int) -> None:
        self._spec, self._seed = spec, seed

    def made(self, order: dict[str, Any], heard: Deck | None = None) -> LiveDeck:
        """A deck that is prepared and warm: of the preset in `order`, or else of the board that is
        `heard`, with what `order` sets.

        Raises:
            ConfigurationError: a preset, path or value that is wrong.
            UnsupportedFormat, CodecUnavailable: an effect does not take this stream.
        """
        if order.get("table") is None:
            assert isinstance(heard, LiveDeck)
            name, table = heard.name, preset_table(heard.board, ROOT, controls=heard.controls)
        else:
            name, table = order["name"], order["table"]
        preset = preset_of(table, ROOT)
        board, controls = preset.board(), preset.controls
        board.label = name
        if self._seed:
            give_seed(board, self._seed)
        for path, value in order.get("values", {}).items():
            target = find(board, path)
            target.place.effect.set(target.parameter.id, value)
        played = Performance(controls, in_file_time=False, seed=self._seed)
        performer = played.player_on(board, self._spec.sample_rate, (), no_side_chain, None)
        performer.prepare(self._spec)
        for _ in range(int(_WARMING_SECONDS * self._spec.sample_rate / _WARMING_SAMPLES)):
            performer.process_block(silence(self._spec.channels, _WARMING_SAMPLES))
        performer.reset()
        return LiveDeck(
            board,
            performer,
            order["number"],
            round(order.get("warm_s", 0.0) * self._spec.sample_rate),
            keeps_values=bool(order.get("keeps_values")),
            name=name,
            controls=controls,
            targets=tuple(every_path(board).values()),
            codecs=tuple(one for one in effects_of(board) if isinstance(one, CodecEffect)),
        )


def facts(deck: LiveDeck) -> dict[str, Any]:
    """What the host should know of a deck."""
    return {
        "number": deck.number,
        "name": deck.name,
        "table": preset_table(deck.board, ROOT, controls=deck.controls),
        "latency": parts_of(deck.board, deck.performer.latency_samples),
    }


def parts_of(board: Effect, latency_samples: int) -> list[tuple[str, int]]:
    """How late each effect of a board makes the sound, and last what is nobody's own: pedalboard's
    grid, or a slower board that might come.
    """
    parts = []
    for effect in board if isinstance(board, Container) else [board]:
        try:
            late = effect.latency_samples
        except (NotPrepared, AttributeError):
            continue
        if late:
            parts.append((effect.label or effect.name, late))
    rest = latency_samples - sum(late for _, late in parts)
    return [*parts, ("grid", rest)] if rest else parts


def read_values(deck: LiveDeck, into: NDArray[np.float64]) -> None:
    """Every parameter's value, in the order of `every_path`: numbers, of choices their place."""
    for at, target in enumerate(deck.targets[: len(into)]):
        into[at] = number_of(target.parameter, target.value)


def number_of(parameter: Parameter, value: Value) -> float:
    """A value as a number; `value_of` makes it one again."""
    if isinstance(value, str) and not parameter.steps:
        return 0.0  # a path: nothing turns it
    return float(parameter.steps.index(value)) if parameter.steps else float(value)


def value_of(parameter: Parameter, number: float) -> Value:
    """The value that `number_of` made a number of; of what is no number, its default."""
    if parameter.steps:
        return parameter.steps[int(number)]
    return parameter.default if isinstance(parameter.default, str) else number


def read_codecs(deck: LiveDeck, meters: Any) -> None:
    """The true bits of all its codecs now."""
    read = [one.meter for one in deck.codecs]
    meters[Meter.KBPS] = sum(meter.now_kbps for meter in read)
    meters[Meter.PACKETS] = sum(meter.packets for meter in read)
    meters[Meter.LOST_PACKETS] = sum(meter.lost for meter in read)
    meters[Meter.CONCEALED_PACKETS] = sum(meter.concealed for meter in read)
    meters[Meter.REPAIRED_PACKETS] = sum(meter.repaired for meter in read)
    meters[Meter.DAMAGED_PACKETS] = sum(meter.damaged for meter in read)
