"""The watch: one engine at a time, ended when its heart stops, started again with patience."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from codecfx.errors import AudioDeviceError, CodecFxError, ConfigurationError
from codecfx.live.child_process import ChildProcess
from codecfx.live.memory import Memory, Meter
from codecfx.live.patience import Patience
from codecfx.live.wiring import Setup, Wiring, wired

_ROUND_SECONDS = 0.02
_LOST_SECONDS = 0.5  # no callback for so long: the device, or its server, has gone
_START_SECONDS = 20.0  # models are read from the disk
_AGAIN_SECONDS = (0.0, 0.25, 0.5, 1.0)  # before each try to start again; the last for ever
_OTHER_DEVICE_AFTER = 3  # tries: then the usual device will do
_END_SECONDS = 5.0


class Watch:
    """Keeps an engine running. What it calls is called by its own thread, but for the first start."""

    def __init__(
        self,
        memory: Memory,
        setup: Setup,
        file_form: tuple[int, int],
        on_wired: Callable[[Wiring], dict[str, Any]],
        on_said: Callable[[dict[str, Any]], None],
        on_lost: Callable[[], None],
    ) -> None:
        """
        Args:
            file_form: rate and channels of the file that is played, (0, 0) for none.
            on_wired: takes the devices that an engine is going to use; returns its order.
            on_said: takes what an engine says.
            on_lost: called when an engine has gone.
        """
        self._memory, self._setup, self._file_form = memory, setup, file_form
        self._on_wired, self._on_said, self._on_lost = on_wired, on_said, on_lost
        self._engine: ChildProcess | None = None
        self._thread = threading.Thread(target=self._run, name="codecfx watch", daemon=True)
        self._ending = threading.Event()
        self._failure: CodecFxError | None = None
        self._beats, self._silence = -1, Patience()
        self.state = "starting"  # "running", "lost", "ended"
        self.trouble = ""
        self.restarts = 0

    def start(self) -> None:
        """Start the first engine, and watch from then on. Raises CodecFxError: what it says instead."""
        self._thread.start()
        while self.state == "starting" and not self._ending.is_set():
            time.sleep(_ROUND_SECONDS)
        if self._failure is not None:
            raise self._failure

    @property
    def pid(self) -> int:
        """The engine's process; 0 for none."""
        return self._engine.pid if self._engine else 0

    def send(self, do: str, **what: Any) -> None:
        """Tell the engine to do something; nothing where there is none now. [any thread]"""
        engine = self._engine
        if engine is not None:
            engine.send(do, **what)

    def end(self) -> None:
        """End the engine, and the watch; within 5 s."""
        self._ending.set()
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive() and self._engine is not None:  # it waits for a device to answer
            self._engine.kill()

    # The watch's thread

    def _run(self) -> None:
        try:
            self._begin(self._setup)
            self.state = "running"
            while not self._ending.wait(_ROUND_SECONDS):
                self._hear()
                lost = self._what_is_lost()
                if lost:
                    self._begin_again(lost)
        except CodecFxError as error:
            self._failure = error
        finally:
            self._end_engine()
            self.state = "ended"

    def _begin(self, setup: Setup) -> None:
        """Start an engine, and wait until it plays. Raises CodecFxError where it does not."""
        wiring = wired(setup, *self._file_form)
        self._memory.clear()
        order = self._on_wired(wiring)
        self._engine = ChildProcess("codecfx.live.engine", self._memory, order)
        self._is_open = False
        patience = time.monotonic() + _START_SECONDS
        while not self._is_open:
            if self._ending.wait(_ROUND_SECONDS):
                return
            has_ended = self._engine.has_ended
            self._hear()
            if self._is_open:
                break
            if has_ended or time.monotonic() > patience:
                reason = self._engine.last_words or self._engine.end_in_words
                self._end_engine()
                raise AudioDeviceError(f"the engine does not start: {reason}")
        self._beats = -1
        self._silence.renew()

    def _hear(self) -> None:
        assert self._engine is not None
        for said in self._engine.heard():
            if said["say"] == "failed":
                kind = ConfigurationError if said["is_usage"] else AudioDeviceError
                self._end_engine()
                raise kind(said["error"])
            if said["say"] == "open":
                self._is_open = True
            self._on_said(said)

    def _what_is_lost(self) -> str:
        """What has happened to the engine, in words; "" for nothing."""
        assert self._engine is not None
        if self._engine.has_ended:
            return f"the engine has ended ({self._engine.end_in_words})"
        beats = int(self._memory.meters[Meter.CALLBACKS])
        if beats != self._beats:
            self._beats = beats
            self._silence.renew()
        if self._silence.passed() > _LOST_SECONDS:
            return "the sound device has gone, or its server"
        return ""

    def _begin_again(self, lost: str) -> None:
        self.state, self.trouble = "lost", lost
        self._end_engine(politely=False)
        self._on_lost()
        tries = 0
        while not self._ending.wait(_AGAIN_SECONDS[min(tries, len(_AGAIN_SECONDS) - 1)]):
            setup = self._setup
            if tries >= _OTHER_DEVICE_AFTER and tries % 2:
                setup = replace(
                    setup,
                    input=setup.input if setup.input_file else "",
                    output=setup.output if setup.output_file else "",
                )
            try:
                self._begin(setup)
            except CodecFxError as error:
                self.trouble = f"{lost}: {error}; trying again"
                tries += 1
                continue
            self.restarts += 1
            self.state, self.trouble = "running", ""
            return

    def _end_engine(self, politely: bool = True) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            if politely:
                engine.end()
            else:
                engine.kill()
