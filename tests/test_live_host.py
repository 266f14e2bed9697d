"""The live host between two files: an engine process, real time, no sound card.

What needs a sound card is in live_jack.py, which plays through a real JACK server.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import noise
from stopwatch import within

from codecfx.effects.decks import Decks
from codecfx.effects.processor import StreamSpec
from codecfx.errors import AudioFileError, ConfigurationError, UnknownName
from codecfx.live.deck_making import ROOT, DeckMaker
from codecfx.live.desk import Desk
from codecfx.live.host import Host, Play
from codecfx.live.memory import Memory, Meter
from codecfx.live.mirror import preset_from
from codecfx.live.recorder import Recorder
from codecfx.live.wiring import Setup
from codecfx.presets import preset_of, preset_table
from codecfx.recipe import Recipe
from codecfx.takes import load_take

RATE = 48_000
PATIENCE = 20  # seconds; only a failure takes so long


@pytest.fixture
def song(tmp_path):
    """A file of two seconds, stereo: nothing that could be taken for a howl, as steady tones may that
    begin all at once.
    """
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(2, 2 * RATE, level=0.1).T, RATE, subtype="FLOAT")
    return path


def sound(*effects):
    return preset_from(Recipe(effects=effects))


@contextmanager
def playing(tmp_path, song, sounds=(), **more):
    """A host that plays the song into out.wav, unmuted, with takes."""
    settings = {"midi": None, "is_muted": False, "takes": tmp_path / "takes"} | more
    sounds = sounds or [sound("opus:bitrate_kbps=24", "Reverb")]
    setup = Setup(str(song), str(tmp_path / "out.wav"))
    with Host(setup, Play(sounds, **settings)) as host:
        yield host


def until(condition, seconds=PATIENCE):
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def play_on(host, seconds):
    """Wait until the stream has gone on for so long, however the machine's time goes by."""
    meters = host.memory.meters
    wanted = meters[Meter.SAMPLE] + seconds * RATE
    until(lambda: meters[Meter.SAMPLE] >= wanted)


def out(tmp_path):
    return soundfile.read(tmp_path / "out.wav", dtype="float32", always_2d=True)[0].T


def heard_of(take, tmp_path, name="render.wav"):
    """A take's render as a stream, without the latency at its start."""
    report = take.render(tmp_path / name, overwrite=True)
    rendered = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)[0].T
    return rendered, report.latency_samples


def test_what_is_heard_is_what_its_take_renders_to(tmp_path, song):
    """Turned, frozen, another frame length, another preset and back, A and B: all in one take, through
    a network that loses and damage that flips.
    """
    wrong = "loss=0.1,jitter_ms=8,buffer_ms=20,conceal=stretch,flip=0.01,seed=5"
    quiet = (
        "Gain:gain_db=-12"  # what is clamped is square, and between its samples the guard hears more
    )
    opus = sound(quiet, f"opus:bitrate_kbps=24,{wrong}", "Reverb")
    boards = [opus, sound(quiet, "mp3:bitrate_kbps=64,loss=0.1")]
    with playing(tmp_path, song, boards, is_recording=True, records_wet=True) as host:
        until(lambda: host.status().take_seconds > 0.3)
        host.turn("opus.bitrate_kbps", 8)
        until(lambda: dict(values(host))["opus.bitrate_kbps"] == 8)
        host.turn("opus.freeze", True)
        time.sleep(0.2)
        host.turn("opus.freeze", False)
        until(lambda: not dict(values(host))["opus.freeze"])  # else the next board catches up
        until(lambda: host.status().lost_packets and host.status().damaged_packets)
        host.turn("opus.frame_ms", 10.0)
        until(lambda: dict(values(host)).get("opus.frame_ms") == 10)
        host.next_preset()
        until(lambda: "mp3.bitrate_kbps" in dict(values(host)) and not host.status().is_changing)
        host.swap()
        until(lambda: host.status().side == "B" and not host.status().is_changing)
        host.swap()
        time.sleep(0.5)
    folder = host.status().takes[0]
    take = load_take(folder)
    assert len(take.boards) >= 3
    moved = [event.path for _, event in take.events]
    assert moved == ["opus.bitrate_kbps", "opus.freeze", "opus.freeze"]
    rendered, late = heard_of(take, tmp_path)
    heard = out(tmp_path)
    length = rendered.shape[1] - late
    assert length > RATE
    assert np.array_equal(rendered[:, :length], heard[:, late : late + length])
    wet = soundfile.read(take.folder / "wet.wav", dtype="float32")[0].T
    assert np.array_equal(wet, heard[:, : wet.shape[1]])
    source = soundfile.read(song, dtype="float32")[0].T
    dry = soundfile.read(take.dry, dtype="float32")[0].T
    laps = np.concatenate([source] * (1 + dry.shape[1] // source.shape[1]), axis=1)
    assert np.array_equal(dry, laps[:, : dry.shape[1]])


def values(host):
    return [(knob.path, knob.value) for knob in host.status().knobs]


def test_a_take_may_begin_at_any_time(tmp_path, song):
    """It has a board of its own, which is heard a second and its latency later."""
    with playing(tmp_path, song) as host:
        time.sleep(0.3)
        host.turn("opus.bitrate_kbps", 12)
        until(lambda: dict(values(host))["opus.bitrate_kbps"] == 12)
        host.record()
        until(lambda: host.status().take_seconds > 2)
        host.record()
        until(lambda: host.status().takes)
    take = load_take(host.status().takes[0])
    assert take.preset.board()[0].bitrate_kbps == 12
    rendered, late = heard_of(take, tmp_path)
    heard = out(tmp_path)
    played = soundfile.read(take.dry, dtype="float32")[0].T
    source = soundfile.read(song, dtype="float32")[0].T
    laps = np.concatenate([source] * 12, axis=1)
    begun = next(
        at
        for at in range(laps.shape[1])
        if laps[0, at] == played[0, 0] and np.array_equal(laps[:, at : at + 999], played[:, :999])
    )
    # which lap it was, the sound says
    after = RATE + late + RATE // 50
    length = rendered.shape[1] - late - after
    assert length > RATE // 4
    wanted = rendered[:, after : after + length]
    starts = [begun + lap * source.shape[1] + late + after for lap in range(6)]
    assert any(np.array_equal(wanted, heard[:, at : at + length]) for at in starts)


def test_mute_bypass_and_panic(tmp_path, song):
    with playing(tmp_path, song, is_muted=True) as host:
        until(lambda: host.status().outputs[0].peak_db == -np.inf and host.status().seconds > 0.5)
        host.mute()
        until(lambda: host.status().outputs[0].rms_db > -40)
        host.bypass()
        play_on(host, 0.7)
        host.bypass()
        play_on(host, 0.3)
        host.panic()
        assert host.status().is_muted
        play_on(host, 0.7)
    heard = out(tmp_path)
    assert not heard[:, : RATE // 2].any()
    assert not heard[:, -RATE // 4 :].any()
    source = soundfile.read(song, dtype="float32")[0].T
    laps = np.concatenate([source] * 4, axis=1)[:, : heard.shape[1]]
    same = np.all(laps == heard, axis=0)  # bypassed: what came in, at the same sample
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], same, [0]]).astype(int))))
    assert runs[::2].max() > 0.4 * RATE
    steps = np.abs(np.diff(heard, axis=1)).max()
    assert steps < 2 * np.abs(np.diff(laps, axis=1)).max()  # no gesture jumps


def test_an_engine_that_is_killed_comes_back_as_it_was(tmp_path, song):
    with playing(tmp_path, song, is_recording=True) as host:
        until(lambda: host.status().take_seconds > 1)
        host.turn("opus.bitrate_kbps", 9)
        host.turn("reverb.room_size", 0.75)
        until(lambda: dict(values(host))["reverb.room_size"] == 0.75)
        host.bypass()
        first = host.engine_pid
        with within(3):
            os.kill(first, signal.SIGKILL)
            until(lambda: host.status().restarts == 1)
        until(lambda: dict(values(host)).get("opus.bitrate_kbps") == 9)
        assert dict(values(host))["reverb.room_size"] == 0.75
        assert host.status().is_bypassed
        until(lambda: host.status().take_seconds > 0.2)
        assert host.engine_pid != first
    takes = [load_take(folder) for folder in host.status().takes]
    assert len(takes) == 2  # the second is what was played afterwards
    assert soundfile.info(str(takes[0].dry)).frames > 0.5 * RATE
    assert takes[1].preset.board()[0].bitrate_kbps == 9
    heard_of(takes[0], tmp_path)


_HOST = """
import sys, time
from test_live_host import *
with playing(Path(sys.argv[1]), Path(sys.argv[2]), is_recording=True) as host:
    print(host.engine_pid, flush=True)
    time.sleep(60)
"""


def start_host(tmp_path, song, before=""):
    host = subprocess.Popen(
        [sys.executable, "-c", before + _HOST, str(tmp_path), str(song)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    return host, int(host.stdout.readline())


def test_an_engine_ends_with_its_host_and_nothing_is_left(tmp_path, song):
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    host, engine = start_host(tmp_path, song)
    second = 2 * 4 * RATE  # bytes
    until(lambda: sum(one.stat().st_size for one in tmp_path.glob("takes/*/*.wav")) > second)
    host.kill()
    host.wait()
    host.stdout.close()
    until(lambda: not os.path.exists(f"/proc/{engine}") or is_zombie(engine), 3)
    left = set(os.listdir("/dev/shm")) - before if before else set()
    assert not [name for name in left if "codecfx" in name]
    (folder,) = (tmp_path / "takes").iterdir()
    assert soundfile.info(str(load_take(folder).dry)).frames > 0.4 * RATE


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_full_disk_ends_the_take_and_nothing_else(tmp_path, song):
    """A limit on files' sizes is a disk that is full."""
    code = (
        "import resource\n"
        "from test_live_host import *\n"
        "setup = Setup(sys.argv[2], str(Path(sys.argv[1]) / 'out.wav'))\n"
        "takes = Path(sys.argv[1]) / 'takes'\n"
        "play = Play([sound('opus')], midi=None, takes=takes, is_recording=True)\n"
        "host = Host(setup, play)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
        "host.start()\n"
        "until(lambda: any('the take' in line for line in host.status().news))\n"
        "time.sleep(0.3)\n"
        "before = host.memory.meters[Meter.SAMPLE]\n"
        "time.sleep(0.5)\n"
        "status = host.status()\n"
        "assert status.state == 'running' and host.memory.meters[Meter.SAMPLE] > before\n"
        "assert not status.take and len(status.takes) == 1, status\n"
        "assert len([line for line in status.news if 'out.wav' in line]) == 1, status.news\n"
        "host.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(song)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "takes").iterdir()
    take = load_take(folder)
    assert 0.5 * RATE < soundfile.info(str(take.dry)).frames < 600_000 / 8
    heard_of(take, tmp_path)


def test_a_disk_that_is_too_slow_ends_the_take_and_says_so(tmp_path):
    """As long as shared memory has room nothing is lost; then the take ends with its last sample."""
    spec, memory, told = StreamSpec(RATE, 2, live=True), Memory(), []
    memory.dry.shape(2)
    preset = sound("gsm")
    deck = DeckMaker(spec, 0).made(
        {"number": 1, "name": "x", "table": preset_table(preset.board(), ROOT)}
    )
    decks = Decks(deck)
    decks.prepare(spec)
    desk = Desk(decks, spec, memory, 2, muted=False)
    recorder = Recorder(memory, tmp_path / "takes", 0, told.append)
    recorder.begin(spec, lambda number: preset)
    desk.record(wet=False)
    block = noise(2, 4096)
    desk.process(block)
    recorder.work(lambda message: None)
    assert recorder.samples == 4096
    samples = 4096
    while memory.dry.room >= 4096:  # nobody writes meanwhile
        desk.process(block)
        samples += 4096
    desk.process(block)
    recorder.work(lambda message: None)
    (line,) = told
    assert "the disk is too slow; what there is can be rendered" in line
    (folder,) = recorder.takes
    assert soundfile.info(load_take(folder).dry).frames == samples
    assert f"ends at {samples / RATE:.1f} s: " in line


def test_what_a_slow_disk_cost_is_told(tmp_path, song):
    with playing(tmp_path, song) as host:
        host.memory.meters[Meter.STARVED] = RATE / 10
        until(
            lambda: (
                "the disk is too slow: 0.10 s of the input file were not heard" in host.status().news
            )
        )
        host.memory.meters[Meter.SPILLED] = RATE / 4
        until(
            lambda: "the disk is too slow: 0.25 s of the output file are missing" in host.status().news
        )


def test_a_preset_that_cannot_be_is_refused_and_the_sound_goes_on(tmp_path, song, monkeypatch):
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(tmp_path / "nowhere.th"))
    with playing(tmp_path, song, [sound("opus"), sound("encodec")]) as host:
        host.next_preset()
        until(lambda: host.status().news)
        assert "encodec" in host.status().news[-1].lower()
        assert "opus.bitrate_kbps" in dict(values(host))
        samples = int(host.memory.meters[Meter.SAMPLE])
        until(lambda: int(host.memory.meters[Meter.SAMPLE]) > samples + RATE // 4)
        with pytest.raises(UnknownName):
            host.turn("opus.bitrat", 8)
        with pytest.raises(ConfigurationError):
            host.turn("opus.bitrate_kbps", 9000)
        with pytest.raises(ConfigurationError, match="there is no splice_file"):
            host.turn("opus.splice", 0.5)  # no board could be made with it


def test_a_start_that_fails_leaves_the_file_that_was_there(tmp_path, song):
    table = {
        "version": 1,
        "chain": [{"effect": "opus"}],
        "map": [{"source": "cc 1", "target": "opus.splice"}],
    }
    (tmp_path / "out.wav").write_bytes(b"the only copy")
    setup = Setup(str(song), str(tmp_path / "out.wav"), overwrite=True)
    play = Play([preset_of(table, ROOT)], midi=None, takes=tmp_path / "takes")
    with pytest.raises(ConfigurationError, match=r"^map 1: splice is 1 and there is no splice_file"):
        Host(setup, play).start()
    assert (tmp_path / "out.wav").read_bytes() == b"the only copy"


def test_fifty_changes_a_second(tmp_path, song):
    """Only the last of those that wait is made; the sound is that preset's, and no engine was lost."""
    boards = [sound(f"opus:bitrate_kbps={kbps}", "Reverb") for kbps in (6, 12, 24)]
    with playing(tmp_path, song, boards) as host:
        for _ in range(150):
            host.next_preset()
            time.sleep(0.02)
        host.choose(boards[1])
        until(lambda: not host.status().is_changing)
        until(lambda: dict(values(host))["opus.bitrate_kbps"] == 12)
        assert host.status().restarts == 0
        assert len(os.listdir(f"/proc/{host.engine_pid}/task")) < 20


def test_a_song_at_another_rate_and_one_channel_of_it(tmp_path):
    soundfile.write(tmp_path / "s.wav", noise(3, 44_100).T, 44_100, subtype="FLOAT")
    setup = Setup(
        str(tmp_path / "s.wav"), str(tmp_path / "out.wav"), input_channels=(3,), sample_rate=RATE
    )
    with Host(setup, Play([sound("pcm")], midi=None, is_muted=False)) as host:
        until(lambda: host.status().seconds > 1)
        assert host.status().sample_rate == RATE
        assert len(host.status().inputs) == 1
    heard, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == RATE
    assert np.array_equal(heard[:, 0], heard[:, 1])
    source = soundfile.read(tmp_path / "s.wav", dtype="float32")[0][:, 2]
    assert np.std(heard[4096:40_000]) == pytest.approx(np.std(source), rel=0.1)


@pytest.mark.parametrize(
    ("setup", "error", "words"),
    [
        (Setup("nothing.wav", "out.wav"), AudioFileError, "nothing.wav"),
        (Setup("{song}", "out.mp3"), AudioFileError, ".wav"),
        (Setup("{song}", "{song}"), AudioFileError, "exists"),
        (Setup("{song}", "out.wav", input_channels=(3,)), AudioFileError, "2 channels"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, song, setup, error, words, monkeypatch):
    from dataclasses import replace

    monkeypatch.chdir(tmp_path)
    setup = replace(setup, input=setup.input.format(song=song), output=setup.output.format(song=song))
    with pytest.raises(error) as raised, Host(setup, Play([sound("opus")], midi=None)):
        pass
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
