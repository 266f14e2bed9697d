"""`TakeWriter`: writes a take while it is played."""

import csv
import os
import shutil
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from codecfx.audio import Audio
from codecfx.audio_file.recording import Recording
from codecfx.control.controls import Controls
from codecfx.effects.base import Effect
from codecfx.effects.paths import places
from codecfx.effects.player import Event, Move
from codecfx.effects.processor import StreamSpec
from codecfx.errors import TakeError
from codecfx.presets import Preset, is_first_effect, load_preset, save_preset
from codecfx.takes.layout import (
    ABOUT,
    BOARD,
    COLUMNS,
    DRY,
    ENGINES,
    EVENTS,
    MIDI,
    PRESET,
    PRESETS,
    SET,
    VERSION,
    WET,
    version_of,
)


class TakeWriter:
    """Writes a take while it is played. `event` may be called by the audio thread; all else is one
    thread's, never the audio's.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        board: Effect,
        spec: StreamSpec,
        controls: Controls | None = None,
        *,
        seed: int = 0,
        wet: bool = False,
    ) -> None:
        """Begin a take in a new folder, of `board` with the values that it has now.

        Raises:
            TakeError: the folder is there already, or cannot be made; or a plugin in the board that a
                take cannot make again.
            PresetError: a plugin in the board cannot be told in text.
        """
        import tomli_w

        for place in places(board):
            if not getattr(place.effect, "is_made_again", True):
                name = place.effect.name
                raise TakeError(
                    f"{name} was handed in ready made, and a take makes another, whose changes fade; "
                    f"use codecfx.native('{name}')"
                )

        self.folder = Path(folder)
        about = {
            "version": VERSION,
            "sample_rate": spec.sample_rate,
            "channels": spec.channels,
            "seed": seed,
            "block_samples": spec.max_block_samples,
            "live": spec.live,
            "board_label": board.label,
            "board_is_first_effect": is_first_effect(board),
            "ran_on": {name: version_of(name) for name in ENGINES if version_of(name)},
        }
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            raise TakeError(
                f"{self.folder}: is there already; a take wants a folder of its own"
            ) from None
        except OSError as error:
            raise TakeError(f"{self.folder}: cannot be made ({error.strerror})") from None
        self._waiting: deque[list[object]] = deque()
        self._boards = 0  # that came after the first
        self._copies: dict[str, str] = {}  # of presets that maps choose, by name
        with ExitStack() as opened:
            opened.callback(lambda: shutil.rmtree(self.folder, ignore_errors=True))
            controls = self._with_presets(controls or Controls())
            save_preset(board, self.folder / PRESET, controls=controls)
            self._opened = ExitStack()
            self._events = self._opened.enter_context(
                (self.folder / EVENTS).open("w", encoding="utf-8", newline="")
            )
            self._rows = csv.writer(self._events, lineterminator="\n")
            self._rows.writerow(COLUMNS)
            names = [DRY, WET] if wet else [DRY]
            self._sounds = [
                self._opened.enter_context(
                    Recording(self.folder / name, spec.sample_rate, spec.channels)
                )
                for name in names
            ]
            (self.folder / ABOUT).write_text(tomli_w.dumps(about), encoding="utf-8")
            opened.pop_all()  # it is whole: it stays

    def _with_presets(self, controls: Controls) -> Controls:
        """Keep a copy of every preset that a map chooses, and choose that: the original may change."""
        maps = []
        copies = self._copies
        for one in controls.maps:
            if one.preset:
                preset = load_preset(one.preset)
                if one.preset not in copies:
                    copy = self.folder / PRESETS / f"{len(copies) + 1}-{preset.name}.toml"
                    copy.parent.mkdir(exist_ok=True)
                    save_preset(preset.board(), copy, controls=preset.controls)
                    copies[one.preset] = str(copy)
                one = replace(one, preset=copies[one.preset])
            maps.append(one)
        return replace(controls, maps=tuple(maps))

    def event(self, sample: int, event: Event) -> None:
        """What was played, and the sample from which on it applied. [any thread]"""
        if isinstance(event, Move):
            value = event.value
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            self._waiting.append([sample, SET, event.path, text])
        else:
            self._waiting.append([sample, MIDI, "", bytes(event).hex(" ")])

    def change(self, sample: int, preset: Preset) -> None:
        """Another board has begun at this sample. Raises PresetError, OSError."""
        self._boards += 1
        path = self.folder / PRESETS / f"board-{self._boards}" / f"{preset.name or BOARD}.toml"
        path.parent.mkdir(parents=True)
        controls = self._with_presets(preset.controls)
        save_preset(preset.board(), path, description=preset.description, controls=controls)
        self._waiting.append([sample, BOARD, path.relative_to(self.folder).as_posix(), ""])

    def write(self, dry: Audio, wet: Audio | None = None) -> None:
        """The next block, as it went in and, if the take keeps it, as it came out. Raises OSError."""
        while self._waiting:
            self._rows.writerow(self._waiting.popleft())
        for sound, block in zip(self._sounds, (dry, wet), strict=False):
            if block is not None:
                sound.write(block)

    def sync(self) -> None:
        """Put everything on the disk: what comes after may be lost, this not. Raises OSError."""
        for sound in self._sounds:
            sound.sync()
        self._events.flush()
        os.fsync(self._events.fileno())

    def close(self) -> None:
        """Everything is written; may be called twice. What is played afterwards is not in it."""
        if not self._events.closed:
            while self._waiting:
                self._rows.writerow(self._waiting.popleft())
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
