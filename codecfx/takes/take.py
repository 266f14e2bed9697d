"""`Take`: a take as it was recorded, and played again."""

import csv
import io
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from codecfx.control.automation import nearest
from codecfx.control.controls import Controls
from codecfx.effects.base import Effect
from codecfx.effects.player import Event, Move
from codecfx.effects.steering import fitting, steerable
from codecfx.errors import CodecFxError, ConfigurationError, TakeError, shown
from codecfx.performance import Performance
from codecfx.presets import Preset, load_preset
from codecfx.rendering import RenderReport, perform
from codecfx.takes.layout import (
    ABOUT,
    BOARD,
    COLUMNS,
    DRY,
    EVENTS,
    MIDI,
    PRESET,
    SET,
    VERSION,
    version_of,
)


@dataclass(frozen=True, slots=True)
class Take:
    """A take as it was recorded."""

    folder: Path
    sample_rate: int  # Hz
    channels: int
    seed: int
    block_samples: int  # the largest; events fall on the blocks' first samples
    board_label: str
    board_is_first_effect: bool  # of the preset, rather than the board that it makes
    ran_on: dict[str, str]  # versions, by distribution
    preset: Preset
    events: tuple[tuple[int, Event], ...]
    boards: tuple[tuple[int, Preset], ...] = ()  # that came after the first
    live: bool = False  # whether slow codecs computed beside the audio; see StreamSpec

    @property
    def dry(self) -> Path:
        """The input: float32 WAV."""
        return self.folder / DRY

    @property
    def differs(self) -> list[str]:
        """What is of another version here than it ran on, a line each: its sound may be another."""
        return [
            f"{name} is {version_of(name) or 'missing'}, and was {was}"
            for name, was in self.ran_on.items()
            if version_of(name) != was
        ]

    def board(self) -> Effect:
        """The board, as it was. Raises PresetError."""
        made = self.preset.board()
        board: Effect = made[0] if self.board_is_first_effect else made
        board.label = self.board_label
        return board

    def performance(self, controls: Controls | None = None, board: Effect | None = None) -> Performance:
        """What was played; `controls` in place of the take's own. On another `board` than the take's,
        nothing is played of what it has not, and values that it does not take become the nearest.
        """
        if controls is None:
            controls = self.preset.controls
        events = self.events
        if board is not None:
            events = tuple(_fitting(events, board))
            controls = fitting(board, controls)
        rate = self.sample_rate
        timed = tuple((Fraction(sample, rate), event) for sample, event in events)
        boards = () if board is not None else self.boards
        return Performance(
            controls,
            timed,
            in_file_time=False,
            seed=self.seed,
            boards=tuple((Fraction(sample, rate), preset) for sample, preset in boards),
            live=self.live,
        )

    def render(
        self,
        target: str | os.PathLike[str],
        *,
        board: Effect | None = None,
        controls: Controls | None = None,
        tail_seconds: float = 0.0,
        overwrite: bool = False,
        seed: int | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> RenderReport:
        """Play it again into a file: exactly what was heard, unless another `board`, other `controls`
        or another `seed` make it another version. Raises as `codecfx.render` does.
        """
        return perform(
            self.board() if board is None else board,
            self.dry,
            target,
            self.performance(controls, board),
            tail_seconds=tail_seconds,
            overwrite=overwrite,
            seed=seed,
            on_progress=on_progress,
        )


def _fitting(events: Iterable[tuple[int, Event]], board: Effect) -> Iterator[tuple[int, Event]]:
    """Events as far as they are anything on `board`."""
    for sample, event in events:
        if isinstance(event, Move):
            try:
                parameter = steerable(board, event.path).parameter
            except ConfigurationError:
                continue
            try:
                event = replace(event, value=parameter.check(event.value))
            except ConfigurationError:
                try:
                    number = float(event.value)
                except ValueError:
                    continue
                if isinstance(parameter.default, bool | str):
                    continue
                event = replace(event, value=nearest(parameter, np.array([number]))[0])
        yield sample, event


def is_take(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a take's folder."""
    return os.path.isfile(Path(path) / ABOUT)  # one that may not be looked at is none


def load_take(folder: str | os.PathLike[str]) -> Take:
    """The take in a folder.

    Raises:
        TakeError: no take, or one with something wrong in it; names file and line.
    """
    folder = Path(folder)
    if not is_take(folder):
        raise TakeError(f"{folder}: is no take; a take is a folder with {ABOUT} in it")
    try:
        about = tomllib.loads((folder / ABOUT).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TakeError(f"{folder / ABOUT}: cannot be read ({error})") from None
    if about.get("version") != VERSION:
        raise TakeError(
            f"{folder / ABOUT}: version is {about.get('version')!r}; this codecfx reads {VERSION}"
        )
    facts: dict[str, Any] = {}
    wanted = {"sample_rate": 1, "channels": 1, "seed": 0, "block_samples": 1}
    for key, least in wanted.items():
        number = about.get(key)
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise TakeError(
                f"{folder / ABOUT}: {key} is {shown(number)}; it takes a whole number from {least} up"
            )
        facts[key] = number
    kinds = {"board_label": str, "board_is_first_effect": bool, "ran_on": dict}
    for key, kind in kinds.items():
        facts[key] = about.get(key)
        if not isinstance(facts[key], kind):
            raise TakeError(
                f"{folder / ABOUT}: {key} is {shown(facts[key])}; it takes a {kind.__name__}"
            )
    facts["ran_on"] = {str(name): str(was) for name, was in facts["ran_on"].items()}
    try:
        preset = load_preset(folder / PRESET)
    except CodecFxError as error:
        raise TakeError(str(error)) from None
    played = _events(folder / EVENTS)
    boards = tuple((sample, one) for sample, one in played if isinstance(one, Preset))
    events = tuple((sample, one) for sample, one in played if not isinstance(one, Preset))
    return Take(
        folder,
        preset=preset,
        events=events,
        boards=boards,
        live=about.get("live") is True,
        **facts,
    )


def _events(path: Path) -> list[tuple[int, Event | Preset]]:
    """What was played, and the boards that began, in order. A last line that was cut off is not
    there.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        raise TakeError(f"{path}: cannot be read ({error})") from None
    rows = csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    events: list[tuple[int, Event | Preset]] = []
    try:
        if next(rows, []) != COLUMNS:
            raise ValueError(f"the first line is {','.join(COLUMNS)}")
        for row in rows:
            if row:
                events.append(_event(row, events[-1][0] if events else 0, path.parent))
    except (ValueError, csv.Error) as error:
        raise TakeError(f"{path}:{max(1, rows.line_num)}: {error}") from None
    return events


def _event(row: list[str], earliest: int, folder: Path) -> tuple[int, Event | Preset]:
    """Raises ValueError with what is wrong with a row."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"the row has {len(row)} cells; it takes {', '.join(COLUMNS)}")
    sample, kind, target, value = row[0].strip(), row[1].strip(), row[2], row[3].strip()
    if not sample.isdecimal() or len(sample) > 15:
        raise ValueError(f"sample is '{sample}'; it takes a whole number from 0 up")
    if int(sample) < earliest:
        raise ValueError(
            f"sample {sample} comes after {earliest}; put the rows in order of their samples"
        )
    if kind == SET:
        return int(sample), Move(target, value)
    if kind == MIDI:
        try:
            return int(sample), bytes.fromhex(value)
        except ValueError:
            raise ValueError(
                f"value '{value}' is no message; write its bytes, as in b0 15 40"
            ) from None
    if kind == BOARD:
        try:
            return int(sample), load_preset(folder / target)
        except CodecFxError as error:
            raise ValueError(str(error)) from None
    raise ValueError(f"kind is '{kind}'; it takes {MIDI}, {SET} or {BOARD}")
