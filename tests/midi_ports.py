"""Live MIDI through a real JACK server: ports that come and go, `codecfx midi`, and a server that dies.

Virtual ports play the controllers. The server is synchronous (-S): the other kind loses the messages of
a cycle that somebody is late for. A synchronous one waits for whoever leaves without a word, ten times
as long as -t says: so all end in an orderly way. Servers that are to die are of the other kind.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from jack_rig import Server, require_jackd
from stopwatch import within

from codecfx.cli import run
from codecfx.control.maps import Map
from codecfx.control.midi_ports import (
    MidiInput,
    MidiOutput,
    find_port,
    input_names,
    midi_api,
    output_names,
)
from codecfx.control.sources import Source
from codecfx.errors import ConfigurationError, UnknownName
from codecfx.presets import load_preset

ROOT = Path(__file__).parents[1]
PATIENCE = 20  # seconds; only a failure takes so long


@contextmanager
def serving(name, flags="-t 200"):
    require_jackd()
    server = Server(f"codecfx-{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}-{name}", flags)
    try:
        yield server
    finally:
        server.end()


@pytest.fixture(scope="module", autouse=True)
def jack():
    """The server that everything here talks to, in this process and in those that it starts."""
    before = {key: os.environ.get(key) for key in ("JACK_DEFAULT_SERVER", "CODECFX_MIDI_API")}
    with serving("a", "-S -t 1000") as server:
        os.environ.update(JACK_DEFAULT_SERVER=server.name, CODECFX_MIDI_API="jack")
        yield server
    for key, value in before.items():
        os.environ.pop(key, None)
        if value is not None:
            os.environ[key] = value


@contextmanager
def controller(port="knobs", client="deck"):
    """A controller's output; plugged in, as long as the context lasts."""
    import rtmidi

    made = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=client)
    made.open_virtual_port(port)
    try:
        yield made
    finally:
        made.delete()


@contextmanager
def lights(port="lights", client="deck"):
    """A controller's input, whose queue keeps what it is shown."""
    import rtmidi

    made = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=client, queue_size_limit=8192)
    made.open_virtual_port(port)
    try:
        yield made
    finally:
        made.delete()


def until(condition, seconds=PATIENCE):
    """Whether a condition came to hold in time."""
    ending = time.monotonic() + seconds
    while time.monotonic() < ending:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


class Listener:
    """What an input has brought."""

    def __init__(self):
        self.heard, self.states, self.threads = [], [], set()

    def message(self, seconds, message):
        self.heard.append((seconds, message))
        self.threads.add(threading.current_thread().name)

    def state(self, name, is_there):
        self.states.append((name, is_there))

    @property
    def messages(self):
        return [message for _, message in self.heard]


def counted(numbers):
    return [bytes([0xB0, number >> 7 & 127, number & 127]) for number in numbers]


# Names


def test_ports_are_listed_without_our_own():
    with controller(), lights(), MidiOutput("lights") as ours, MidiInput("knobs", print) as mine:
        assert until(lambda: ours.connected and mine.connected)
        assert midi_api() == "jack"
        assert input_names() == ["deck:knobs"]
        assert output_names() == ["deck-01:lights"]


def test_a_port_is_found_by_a_part_of_its_name():
    names = ["Launchkey:DAW", "Launchkey:MIDI", "nanoKONTROL2:MIDI"]
    assert find_port("Launchkey:MIDI", names) == "Launchkey:MIDI"
    assert find_port("NANO", names) == "nanoKONTROL2:MIDI"
    assert find_port("", names) == "Launchkey:DAW"
    with pytest.raises(ConfigurationError, match=r"'launch' may be Launchkey:DAW, Launchkey:MIDI; "):
        find_port("launch", names)
    with pytest.raises(UnknownName, match=r"did you mean 'nanoKON.*'\? there is: Launchkey"):
        find_port("nanocontrol:MIDI", names)
    with pytest.raises(UnknownName, match="there is none at all"):
        find_port("x", [])


# Inputs


def test_a_thousand_messages_arrive_in_order():
    listener = Listener()
    with controller() as deck, MidiInput("knobs", listener.message, listener.state) as heard:
        assert until(lambda: heard.connected)
        begin = time.monotonic()
        for message in counted(range(1000)):
            deck.send_message(message)
        assert until(lambda: len(listener.heard) >= 1000)
        assert listener.messages == counted(range(1000))
        times = [seconds for seconds, _ in listener.heard]
        assert begin <= times[0] <= times[-1] <= time.monotonic()
        assert times == sorted(times)
        assert listener.threads == {"codecfx MIDI in"}
        assert listener.states == [("deck:knobs", True)]
    with within(0.1):
        heard.close()
    assert heard.names == []


def test_only_channel_messages_are_passed_on():
    listener = Listener()
    with controller() as deck, MidiInput("", listener.message) as heard:
        assert until(lambda: heard.connected)
        for message in (b"\xf8", b"\xfe", b"\xf0\x01\x02\xf7", b"\xc1\x05", b"\xfa", b"\xe0\x00\x40"):
            deck.send_message(message)
        assert until(lambda: heard.others == 4 and len(listener.heard) == 2)
        assert listener.messages == [b"\xc1\x05", b"\xe0\x00\x40"]


def test_unplugged_and_plugged_in_again():
    listener = Listener()
    with MidiInput("knobs", listener.message, listener.state) as heard:
        assert until(lambda: listener.states)
        for round_ in range(3):
            with controller() as deck:
                assert until(lambda: heard.connected)
                deck.send_message(bytes([0xB0, 1, round_]))
                assert until(lambda r=round_: len(listener.heard) == r + 1)
            assert until(lambda: not heard.connected, seconds=1)
    assert listener.messages == [bytes([0xB0, 1, round_]) for round_ in range(3)]
    assert listener.states == [("knobs", False), *[("deck:knobs", True), ("deck:knobs", False)] * 3]


def test_a_loose_contact_is_noticed():
    """The cable is out for no longer than a USB hub takes; the names before and after are the same."""
    listener = Listener()
    with MidiInput("knobs", listener.message, listener.state) as heard:
        assert until(lambda: listener.states)
        with controller():
            assert until(lambda: heard.connected)
        time.sleep(0.15)
        with controller() as deck:
            assert until(
                lambda: listener.states[-1:] == [("deck:knobs", True)] and len(listener.states) == 4
            )
            deck.send_message([0xB0, 1, 2])
            assert until(lambda: listener.messages == [b"\xb0\x01\x02"])


def test_several_ports_at_once():
    listener = Listener()
    with (
        controller("knobs") as knobs,
        controller("keys") as keys,
        MidiInput(["knobs", "keys", "pedal"], listener.message) as heard,
    ):
        assert until(lambda: len(heard.names) == 2)
        assert not heard.connected
        knobs.send_message([0xB0, 1, 1])
        assert until(lambda: len(listener.heard) == 1)
        keys.send_message([0x90, 60, 1])
        assert until(lambda: len(listener.heard) == 2)
        with controller("pedal") as pedal:
            assert until(lambda: heard.connected)
            pedal.send_message([0xB0, 64, 127])
            assert until(lambda: len(listener.heard) == 3)


def test_a_callback_that_fails_does_not_end_the_input(monkeypatch):
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    listener = Listener()

    def picky(seconds, message):
        if message[2] == 1:
            raise RuntimeError("not this one")
        listener.message(seconds, message)

    with controller() as deck, MidiInput("knobs", picky) as heard:
        assert until(lambda: heard.connected)
        for value in (0, 1, 2):
            deck.send_message([0xB0, 7, value])
        assert until(lambda: len(listener.heard) == 2)
    assert [str(one.exc_value) for one in failed] == ["not this one"]


# Outputs


def test_an_output_sends_while_it_can():
    listener = Listener()
    with MidiOutput("lights", listener.state) as shown:
        assert until(lambda: listener.states)
        assert shown.send(b"\xb0\x01\x02") is False
        assert shown.dropped == 1
        with lights() as deck:
            assert until(lambda: shown.openings == 1)
            assert all(shown.send(message) for message in counted(range(300)))
            found = []
            assert until(lambda: found.extend(taken(deck)) or len(found) == 300)
            assert found == counted(range(300))
            assert shown.send(b"") is False
        assert until(lambda: len(listener.states) == 3)
        assert shown.send(b"\xb0\x01\x02") is False
        assert shown.dropped == 3
    assert listener.states == [("lights", False), ("deck:lights", True), ("deck:lights", False)]


def taken(deck):
    found = []
    while heard := deck.get_message():
        found.append(bytes(heard[0]))
    return found


# A server that goes

DYING = """
import faulthandler, os, sys
faulthandler.dump_traceback_later(30, exit=True)
from codecfx.control.midi_ports import MidiInput, MidiOutput, input_names
def say(*words):
    os.write(1, " ".join(map(str, (*words, "\\n"))).encode())  # lines, whichever thread says them
heard = MidiInput("knobs", lambda *_: None, lambda *state: say("in", *state))
shown = MidiOutput("lights", lambda *state: say("out", *state))
for line in sys.stdin:
    if line == "flood\\n":
        say("sent", sum(shown.send(b"\\xb0\\x01\\x02") for _ in range(5000)))
    if line == "close\\n":
        heard.close()
        shown.close()
        say("closed", heard.problem)
say(input_names())
"""


@contextmanager
def dying(server):
    process = subprocess.Popen(
        [sys.executable, "-c", DYING],
        env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


DECK = """
import sys, rtmidi
keys = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="deck")
keys.open_virtual_port("knobs")
lamps = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="deck")
lamps.open_virtual_port("lights")
print("there", flush=True)
sys.stdin.read()
keys.delete()
lamps.delete()
"""


@contextmanager
def another_process_plays(server):
    """A controller that does not fall with this process when its server is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", DECK],
        env=os.environ | {"JACK_DEFAULT_SERVER": server.name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout.readline() == b"there\n"
        yield
        if server.process.poll() is None:
            process.communicate(timeout=PATIENCE)  # says goodbye: else the server misses it for long
    finally:
        process.kill()
        process.communicate()


def expect(process, *lines):
    """The next lines of a process, in any order."""
    assert sorted(process.stdout.readline().rstrip() for _ in lines) == sorted(lines)


THERE = ("in deck:knobs True", "out deck-01:lights True")
GONE = ("in deck:knobs False", "out deck-01:lights False")


def test_a_server_that_dies_is_survived_and_the_next_one_used():
    with serving("b") as server, dying(server) as process:
        expect(process, "in knobs False", "out lights False")
        for how in (signal.SIGKILL, signal.SIGTERM):
            with another_process_plays(server):
                expect(process, *THERE)
                server.process.send_signal(how)
                expect(process, *GONE)
                process.stdin.write("flood\n")
                expect(process, "sent 0")
                server.process.communicate(timeout=PATIENCE)
            assert server.start()
        with another_process_plays(server):
            expect(process, *THERE)
            server.kill()
            expect(process, *GONE)
            with within(2):
                process.stdin.write("close\n")
                expect(process, "closed no MIDI here: no JACK server runs; start jackd")
        rest, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, rest, errors) == (0, "[] \n", "")


def test_a_server_that_stands_still_is_not_waited_for():
    """What it does not take is dropped, where rtmidi would wait for ever."""
    with serving("b") as server, dying(server) as process:
        expect(process, "in knobs False", "out lights False")
        with another_process_plays(server):
            expect(process, *THERE)
            server.process.send_signal(signal.SIGSTOP)
            try:
                time.sleep(0.1)
                process.stdin.write("flood\n")
                word, sent = process.stdout.readline().split()
                assert word == "sent"
                assert 0 < int(sent) < 2000
                with within(2):
                    process.stdin.write("close\n")
                    expect(process, "closed")
            finally:
                server.process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == 0


STANDING_BY = """
import mmap, os, sys, rtmidi
from codecfx.control.jack_server import JackServer, libjack_in_use
server = JackServer(libjack_in_use("rtmidi"))
memory = []
for path in sys.argv[1:]:
    with open(path, "wb+") as left:
        left.truncate(64)
        memory.append(mmap.mmap(left.fileno(), 64))
    os.unlink(path)
print(server.reach(), server.reach())
os._exit(0)
"""


@pytest.mark.parametrize(("kept", "openings"), [(False, 1), (True, 8)])
def test_a_semaphore_of_a_client_that_left_is_not_kept(kept, openings):
    """Where the client has missed that another left, whoever gets that one's number waits for the wrong
    semaphore, and JACK's graph with him, for ever. Such a semaphore is laid here, to be found.
    """
    with serving("b", "-v -t 1000") as server:
        left = [f"/dev/shm/jack_sem.{os.getuid()}_{server.name}_left"] if kept else []
        done = subprocess.run(
            [sys.executable, "-c", STANDING_BY, *left],
            env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        opened = re.findall("ClientExternalOpen.* name = codecfx-watch", server.log)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
    assert len(opened) == openings


# The command line


def environment(**more):
    """This test's, without what would change the output."""
    private = ("XDG_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHON", "CODECFX_PRESETS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(private)}
    return kept | {"PYTHONPATH": str(ROOT), "HOME": os.devnull, "PYTHONIOENCODING": "utf-8"} | more


def command(*arguments):
    return [sys.executable, "-W", "error", "-m", "codecfx", "midi", *map(str, arguments)]


def midi(*arguments, **more):
    """Run `codecfx midi` to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def running(*arguments, **more):
    """`codecfx midi`, while it runs; its output line by line."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        ended(process)


def ended(process):
    """Stop a process, and wait for it to leave."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE / 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def error_of(done, exit_code):
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    assert done.stderr.startswith("codecfx: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("codecfx: error: ").rstrip("\n")


def test_ports_and_their_system():
    with controller(), lights():
        done = midi("ports")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^in +deck:knobs\s*$", done.stdout, re.MULTILINE)
        assert re.search(r"^out +deck-01:lights\s*$", done.stdout, re.MULTILINE)
        assert "(jack)" in done.stdout
        found = json.loads(midi("ports", "--json").stdout)
    assert found == {"api": "jack", "inputs": ["deck:knobs"], "outputs": ["deck-01:lights"]}


def test_without_ports_one_line_says_what_to_do():
    assert "no MIDI ports (jack); plug in a controller" in error_of(midi("ports"), 1)
    assert "no MIDI input; plug in a controller, or name" in error_of(midi("monitor"), 1)


def test_without_a_system_one_line_says_what_is_needed():
    nothing = {"JACK_DEFAULT_SERVER": "codecfx-nobody", "CODECFX_MIDI_API": "jack"}
    assert error_of(midi("ports", **nothing), 1) == "no MIDI here: no JACK server runs; start jackd"
    done = midi("monitor", "x", "--seconds", "0.3", **nothing)
    assert done.returncode == 0
    assert done.stderr == "no MIDI port 'x'; there is none at all; waiting for it\n"
    assert "x: waiting for it (no MIDI here: no JACK server runs; start jackd)" in done.stdout
    wrong = midi("ports", CODECFX_MIDI_API="alsae")
    assert "CODECFX_MIDI_API is 'alsae'; it takes alsa, jack, coremidi, winmm" in error_of(wrong, 2)
    absent = midi("ports", CODECFX_MIDI_API="winmm")
    assert "CODECFX_MIDI_API is 'winmm'; python-rtmidi has alsa, jack here" in error_of(absent, 1)


def test_without_rtmidi_one_line_says_how_to_get_it(tmp_path):
    (tmp_path / "rtmidi.py").write_text("raise ImportError")
    more = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for verb in ("ports", "monitor x"):
        said = error_of(midi(*verb.split(), **more), 1)
        assert said == "python-rtmidi is missing; pip install 'codecfx[live]'"


def test_maps_are_listed():
    done = midi("maps")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = {one["name"]: one for one in json.loads(midi("maps", "--json").stdout)}
    assert set(found) == {path.stem for path in (ROOT / "maps").glob("*.toml")}
    assert found["nanokontrol2"]["description"] == "KORG nanoKONTROL2 in CC mode"
    assert found["nanokontrol2"]["maps"] > 20


def test_a_name_that_may_be_several():
    with controller("knobs 1"), controller("knobs 2"):
        said = error_of(midi("monitor", "knobs"), 2)
        assert said.startswith("the MIDI port 'knobs' may be deck:knobs 1, deck-01:knobs 2; write more")


WORDS = [
    ([0xB0, 21, 64], "ch 1 cc 21 = 64"),
    ([0x99, 36, 100], "ch 10 note 36 on 100"),
    ([0x99, 36, 0], "ch 10 note 36 off"),
    ([0xE0, 0, 80], "ch 1 pitch +2048"),
    ([0xC0, 5], "ch 1 program 5"),
    ([0xD1, 7], "ch 2 pressure = 7"),
    ([0xA0, 60, 7], "ch 1 poly 60 = 7"),
]


def test_the_monitor_says_what_comes_and_what_it_sets(tmp_path):
    preset = tmp_path / "call.toml"
    preset.write_text(
        'version = 1\n[[chain]]\neffect = "opus"\n[[map]]\nsource = "cc 21"\n'
        'target = "opus.bitrate_kbps"\nmin = 6\nmax = 96\n[[map]]\nsource = "cc 22"\n'
        'target = "opus.complexity"\nmode = "relative"\n[[map]]\nsource = "program 5"\npreset = "x"\n'
    )
    extra = tmp_path / "pads.toml"
    extra.write_text(
        'version = 1\n[[map]]\nsource = "gate 36"\ntarget = "bypass"\nmode = "toggle"\n'
        '[[map]]\nsource = "cc 99"\ntarget = "*.no_such"\noptional = true\n'
    )
    options = ("-p", preset, "-m", extra, "--seconds", PATIENCE)
    with controller() as deck, running("monitor", "knobs", *options) as process:
        assert process.stdout.readline().endswith("deck:knobs: listening\n")
        turns = [[0xB0, 22, value] for value in (127, 127, 1)]  # an encoder goes on from where it is
        for message in [*(message for message, _ in WORDS), *turns, [0x89, 36, 0], [0x99, 36, 9]]:
            deck.send_message(message)
        lines = [process.stdout.readline().rstrip("\n") for _ in range(len(WORDS) + 5)]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == "codecfx: error: stopped\n"
    assert max(map(len, lines)) <= 80
    found = [re.split(r"  +", line.strip()) for line in lines]
    assert all(float(one[0]) >= 0 for one in found)
    assert {one[1] for one in found} == {"knobs"}
    assert [one[2] for one in found[: len(WORDS)]] == [words for _, words in WORDS]
    sets = [one[3] if len(one) > 3 else "" for one in found]
    assert sets[:5] == ["opus.bitrate_kbps = 24.26 kbps", "bypass = on", "", "", "preset = x"]
    assert sets[7:10] == [f"opus.complexity = {value}" for value in (9, 8, 9)]
    assert sets[10:] == ["", "bypass = off"]


def test_the_monitor_loses_nothing_and_says_what_goes_and_comes():
    options = ("-m", "eight-knobs", "--json", "--seconds", PATIENCE)
    with running("monitor", "knobs", *options) as process:
        said = json.loads(process.stdout.readline())
        assert (said["port"], said["there"]) == ("knobs", False)
        with controller() as deck:
            assert json.loads(process.stdout.readline())["there"] is True
            begin = time.monotonic()
            for number, message in enumerate(counted(range(2000))):  # a thousand a second
                deck.send_message(message)
                time.sleep(max(0.0, begin + number / 1000 - time.monotonic()))
            found = [json.loads(process.stdout.readline()) for _ in range(2000)]
            assert [bytes(one["bytes"]) for one in found] == counted(range(2000))
            assert found[0]["port"] == "deck:knobs"
            deck.send_message([0xB0, 21, 127])
            sets = json.loads(process.stdout.readline())["sets"]
            assert sets == [{"path": "*.bitrate_kbps", "value": 1.0}]
        assert json.loads(process.stdout.readline())["there"] is False


def test_the_monitor_outlives_the_server():
    with serving("b") as server:
        more = {"JACK_DEFAULT_SERVER": server.name}
        with running("monitor", "knobs", "--seconds", PATIENCE, **more) as process:
            assert "knobs: waiting for it" in process.stdout.readline()
            server.process.terminate()
            server.process.communicate(timeout=PATIENCE)
            assert server.start()
            with another_process_plays(server):
                assert "deck:knobs: listening" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130


def test_the_monitor_shows_values_on_a_controller(tmp_path):
    preset = tmp_path / "call.toml"
    preset.write_text(
        'version = 1\n[[chain]]\neffect = "opus"\ncomplexity = 5\n[[map]]\nsource = "cc 21"\n'
        'target = "opus.complexity"\n[[map]]\nsource = "gate 36"\ntarget = "mix"\nmode = "toggle"\n'
    )
    options = ("-p", preset, "--out", "lights", "--seconds", PATIENCE)
    with controller() as deck, lights() as lamps, running("monitor", "knobs", *options) as process:
        shown = []
        assert until(lambda: shown.extend(taken(lamps)) or len(set(shown)) == 2)
        assert set(shown) == {b"\x90\x24\x7f", b"\xb0\x15\x40"}  # as the preset has them
        assert "listening" in process.stdout.readline() + process.stdout.readline()
        deck.send_message([0x90, 36, 100])
        assert until(lambda: shown.extend(taken(lamps)) or len(set(shown)) == 3)
        assert shown[-1] == b"\x90\x24\x00"


# Learning


def turn(deck, messages, every=0.005):
    for message in messages:
        deck.send_message(message)
        time.sleep(every)


KNOB = [[0xB2, 21, value] for value in range(40, 60)]
ENCODER = [[0xB0, 16, value] for value in (1, 1, 1, 127, 127)]


def test_a_parameter_is_learnt_in_a_copy_of_what_is_built_in(tmp_path):
    built_in = ROOT / "presets" / "hotel-wifi.toml"
    before = built_in.read_bytes()
    options = ("--parameter", "call.bitrate_kbps", "--min", "6", "--max", "96")
    with (
        controller() as deck,
        running("learn", "hotel-wifi", "knobs", *options, CODECFX_PRESETS=tmp_path) as process,
    ):
        while "turn a knob" not in process.stdout.readline():
            pass
        turn(deck, KNOB)
        rest, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "")
    path = tmp_path / "hotel-wifi.toml"
    assert "heard cc 21 on channel 3\n" in rest
    assert f"this is a copy, {path}\n" in rest
    assert rest.endswith(f"saved: cc 21 on channel 3 moves call.bitrate_kbps, in {path}\n")
    assert built_in.read_bytes() == before
    assert path.read_bytes().startswith(before)
    expected = Map(Source("cc", 21, 3), "call.bitrate_kbps", 6.0, 96.0)
    assert load_preset(path).controls.maps == (expected,)
    assert sorted(tmp_path.iterdir()) == [path]


PRESET = (
    '# mine\r\nversion = 1 # and no other\r\n\r\n[[chain]]\r\neffect = "opus"   # so\r\nlabel = "call"'
)


class Terminal:
    """`codecfx midi` on a terminal."""

    def __init__(self, *arguments):
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command(*arguments),
            env=environment(TERM="dumb", COLUMNS="100"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._terminal, self.seen = ours, ""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        ended(self.process)
        os.close(self._terminal)

    def read(self, words):
        """Wait for words, and take everything up to them."""
        ending = time.monotonic() + PATIENCE
        while words not in self.seen:
            assert time.monotonic() < ending, f"{words!r} is not in {self.seen!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._terminal, 65_536).decode()
                except OSError:  # Linux says so when nobody holds the other end
                    assert words in self.seen, self.seen
        before, _, self.seen = self.seen.partition(words)
        return before

    def write(self, line):
        os.write(self._terminal, f"{line}\n".encode())


def test_learning_on_a_terminal(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(PRESET.encode())
    with controller() as deck, Terminal("learn", path, "knobs") as terminal:
        table = terminal.read("turn a knob")
        number = re.search(r"^ *(\d+) +call\.bitrate_kbps", table, re.MULTILINE)[1]
        assert "call.frame_ms" not in table  # it cannot move
        turn(deck, ENCODER)
        terminal.read("heard cc 16 on channel 1, an encoder (twos-complement)")
        terminal.read("which parameter")
        terminal.write("call.frame_ms")
        terminal.read("cannot move while sound runs")
        terminal.write("m")
        terminal.read("'m' may be")
        terminal.write(number)
        terminal.read("from [2 kbps]?")
        terminal.write("1")
        terminal.read("it takes 2 to 510 kbps")
        terminal.write("6")
        terminal.read("to [510 kbps]?")
        terminal.write("")
        terminal.read("saved: ")
        terminal.read("turn a knob")
        turn(deck, ENCODER)
        terminal.read("which parameter")
        terminal.write("call.bitrate")
        terminal.read("from [2 kbps]?")
        terminal.write("")
        terminal.read("to [510 kbps]?")
        terminal.write("")
        terminal.read("moves call.bitrate_kbps already")
        terminal.read("turn a knob")
        turn(deck, [[0x99, 36, 100], [0x89, 36, 0]])
        terminal.read("heard gate 36 on channel 10, a button")
        terminal.read("which parameter")
        terminal.write("call.bypass")
        terminal.read("saved: ")
        terminal.read("turn a knob")
        turn(deck, KNOB)
        terminal.read("which parameter")
        terminal.write("")
        assert terminal.process.wait(PATIENCE) == 0
    content = path.read_bytes()
    assert content.startswith(PRESET.encode())
    assert content.count(b"\n") == content.count(b"\r\n")
    assert load_preset(path).controls.maps == (
        Map(Source("cc", 16, 1), "call.bitrate_kbps", 6.0, mode="relative"),
        Map(Source("gate", 36, 10), "call.bypass", mode="toggle"),
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--parameter", "call.bitrat_kbps"), "did you mean 'bitrate_kbps'?"),
        (("--parameter", "call.frame_ms"), "call.frame_ms cannot move while sound runs"),
        (
            ("--parameter", "call.bitrate_kbps", "--min", "1"),
            "bitrate_kbps is 1; it takes 2 to 510 kbps",
        ),
        (("--min", "1"), "--min and --max go with --parameter"),
    ],
)
def test_what_cannot_be_learnt_is_said_before_anybody_turns_a_knob(tmp_path, capsys, options, said):
    path = tmp_path / "mine.toml"
    path.write_bytes(PRESET.encode())
    assert run(["midi", "learn", str(path), "knobs", *options]) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert said in error
    assert error.count("\n") == 1
    assert path.read_bytes() == PRESET.encode()


def test_a_map_goes_to_a_file_of_its_own(tmp_path):
    path, file = tmp_path / "mine.toml", tmp_path / "maps.toml"
    path.write_bytes(PRESET.encode())
    file.write_text("version = 1\n# knobs\n")
    options = ("--parameter", "mix", "--out-file", file)
    with controller() as deck, running("learn", path, "", *options) as process:
        while "turn a knob" not in process.stdout.readline():
            pass
        turn(deck, KNOB)
        _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "")
    assert path.read_bytes() == PRESET.encode()
    expected = 'version = 1\n# knobs\n\n[[map]]\nsource = "cc 21"\nchannel = 3\ntarget = "mix"\n'
    assert file.read_text() == expected
