"""What PortAudio says: a script that `portaudio.ask` runs, since whoever asks PortAudio may hang.

Its argument is JSON, a list of settings to try; so is its answer. It loads nothing of ours, to be
quick.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

JACK_SECONDS = 1.4  # a server that runs answers in 30 ms; one that stands still ends us by SIGALRM
_TICK_SECONDS, _LONGEST_TICK_SECONDS = 0.01, 0.05  # as `codecfx.live.patience`
_LIBJACK = "libjack.so.0"  # what PortAudio is linked with
_NO_START_SERVER = 1  # jack/types.h: JackNoStartServer
JACK = "JACK Audio Connection Kit"  # as PortAudio calls it


def main() -> None:
    """Answer on what was standard output; that and standard error are nobody's meanwhile."""
    answers, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    has_jack = sys.platform == "linux" and _meets_jack()
    with os.fdopen(answers, "w") as out:
        json.dump(_answer(json.loads(sys.argv[1]), has_jack), out)
    if sys.platform == "linux":
        signal.setitimer(signal.ITIMER_REAL, JACK_SECONDS)  # leaving may hang as well


def _meets_jack() -> bool:
    """Connect to JACK's server as PortAudio will; whether there is one. If it does not answer, the
    process ends here, by a signal that says so; nothing gentler comes through to libjack.
    """
    client, answers = None, threading.Event()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    threading.Thread(target=_lose_patience, args=(answers,), daemon=True).start()
    try:
        libjack = ctypes.CDLL(_LIBJACK)
    except OSError:
        pass
    else:
        libjack.jack_client_open.restype = ctypes.c_void_p
        client = libjack.jack_client_open(b"codecfx-probe", _NO_START_SERVER, None)
        if client:
            libjack.jack_client_close(ctypes.c_void_p(client))
    answers.set()
    return client is not None


def _lose_patience(answers: threading.Event) -> None:
    """End this process, if it does not get an answer for as long as the machine runs."""
    passed, before = 0.0, time.monotonic()
    while not answers.wait(_TICK_SECONDS):
        now = time.monotonic()
        passed += min(now - before, _LONGEST_TICK_SECONDS)
        before = now
        if passed > JACK_SECONDS:
            os.kill(os.getpid(), signal.SIGALRM)


def start_again(sounddevice: Any) -> None:
    """PortAudio ends, and looks again what there is. JACK gives a client that comes two seconds to
    answer (its SOCKET_TIME_OUT), and refuses it where the machine stood still for so long; PortAudio
    then has no JACK as long as it runs.
    """
    sounddevice._terminate()
    sounddevice._initialize()


def _answer(trials: list[dict[str, Any]], has_jack: bool) -> dict[str, Any]:
    try:
        import sounddevice
    except ImportError:
        return {"missing": "sounddevice"}
    except OSError:
        return {"missing": "PortAudio"}
    except Exception as error:  # its PortAudioError, which cannot be imported
        return {"missing": str(error)}
    if has_jack and JACK not in [api["name"] for api in sounddevice.query_hostapis()]:
        start_again(sounddevice)
    return {
        "version": sounddevice.get_portaudio_version()[1],
        "host_apis": sounddevice.query_hostapis(),
        "devices": list(sounddevice.query_devices()),
        "refusals": [_refusal(sounddevice, trial) for trial in trials],
    }


def _refusal(sounddevice: Any, trial: Mapping[str, Any]) -> list[Any] | None:
    """Why a device does not open so: a text, PortAudio's code, and what the host API says; None if it
    would.
    """
    number = number_of(sounddevice, trial["number"], trial["name"], trial["host_api"])
    if number is None:
        return ["it is not there any more", 0]
    way = trial["way"]
    check = sounddevice.check_input_settings if way == "input" else sounddevice.check_output_settings
    try:
        check(number, channels=trial["channels"], dtype="float32", samplerate=trial["rate_hz"])
    except sounddevice.PortAudioError as error:
        return list(error.args)
    return None


def number_of(sounddevice: Any, number: int, name: str, host_api: str) -> int | None:
    """The number of a device here: `number`, if that is still the one; numbers change as JACK's clients
    come and go. None if there is none.
    """
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    found = [
        each
        for each, device in enumerate(sounddevice.query_devices())
        if device["name"] == name and apis[device["hostapi"]] == host_api
    ]
    return number if number in found else next(iter(found), None)


if __name__ == "__main__":
    main()
