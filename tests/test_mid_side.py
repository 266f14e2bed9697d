"""MidSide: the middle and the sides of pairs, each through a plugin of its own."""

import copy
import pickle

import numpy as np
import pedalboard
import pytest
from signals import late, measure_latency, noise, same, sine, stream_through

from codecfx import PCM, Chain, MidSide, Opus, Pedalboard, Split, native
from codecfx.effects.board import as_native
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError
from codecfx.presets import load_preset, save_preset

RATE = 48_000


def prepared(effect, channels=2, rate=RATE):
    effect.prepare(StreamSpec(rate, channels))
    return effect


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("inside", [[], [Chain], [PCM], [PCM, PCM], [PCM, Chain]])
def test_with_nothing_lossy_inside_the_output_is_the_delayed_input(channels, inside):
    pair = prepared(MidSide([make() for make in inside]), channels)
    audio = noise(channels, 5000) * np.geomspace(1, 1e-6, channels)[:, np.newaxis].astype(np.float32)
    output = stream_through(pair, audio, [127, 0, 480])
    # a rounding of the sum and one of the difference, as large as the loudest of the pair allows
    error = np.abs(output - late(audio, pair.latency_samples)).max()
    assert error <= np.finfo(np.float32).eps * np.abs(audio).max()
    assert pair.latency_samples == (63 if PCM in inside else 0)


def test_the_first_hears_the_middle_and_the_second_the_sides():
    middle, sides = sine(300, RATE, 9000, 2), sine(500, RATE, 9000, 2) * np.float32([[1], [-1]])
    audio = middle + sides
    quiet = native("Gain", gain_db=-120)
    np.testing.assert_allclose(MidSide([Chain(), quiet])(audio, RATE), middle, atol=2e-6)
    np.testing.assert_allclose(MidSide([copy.copy(quiet)])(audio, RATE), sides, atol=2e-6)
    louder = MidSide([pedalboard.Gain(0), pedalboard.Gain(6)])(audio, RATE)
    np.testing.assert_allclose(louder, middle + 10 ** (6 / 20) * sides, atol=2e-6)


def test_mono_goes_through_the_first_alone():
    first, second = PCM(bits=4), Opus()
    pair, audio = MidSide([first, second]), noise(1, 9000)
    assert same(pair(audio, RATE), PCM(bits=4)(audio, RATE))
    assert pair.latency_samples == 63
    assert second.meter.packets == 0
    # what moves in the second is known, and changes nothing
    curve = np.linspace(0, 1, 9000)
    assert same(pair(audio, RATE, automation={"opus.mix": curve}), PCM(bits=4)(audio, RATE))


def test_of_many_channels_all_middles_are_one_stream_and_an_odd_channel_is_among_them():
    audio = noise(5, 9000)
    left, right = audio[0:4:2], audio[1:4:2]
    middles = PCM(bits=5)(np.concatenate(((left + right) / 2, audio[4:])), RATE)
    sides = Opus()((left - right) / 2, RATE)
    heard = MidSide([PCM(bits=5), Opus()])(audio, RATE)
    np.testing.assert_allclose(heard[0:4:2], middles[:2] + sides, atol=1e-6)
    np.testing.assert_allclose(heard[1:4:2], middles[:2] - sides, atol=1e-6)
    assert same(heard[4:], middles[2:])


def test_each_has_a_rate_of_its_own():
    middle, side = Opus(bitrate_kbps=24, rate_mode="cbr"), Opus(bitrate_kbps=6, rate_mode="cbr")
    MidSide([middle, side])(noise(2, RATE), RATE)
    assert middle.meter.kbps == pytest.approx(24, rel=0.02)
    assert side.meter.kbps == pytest.approx(6, rel=0.02)


@pytest.mark.parametrize("inside", [(PCM, Opus), (Opus, PCM), (Opus,), (Chain, Opus)])
def test_the_faster_waits_for_the_slower(inside):
    pair = prepared(MidSide([kind(bitrate_kbps=256) if kind is Opus else kind() for kind in inside]))
    assert pair.latency_samples == 1271
    audio = noise(2, RATE // 2)
    assert measure_latency(audio, pair.process_block(audio)) == pytest.approx(1271, abs=0.05)
    assert [pair.upstream_samples(one) for one in pair] == [0] * len(inside)


def test_more_than_two_are_refused_in_one_line():
    with pytest.raises(
        ConfigurationError, match=r"^midside has no place for 3 plugins; it takes up to 2, "
    ):
        MidSide([Chain(), Chain(), Chain()])


def test_it_is_a_container_like_others(tmp_path):
    pair = MidSide([Split([PCM(bits=6), MidSide([Opus()])]), PCM(bits=3)], mix=0.9, label="wide")
    assert as_native(MidSide([pedalboard.Gain()])) is None
    audio = noise(2, 9000)
    expected = pair(audio, RATE)
    path = save_preset(Pedalboard([pair]), tmp_path / "wide.toml")
    assert 'effect = "midside"' in path.read_text()
    for again in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair)), load_preset(path).board()[0]):
        assert type(again) is MidSide
        assert again.values == pair.values
        assert again.label == "wide"
        assert same(again(audio, RATE), expected)
    board = Pedalboard([pair])
    assert same(board(audio, RATE, automation={"wide.mix": np.full(9000, 0.9)}), expected)
    ridden = board(audio, RATE, automation={"midside.2.mix": np.linspace(1, 0, 9000)})
    assert not same(ridden, expected)
