"""`codecfx live` as people start it, through a real JACK server: a rig plays the microphone and the
controller, and records the phones.

In freewheel JACK runs as fast as it can and loses nothing: there samples are compared to the last bit.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jack_rig import Rig, Server, require_jackd
from signals import noise
from stopwatch import within

from codecfx.takes import load_take

RATE = 48_000
PATIENCE = 30  # seconds; only a failure takes so long
RUNS = int(os.environ.get("CODECFX_LIVE_RUNS", "1"))  # of what must be the same every time

MAP = """version = 1
[[map]]
source = "cc 21"
target = "opus.bitrate_kbps"
min = 6
max = 96
[[map]]
source = "cc 22"
target = "reverb.room_size"
smoothing_ms = 20
[[map]]
source = "cc 23"
target = "mp3.bitrate_kbps"
"""
BOARD = ["-e", "opus:bitrate_kbps=24", "-e", "Reverb:room_size=0.4", "-e", "mp3:bitrate_kbps=96"]


@pytest.fixture(scope="module", autouse=True)
def _jackd():
    require_jackd()


class App:
    """`codecfx live --json-status`, its last status, and its commands."""

    def __init__(self, server, folder, *options):
        self.folder = Path(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "codecfx", "live", "--json-status", *options],
            env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        self.status = {"state": "starting"}
        self.seen = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._complain)]
        self.complaints = ""
        for thread in self._threads:
            thread.start()

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.status = json.loads(line)

    def _complain(self):
        with self.process.stderr as said:
            self.complaints = said.read()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def until(self, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not condition(self.status):
            assert self.process.poll() is None, self.complaints
            assert time.monotonic() < end, self.status
            time.sleep(0.02)

    def end(self, by=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(by)
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join()
        self.process.stdin.close()
        return code

    @property
    def take(self):
        """The last take."""
        return load_take(sorted((self.folder / "takes").iterdir())[-1])


@contextmanager
def running(server, folder, *options):
    app = App(server, folder, "--unmuted", *options)
    try:
        app.until(lambda status: status["state"] == "running")
        yield app
    finally:
        app.end()


@contextmanager
def serving(period=128, **more):
    server = Server("live", period=period, **more)
    try:
        yield server
    finally:
        server.end()


def stream_of(take, folder):
    """What a take renders to, as the stream that was heard: late."""
    report = take.render(folder / "render.wav", overwrite=True)
    rendered = soundfile.read(folder / "render.wav", dtype="float32", always_2d=True)[0].T
    late = np.zeros((len(rendered), report.latency_samples), np.float32)
    return np.concatenate((late, rendered), axis=1)


def place_of(part, whole):
    """Where `part` begins in `whole`, exactly; both (channels, samples)."""
    first = np.flatnonzero(part[0])[0]
    key = part[0, first : first + 64]
    for at in np.flatnonzero(whole[0] == key[0]):
        if np.array_equal(whole[0, at : at + 64], key):
            return at - first
    raise AssertionError("it is not there")


def is_there(status, name):
    return any(name in one for one in status["midi_inputs"])


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("period", [64, 128, 256, 512])
def test_what_is_heard_is_what_the_take_renders_to(tmp_path, period, run):
    (tmp_path / "ride.toml").write_text(MAP)
    audio = noise(2, 4 * RATE, seed=run, level=0.05)  # which neither guard nor howl detector minds
    random = np.random.default_rng(run)
    ride = [
        (int(at), bytes([0xB0, int(random.integers(21, 24)), int(random.integers(128))]))
        for at in np.sort(random.integers(0, 4 * RATE, 200))
    ]
    with serving(period) as server, Rig(server, midi=True) as rig:
        with running(server, tmp_path, *BOARD, "-m", "ride.toml", "--record", "--midi", "rig") as app:
            app.until(lambda status: is_there(status, "rig"))
            rig.connect("PortAudio")
            with rig.freewheeling():
                recorded = rig.play(audio, tail=RATE // 2, midi=ride)
            assert app.status["restarts"] == 0
        assert app.complaints == ""
    take = app.take
    assert len(take.events) == len(ride)  # none lost, none twice
    dry = soundfile.read(take.dry, dtype="float32")[0].T
    begun = place_of(audio, dry)
    assert np.array_equal(dry[:, begun : begun + audio.shape[1]], audio)
    heard = stream_of(take, tmp_path)[:, begun : begun + recorded.shape[1] - period]
    late = recorded[:, period : period + heard.shape[1]]  # the rig's own loop
    wrong = np.flatnonzero(np.any(late != heard, axis=0))
    assert not wrong.size, f"first at {wrong[0]} of {heard.shape[1]}, {wrong.size} in all"
    assert 0.1 < np.abs(late).max() < 0.8


@pytest.mark.parametrize("period", [64, 256])
def test_the_host_adds_no_sample(tmp_path, period):
    """The rig's own period, and the board's latency: nothing else."""
    audio = noise(2, RATE)
    with (
        serving(period) as server,
        Rig(server) as rig,
        running(server, tmp_path, "-e", "pcm:bits=32", "--no-midi") as app,
    ):
        rig.connect("PortAudio")
        with rig.freewheeling():
            recorded = rig.play(audio, tail=4096)
        latency = {part["name"]: part["samples"] for part in app.status["latency"]}
    assert place_of(audio, recorded) == period + latency["pcm"]


def test_controllers_may_come_and_go(tmp_path):
    """A port that is unplugged and comes back is heard again; a knob is learnt, and saved."""
    with (
        serving(flags="-t 5000") as server,
        running(server, tmp_path, "-e", "opus", "--midi", "pads") as app,
    ):
        for turn in (1, 2):
            with Rig(server, midi=True, name="pads"):
                app.until(lambda status: is_there(status, "pads"))
            app.until(lambda status: not is_there(status, "pads"))
            assert app.status["restarts"] == 0, turn
        with Rig(server, midi=True, name="pads") as pads:
            app.until(lambda status: is_there(status, "pads"))
            app.say("learn opus.bitrate_kbps")
            app.until(lambda status: status["learning"] == "opus.bitrate_kbps")
            pads.send([bytes([0xB0, 74, value]) for value in range(40, 60)])
            app.until(lambda status: not status["learning"])
            app.until(lambda status: "cc 74" in knob(status, "opus.bitrate_kbps")["source"])
            app.until(lambda status: not status["is_changing"])
            pads.send([bytes([0xB0, 74, 127])])
            app.until(lambda status: knob(status, "opus.bitrate_kbps")["value"] == 510)


def knob(status, path):
    return next(one for one in status["knobs"] if one["path"] == path)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_dies_is_waited_for(tmp_path, by):
    with (
        serving(flags="-t 5000") as server,
        running(server, tmp_path, "-e", "opus:bitrate_kbps=24", "--record") as app,
    ):
        app.until(lambda status: status["take_seconds"] > 1)
        app.say("set opus.bitrate_kbps 9")
        app.until(lambda status: knob(status, "opus.bitrate_kbps")["value"] == 9)
        server.process.send_signal(by)
        server.process.wait()
        app.until(lambda status: status["state"] == "lost" and status["trouble"])
        app.until(lambda status: len(status["takes"]) == 1)
        server.start()
        began = time.monotonic()
        app.until(lambda status: status["state"] == "running" and status["restarts"] == 1)
        back = time.monotonic() - began
        app.until(lambda status: status["take_seconds"] > 0.2)
        assert knob(app.status, "opus.bitrate_kbps")["value"] == 9
        print(f"back {back:.1f} s after the server")
    assert len(list((tmp_path / "takes").iterdir())) == 2
    assert soundfile.info(str(app.take.dry)).frames


def engine_of(app):
    """Its process."""
    arguments = ["pgrep", "-P", str(app.process.pid), "-f", "live.engine"]
    return int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()[0])


def clients_of(server):
    """Whoever has audio ports at a server, as it says."""
    environment = os.environ | {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"}
    said = subprocess.run(["jack_lsp"], env=environment, capture_output=True, text=True, check=True)
    return {line.partition(":")[0] for line in said.stdout.split("\n") if ":" in line} - {"system"}


def test_an_engine_that_is_killed_comes_back_at_once(tmp_path):
    with (
        serving(flags="-t 5000") as server,
        running(server, tmp_path, "-e", "opus:bitrate_kbps=24", "--no-midi", "--record") as app,
    ):
        app.until(lambda status: status["take_seconds"] > 1)
        app.say("set opus.bitrate_kbps 9")
        app.until(lambda status: knob(status, "opus.bitrate_kbps")["value"] == 9)
        engine = engine_of(app)
        with within(3):
            os.kill(engine, signal.SIGKILL)
            app.until(lambda status: status["restarts"] == 1 and status["state"] == "running")
        app.until(lambda status: status["take_seconds"] > 0.2)
        assert knob(app.status, "opus.bitrate_kbps")["value"] == 9
        assert len(clients_of(server)) == 1
    assert len(list((tmp_path / "takes").iterdir())) == 2
    assert soundfile.info(str(app.take.dry)).frames


def test_a_machine_that_stands_still_has_lost_nothing(tmp_path):
    with (
        serving(flags="-t 5000") as server,
        running(server, tmp_path, "-e", "opus", "--no-midi") as app,
    ):
        sound, host = (server.process.pid, engine_of(app)), (app.process.pid,)
        for what, processes in ((signal.SIGSTOP, sound + host), (signal.SIGCONT, host + sound)):
            for process in processes:  # the host goes on first, and finds that nothing sounds
                os.kill(process, what)
                time.sleep(0.1)
            time.sleep(1)
        since = app.status["seconds"]
        app.until(lambda status: status["seconds"] > since + 1)
        assert (app.status["state"], app.status["restarts"]) == ("running", 0)


def test_a_host_that_is_killed_leaves_nothing_behind(tmp_path):
    with serving(flags="-t 5000") as server:
        with running(server, tmp_path, "-e", "opus", "--record", "--no-midi") as app:
            app.until(lambda status: status["take_seconds"] > 1)
            engine = engine_of(app)
            assert len(clients_of(server)) == 1
            assert app.end(by=signal.SIGKILL) == -signal.SIGKILL
        end = time.monotonic() + PATIENCE
        with within(3):
            while Path(f"/proc/{engine}").exists() or clients_of(server):
                assert time.monotonic() < end
                time.sleep(0.05)
        assert soundfile.info(str(app.take.dry)).frames > RATE / 2


def test_it_ends_at_once_while_the_server_is_gone(tmp_path):
    with serving(flags="-t 5000") as server:
        app = App(server, tmp_path, "-e", "opus", "--unmuted")
        app.until(lambda status: status["state"] == "running")
        server.process.send_signal(signal.SIGSTOP)  # it neither plays nor answers
        app.until(lambda status: status["state"] == "lost")
        with within(8):
            app.end()
        server.kill()  # it would wait for those who left


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-i", "nowhere"], "system"),
        (["--rate", "44100"], "48000"),
        (["--in-channels", "3"], "channel"),
        (["--host-api", "alsa"], "JACK"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, options, words):
    with serving() as server:
        app = App(server, tmp_path, "-e", "opus", *options)
        code = app.process.wait(PATIENCE)
        app.end()
    assert code == 1
    assert words in app.complaints
    assert app.complaints.count("\n") == 1


def test_the_round_trip_is_measured_and_kept(tmp_path, monkeypatch):
    """The rig is the cable; it takes a period, and so does the way through the host."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with serving(period=256) as server, Rig(server) as rig:
        measuring = subprocess.Popen(
            [sys.executable, "-m", "codecfx", "live", "--measure"],
            env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with rig.looping():
            rig.connect("PortAudio")
            said, _ = measuring.communicate(timeout=PATIENCE)
        assert measuring.returncode == 0, said
        kept = json.loads((tmp_path / "codecfx" / "round-trips.json").read_text())
        (found,) = kept.values()
        assert found["samples"] == 256
        assert found["block_samples"] == 256
        with running(server, tmp_path, "-e", "pcm") as app:
            app.until(lambda status: status["latency"][0]["name"] == "round trip")
            assert app.status["latency"][0]["samples"] == 256
