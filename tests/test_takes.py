"""Takes: what was heard live comes back to the last bit, and can be played otherwise."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from live_run import play_live, random_moves
from signals import recording, recordings, same, tones, voice

import codecfx
from codecfx.audio_file import AudioSource
from codecfx.audio_file import recording as recording_module
from codecfx.audio_file.recording import Recording
from codecfx.control.automation import Lane
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.control.modulation import LFO, EnvelopeFollower
from codecfx.effects.player import Move
from codecfx.errors import TakeError
from codecfx.takes import TakeWriter, is_take, load_take

RATE = 48000
SIZES = (1, 16, 64, 128, 500)


def board():
    return codecfx.Pedalboard(
        [
            codecfx.native("Compressor", threshold_db=-25, ratio=4),
            codecfx.Opus(bitrate_kbps=24, label="call"),
            codecfx.MP3(bitrate_kbps=64),
            codecfx.native("Reverb", room_size=0.3),
        ]
    )


CONTROLS = Controls(
    maps=(
        Map.of({"source": "cc 1", "target": "call.bitrate_kbps", "min": 6, "max": 96}),
        Map.of({"source": "cc 2", "target": "reverb.wet_level", "smoothing_ms": 50, "pickup": True}),
        Map.of({"source": "cc14 3", "target": "mix"}),
        Map.of({"source": "gate 36", "target": "mp3.bypass", "mode": "toggle"}),
        Map.of({"source": "cc 4", "target": "mp3.bitrate_kbps", "mode": "relative"}),
        Map.of({"source": "modulator wobble", "target": "compressor.mix"}),
        Map.of({"source": "modulator follow", "target": "call.mix", "min": 0.5}),
    ),
    modulators=(LFO("wobble", shape="hold", rate_hz=5.0), EnvelopeFollower("follow")),
)


def random_messages(count, seed):
    """As many messages of a controller that CONTROLS listens to, and some that are none."""
    random = np.random.default_rng(seed)
    kinds = [
        lambda value: bytes([0xB0, 1, value]),
        lambda value: bytes([0xB5, 2, value]),
        lambda value: bytes([0xB0, 3, value]),
        lambda value: bytes([0xB0, 35, value]),
        lambda value: bytes([0x90 if value > 50 else 0x80, 36, value]),
        lambda value: bytes([0xB0, 4, 1 if value > 63 else 127]),
        lambda value: bytes([0xB0, value]),
    ]
    return [kinds[random.integers(len(kinds))](int(random.integers(128))) for _ in range(count)]


def rendered(folder, out, **how):
    report = load_take(folder).render(out, **how)
    audio, _ = soundfile.read(out, dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio.T), report


@pytest.mark.parametrize("seed", range(2))
def test_a_take_of_a_thousand_events_renders_to_what_was_heard(tmp_path, seed):
    """Every live parameter of every kind of effect, turned between blocks of random sizes, and a
    controller through maps, beside modulators."""
    audio = tones(RATE, 3 * RATE, channels=2, seed=seed)
    played, controls = board(), CONTROLS if seed % 2 else None
    moves = random_moves(played, 1000 if seed % 2 == 0 else 500, seed)
    events = moves + (random_messages(500, seed) if seed % 2 else [])
    np.random.default_rng(seed).shuffle(events)
    heard, player, posted = play_live(
        tmp_path / "take", played, audio, events, RATE, sizes=SIZES, seed=seed, controls=controls
    )
    take = load_take(tmp_path / "take")
    assert posted > 990
    assert len(take.events) == posted - player.ignored
    assert (player.ignored > 0) == (seed % 2 == 1)  # what is no message is in no take
    again, report = rendered(tmp_path / "take", tmp_path / "again.wav")
    late = report.latency_samples
    assert same(again[:, : heard.shape[1] - late], heard[:, late:])
    assert again.shape == heard.shape
    assert same(soundfile.read(take.dry, dtype="float32")[0].T.copy(), audio)


@pytest.mark.parametrize("name", recordings("speech_male.ogg", "brahms_strings.ogg"))
def test_a_take_of_a_recording_renders_to_what_was_heard(tmp_path, name):
    audio, rate = recording(name)
    audio = np.ascontiguousarray(audio[:, : 2 * rate])
    played = board()
    events = random_moves(played, 200, 7) + random_messages(100, 7)
    heard, *_ = play_live(
        tmp_path / "take", played, audio, events, rate, sizes=(128,), controls=CONTROLS, wet=True
    )
    again, report = rendered(tmp_path / "take", tmp_path / "again.wav")
    late = report.latency_samples
    assert same(again[:, : heard.shape[1] - late], heard[:, late:])
    wet, _ = soundfile.read(tmp_path / "take" / "wet.wav", dtype="float32", always_2d=True)
    assert same(np.ascontiguousarray(wet.T), heard)


@pytest.fixture
def take(tmp_path):
    """A second of speech; the bitrate falls in the middle of it."""
    audio = voice(RATE, RATE, channels=1)
    events = [Move("call.bitrate_kbps", 6.0), bytes([0xB0, 1, 64])]
    play_live(tmp_path / "take", board(), audio, events, RATE, sizes=(128,), controls=CONTROLS, seed=1)
    return tmp_path / "take"


def test_a_take_is_text_and_sound(take):
    assert sorted(path.name for path in take.iterdir()) == [
        "dry.wav", "events.csv", "preset.toml", "take.toml"
    ]  # fmt: skip
    rows = (take / "events.csv").read_text().splitlines()
    assert rows[0] == "sample,kind,target,value"
    assert sorted(row.split(",", 1)[1] for row in rows[1:]) == [
        "midi,,b0 01 40", "set,call.bitrate_kbps,6.0"
    ]  # fmt: skip
    read = load_take(take)
    assert (read.sample_rate, read.channels, read.seed, read.block_samples) == (RATE, 1, 1, 128)
    assert read.ran_on["pedalboard"]
    assert read.differs == []
    assert read.preset.controls == CONTROLS
    assert is_take(take)
    assert not is_take(take.parent)


def test_edited_it_is_another_version_of_the_performance(take, tmp_path):
    first, _ = rendered(take, tmp_path / "1.wav")
    assert same(rendered(take, tmp_path / "1b.wav")[0], first)
    lanes = CONTROLS + Controls((Lane("mix", [("0.5 s", 0.0)]),))
    other, _ = rendered(take, tmp_path / "2.wav", controls=lanes)
    assert not same(other, first)
    late = load_take(take).render(tmp_path / "late.wav").latency_samples
    assert same(other[:, : RATE // 2 - late], first[:, : RATE // 2 - late])
    other, _ = rendered(take, tmp_path / "3.wav", seed=2)
    assert not same(other, first)
    other_codec = codecfx.Pedalboard([codecfx.AMR(label="call"), codecfx.native("Reverb")])
    other, _ = rendered(take, tmp_path / "4.wav", board=other_codec, controls=Controls())
    assert not same(other, first)
    events = take / "events.csv"
    events.write_text("sample,kind,target,value\n0,set,call.bypass,on\n24000,set,call.bypass,off\n")
    other, _ = rendered(take, tmp_path / "5.wav")
    assert not same(other, first)


def test_what_it_ran_on_is_compared(take):
    about = take / "take.toml"
    about.write_text(about.read_text().replace('numpy = "', 'numpy = "0.'))
    (line,) = load_take(take).differs
    assert line.startswith("numpy is ")
    assert ", and was 0." in line


RECORDER = """
import sys, time
import numpy as np
import codecfx
from codecfx.takes import TakeWriter
from codecfx.effects.player import Move
board = codecfx.Pedalboard([codecfx.Opus()])
writer = TakeWriter(sys.argv[1], board, codecfx.StreamSpec(48000, 2, 128))
rest = np.arange(2 * 48000, dtype=np.float32).reshape(2, -1) / 1e5
for second in range(1000):
    for at in range(0, 48000, 480):
        writer.write(rest[:, at:at + 480])
    writer.event(second * 48000 + 5, Move("opus.bitrate_kbps", 6.0 + second))
    writer.sync()
    print(second, flush=True)
    time.sleep(0.05)
"""


def test_a_killed_recorder_leaves_a_take_that_renders(tmp_path):
    folder = tmp_path / "take"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    seconds = [int(process.stdout.readline()) for _ in range(3)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    take = load_take(folder)
    assert len(take.events) >= seconds
    with AudioSource(take.dry) as dry:
        assert dry.samples >= 48_000 * (seconds + 1)
        assert dry.read(48_000)[0, 47_999] == np.float32(47_999 / 1e5)
    again, _ = rendered(folder, tmp_path / "again.wav")
    assert again.shape[1] >= 48_000 * (seconds + 1)


def test_an_event_that_was_cut_off_is_not_there(take):
    events = take / "events.csv"
    events.write_text(events.read_text() + "47000,set,call.bitr")
    assert len(load_take(take).events) == 2


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("take.toml", "version = 7", "take.toml: version is 7; this codecfx reads 1"),
        ("take.toml", "version = 1", "take.toml: sample_rate is None; it takes a whole number from 1"),
        (
            "take.toml",
            "version = 1\nsample_rate = 0",
            "take.toml: sample_rate is 0; it takes a whole number",
        ),
        ("take.toml", "version = [", "take.toml: cannot be read ("),
        ("preset.toml", "version = 1", "preset.toml: chain is missing"),
        ("events.csv", "", "events.csv:1: the first line is sample,kind,target,value"),
        (
            "events.csv",
            "sample,kind,target,value\n-1,set,mix,1\n",
            "events.csv:2: sample is '-1'; it takes",
        ),
        (
            "events.csv",
            "sample,kind,target,value\n5,set,mix,1\n4,set,mix,1\n",
            "events.csv:3: sample 4 comes",
        ),
        (
            "events.csv",
            "sample,kind,target,value\n5,sing,mix,1\n",
            "events.csv:2: kind is 'sing'; it takes",
        ),
        (
            "events.csv",
            "sample,kind,target,value\n5,midi,,b0 7x\n",
            "events.csv:2: value 'b0 7x' is no message",
        ),
        (
            "events.csv",
            "sample,kind,target,value\n5,set\n",
            "events.csv:2: the row has 2 cells; it takes",
        ),
    ],
)
def test_what_is_wrong_with_a_take_is_said(take, file, text, message):
    (take / file).write_text(text)
    with pytest.raises(TakeError) as refusal:
        load_take(take)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_path_that_an_edited_take_does_not_have_is_said_before_anything_is_written(take, tmp_path):
    (take / "events.csv").write_text("sample,kind,target,value\n5,set,call.bitrat,7\n")
    with pytest.raises(codecfx.CodecFxError, match="did you mean 'bitrate_kbps'"):
        load_take(take).render(tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_no_take_is_written_over(take, tmp_path):
    spec = codecfx.StreamSpec(RATE, 1)
    with pytest.raises(TakeError, match="is there already; a take wants a folder of its own"):
        TakeWriter(take, board(), spec)
    with pytest.raises(TakeError, match="is no take"):
        load_take(tmp_path)


# The file that grows


def test_a_recording_is_whole_whenever_it_is_synced(tmp_path):
    path = tmp_path / "growing.wav"
    audio = tones(44_100, 10_000, channels=3)
    with Recording(path, 44_100, 3) as growing:
        for begin in range(0, 10_000, 2500):
            growing.write(audio[:, begin : begin + 2500])
            before = soundfile.info(path).frames
            assert before == begin
            growing.sync()
            read, rate = soundfile.read(path, dtype="float32")
            assert rate == 44_100
            assert same(np.ascontiguousarray(read.T), audio[:, : begin + 2500])
    assert soundfile.info(path).subtype == "FLOAT"
    with pytest.raises(FileExistsError):
        Recording(path, 44_100, 3)


def test_a_long_recording_becomes_rf64(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_module, "_LARGEST_RIFF", 20_000)
    path = tmp_path / "long.wav"
    audio = tones(48_000, 10_000, channels=2)
    with Recording(path, 48_000, 2) as growing:
        growing.write(audio)
    header = path.read_bytes()[:16]
    assert header[:4] == b"RF64"
    assert header[12:16] == b"ds64"
    monkeypatch.undo()
    # what the header's 32 bits hold is not looked at in an RF64
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    read, _ = soundfile.read(path, dtype="float32")
    assert same(np.ascontiguousarray(read.T), audio)


@pytest.mark.parametrize("kind", ["opus", "labelled", "bypassed", "mix", "alone"])
def test_a_takes_board_is_the_one_that_was_played(tmp_path, kind):
    """Whatever the board is, and whatever the folder is called."""
    made = {
        "opus": lambda: codecfx.Pedalboard([codecfx.Opus()]),
        "labelled": lambda: codecfx.Pedalboard([codecfx.Opus()], label="hotel"),
        "bypassed": lambda: codecfx.Pedalboard([codecfx.Opus()], bypass=True),
        "mix": lambda: codecfx.Mix([codecfx.Opus(), codecfx.PCM(bits=4)]),
        "alone": lambda: codecfx.Opus(label="call"),
    }[kind]
    events = {
        "opus": [Move("opus.bitrate_kbps", 6), Move("opus.mix", 0.5)],
        "labelled": [Move("hotel.mix", 0.2)],
        "bypassed": [Move("bypass", False)],
        "mix": [Move("1.mix", 0.1), Move("mix", 0.9)],
        "alone": [Move("bitrate_kbps", 6), Move("call.mix", 0.5)],
    }[kind]
    audio = tones(RATE, 20_000, channels=2)
    folder = tmp_path / "opus"
    heard, player, posted = play_live(folder, made(), audio, events, RATE, sizes=(64,), seed=2)
    assert player.ignored == 0
    assert posted == len(events)
    again, report = rendered(folder, tmp_path / "again.wav")
    late = report.latency_samples
    assert same(again[:, : 20_000 - late], heard[:, late:])


def test_what_is_no_event_is_in_no_take(tmp_path):
    audio = tones(RATE, 4800, channels=2)
    bad = [
        Move("nobody.mix", 1),
        Move("mix", 9),
        Move(5, 0.2),
        Move("mix", 10**5000),
        Move("mix", None),
    ]
    bad += [b"", b"cc", "cc", None, Move("call.frame_ms", 10)]
    good = [Move("mix", np.float32(0.1)), bytearray(b"\xb0\x01\x40"), Move("call.bypass", 1.0)]
    heard, player, posted = play_live(
        tmp_path / "take", board(), audio, bad + good, RATE, sizes=(64,), controls=CONTROLS
    )
    assert player.ignored == len(bad) - (len(bad) + len(good) - posted)
    take = load_take(tmp_path / "take")
    assert len(take.events) == posted - player.ignored
    again, report = rendered(tmp_path / "take", tmp_path / "again.wav")
    late = report.latency_samples
    assert same(again[:, : 4800 - late], heard[:, late:])


def test_labels_may_hold_anything(tmp_path):
    label = 'a, "b" \u2028 c\r d; é'
    played = codecfx.Pedalboard([codecfx.Opus(label=label)])
    events = [Move(f"{label}.bitrate_kbps", 6)]
    _, player, posted = play_live(
        tmp_path / "take", played, tones(RATE, 4800, channels=1), events, RATE, sizes=(64,)
    )
    assert (player.ignored, posted) == (0, 1)
    ((_, move),) = load_take(tmp_path / "take").events
    assert move.path == f"{label}.bitrate_kbps"
    rendered(tmp_path / "take", tmp_path / "again.wav")


def test_a_plugin_that_was_handed_in_is_in_no_take(tmp_path):
    import pedalboard

    played = codecfx.Pedalboard([pedalboard.Gain(0)])
    with pytest.raises(TakeError, match=r"^Gain was handed in ready made.*codecfx.native\('Gain'\)$"):
        TakeWriter(tmp_path / "take", played, codecfx.StreamSpec(RATE, 1))
    assert not (tmp_path / "take").exists()


def test_a_take_that_cannot_be_begun_leaves_nothing(tmp_path):
    missing = Controls(maps=(Map.of({"source": "program 1", "preset": "nowhere"}),))
    with pytest.raises(codecfx.CodecFxError, match="no preset 'nowhere'"):
        TakeWriter(tmp_path / "take", board(), codecfx.StreamSpec(RATE, 1), missing)
    assert not (tmp_path / "take").exists()


def test_a_full_disk_leaves_whole_samples(tmp_path, monkeypatch):
    path = tmp_path / "full.wav"
    audio = tones(48_000, 3000, channels=2)
    growing = Recording(path, 48_000, 2)
    growing.write(audio[:, :1000])
    real = growing._file

    class Full:
        """A file on a disk with room for a few bytes more."""

        def __getattr__(self, name):
            return getattr(real, name)

        def write(self, content):
            real.write(content[:7])
            raise OSError(28, "No space left on device")

    growing._file = Full()
    with pytest.raises(OSError, match="No space"):
        growing.write(audio[:, 1000:2000])
    growing._file = real
    growing.write(audio[:, 2000:])
    growing.close()
    read, _ = soundfile.read(path, dtype="float32")
    kept = np.concatenate((audio[:, :1000], audio[:, 2000:]), axis=1)
    assert same(np.ascontiguousarray(read.T), kept)
