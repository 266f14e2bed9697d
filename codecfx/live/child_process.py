"""A process of the host's as the host has it: what it is told, and what it says."""

import json
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from codecfx.live.memory import Memory

_END_SECONDS = 2.0
_LAST_WORDS = 20


class ChildProcess:
    """A process that has been started; its side is `codecfx.live.child`."""

    def __init__(self, module: str, memory: Memory, order: dict[str, Any]) -> None:
        """Start `module`, with its `order`. Raises OSError."""
        self._said: deque[dict[str, Any]] = deque()
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=memory.inherited,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the host, who ends it in an orderly way
        )
        for read in (self._hear, self._overhear):
            threading.Thread(target=read, daemon=True).start()
        self._tell(order | {"memory": memory.handle})

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, do: str, **what: Any) -> None:
        """Tell it to do something; nothing where it has gone. [any thread]"""
        self._tell({"do": do, **what})

    def _tell(self, what: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it has gone, and whoever watches it sees that
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()

    def heard(self) -> list[dict[str, Any]]:
        """What it has said since the last time."""
        return [self._said.popleft() for _ in range(len(self._said))]

    @property
    def last_words(self) -> str:
        """What libraries in it printed last; "" for nothing."""
        return self._words[-1] if self._words else ""

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def end_in_words(self) -> str:
        """How it ended."""
        code = self._process.poll()
        if code is None:
            return "it does not answer"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def end(self) -> None:
        """Let it leave in an orderly way; where it does not, end it."""
        self.send("end")
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._said.append(json.loads(line))

    def _overhear(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as words:
            for line in words:
                if line.strip():
                    self._words.append(line.strip())
