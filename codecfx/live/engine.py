"""The engine: the process that makes the sound, and nothing else.

Its host writes it an order and then commands, a JSON object a line; it answers in the same way, and
tells the rest through shared memory. Python's lock is the enemy here: whoever holds it holds up the
sound. So there is no screen, no file and no log in this process, no garbage collector while sound runs,
and threads give the lock up within 50 us.
"""

import gc
import os
import queue
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

from codecfx.live.child import Orders, answering, first_order, further_orders, prefer

_SWITCH_SECONDS = 5e-5
_PRIORITY = 20  # of all threads but the audio's: above whatever else the machine does
_PATIENCE_SECONDS = 0.2  # without sound for so long, there is a round all the same
_FILE_BLOCK_SAMPLES = 256
MAX_BLOCK_SAMPLES = 4096  # JACK's own limit is 8192; longer ones are cut


class Engine:
    """The decks, the desk, and who drives them."""

    def __init__(self, order: dict[str, Any], say: Callable[..., None]) -> None:
        """Make everything that `order` asks for; see `codecfx.live.host`. Raises CodecFxError."""
        from codecfx.effects.decks import Decks
        from codecfx.effects.processor import StreamSpec
        from codecfx.live.deck_making import DeckMaker
        from codecfx.live.desk import Desk
        from codecfx.live.memory import Memory

        _load_everything()
        self._say = say
        self._commands: Orders | None = None
        self._told_values: tuple[Any, int] | None = None  # of which deck, after how many moves
        self.memory = Memory(order["memory"])
        rate, channels = order["sample_rate"], order["channels"]
        self.memory.played.shape(order["heard_channels"])
        for ring in (self.memory.dry, self.memory.wet, self.memory.out):
            ring.shape(channels)
        self._spec = StreamSpec(rate, channels, MAX_BLOCK_SAMPLES, live=True)
        self._maker = DeckMaker(self._spec, order["seed"])
        first = self._maker.made(order["deck"])
        self.decks = Decks(first)
        self.decks.prepare(self._spec)
        heard = order["heard_channels"]
        self.desk = Desk(self.decks, self._spec, self.memory, heard, muted=order["muted"])
        self.desk.guard.is_off = not order["limiter"]
        if order["bypassed"]:
            self.desk.bypass(True)
        if order["recording"] is not None:
            self.desk.record(wet=order["recording"]["wet"])
        self._tell_of(first)
        self._driver = self._driver_of(order)
        self.memory.midi.skip()

    def _driver_of(self, order: dict[str, Any]) -> Any:
        from codecfx.live.file_clock import FileClock
        from codecfx.live.sound_card import SoundCard, plugged

        microphone, phones = plugged(order["microphone"], order["phones"])
        rate, block = self._spec.sample_rate, order["block_samples"]
        process, memory = self.desk.process, self.memory
        if microphone is None and phones is None:
            return FileClock(process, memory, rate, block or _FILE_BLOCK_SAMPLES, self._call_round)
        return SoundCard(process, memory, microphone, phones, rate, block, self._call_round)

    def _call_round(self) -> None:
        """Let there be a round now: right after a block, while nobody else wants Python's lock.
        [audio thread]
        """
        if self._commands is not None:
            self._commands.put({"do": "round"})

    def start(self) -> None:
        """Let it sound. Raises AudioDeviceError."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._driver.start()
        self._say("open")

    def serve(self, commands: Orders) -> None:
        """Do what the host says until it says no more."""
        self._commands = commands
        while True:
            told = _told(commands)
            for command in told:
                if command["do"] == "end":
                    return
                self._obey(command)
            if not told or any(command["do"] == "round" for command in told):
                self._round()

    def end(self) -> None:
        """Leave in an orderly way, as far as the sound system lets us."""
        self._driver.end()

    def _round(self) -> None:
        """What is told now and then: values, meters."""
        from codecfx.live.deck_making import LiveDeck, read_codecs, read_values
        from codecfx.live.memory import Meter

        meters = self.memory.meters
        self.desk.heard.tell()
        self.desk.said.tell()
        newest, heard = cast(LiveDeck, self.decks.newest), cast(LiveDeck, self.decks.heard)
        moved = newest, newest.performer.moves
        if moved != self._told_values:
            self._told_values = moved
            read_values(newest, self.memory.values)
        meters[Meter.VALUES_OF] = newest.number
        meters[Meter.DECK] = heard.number
        meters[Meter.CHANGING] = self.decks.is_changing
        read_codecs(heard, meters)
        guard, howl = self.desk.guard, self.desk.howl
        meters[Meter.REDUCTION_DB], meters[Meter.CLAMPED] = guard.gain_db, guard.clamped
        meters[Meter.HOWL_HZ] = howl.frequency_hz if howl.is_howling else 0.0
        meters[Meter.SILENT_SAMPLES] = self.desk.heard.silent_samples
        for text in heard.complaints.fresh(heard.board, time.monotonic()):
            self._say("note", text=text)
        while self.decks.retired:
            self.decks.retired.popleft()
            gc.collect()  # what is left of it; all that is not of this board is frozen

    def _obey(self, command: dict[str, Any]) -> None:
        """Do one thing."""
        from codecfx.effects.player import Move
        from codecfx.errors import CodecFxError

        match command["do"]:
            case "move":
                self.decks.post(Move(command["path"], command["value"]))
            case "post":
                self.decks.post(bytes.fromhex(command["message"]))
            case "mute":
                self.desk.mute(command["on"])
            case "bypass":
                self.desk.bypass(command["on"])
            case "stop recording":
                self.desk.end_recording()
            case "deck":
                try:
                    self._bring(command)
                except CodecFxError as error:
                    self._say("refused", number=command["number"], error=_in_words(error))

    def _bring(self, command: dict[str, Any]) -> None:
        deck = self._maker.made(command, self.decks.newest)
        self._tell_of(deck)
        if command.get("recording"):
            self.desk.record(wet=command["recording"]["wet"])
        self.decks.bring(deck)

    def _tell_of(self, deck: Any) -> None:
        from codecfx.live.deck_making import facts

        self._say("deck", **facts(deck))


def main() -> None:
    """Serve the host that started this process, by standard input and output."""
    os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
    sys.setswitchinterval(_SWITCH_SECONDS)
    prefer(_PRIORITY)
    say = answering()
    from codecfx.errors import CodecFxError, ConfigurationError

    order = first_order()
    try:
        engine = Engine(order, say)
        engine.start()
    except CodecFxError as error:
        say("failed", error=_in_words(error), is_usage=isinstance(error, ConfigurationError))
        os._exit(1)
    engine.serve(further_orders())
    engine.end()
    os._exit(0)  # what a dead sound server holds is not waited for


def _in_words(error: Exception) -> str:
    """An error, without the file that boards are made of here, which nobody has."""
    from codecfx.live.deck_making import ROOT

    return str(error).removeprefix(f"{ROOT}: ")


def _load_everything() -> None:
    """Import what any preset may need: while sound runs, loading a library would hold it up."""
    import importlib.util

    from codecfx import codecs

    for name in codecs.names():
        codecs.find(name)
    for library in ("av", "onnxruntime"):
        if importlib.util.find_spec(library) is not None:
            importlib.import_module(library)


def _told(commands: Orders) -> list[dict[str, Any]]:
    """What the host wants now, waiting for it a little. Of several decks only the last is made, with
    what was asked of the others.
    """
    told: list[dict[str, Any]] = []
    try:
        told.append(commands.get(timeout=_PATIENCE_SECONDS))
        while True:
            told.append(commands.get_nowait())
    except queue.Empty:
        pass
    decks = [command for command in told if command["do"] == "deck"]
    for earlier, later in pairwise(decks):
        if later.get("table") is None:
            later["values"] = earlier.get("values", {}) | later.get("values", {})
            if earlier.get("table") is not None:
                later |= {"name": earlier["name"], "table": earlier["table"], "keeps_values": False}
        later["recording"] = later.get("recording") or earlier.get("recording")
    return [command for command in told if command["do"] != "deck" or command is decks[-1]]


if __name__ == "__main__":
    main()
