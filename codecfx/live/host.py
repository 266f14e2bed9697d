"""The host: what is played and how, for the engine to play and screens to show.

::

    screen ─► Host ──── commands, a line each ────► engine ─► phones
      ▲        │ ◄──── what it says, a line each ─────┤
      │        │ ◄════ shared memory: heartbeat, ═════┘
      └ status ┘         meters, messages, sound ─► files, takes

A thread watches the engine, another looks after files, so that a slow disk keeps nobody waiting.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from codecfx.control.parameters import Change, Value
from codecfx.effects.processor import StreamSpec
from codecfx.errors import CodecFxError, ConfigurationError, PresetError
from codecfx.live import readings
from codecfx.live.complaints import Rising
from codecfx.live.controllers import Controllers
from codecfx.live.deck_making import ROOT
from codecfx.live.engine import MAX_BLOCK_SAMPLES
from codecfx.live.files import FilePlayer, FileWriter
from codecfx.live.memory import Memory, Meter
from codecfx.live.midi import Midi
from codecfx.live.mirror import Mirror
from codecfx.live.recorder import Recorder
from codecfx.live.round_trip import RoundTrip
from codecfx.live.round_trips import known
from codecfx.live.status import Dropout, Load, Status
from codecfx.live.watch import Watch
from codecfx.live.wiring import Setup, Wiring
from codecfx.presets import Preset, load_preset, preset_folders, preset_table

_ROUND_SECONDS = 0.02
_SILENT_SECONDS, _PATIENCE_SECONDS = 2.0, 2.0
_WARM_SECONDS = 1.0  # of a take's board, before it is heard: for its reverbs to fill
_NEWS, _DROPOUTS = 20, 20
_OF_FILES = {  # what is missing of them
    Meter.STARVED: "of the input file were not heard",
    Meter.SPILLED: "of the output file are missing",
}
_SILENCE = (
    "nothing but zeros comes in: the wrong input, or one that is muted or unplugged? (macOS: allow "
    "this terminal the microphone, in System Settings, Privacy)"
)


@dataclass(frozen=True, slots=True)
class Play:
    """How it is played. `sounds` are what can be gone through: presets, by name or file or as they
    are; the first is heard first.
    """

    sounds: Sequence[str | Preset]
    midi: Sequence[str] | None = ("",)  # inputs, as MidiInput takes them; None for none
    midi_out: str = ""  # where values are shown: motor faders, lights
    seed: int = 0
    is_muted: bool = True
    has_limiter: bool = True
    takes: Path = Path("takes")
    records_wet: bool = False
    is_recording: bool = False  # from the first sample on
    seconds: float = 0.0  # then it ends by itself; 0: never


class Host:
    """A live session. Commands may come from any thread, and are done as soon as can be."""

    def __init__(self, setup: Setup, play: Play) -> None:
        """Nothing sounds before `start`.

        Raises:
            ConfigurationError: a preset that is wrong.
            AudioFileError: a file that cannot be read or written.
        """
        self._setup, self._play = setup, play
        self._names = [one if isinstance(one, str) else one.name for one in play.sounds]
        self._at = 0
        self._sides = [self._sound(0), self._sound(1 % len(play.sounds))]
        self._side = 0
        self._is_muted, self._is_bypassed, self._is_recording = play.is_muted, False, play.is_recording
        self.memory = Memory()
        self._player = FilePlayer(setup.input_file) if setup.input_file else None
        self._writer = (
            FileWriter(setup.output_file, overwrite=setup.overwrite) if setup.output_file else None
        )
        form = (self._player.sample_rate, self._player.channels) if self._player else (0, 0)
        self._watch = Watch(self.memory, setup, form, self._order, self._hear, self._lose_engine)
        self._recorder = Recorder(self.memory, play.takes, play.seed, self._lose_take)
        self._ports = Midi(self.memory, play.midi, play.midi_out, self._hear)
        self._controllers = Controllers(self._ports)
        self._files = threading.Thread(target=self._look_after_files, name="codecfx files", daemon=True)
        self._files_lock = threading.Lock()
        self._ending = threading.Event()
        self._lock = threading.Lock()  # of what commands change
        self._began = time.monotonic()
        self._number = 0
        self._wiring: Wiring | None = None
        self._mirrors: dict[int, Mirror] = {}
        self._presets: dict[int, Preset] = {}
        self._midi: dict[str, bool] = {}
        self._measured: tuple[tuple[Wiring, int], RoundTrip | None] | None = None
        self._news: deque[str] = deque(maxlen=_NEWS)
        self._dropouts: deque[Dropout] = deque(maxlen=_DROPOUTS)
        self._dropped = self._dropped_before = 0
        self._missing = {meter: Rising() for meter in _OF_FILES}

    def start(self) -> None:
        """Begin; returns when it sounds. Raises CodecFxError: why it does not."""
        self._files.start()
        try:
            self._watch.start()
        except BaseException:  # Ctrl-C too
            self.close()
            raise

    def close(self) -> None:
        """End, a take that is recorded too; again, nothing. Within 5 s."""
        if not self._ending.is_set():
            self._watch.end()
            self._ending.set()
            if self._files.is_alive():
                self._files.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # What a performer does

    def mute(self) -> None:
        """Silence, in 20 ms; or sound again."""
        self._is_muted = not self._is_muted
        self._watch.send("mute", on=self._is_muted)

    def bypass(self) -> None:
        """What comes in, at once; or the board again."""
        self._is_bypassed = not self._is_bypassed
        self._watch.send("bypass", on=self._is_bypassed)

    def panic(self) -> None:
        """Silence, and a board that remembers nothing."""
        self._is_muted = True
        self._watch.send("mute", on=True)
        self._bring()

    def next_preset(self, step: int = 1) -> None:
        """Go to the next of the presets, or so many on. Raises CodecFxError for one that is wrong."""
        with self._lock:
            self._at = (self._at + step) % len(self._names)
            preset = self._sides[self._side] = self._sound(self._at)
        self._bring(preset)

    def choose(self, preset: str | Preset) -> None:
        """Go to this preset. Raises CodecFxError for one that is wrong."""
        made = load_preset(preset) if isinstance(preset, str) else preset
        with self._lock:
            self._sides[self._side] = made
        self._bring(made)

    def swap(self) -> None:
        """Go to the other of A and B; what was turned stays turned."""
        with self._lock:
            mirror = self._mirror
            if mirror is not None and mirror.number == self._number:  # not one that is still to come
                mirror.read(self.memory)
                self._sides[self._side] = mirror.now()
            self._side = 1 - self._side
            preset = self._sides[self._side]
        self._bring(preset)

    def turn(self, path: str, value: Value) -> None:
        """Set a parameter. What only another stream can have (a frame's length) another board brings.

        Raises:
            ConfigurationError: no such parameter, or a value that it does not take.
        """
        mirror = self._mirror
        if mirror is None:
            return
        target = mirror.target(path)
        parameter = target.parameter
        value = parameter.check(value)
        if self._wiring is not None:
            target.place.effect.refuse(parameter, value, self._wiring.sample_rate)
        if parameter.change is Change.PREPARE:
            self._bring(values={path: value})
        else:
            self._watch.send("move", path=path, value=value)

    def record(self) -> None:
        """Begin a take, or end it."""
        self._is_recording = not self._is_recording
        if self._is_recording:
            self._bring(warm_s=_WARM_SECONDS, recording={"wet": self._play.records_wet})
        else:
            self._watch.send("stop recording")

    def learn(self, path: str) -> None:
        """The next control that is moved moves this parameter; "" for none.

        Raises:
            ConfigurationError: no such parameter.
        """
        if path and self._mirror is not None:
            self._mirror.target(path)
        self._controllers.learn(path)

    def forget(self, path: str) -> None:
        """No control moves this parameter any more. Raises ConfigurationError: no such parameter."""
        if self._mirror is not None:
            self._mirror.read(self.memory)
            self._bring(self._mirror.without_maps(path))

    def save(self, name: str = "") -> str:
        """Save the board as it is now as a preset of this name; says where it is."""
        mirror = self._mirror
        if mirror is None:
            raise ConfigurationError("there is no board yet; wait until it sounds")
        mirror.read(self.memory)
        stem = name or f"{mirror.preset.name or 'board'}-live"
        names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
        folder = next(preset_folders())
        path = next(path for one in names if not (path := folder / f"{one}.toml").exists())
        return f"saved: {mirror.save(path)}"

    # What it tells

    def status(self) -> Status:
        """How everything is now."""
        meters, wiring, mirror = self.memory.meters, self._wiring, self._mirror
        if wiring is None or mirror is None:
            return Status(self._watch.state, self._watch.trouble, tuple(self._news))
        mirror.read(self.memory)
        rate = wiring.sample_rate
        is_silent = int(meters[Meter.SILENT_SAMPLES]) >= _SILENT_SECONDS * rate
        heard = self._mirrors.get(int(meters[Meter.DECK]), mirror)
        block = self._block_samples(rate)
        return Status(
            state=self._watch.state,
            trouble=self._watch.trouble or _SILENCE * (is_silent and wiring.microphone is not None),
            news=tuple(self._news),
            seconds=time.monotonic() - self._began,
            input_name=str(wiring.microphone or self._setup.input_file),
            output_name=str(wiring.phones or self._setup.output_file),
            sample_rate=rate,
            block_samples=block,
            is_real_time=bool(meters[Meter.REAL_TIME]),
            midi_inputs=tuple(name for name, is_there in self._midi.items() if is_there),
            inputs=readings.levels(
                self.memory.in_peaks, self.memory.in_powers, len(wiring.input_channels)
            ),
            outputs=readings.levels(self.memory.out_peaks, self.memory.out_powers, wiring.channels),
            reduction_db=float(meters[Meter.REDUCTION_DB]),
            clamped_samples=int(meters[Meter.CLAMPED]),
            is_howling=bool(meters[Meter.HOWL_HZ]),
            howl_hz=float(meters[Meter.HOWL_HZ]),
            has_silent_input=is_silent,
            is_muted=self._is_muted,
            is_bypassed=self._is_bypassed,
            presets=tuple(self._names),
            preset=heard.preset.name,
            side="AB"[self._side],
            sides=(self._sides[0].name, self._sides[1].name),
            is_changing=bool(meters[Meter.CHANGING]),
            knobs=mirror.knobs(),
            learning=self._controllers.learning,
            kbps=float(meters[Meter.KBPS]),
            lost_packets=int(meters[Meter.LOST_PACKETS]),
            concealed_packets=int(meters[Meter.CONCEALED_PACKETS]),
            repaired_packets=int(meters[Meter.REPAIRED_PACKETS]),
            damaged_packets=int(meters[Meter.DAMAGED_PACKETS]),
            packets=int(meters[Meter.PACKETS]),
            latency=readings.latency(
                wiring, meters, block, heard.latency, self._round_trip(wiring, block)
            ),
            load=Load(float(meters[Meter.LOAD]), float(meters[Meter.LOAD_WORST])),
            dropouts=self._dropped_before + self._dropped,
            recent_dropouts=tuple(self._dropouts),
            restarts=self._watch.restarts,
            is_recording=self._is_recording,
            take=self._recorder.name,
            take_seconds=self._recorder.seconds,
            takes=tuple(self._recorder.takes),
        )

    def _round_trip(self, wiring: Wiring, block_samples: int) -> RoundTrip | None:
        """What was measured of these devices."""
        asked = wiring, block_samples
        if self._measured is None or self._measured[0] != asked:
            self._measured = asked, known(wiring, block_samples)
        return self._measured[1]

    def _block_samples(self, rate: int) -> int:
        return self._setup.block_samples or int(self.memory.meters[Meter.BLOCK])

    @property
    def engine_pid(self) -> int:
        """The engine's process; 0 for none."""
        return self._watch.pid

    # How it is done

    @property
    def _mirror(self) -> Mirror | None:
        """The board that is heard, or is about to be."""
        return self._mirrors.get(self._number) or next(reversed(self._mirrors.values()), None)

    def _sound(self, at: int) -> Preset:
        sound = self._play.sounds[at]
        return load_preset(sound) if isinstance(sound, str) else sound

    def _deck(self, preset: Preset | None) -> dict[str, Any]:
        """A deck, as the engine is told of it: of a preset, or else of what is heard."""
        self._number += 1
        told: dict[str, Any] = {"number": self._number}
        if preset is not None:
            table = preset_table(preset.board(), ROOT, controls=preset.controls)
            told |= {"name": preset.name, "table": table}
        return told

    def _bring(self, preset: Preset | None = None, **more: Any) -> None:
        """Have the engine make a deck, and go over to it."""
        with self._lock:
            deck = self._deck(preset)
            if preset is None:
                deck["keeps_values"] = True
            self._watch.send("deck", **deck, **more)

    def _order(self, wiring: Wiring) -> dict[str, Any]:
        """What an engine is to do from its start: what the one before it did. [watch]"""
        with self._lock, self._files_lock:
            self._dropped_before += self._dropped
            self._dropped = 0
            self._wiring = wiring
            mirror = self._mirror
            preset = self._sides[self._side] if mirror is None else mirror.now()
            self._mirrors.clear()
            spec = StreamSpec(wiring.sample_rate, wiring.channels, MAX_BLOCK_SAMPLES, live=True)
            heard = len(wiring.input_channels)
            self.memory.played.shape(heard)
            for ring in (self.memory.dry, self.memory.wet, self.memory.out):
                ring.shape(wiring.channels)
            self._recorder.begin(spec, self._preset_of)
            if self._player is not None:
                self._player.begin(wiring.sample_rate, wiring.input_channels)
            if self._writer is not None:
                self._writer.begin(wiring.sample_rate, wiring.channels)
            return {
                "sample_rate": wiring.sample_rate,
                "channels": wiring.channels,
                "heard_channels": heard,
                "seed": self._play.seed,
                "muted": self._is_muted,
                "bypassed": self._is_bypassed,
                "limiter": self._play.has_limiter,
                "microphone": wiring.microphone_plug,
                "phones": wiring.phones_plug,
                "block_samples": self._setup.block_samples,
                "recording": {"wet": self._play.records_wet} if self._is_recording else None,
                "deck": self._deck(preset),
            }

    def _hear(self, said: dict[str, Any]) -> None:
        """What the engine says. [watch]"""
        match said["say"]:
            case "deck":
                mirror = Mirror(said)
                with self._lock:
                    self._presets[mirror.number] = mirror.preset
                    self._mirrors[mirror.number] = mirror
                    for number in [one for one in self._mirrors if one < mirror.number - 8]:
                        del self._mirrors[number], self._presets[number]
                if self._play.midi_out and self._wiring is not None:
                    self._controllers.follow(mirror, self._wiring.sample_rate)
            case "open":
                if not self._watch.restarts:
                    self._began = time.monotonic()
            case "port" if said["name"]:
                if said["way"] == "in":
                    self._midi[said["name"]] = said["is_there"]
                words = "is there" if said["is_there"] else "is not there; waiting for it"
                self._tell(f"MIDI: {said['name']} {words}")
            case "refused":
                self._tell(said["error"])
            case "note":
                self._tell(said["text"])

    def _lose_engine(self) -> None:
        """What has come is written, and the take ends; the next engine begins another. [watch]"""
        with self._files_lock:
            self._do_files()
            self._recorder.close()

    def _lose_take(self, why: str) -> None:
        """A take has ended by itself. [files' thread]"""
        self._is_recording = False
        self._watch.send("stop recording")
        self._tell(why)

    def _preset_of(self, number: int) -> Preset:
        """A deck's preset. The sound may be a little ahead of what the engine says. [files' thread]"""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while number not in self._presets:
            if time.monotonic() > patience or self._watch.state == "ended":
                raise PresetError(f"the engine has not said what board {number} is")
            time.sleep(_ROUND_SECONDS)
        return self._presets[number]

    def _tell(self, news: str) -> None:
        self._news.append(news)

    # [files' thread]

    def _look_after_files(self) -> None:
        seconds = self._play.seconds or math.inf
        while not self._ending.wait(_ROUND_SECONDS):
            if self._watch.state != "starting":  # the sound first: JACK takes one after the other
                self._ports.work()
            with self._files_lock:
                if self._wiring is not None:
                    self._do_files()
            if self._watch.state == "running" and time.monotonic() - self._began > seconds:
                self._watch.end()
        with self._files_lock:
            if self._wiring is not None:
                self._do_files()
            self._recorder.close()
            for file in (self._player, self._writer):
                if file is not None:
                    file.close()
        self._ports.close()  # by the thread that started it, with which it would end

    def _do_files(self) -> None:
        try:
            if self._player is not None:
                self._player.work(self.memory.played)
            if self._writer is not None:
                self._writer.work(self.memory.out)
        except (OSError, CodecFxError) as error:
            self._tell(str(error))
        self._recorder.work(self._hear_message)
        self._look_at_disk()
        dropped = int(self.memory.meters[Meter.DROPOUTS])
        if dropped > self._dropped:
            when = float(self.memory.meters[Meter.DROPOUT_AT]) - self._began
            self._dropouts.append(Dropout(when, dropped - self._dropped))
            self._dropped = dropped
        mirror = self._mirror
        if mirror is not None:
            self._learn(mirror)
            self._controllers.show(mirror, self.memory)

    def _look_at_disk(self) -> None:
        """Tell what it was too slow for."""
        assert self._wiring is not None
        for meter, missing in self._missing.items():
            samples = self.memory.meters[meter]
            if missing.is_news(samples, time.monotonic()):
                seconds = samples / self._wiring.sample_rate
                self._tell(f"the disk is too slow: {seconds:.2f} s {_OF_FILES[meter]}")

    def _hear_message(self, message: tuple[Any, ...]) -> None:
        """What the engine's decks have played."""
        if message[0] == "event" and isinstance(message[2], bytes):
            self._controllers.hear(message[2])

    def _learn(self, mirror: Mirror) -> None:
        """Map the control that was moved, once it rests."""
        learnt = self._controllers.learnt()
        if learnt is None:
            return
        heard, path = learnt
        try:
            mirror.read(self.memory)
            self._bring(mirror.with_map(heard, path))
            self._tell(f"{heard} moves {path}")
        except CodecFxError as error:
            self._tell(str(error))
