"""A live session to measure: a JACK server without a sound card, a rig that plays and records, and
`codecfx live` between them.

usage: python benchmarks/live_session.py load | bare | stress | unprivileged | knob [SECONDS]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from jack_rig import Rig, Server

RATE = 48_000
BOARD = ["-e", "opus:bitrate_kbps=96", "-e", "Compressor:threshold_db=-20,ratio=4", "-e", "Reverb"]
PIECE_SECONDS = 10
_TURNS = 4  # of ours and its peer, while the machine changes


class Session:
    """`codecfx live`, as somebody starts it, and what it says of itself."""

    def __init__(self, server: Server, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codecfx", "live", "--json-status", "--unmuted", *options],
            env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.status: dict[str, Any] = {"state": "starting"}
        threading.Thread(target=self._read, daemon=True).start()
        while self.status["state"] != "running":
            assert self._process.poll() is None, "it does not start"
            time.sleep(0.05)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.status = json.loads(line)

    @property
    def pids(self) -> dict[str, int]:
        """The processes: host, engine, ports."""
        host = self._process.pid
        found = {"host": host}
        for name, module in (("engine", "live.engine"), ("ports", "live.midi_ports")):
            said = subprocess.run(
                ["pgrep", "-P", str(host), "-f", module], capture_output=True, text=True, check=False
            ).stdout.split()
            if said:
                found[name] = int(said[0])
        return found

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def session(
    *options: str, period: int = 128, realtime: bool = True, midi: bool = False
) -> Iterator[tuple[Session, Rig]]:
    """A session that plays what the rig plays."""
    with ExitStack() as opened:
        server = Server("bench", flags="-t 5000", period=period, realtime=realtime)
        opened.callback(server.end)
        rig = opened.enter_context(Rig(server, midi=midi))
        running = Session(server, *options)
        opened.callback(running.end)
        rig.connect("PortAudio")
        yield running, rig


@contextmanager
def burning(cores: int) -> Iterator[None]:
    """Other programs that want all of the machine."""
    programs = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def machine() -> tuple[int, int, int]:
    """Ticks of all cores since the machine started: all, idle, stolen by its host."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return sum(ticks), ticks[3] + ticks[4], ticks[7]


def cpu_seconds(pid: int) -> float:
    """What a process has taken."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """What a process has to itself."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        private = [int(line.split()[1]) for line in file if line.startswith("Private")]
    return sum(private) / 1024


@dataclass
class Measured:
    """What a while of playing cost, and lost."""

    seconds: float
    engine: float  # seconds of CPU
    blocks: int
    dropouts: int
    steal: float  # share of the machine
    busy: float

    @classmethod
    def of(cls, turns: "list[Measured]") -> "Measured":
        """Several whiles as one."""
        return cls(
            sum(one.seconds for one in turns),
            sum(one.engine for one in turns),
            sum(one.blocks for one in turns),
            sum(one.dropouts for one in turns),
            sum(one.steal for one in turns) / len(turns),
            sum(one.busy for one in turns) / len(turns),
        )

    def __str__(self) -> str:
        return (
            f"{self.seconds:.0f} s: engine {100 * self.engine / self.seconds:.1f} % of a core, "
            f"{self.dropouts} dropouts of {self.blocks} blocks; machine {100 * self.busy:.0f} % busy, "
            f"{100 * self.steal:.1f} % stolen"
        )


def _noise(seconds: float) -> "np.ndarray[Any, Any]":
    random = np.random.default_rng(0)
    return (0.1 * random.standard_normal((2, int(seconds * RATE)))).astype("f4")


def play_for(running: Session, rig: Rig, seconds: float, period: int) -> Measured:
    """Play noise for so long."""
    noise = _noise(PIECE_SECONDS)
    rig.play(noise[:, : 2 * RATE])  # what starting costs is not counted
    time.sleep(0.5)
    engine = running.pids["engine"]
    before, cpu, dropped = machine(), cpu_seconds(engine), running.status["dropouts"]
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        rig.play(noise)
    lasted = time.monotonic() - began
    cpu = cpu_seconds(engine) - cpu
    every, idle, stolen = (now - then for now, then in zip(machine(), before, strict=True))
    time.sleep(0.5)
    return Measured(
        lasted,
        cpu,
        round(lasted * RATE / period),
        running.status["dropouts"] - dropped,
        stolen / every,
        1 - idle / every,
    )


def load(seconds: float) -> Measured:
    """Opus, compressor and reverb, 48 kHz stereo, blocks of 128, nothing else running."""
    with session(*BOARD) as (running, rig):
        return play_for(running, rig, seconds, 128)


def bare(seconds: float) -> Measured:
    """The peer: the least that makes the same sound."""
    with ExitStack() as opened:
        server = Server("bench", flags="-t 5000", period=120, realtime=True)
        opened.callback(server.end)
        rig = opened.enter_context(Rig(server))
        peer = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("bare_live.py"))],
            env=os.environ | {"JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdout.readline()
        rig.connect("PortAudio")
        noise = _noise(seconds)
        rig.play(noise[:, : 2 * RATE])
        before, cpu, began = machine(), cpu_seconds(peer.pid), time.monotonic()
        rig.play(noise)
        lasted, cpu = time.monotonic() - began, cpu_seconds(peer.pid) - cpu
        every, idle, stolen = (now - then for now, then in zip(machine(), before, strict=True))
        peer.communicate(b"\n", timeout=10)
        return Measured(lasted, cpu, round(lasted * RATE / 120), 0, stolen / every, 1 - idle / every)


def stress(seconds: float) -> tuple[Measured, int]:
    """The same while other processes burn both cores, with real-time priority; and what the machine
    loses in as much time by itself.
    """
    return _competing(seconds, 128, realtime=True)


def unprivileged(seconds: float) -> tuple[Measured, int]:
    """The same without real-time priority, in blocks of 256."""
    os.environ["CODECFX_REAL_TIME"] = "0"
    try:
        return _competing(seconds, 256, realtime=False)
    finally:
        del os.environ["CODECFX_REAL_TIME"]


def _competing(seconds: float, period: int, *, realtime: bool) -> tuple[Measured, int]:
    """Plays a file, since a rig is one more program that may be late; in turns with the floor."""
    ours, lost = [], 0
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        soundfile.write(f"{folder}/noise.wav", _noise(PIECE_SECONDS).T, RATE)
        server = Server("bench", flags="-t 5000", period=period, realtime=realtime)
        opened.callback(server.end)
        opened.enter_context(burning(os.cpu_count() or 2))
        for _ in range(_TURNS):
            running = Session(server, *BOARD, "--input", f"{folder}/noise.wav")
            time.sleep(2)  # what starting costs is not counted
            ours.append(_watched(running, seconds / _TURNS, period))
            load = running.status["load"]["mean"]
            running.end()
            lost += _floor(seconds / _TURNS, period, load)
    return Measured.of(ours), lost


def _floor(seconds: float, period: int, load: float) -> int:
    words = [str(Path(__file__).with_name("machine_floor.py")), str(seconds), str(period), str(load)]
    return int(subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True).stdout)


def _watched(running: Session, seconds: float, period: int) -> Measured:
    engine = running.pids["engine"]
    before, cpu, dropped = machine(), cpu_seconds(engine), running.status["dropouts"]
    began = time.monotonic()
    time.sleep(seconds)
    lasted, cpu = time.monotonic() - began, cpu_seconds(engine) - cpu
    every, idle, stolen = (now - then for now, then in zip(machine(), before, strict=True))
    dropped = running.status["dropouts"] - dropped
    return Measured(
        lasted, cpu, round(lasted * RATE / period), dropped, stolen / every, 1 - idle / every
    )


def knob(seconds: float, period: int = 128) -> tuple[float, float]:
    """From a controller's message to the block it moves: mean and worst, in milliseconds. The message
    is sent by the rig with a sample; the take says which sample it moved. The sound of that sample may
    have come a period later: the rig and the host are a loop, and a message is not.
    """
    random = np.random.default_rng(1)
    noise = (0.1 * random.standard_normal((2, int(seconds * RATE)))).astype("f4")
    assert seconds <= 25  # a value a message
    sent = np.arange(RATE // 2, noise.shape[1] - RATE // 2, RATE // 5)
    sent += random.integers(0, 4 * period, len(sent))
    ride = [(int(at), bytes([0xB0, 21, turn])) for turn, at in enumerate(sent)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "map.toml").write_text(
            'version = 1\n[[map]]\nsource = "cc 21"\ntarget = "pcm.mix"\n'
        )
        options = ["-e", "pcm", "-m", f"{folder}/map.toml", "--midi", "rig", "--record"]
        with session(*options, "--takes", folder, period=period, midi=True) as (running, rig):
            while not any("rig" in name for name in running.status["midi_inputs"]):
                time.sleep(0.05)
            rig.play(noise, midi=ride)
        (take,) = [path for path in Path(folder).iterdir() if path.is_dir()]
        dry = soundfile.read(take / "dry.wav", dtype="float32")[0].T
        rows = (take / "events.csv").read_text().splitlines()[1:]
    # JACK loses the messages of a cycle that somebody is late for
    moved = {int(row.rpartition(" ")[2], 16): int(row.split(",")[0]) for row in rows}
    late = []
    for turn, at in enumerate(sent):
        sample = moved.get(turn)
        if sample is None:
            continue
        near = dry[0, max(0, sample - RATE // 2) : sample + RATE // 2]
        there = np.flatnonzero(near == noise[0, at])  # the sound of that moment, if it was not lost
        if len(there):
            late.append(period + sample - (max(0, sample - RATE // 2) + int(there[0])))
    return 1000 * float(np.mean(late)) / RATE, 1000 * max(late) / RATE


if __name__ == "__main__":
    much = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    match sys.argv[1]:
        case "load":
            print(load(much))
        case "bare":
            print(bare(much))
        case "stress" | "unprivileged":
            ours, lost = (stress if sys.argv[1] == "stress" else unprivileged)(much)
            print(f"{ours}; the machine by itself: {lost}")
        case "knob":
            print("mean {:.2f} ms, worst {:.2f} ms".format(*knob(much)))
