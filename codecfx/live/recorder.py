"""The recorder: takes, written by the host from what the engine leaves in shared memory."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, strftime
from typing import Any

from codecfx.effects.player import Move
from codecfx.effects.processor import StreamSpec
from codecfx.errors import CodecFxError
from codecfx.live.memory import Memory
from codecfx.presets import Preset
from codecfx.takes import TakeWriter

_SYNC_SECONDS = 0.5  # what a crash may cost
_STEP_SAMPLES = 16_384


class Recorder:
    """Follows the engine's messages, and writes a take while they tell of one. [the files' thread]"""

    def __init__(
        self, memory: Memory, folder: Path, seed: int, on_trouble: Callable[[str], None]
    ) -> None:
        """`folder` is where takes are made, each in its own."""
        self._memory, self._folder, self._seed = memory, folder, seed
        self._on_trouble = on_trouble
        self._writer: TakeWriter | None = None
        self._spec: StreamSpec | None = None
        self._preset_of: Callable[[int], Preset]
        self.name = ""  # of the take that is written
        self.takes: list[str] = []  # that are done
        self.samples = 0  # written
        self._begun, self._end = 0, -1
        self._wet = False
        self._next_sync = 0.0

    def begin(self, spec: StreamSpec, preset_of: Callable[[int], Preset]) -> None:
        """Follow an engine from its start: its stream, and what says its decks' presets by number."""
        self.close()
        self._spec, self._preset_of = spec, preset_of

    @property
    def seconds(self) -> float:
        """Of the take that is written."""
        return self.samples / self._spec.sample_rate if self._spec else 0.0

    def work(self, hear: Callable[[tuple[Any, ...]], None]) -> None:
        """Write whatever has come; `hear` is told of every message too."""
        try:
            while (message := self._memory.messages.receive()) is not None:
                self._take(message)
                hear(message)
            if self._writer is not None:
                self._write()
        except (OSError, CodecFxError) as error:
            reason = getattr(error, "strerror", None) or error
            if self._writer is None:
                self._on_trouble(f"no take is recorded: {reason}")
                return
            self._lose(self.seconds, reason)
            self.close()

    def _lose(self, seconds: float, reason: object) -> None:
        """Tell why the take that is written ends before it was to."""
        self._on_trouble(
            f"the take {self.name} ends at {seconds:.1f} s: {reason}; what there is can be rendered"
        )

    def _take(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("begin", sample, number, wet):
                self._open(sample, number, wet)
            case ("deck", sample, number) if self._writer is not None and self._end < 0:
                self._writer.change(sample - self._begun, self._preset_of(number))
            case ("event", sample, event) if self._writer is not None and self._end < 0:
                played = Move(*event) if isinstance(event, tuple) else event
                self._writer.event(sample - self._begun, played)
            case ("end", sample):
                self._end = sample
            case ("overrun", sample) if self._writer is not None and self._spec is not None:
                self._end = sample
                self._lose((sample - self._begun) / self._spec.sample_rate, "the disk is too slow")

    def _open(self, sample: int, number: int, wet: bool) -> None:
        self.close()
        assert self._spec is not None
        preset = self._preset_of(number)
        try:
            self._writer = TakeWriter(
                self._new_folder(preset.name),
                preset.board(),
                self._spec,
                preset.controls,
                seed=self._seed,
                wet=wet,
            )
        except (CodecFxError, OSError) as error:
            self._on_trouble(f"no take is recorded: {error}")
            return
        self._begun, self._end, self._wet = sample, -1, wet
        self.name = str(self._writer.folder)

    def _new_folder(self, name: str) -> Path:
        stem = strftime("%Y-%m-%d-%H%M%S") + f"-{name or 'board'}"
        names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
        return next(path for one in names if not (path := self._folder / one).exists())

    def _write(self) -> None:
        writer = self._writer
        assert writer is not None
        while True:
            wanted = _STEP_SAMPLES
            if self._end >= 0:
                wanted = min(wanted, self._end - self._begun - self.samples)
            there = min(self._memory.dry.waiting, wanted)
            if self._wet:
                there = min(there, self._memory.wet.waiting)
            if not there:
                break
            dry = self._memory.dry.read(there)
            writer.write(dry, self._memory.wet.read(there) if self._wet else None)
            self.samples += there
        if self._end >= 0:
            self.close()
        elif monotonic() >= self._next_sync:
            writer.sync()
            self._next_sync = monotonic() + _SYNC_SECONDS

    def close(self) -> None:
        """The take that is written ends here; nothing where there is none."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self.takes.append(self.name)
            try:
                writer.close()
            except OSError as error:  # the disk is full: what was synced is there
                self._on_trouble(f"{writer.folder}: {error.strerror or error}")
        self.name, self.samples, self._end = "", 0, -1
