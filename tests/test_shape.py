"""Gate, drive and makeup around every codec: nothing at all where they are neutral, levels that are
measured where they are not, and no click whatever moves.
"""

import numpy as np
import pytest
from signals import cut, late, noise, same, sine, stream_through, tones, voice
from test_dry_wet import above_5_khz_db

import codecfx
from codecfx.audio import smooth_step
from codecfx.control.parameters import Change
from codecfx.effects import registry, shape
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.effects.shape import GATE_OFF_DB, PARAMETERS
from codecfx.errors import ConfigurationError
from codecfx.presets import load_preset, save_preset

RATE = 48_000
CODECS = ("opus", "gsm", "mp3", "pcm", "g722", "encodec", "lyra")
# everything at once
SHAPED = {
    "gate_db": -30.0,
    "drive_db": 9.0,
    "makeup_db": -4.0,
    "feedback": 0.7,
    "feedback_ms": 37.0,
    "encode_clock": 0.75,
    "decode_clock": 1.2,
    "window_ms": 35.0,
}
STORM = {"loss": 0.1, "buffer_ms": 30, "jitter_ms": 10, "conceal": "stretch", "flip": 0.01, "xor": 3}


def prepared(name, rate=RATE, channels=1, **values):
    effect = registry.find(name)(**values)
    effect.prepare(StreamSpec(rate, channels))
    return effect


def swelling(samples, channels=1):
    """Tones, and silences between them."""
    swells = np.clip(2 * np.sin(np.arange(samples) / 2500), 0, 1).astype(np.float32)
    return tones(RATE, samples, channels) * swells + noise(channels, samples, level=1e-4)


def riding(name, parameter_id, values, every, level=0.1, **more):
    """The loudest above 5 kHz, in dB of full scale, of a low tone while a parameter moves through
    values, and of the tone at rest with the worst of them.
    """
    tone = sine(220, RATE, 3 * RATE, level=level)
    tone[:, :RATE] *= smooth_step(RATE).astype(np.float32)  # which begins with no click of its own
    effect, parts = prepared(name, **{parameter_id: values[0], **more}), []
    for number, piece in enumerate(cut(tone, [every])):
        effect.set(parameter_id, values[number % len(values)])
        parts.append(effect.process_block(piece).copy())
    resting = [
        above_5_khz_db(
            prepared(name, **{parameter_id: one, **more}).process_block(tone)[:, -RATE:], RATE
        )
        for one in values
    ]
    return above_5_khz_db(np.concatenate(parts, axis=1)[:, -RATE:], RATE), max(resting)


# Nothing


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_neutral_is_the_bare_path_bit_for_bit(name, rate, monkeypatch):
    audio = 3 * tones(rate, 30_000, channels=2)  # over full scale too
    effect = prepared(name, rate, 2)
    monkeypatch.setattr(shape, "Shaped", lambda codec, *_: codec)
    bare = prepared(name, rate, 2)
    assert same(effect.process_block(audio), bare.process_block(audio))
    assert effect.latency_samples == bare.latency_samples


@pytest.mark.parametrize("name", ["opus", "gsm", "pcm"])
def test_what_was_moved_and_is_back_is_as_if_nothing_had_been(name):
    audio = tones(RATE, 3 * RATE)
    bare, moved = prepared(name), prepared(name)
    whole, parts = bare.process_block(audio).copy(), []
    for number, piece in enumerate(cut(audio, [4800])):
        for one in PARAMETERS:
            if one.change is Change.IMMEDIATE:
                moved.set(one.id, one.value_at(0.7) if number in (3, 4) else one.default)
        parts.append(moved.process_block(piece).copy())
    heard = np.concatenate(parts, axis=1)
    assert not same(heard[:, :RATE], whole[:, :RATE])
    if name == "pcm":  # which forgets
        assert same(heard[:, -RATE:], whole[:, -RATE:])


# Any partition


@pytest.mark.parametrize("name", [*CODECS, "mp3 at 44.1 kHz"])
def test_the_same_samples_for_any_partition_with_everything_on(name):
    name, _, other = name.partition(" ")
    rate = 44_100 if other else RATE
    audio, values = swelling(36_000, 2), SHAPED | STORM | {"seed": 3}
    effect = prepared(name, rate, 2, **values)
    whole, latency = effect.process_block(audio).copy(), effect.latency_samples
    assert np.abs(whole).max() > 0.01
    random = np.random.default_rng(1)
    for sizes in ([1024, 7, 480], random.choice([1, 127, 512, 513, 4096], 100), [36_000]):
        effect.reset()
        assert same(stream_through(effect, audio, sizes), whole)
        assert effect.latency_samples == latency
    fresh = registry.find(name)(**values)
    fresh.prepare(StreamSpec(rate, 2, max_block_samples=512))
    assert same(stream_through(fresh, audio, [512]), whole)


MOVES = [
    (4_801, "drive_db", 20.0),
    (5_000, "feedback", 1.0),
    (5_010, "feedback_ms", 300.0),
    (5_777, "feedback_ms", 3.0),
    (9_000, "gate_db", -10.0),
    (12_345, "gate_db", GATE_OFF_DB),
    (12_345, "feedback", 0.0),
    (13_001, "feedback_ms", 90.0),
    (13_900, "feedback", 0.8),
    (15_000, "makeup_db", 6.0),
    (20_000, "gate_db", -20.0),
    (21_000, "drive_db", 0.0),
]


@pytest.mark.parametrize("name", ["opus", "gsm", "pcm", "encodec"])
def test_moves_land_on_their_samples_live_and_offline(name):
    audio = swelling(30_000, 2)
    events = [(at, Move(f"{name}.{one}", value)) for at, one, value in MOVES]
    heard = []
    random = np.random.default_rng(2)
    for sizes in ([30_000], [64], random.choice([1, 127, 512, 513], 200)):
        player = Player(codecfx.Chain([registry.find(name)()]), events=events)
        player.prepare(StreamSpec(RATE, 2, max_block_samples=max(sizes)))
        heard.append(stream_through(player, audio, sizes))
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])
    live = Player(codecfx.Chain([registry.find(name)()]), events=events)
    live.prepare(StreamSpec(RATE, 2, max_block_samples=480, live=True))
    if live.latency_samples == player.latency_samples:  # else the loop is a run longer
        assert same(stream_through(live, audio, [480, 33]), heard[0])
    else:
        again = Player(codecfx.Chain([registry.find(name)()]), events=events)
        again.prepare(StreamSpec(RATE, 2, max_block_samples=480, live=True))
        assert same(stream_through(live, audio, [480, 33]), stream_through(again, audio, [64]))


def test_a_change_of_makeup_meets_the_sound_that_was_there():
    audio = sine(1000, RATE, 20_000)
    curve = np.zeros(20_000)
    curve[10_000:] = -36.0
    heard = codecfx.PCM(frame_samples=4000)(audio, RATE, automation={"makeup_db": curve})
    assert same(heard[:, :10_000], audio[:, :10_000])
    assert np.abs(heard[:, 10_960:]).max() < 0.01


# Levels


@pytest.mark.parametrize("decibels", [-36.0, -7.5, 0.0, 12.0, 36.0])
def test_makeup_is_as_many_decibels(decibels):
    audio = tones(RATE, 10_000)
    bare = codecfx.Opus()(audio, RATE)
    heard = codecfx.Opus(makeup_db=decibels)(audio, RATE)
    np.testing.assert_allclose(heard, bare * 10 ** (decibels / 20), rtol=1e-6)


@pytest.mark.parametrize("decibels", [-36.0, -7.5, 12.0, 36.0])
def test_drive_is_as_many_decibels_up_to_half_of_full_scale(decibels):
    gain = 10 ** (decibels / 20)
    audio = sine(440, RATE, 10_000, level=0.499 / max(1, gain))
    np.testing.assert_allclose(codecfx.PCM(drive_db=decibels)(audio, RATE), audio * gain, rtol=1e-6)
    # made up for, it is what it was, but for what the codec heard
    both = codecfx.PCM(drive_db=decibels, makeup_db=-decibels)(audio, RATE)
    np.testing.assert_allclose(both, audio, rtol=1e-6)


def test_driven_peaks_bend_below_full_scale():
    ramp = np.linspace(-1, 1, 96_001, dtype=np.float32)[np.newaxis]
    for decibels in (0.1, 3.0, 12.0, 36.0):
        heard = codecfx.PCM(drive_db=decibels)(ramp, RATE)[0].astype(np.float64)
        assert np.abs(heard).max() <= 1
        slope = np.diff(heard[::20])
        assert slope.min() >= -1e-6  # never back
        # without a corner: a hard clip's slope falls from its highest to nothing at once
        assert np.abs(np.diff(slope)).max() < 0.2 * slope.max() or decibels < 3
    assert same(codecfx.PCM(drive_db=0.0)(3 * ramp, RATE), 3 * ramp)
    # a little drive is nearly none, up to full scale
    np.testing.assert_allclose(codecfx.PCM(drive_db=0.01)(ramp, RATE), ramp, atol=2e-3)


@pytest.mark.parametrize("name", ["gsm", "mulaw", "g722", "adpcm_yamaha"])
def test_integer_codecs_neither_wrap_nor_clip_hard(name):
    tone = sine(440, RATE, RATE, level=1.0)
    clipped = registry.find(name)()(np.clip(60 * tone, -1, 1), RATE)
    driven = registry.find(name)(drive_db=36)(tone, RATE)
    assert above_5_khz_db(driven, RATE) <= above_5_khz_db(clipped, RATE) + 1
    assert np.corrcoef(driven[0, 4800:], clipped[0, 4800:])[0, 1] > 0.9


def test_a_gate_lets_through_what_reaches_it_and_nothing_else():
    loud, quiet = 10 ** (-19 / 20), 10 ** (-21 / 20)
    tone = sine(1000, RATE, 3 * RATE, level=1.0)
    level = np.full(3 * RATE, quiet, np.float32)
    level[RATE : 2 * RATE] = loud
    audio = np.repeat(tone * level, 2, axis=0)
    audio[1] = 0  # channels open together
    sound = prepared("pcm", channels=2, gate_db=-20.0)
    latency = sound.latency_samples
    heard = sound.process_block(audio)[:, latency:]
    assert not heard[:, :RATE].any()
    attack = RATE + 96  # 2 ms
    assert same(heard[:, attack : 2 * RATE], audio[:, attack : 2 * RATE])
    assert heard[0, RATE + 48 : attack].any()
    held = 2 * RATE + 4800 - 96
    assert same(heard[:, 2 * RATE : held], audio[:, 2 * RATE : held])
    assert not heard[:, held + 960 + 192 :].any()


def test_a_codec_behind_a_gate_gets_digital_silence():
    audio = noise(1, RATE, level=0.003)
    effect = prepared("opus", gate_db=-30.0, dtx=True, application="voip")
    effect.process_block(audio)
    assert effect.meter.now_kbps < 2  # Opus' own way of saying nothing


# Clicks


@pytest.mark.parametrize("every", [160, 1600, 4800])
@pytest.mark.parametrize(
    ("parameter_id", "values"),
    [
        ("drive_db", [0.0, 6.0, -20.0, 12.0]),
        ("drive_db", [36.0, 30.0, 0.0, -20.0]),
        ("makeup_db", [0.0, 12.0, -36.0, 3.0]),
        ("gate_db", [GATE_OFF_DB, -10.0, -10.0]),
    ],
)
def test_a_ridden_tone_does_not_click(parameter_id, values, every):
    scale = 10 if parameter_id == "gate_db" else 1  # it holds
    ridden, resting = riding("pcm", parameter_id, values, every * scale)
    assert ridden < max(resting + 3, -140)


# In files and words


def test_a_preset_has_a_section(tmp_path):
    board = codecfx.Pedalboard([codecfx.Opus(drive_db=6, encode_clock=0.5, feedback=0.3)])
    text = save_preset(board, tmp_path / "one.toml").read_text()
    section = text.split("[chain.shape]\n")[1]
    assert set(section.split("\n")) >= {"drive_db = 6.0", "encode_clock = 0.5", "feedback = 0.3"}
    assert "gate_db" not in text
    assert load_preset(tmp_path / "one.toml").board()[0].values == board[0].values
    assert codecfx.Opus(shape={"drive_db": 3}).drive_db == 3
    with pytest.raises(ConfigurationError, match="did you mean 'drive_db'"):
        codecfx.Opus(shape={"drive": 1})
    with pytest.raises(ConfigurationError, match="it takes -36 to 36 dB"):
        codecfx.Opus(drive_db=37)


def test_it_is_one_group_of_every_codec():
    for name in registry.codec_names():
        group = [one for one in registry.find(name).parameters if one.group == shape.GROUP]
        assert group == list(PARAMETERS)
    assert [one.id for one in PARAMETERS if one.change is Change.PREPARE] == [
        "encode_clock",
        "decode_clock",
        "window_ms",
    ]


def test_dry_is_what_came_before_the_gate_and_the_drive():
    audio = voice(RATE, 20_000)
    effect = prepared("opus", **(SHAPED | {"mix": 0.0}))
    assert same(effect.process_block(audio), late(audio, effect.latency_samples))
