"""MIDI as the host has it: a process that is started again when it ends."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from codecfx.live.child_process import ChildProcess
from codecfx.live.memory import Memory

_AGAIN_SECONDS = 1.0


class Midi:
    """The ports: messages go to the engine by themselves; `send` is for what shows values."""

    def __init__(
        self,
        memory: Memory,
        inputs: Sequence[str] | None,
        output: str,
        on_said: Callable[[dict[str, Any]], None],
    ) -> None:
        """As MidiInput and MidiOutput take them; None and "" for none.

        Args:
            on_said: takes what the process says of ports.
        """
        self._memory, self._on_said = memory, on_said
        self._order = {"inputs": None if inputs is None else list(inputs), "output": output}
        self._process: ChildProcess | None = None
        self._next_start = 0.0
        self._is_there = False
        self.openings = 0  # of the output; each time, everything is to be shown again
        self._openings_before = 0

    def work(self) -> None:
        """Hear what there is; start the process where there is none. [always the same thread]"""
        if self._order == {"inputs": None, "output": ""}:
            return
        if self._process is None or self._process.has_ended:
            if monotonic() >= self._next_start:
                self._next_start = monotonic() + _AGAIN_SECONDS
                self._openings_before = self.openings
                self._process = ChildProcess("codecfx.live.midi_ports", self._memory, self._order)
            return
        for said in self._process.heard():
            if said.get("way") == "out":
                self._is_there = said["is_there"]
                self.openings = self._openings_before + said["openings"]
            self._on_said(said)

    def send(self, message: bytes) -> bool:
        """Show something; whether there is a port. [any thread]"""
        process = self._process
        if process is None or not self._is_there:
            return False
        process.send("send", message=message.hex())
        return True

    def close(self) -> None:
        """End it. [the same thread]"""
        if self._process is not None:
            self._process.end()
