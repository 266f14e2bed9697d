"""`codecfx render` with automation, MIDI and takes: what a new user types, and what goes wrong."""

import json

import mido
import numpy as np
import pytest
from live_run import play_live
from signals import same, tones
from test_cli import as_json, codecfx, error_of, output_of, stored, tree, write

import codecfx as library
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.effects.player import Move

RATE = 48_000
LANES = """\
version = 1

[[lane]]
target = "pcm.bits"
interpolation = "step"
points = [["0 s", 32], ["50 %", 2]]
"""
MAPS = """\
version = 1

[[map]]
source = "cc 21"
target = "*.bits"
min = 2
max = 32
"""


def sound(path):
    """A file's samples, float32 (channels, samples)."""
    return np.ascontiguousarray(stored(path).T)


@pytest.fixture
def folder(tmp_path):
    """A stem of a second, lanes and maps, a .mid whose knob falls in the middle, and a take."""
    write(tmp_path / "in.wav", tones(RATE, RATE, channels=2), subtype="FLOAT")
    (tmp_path / "lanes.toml").write_text(LANES)
    (tmp_path / "maps.toml").write_text(MAPS)
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(
        mido.MidiTrack(
            [
                mido.Message("control_change", control=21, value=127, time=0),
                mido.Message("control_change", control=21, value=0, time=480),  # half a second
            ]
        )
    )
    midi.save(tmp_path / "ride.mid")
    board = library.Pedalboard([library.PCM(frame_samples=1)])
    knob = Map.of({"source": "cc 21", "target": "pcm.bits", "min": 2, "max": 32})
    play_live(
        tmp_path / "take",
        board,
        tones(RATE, RATE, channels=2),
        [Move("pcm.bits", 8), b"\xb0\x15\x00"],
        RATE,
        sizes=(64,),
        controls=Controls(maps=(knob,)),
        wet=True,
    )
    return tmp_path


def expected():
    """The stem, whose second half has two bits."""
    audio = tones(RATE, RATE, channels=2)
    crushed = library.PCM(bits=2, frame_samples=1)(audio, RATE)
    return np.concatenate((audio[:, : RATE // 2], crushed[:, RATE // 2 :]), axis=1)


PCM = ("-e", "pcm:frame_samples=1")


@pytest.mark.parametrize(
    "how",
    [
        ("--automation", "lanes.toml"),
        ("-a", "lanes.json"),
        ("-a", "lanes.csv"),
        ("--midi", "ride.mid", "--map", "maps.toml"),
    ],
)
def test_a_word_length_falls_in_the_middle(folder, how):
    lanes = {"target": "pcm.bits", "interpolation": "step", "points": [["0 s", 32], ["0.5 s", 2]]}
    (folder / "lanes.json").write_text(json.dumps({"version": 1, "lane": [lanes]}))
    (folder / "lanes.csv").write_text(
        "position,target,value,interpolation\n0 s,pcm.bits,32,step\n24000,pcm.bits,2,step\n"
    )
    output_of(codecfx("render", "in.wav", "-o", "out.wav", *PCM, *how, cwd=folder))
    assert same(sound(folder / "out.wav"), expected())


def test_what_moves_a_preset_is_a_part_of_it(folder):
    (folder / "falls.toml").write_text(LANES + '\n[[chain]]\neffect = "pcm"\nframe_samples = 1\n')
    output_of(codecfx("render", "in.wav", "-o", "out.wav", "-p", "falls.toml", cwd=folder))
    assert same(sound(folder / "out.wav"), expected())
    good = output_of(codecfx("presets", "validate", "falls.toml", cwd=folder))
    assert good.strip() == "1 of 1 presets are good"


def test_many_stems_are_moved_alike(folder):
    (folder / "stems").mkdir()
    for name in ("a", "b", "c"):
        write(folder / "stems" / f"{name}.wav", tones(RATE, RATE, channels=2), subtype="FLOAT")
    output_of(codecfx("render", "stems", "-o", "out", "-j", 2, *PCM, "-a", "lanes.toml", cwd=folder))
    for name in ("a", "b", "c"):
        assert same(sound(folder / "out" / f"{name}.wav"), expected())


def test_a_seed_makes_another_performance(folder):
    (folder / "stray.toml").write_text(
        'version = 1\n[[modulator]]\nname = "stray"\ntype = "walk"\nrate_hz = 20\n'
        '[[map]]\nsource = "modulator stray"\ntarget = "pcm.bits"\nmin = 2\nmax = 8\n'
    )
    out = []
    for seed in (1, 1, 2):
        options = ("-a", "stray.toml", "--seed", seed, "--overwrite")
        output_of(codecfx("render", "in.wav", "-o", "out.wav", *PCM, *options, cwd=folder))
        out.append(sound(folder / "out.wav"))
    assert same(out[0], out[1])
    assert not same(out[0], out[2])


def test_a_take_renders_to_what_was_heard(folder):
    (report,) = as_json("render", "take", "-o", "again.wav", "--json", cwd=folder)
    heard, late = sound(folder / "take" / "wet.wav"), report["latency_samples"]
    assert same(sound(folder / "again.wav")[:, : RATE - late], heard[:, late:])
    output_of(codecfx("render", ".", "-o", "all", "-e", "gain:gain_db=-20", cwd=folder))
    assert tree(folder / "all") == ["again.wav", "in.wav", "take.wav"]


def test_a_take_renders_to_other_versions(folder):
    for name, how in (
        ("again", ()),
        ("preset", ("-p", "gsm-call")),
        ("lanes", ("-a", "lanes.toml")),
        ("mix", ("--mix", "0")),
    ):
        output_of(codecfx("render", "take", "-o", f"{name}.wav", *how, cwd=folder))
    again = sound(folder / "again.wav")
    assert not same(sound(folder / "preset.wav"), again)
    assert not same(sound(folder / "lanes.wav"), again)
    assert same(sound(folder / "mix.wav"), tones(RATE, RATE, channels=2))


def test_a_take_that_ran_on_something_else_says_so(folder):
    about = folder / "take" / "take.toml"
    about.write_text(about.read_text().replace('av = "', 'av = "0.'))
    done = codecfx("render", "take", "-o", "again.wav", cwd=folder)
    assert "codecfx: note: take: av is " in done.stderr
    assert "it may sound otherwise" in done.stderr


def test_a_side_chain_is_a_file_beside(folder):
    kick = np.zeros((1, RATE), np.float32)
    kick[:, RATE // 2 :] = 0.9
    write(folder / "kick.wav", kick, subtype="FLOAT")
    text = (
        'version = 1\n[[modulator]]\nname = "duck"\ntype = "envelope"\nof = "kick.wav"\nattack_ms = 1\n'
        '[[map]]\nsource = "modulator duck"\ntarget = "gain.gain_db"\nmin = 0\nmax = -80\n'
    )
    (folder / "duck.toml").write_text(text)
    gain = ("-e", "gain", "-a", "duck.toml", "--overwrite")
    output_of(codecfx("render", "in.wav", "-o", "out.wav", *gain, cwd=folder))
    out = sound(folder / "out.wav")
    assert np.abs(out[:, 4000 : RATE // 2 - 200]).max() > 0.1
    assert np.abs(out[:, RATE // 2 + 6000 :]).max() < 0.001
    write(folder / "kick.wav", kick, rate=44_100)
    message = error_of(codecfx("render", "in.wav", "-o", "x.wav", *gain, cwd=folder), 1)
    assert "kick.wav has 44100 Hz, the sound 48000 Hz; give both one rate" in message
    (folder / "kick.wav").unlink()
    message = error_of(codecfx("render", "in.wav", "-o", "x.wav", *gain, cwd=folder), 1)
    assert "there is no file" in message
    assert not (folder / "x.wav").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-a", "lanes.toml", "-e", "opus"), "lanes.toml:4: no parameter 'pcm.bits'; there is: "),
        (("-a", "missing.toml"), "missing.toml: cannot be read (No such file or directory)"),
        (("-a", "in.wav"), "in.wav: is no control file; use one of .toml, .json, .csv"),
        (
            ("--midi", "ride.mid"),
            "ride.mid moves nothing without a map; give --map FILE, or a preset that",
        ),
        (("--midi", "in.wav", "-m", "maps.toml"), "in.wav: is no MIDI file"),
        (("--midi", "cut.mid", "-m", "maps.toml"), "cut.mid: "),
        (("--map", "eight-knob"), "no map 'eight-knob'; did you mean 'eight-knobs'?"),
        (("-a", "range.toml"), "range.toml:4: bits is 99; it takes a whole number from 1 to 32 bits"),
        (("-a", "still.toml"), "still.toml:3: pcm.frame_samples cannot move while sound runs"),
        (("-m", "still-map.toml"), "still-map.toml:4: "),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(folder, options, message):
    (folder / "cut.mid").write_bytes((folder / "ride.mid").read_bytes()[:-3])
    (folder / "range.toml").write_text(LANES.replace("2]]", "99]]"))
    (folder / "still.toml").write_text(
        LANES.replace("pcm.bits", "pcm.frame_samples").replace("\n\n", "\n")
    )
    (folder / "still-map.toml").write_text(
        'version = 1\n[[map]]\nsource = "cc 1"\ntarget = "pcm.frame_samples"\n'
    )
    before = tree(folder)
    effects = () if "-e" in options else PCM
    said = error_of(codecfx("render", "in.wav", "-o", "out.wav", *effects, *options, cwd=folder), 2)
    assert message in said
    assert tree(folder) == before


def test_a_take_has_messages_of_its_own(folder):
    said = error_of(codecfx("render", "take", "-o", "x.wav", "--midi", "ride.mid", cwd=folder), 2)
    assert "--midi ride.mid: a take has messages of its own; leave it out" in said
    (folder / "take" / "events.csv").write_text("sample,kind,target,value\n5,set,pcm.bit,8\n")
    said = error_of(codecfx("render", "take", "-o", "x.wav", cwd=folder), 1)
    assert "pcm.bit: no parameter 'bit'; did you mean 'bits'?" in said
    assert not (folder / "x.wav").exists()
    (folder / "take" / "events.csv").write_text("sample,kind,target,value\nx,set,pcm.bits,8\n")
    said = error_of(codecfx("render", "take", "-o", "x.wav", cwd=folder), 2)
    assert "events.csv:2: sample is 'x'" in said


def test_a_broken_map_in_a_preset_does_not_hide_the_others(folder):
    (folder / "own").mkdir()
    (folder / "own" / "broken.toml").write_text(
        'version = 1\n[[chain]]\neffect = "pcm"\n[[map]]\nsource = "cc 1"\ntargt = "mix"\n'
    )
    listed = as_json("presets", "list", "--json", cwd=folder, CODECFX_PRESETS=str(folder / "own"))
    by_name = {one["name"]: one["description"] for one in listed}
    assert "broken.toml:4: " in by_name["broken"]
    assert "did you mean 'target'" in by_name["broken"]
    assert len(by_name) > 70
