"""PortAudio: asked in a process of its own, or loaded into this one; quiet either way.

Pa_Initialize connects to JACK's server. One that stands still (stopped, or its driver hangs) lets it
wait for ever, deaf to Python's signals; so whoever only wants to know asks another process. That costs
0.1 s, and sees devices that were plugged in since, which a PortAudio that is loaded does not.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codecfx.errors import AudioDeviceError

_SCRIPT = Path(__file__).with_name("portaudio_answers.py")
_PATIENCE_SECONDS = 8.0  # sound systems with many cards take a second or two; JACK is given one
_MISSING = {
    "sounddevice": "sounddevice is missing; pip install 'codecfx[live]'",
    "PortAudio": "PortAudio is missing; apt install libportaudio2 (macOS: brew install portaudio)",
}


def ask(trials: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What PortAudio says of this machine: `version`, `host_apis` and `devices` as sounddevice has
    them, and `refusals`, one for each of `trials`. [control thread; takes 0.1 s, 1.5 s where JACK's
    server hangs]

    Raises:
        AudioDeviceError: sounddevice or PortAudio is missing, fails, or hangs.
    """
    said, exit_code = _run([sys.executable, "-P", str(_SCRIPT), json.dumps(list(trials))])
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:  # it came to an end before
        raise AudioDeviceError(_end_in_words(exit_code)) from None
    if "missing" in answer:
        raise missing(answer["missing"])
    return answer


def _run(command: list[str]) -> tuple[bytes, int | None]:
    """What a command says, and its exit code; None if it was still not through."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", None
    return done.stdout, done.returncode


def _end_in_words(exit_code: int | None) -> str:
    if exit_code is None:
        return (
            f"PortAudio does not answer within {_PATIENCE_SECONDS:.0f} s; start the sound system again"
        )
    if exit_code == -getattr(signal, "SIGALRM", 0):
        server = os.environ.get("JACK_DEFAULT_SERVER", "default")
        return f"the JACK server '{server}' hangs; end it (kill -9) and start it again"
    settings = " (ALSA: ~/.asoundrc)" if sys.platform == "linux" else ""
    return (
        f"PortAudio breaks off (exit code {exit_code}); look at the sound system's settings{settings}"
    )


def missing(what: str) -> AudioDeviceError:
    """The error for a machine without "sounddevice" or "PortAudio"; or with PortAudio's own words."""
    return AudioDeviceError(_MISSING.get(what, f"PortAudio does not start here: {what}"))


def load() -> Any:
    """The module sounddevice, its PortAudio started in this process. For whoever opens a stream, after
    `ask` has said that nothing hangs. [control thread]

    Raises:
        AudioDeviceError: sounddevice or PortAudio is missing, or fails.
    """
    with quiet():
        try:
            import sounddevice
        except ImportError:
            raise missing("sounddevice") from None
        except OSError:
            raise missing("PortAudio") from None
        except Exception as error:  # its PortAudioError, which cannot be imported
            raise missing(str(error)) from None
    return sounddevice


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that libraries of C write to standard error meanwhile is seen: PortAudio's, ALSA's and
    JACK's words are for who programs them. This process has one standard error: not for long.
    """
    try:
        before = os.dup(2)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
