"""Delta: what effects change, to the sample: of codecs, chains and files; and it does not click."""

import json

import numpy as np
import pytest
import soundfile
from signals import cut, late, noise, rms_db, same, sine, stream_through, tones, voice

import codecfx
from codecfx.cli import run
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.presets import load_preset, save_preset

RATE = 48_000


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("name", ["opus", "mp3", "gsm", "encodec", "lyra", "Compressor", "Reverb"])
def test_delta_and_wet_are_dry(name, rate):
    audio = voice(rate, 30_000, channels=2)
    kind = registry.find(name)
    wet, delta = kind(), kind(delta="on")
    for effect in (wet, delta):
        effect.prepare(StreamSpec(rate, 2))
    assert delta.latency_samples == wet.latency_samples
    both = wet.process_block(audio) + stream_through(delta, audio, [1024, 7, 480])
    dry = late(audio, wet.latency_samples)
    # of float32 numbers around 1, each rounded once
    assert np.abs(both - dry).max() <= 2**-23


def test_what_changes_nothing_has_none():
    audio = tones(RATE, 20_000)
    for effect in (
        codecfx.PCM(delta="on"),
        codecfx.Opus(delta="on", mix=0),
        codecfx.Opus(delta="on", bypass=True),
    ):
        assert not effect(audio, RATE).any()


def test_of_a_chain_and_of_one_in_it():
    audio = tones(RATE, 30_000, channels=2)
    plugins = lambda: [codecfx.Opus(bitrate_kbps=8), codecfx.native("Compressor", threshold_db=-30)]  # noqa: E731
    whole = codecfx.Pedalboard(plugins())(audio, RATE)
    removed = codecfx.Pedalboard(plugins(), delta="on")(audio, RATE)
    assert np.abs(whole + removed - audio).max() <= 2**-23
    natives = codecfx.Pedalboard([codecfx.native("Gain", gain_db=-6.0206)], delta="on")
    assert np.allclose(natives(audio, RATE), audio / 2, atol=1e-6)


def test_matched_hears_no_change_of_level():
    audio = noise(1, 4 * RATE, seed=1)
    for kind, least, most in (("on", -6.1, -5.9), ("matched", -200, -60)):
        heard = registry.find("Gain")(gain_db=-6.0206, delta=kind)(audio, RATE)
        level = rms_db(heard[:, RATE:]) - rms_db(audio)
        assert least < level < most
    # what a codec removes is not hidden
    heard = codecfx.GSM(delta="matched")(audio, RATE)
    assert rms_db(heard[:, RATE:]) > rms_db(audio) - 12


def test_the_same_samples_for_any_partition():
    audio = tones(RATE, 40_000, channels=2)
    heard = []
    for sizes in ([480], [7, 1024, 96], [4800]):
        effect = codecfx.Opus(bitrate_kbps=8)
        effect.prepare(StreamSpec(RATE, 2))
        parts = []
        for place, kind in enumerate(("off", "on", "matched", "off", "matched")):
            effect.delta = kind
            parts.append(stream_through(effect, audio[:, place * 8000 : place * 8000 + 8000], sizes))
        heard.append(np.concatenate(parts, axis=1))
        effect.reset()
        effect.delta = "off"
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])


def test_turning_it_does_not_click():
    audio = sine(220, RATE, 60_000, level=0.5)
    still, turned = (codecfx.Opus(bitrate_kbps=8) for _ in range(2))
    for effect in (still, turned):
        effect.prepare(StreamSpec(RATE, 1))
    sounds = {"off": still.process_block(audio).copy()}
    sounds["on"] = late(audio, still.latency_samples) - sounds["off"]
    parts = []
    for place, piece in enumerate(cut(audio, [3000])):
        turned.delta = ("off", "on", "matched")[place % 3]
        parts.append(turned.process_block(piece).copy())
    moved = np.concatenate(parts, axis=1)
    # the fourth difference hears corners, which neither sound has
    most = max(np.abs(np.diff(one[:, 4000:], n=4)).max() for one in sounds.values())
    assert np.abs(np.diff(moved[:, 4000:], n=4)).max() < 2.5 * most + 1e-4


def test_presets_keep_it(tmp_path):
    board = codecfx.Pedalboard([codecfx.Opus()], delta="matched")
    again = load_preset(save_preset(board, tmp_path / "one.toml")).board()
    audio = voice(RATE, 20_000)
    assert same(again(audio, RATE), board(audio, RATE))


def test_files_of_it(tmp_path, capsys):
    audio = voice(RATE, 30_000)
    soundfile.write(tmp_path / "voice.wav", audio.T, RATE, subtype="FLOAT")
    source, out = str(tmp_path / "voice.wav"), tmp_path / "out"
    assert run(["render", source, "-o", str(out), "-e", "opus", "--with-delta", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    wet, delta = (
        soundfile.read(out / name, dtype="float32", always_2d=True)[0].T
        for name in ("voice.wav", "voice.delta.wav")
    )
    assert np.abs(wet + delta - audio).max() <= 2**-23
    assert run(["render", source, "-o", str(tmp_path / "only.wav"), "-e", "opus", "--delta", "-q"]) == 0
    assert same(soundfile.read(tmp_path / "only.wav", dtype="float32", always_2d=True)[0].T, delta)


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--delta", "--with-delta"], "choose"), (["--matched"], "add --delta")],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, options, words):
    soundfile.write(tmp_path / "voice.wav", voice(RATE, 1000).T, RATE)
    arguments = ["render", str(tmp_path / "voice.wav"), "-o", str(tmp_path / "x.wav"), "-e", "pcm"]
    assert run([*arguments, *options]) != 0
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said


def test_a_delta_replaces_nobody(tmp_path, capsys):
    for name in ("a.wav", "a.delta.wav"):
        soundfile.write(tmp_path / name, voice(RATE, 1000).T, RATE)
    done = run(["render", str(tmp_path), "-o", str(tmp_path / "out"), "-e", "pcm", "--with-delta"])
    assert done == 1
    assert "would replace" in "".join(capsys.readouterr())
    assert (tmp_path / "out" / "a.delta.delta.wav").exists()
