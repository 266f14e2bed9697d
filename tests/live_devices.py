"""Sound devices of a real PortAudio: through a JACK server that runs, hangs and dies, and through ALSA.

Neither needs a sound card. JACK's server is one of our own; ALSA's devices are made by a file.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from jack_rig import Server, require_jackd
from stopwatch import within

from codecfx.errors import AudioDeviceError
from codecfx.live.devices import (
    check,
    choose,
    choose_one,
    devices,
    host_apis,
    listing,
    portaudio_answers,
)
from codecfx.live.devices.portaudio_answers import JACK

PATIENCE_SECONDS = 2.0  # nobody waits longer for an answer, whatever has died
START_SECONDS = 0.5  # a command's own: 0.3 s where nothing else runs

# ALSA's plug to JACK, and names for what is usual, none of which makes a sound; and one that is broken
ALSA = """
pcm.jack { type null  hint.show on }
pcm.pulse { type null  hint.show on }
pcm.broken { type hw  card 7  hint.show on }
"""


@contextmanager
def serving(name):
    require_jackd()
    server = Server(f"dev-{name}", "-t 500")
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = server.name
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.end()
        os.environ.pop("JACK_DEFAULT_SERVER")
        if before is not None:
            os.environ["JACK_DEFAULT_SERVER"] = before


@pytest.fixture(scope="module")
def server():
    with serving("a") as one:
        yield one


@pytest.fixture
def no_jack(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "codecfx-none")


@pytest.fixture
def alsa(no_jack, monkeypatch, tmp_path):
    """Writes ALSA's settings."""

    def write(text):
        (tmp_path / "asound.conf").write_text(text, encoding="utf-8")

    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    return write


def in_time():
    return within(PATIENCE_SECONDS)


def codecfx(*arguments):
    """What the command line says."""
    return subprocess.run(
        [sys.executable, "-m", "codecfx", *arguments],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_jack_is_there_while_its_server_runs(server):
    with in_time():
        every = devices()
    (system,) = [one for one in every if one.name == "system"]
    assert (system.host_api, system.input_channels, system.output_channels) == (JACK, 2, 2)
    assert (system.rate_hz, system.input_low_ms) == (48_000, pytest.approx(128 / 48))
    assert JACK in [one.name for one in host_apis()]
    assert listing().version.startswith("PortAudio")
    assert choose() == (system, system)
    assert choose("SYS", system.number) == (system, system)
    assert choose_one("output", host_api="jack") == system


def test_what_jack_takes(server):
    system, _ = choose()
    with in_time():
        assert check(system, system) == 48_000
    assert check(system, None, rate_hz=48_000, input_channels=(2,)) == 48_000
    with in_time(), pytest.raises(AudioDeviceError) as caught:
        check(system, system, rate_hz=44_100)
    assert str(caught.value) == (
        "'system' (JACK) does not take 44100 Hz; it runs at 48000 Hz: leave out --rate, or give 48000"
    )
    with pytest.raises(AudioDeviceError, match="no input channel 4; it has channels 1 to 2"):
        check(system, system, input_channels=(3, 4))
    with in_time(), pytest.raises(AudioDeviceError, match="no input device 'nix'; there is: "):
        choose("nix")


def test_the_verb_lists_jack(server):
    done = codecfx("devices")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = [line.split() for line in done.stdout.splitlines() if "system" in line]
    assert line[1:6] == ["both", "2", "2", "48000", "2.7"]
    assert line[-2:] == ["JACK", "system"]
    done = codecfx("devices", "--json")
    assert [
        one["used_as"] for one in json.loads(done.stdout)["devices"] if one["name"] == "system"
    ] == [["input", "output"]]
    done = codecfx("doctor")
    assert "live uses 'system' (JACK) and 'system' (JACK)" in done.stdout
    assert done.stderr == ""


def test_a_process_that_opens_counts_for_itself(server):
    """And says nothing while it loads PortAudio."""
    code = (
        "from codecfx.live.devices import *; one, _ = choose(); print(*numbers_here([one]), one.number)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here, there = done.stdout.split()
    assert here == there
    assert done.stderr == ""


def test_a_server_that_refuses_once_is_asked_again(server):
    """A machine that stands still for two seconds while JACK's client begins: PortAudio has no JACK."""
    code = f"""
import json, os
os.environ["JACK_DEFAULT_SERVER"] = "codecfx-none"
import sounddevice
assert "{JACK}" not in [one["name"] for one in sounddevice.query_hostapis()]
os.environ["JACK_DEFAULT_SERVER"] = "{server.name}"
from codecfx.live.devices import *
from codecfx.live.devices.portaudio_answers import _answer
if HERE:
    found = numbers_here(choose("system", "system"))
    names = [sounddevice.query_devices(one)["name"] for one in found]
else:
    names = [one["name"] for one in _answer([], True)["devices"]]
print(json.dumps(names))
"""
    for here in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("HERE", str(here))],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "system" in json.loads(done.stdout)


def test_a_server_that_hangs_is_told_of_in_time():
    with serving("b") as server:
        system, _ = choose()
        server.process.send_signal(signal.SIGSTOP)
        hangs = f"the JACK server '{server.name}' hangs; end it"
        for ask in (devices, lambda: check(system, system)):
            with in_time(), pytest.raises(AudioDeviceError, match=hangs):
                ask()
        with within(PATIENCE_SECONDS + START_SECONDS):
            done = codecfx("devices")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith("codecfx: error: the JACK server")
        done = codecfx("doctor")
        assert hangs in done.stdout

        server.process.send_signal(signal.SIGCONT)
        with in_time():
            assert choose()[0].name == "system"


def test_a_machine_that_stands_still_is_no_server_that_hangs():
    """The server stops for a moment, and whoever asks it, for as long as it would be waited for."""
    with serving("b") as server:
        server.pause()
        asking = subprocess.Popen(
            [sys.executable, "-P", portaudio_answers.__file__, "[]"], stdout=subprocess.PIPE
        )
        time.sleep(0.5)
        asking.send_signal(signal.SIGSTOP)
        time.sleep(portaudio_answers.JACK_SECONDS)
        asking.send_signal(signal.SIGCONT)
        server.resume()
        said, _ = asking.communicate()
    assert asking.returncode == 0
    assert JACK in [one["name"] for one in json.loads(said)["host_apis"]]


def test_a_server_that_has_died_is_not_there():
    with serving("b") as server:
        system, _ = choose()
        server.kill()
        with in_time():
            assert JACK not in [one.name for one in host_apis()]
        with in_time(), pytest.raises(AudioDeviceError, match="it is not there any more"):
            check(system, system)
        server.start()
        with in_time():
            assert check(system, system) == 48_000


def test_no_server_and_no_card(no_jack):
    if devices():
        pytest.skip("this machine has a sound card")
    with in_time():
        done = codecfx("devices")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "codecfx live --input song.wav --output out.wav" in done.stderr


def test_the_plug_to_jack_is_never_taken_unasked(alsa):
    alsa(ALSA)
    pair = choose(host_api="alsa")
    assert [one.name for one in pair] == ["pulse", "pulse"]
    assert check(*pair, rate_hz=48_000) == 48_000
    assert choose("jack", "jack")[0].name == "jack"
    done = codecfx("devices")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[-1] for line in done.stdout.splitlines() if "both" in line] == ["pulse"]


def test_settings_that_end_portaudio(alsa):
    alsa("")
    done = codecfx("devices")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "PortAudio breaks off" in done.stderr
