"""Controllers: which control moves what is learnt from them, and they are shown what moves."""

import time

from codecfx.control.feedback import Feedback
from codecfx.control.learning import Heard, Message, guess, is_over
from codecfx.live.memory import Memory
from codecfx.live.midi import Midi
from codecfx.live.mirror import Mirror


class Controllers:
    """Those that the performer's hands are on, behind MIDI ports. [files' thread, but for `learn`]"""

    def __init__(self, ports: Midi) -> None:
        self._ports = ports
        self.learning = ""  # the path that the next control moves; "" for none
        self._played: list[Message] = []  # since then
        self._feedback: Feedback | None = None

    def learn(self, path: str) -> None:
        """The next control that is moved is for this parameter; "" for none. [any thread]"""
        self._played.clear()
        self.learning = path

    def hear(self, message: bytes) -> None:
        """A message that the board has played."""
        if self.learning:
            self._played.append((time.monotonic(), message))
        if self._feedback is not None:
            self._feedback.heard(message)

    def learnt(self) -> tuple[Heard, str] | None:
        """The control that was moved, once it rests, and what for; then nothing is learnt any more."""
        if not self.learning or not is_over(self._played, time.monotonic()):
            return None
        heard = guess(self._played)
        self._played.clear()
        if heard is None:
            return None
        path, self.learning = self.learning, ""
        return heard, path

    def follow(self, mirror: Mirror, sample_rate: int) -> None:
        """Show this board from now on."""
        self._feedback = Feedback(mirror.mapped(sample_rate), self._ports)

    def show(self, mirror: Mirror, memory: Memory) -> None:
        """Let motors and lights show what everything is set to."""
        if self._feedback is not None:
            mirror.read(memory)
            for path, value in mirror.values():
                self._feedback.show(path, value)
            self._feedback.tick()
