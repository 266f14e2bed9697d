"""Split: bands that add up to the input, each for itself, whose crossovers move."""

import copy
import pickle
from math import pi

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    BLOCK_SIZES,
    energy_above_db,
    late,
    measure_latency,
    noise,
    same,
    sine,
    stream_through,
)

from codecfx import PCM, Chain, Controls, Lane, Mix, Opus, Pedalboard, Player, Split, native
from codecfx.effects.board import as_native
from codecfx.effects.crossover import Crossover
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError, PresetError
from codecfx.presets import load_preset, save_preset

RATE = 48_000


def mute():
    """Next to nothing: -120 dB."""
    return native("Gain", gain_db=-120)


def prepared(effect, rate=RATE, channels=2):
    effect.prepare(StreamSpec(rate, channels))
    return effect


def response_db(bands, rate):
    """The gain of each band at every frequency, from its impulse response; and the frequencies."""
    size = 1 << 17
    gains = [
        20 * np.log10(np.abs(np.fft.rfft(band[0].astype(np.float64), size)) + 1e-12) for band in bands
    ]
    return gains, np.fft.rfftfreq(size, 1 / rate)


def impulse(rate):
    audio = np.zeros((1, rate // 20), np.float32)
    audio[0, rate // 50] = 1
    return audio


# The sum


@pytest.mark.parametrize(
    "inside", [[], [Chain], [Chain, PCM], [Chain, Chain, Chain], [PCM, PCM, Chain]]
)
@pytest.mark.parametrize(("rate", "channels"), [(1000, 1), (8000, 2), (44_100, 8), (48_000, 2)])
@pytest.mark.parametrize("cutoffs", [(200, 4000), (20, 20_000), (3000, 100)])
def test_with_nothing_lossy_inside_the_sum_is_the_delayed_input(inside, rate, channels, cutoffs):
    split = Split([make() for make in inside], low_hz=cutoffs[0], high_hz=cutoffs[1])
    prepared(split, rate, channels)
    audio = noise(channels, rate // 4)
    output = stream_through(split, audio, [127, 512])
    # two sums of float32, each of which is off by half a last digit at most
    tolerance = 2 * np.finfo(np.float32).eps * np.abs(audio).max()
    np.testing.assert_allclose(output, late(audio, split.latency_samples), atol=tolerance)


def test_the_sum_is_flat():
    (gain,), _ = response_db(
        [prepared(Split([Chain(), Chain(), Chain()]), RATE, 1).process_block(impulse(RATE))], RATE
    )
    assert np.abs(gain).max() < 1e-5  # dB


# Bands


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("cutoff", [150, 200, 300, 1000, 4000])
def test_an_octave_away_a_band_is_48_db_down(rate, cutoff):
    crossover = Crossover(rate, 1, [cutoff])
    (low, high), hz = response_db(crossover.bands(impulse(rate)), rate)
    assert low[hz >= 2 * cutoff].max() < -48
    assert high[hz <= cutoff / 2].max() < -48
    assert np.abs(low[hz <= cutoff / 2]).max() < 0.04  # what is missing there is 48 dB down above
    assert np.abs(high[hz >= 2 * cutoff]).max() < 0.02
    assert low[np.argmin(np.abs(hz - cutoff))] == pytest.approx(-6, abs=0.2)


def test_each_plugin_has_its_band_to_itself():
    tones = {
        75: sine(75, RATE, RATE, 2),
        900: sine(900, RATE, RATE, 2),
        9000: sine(9000, RATE, RATE, 2),
    }

    def passed(inside, hz):
        steady = Split(inside, low_hz=200, high_hz=4000)(tones[hz], RATE)[:, RATE // 4 : -RATE // 4]
        return 20 * np.log10(np.abs(steady).max() / 0.5)

    for place, own in enumerate(tones):
        alone, missing = [[mute(), mute(), mute()], [Chain(), Chain(), Chain()]]
        alone[place], missing[place] = Chain(), mute()
        for hz in tones:
            with_own, without = passed(copy.deepcopy(alone), hz), passed(copy.deepcopy(missing), hz)
            there, gone = (with_own, without) if hz == own else (without, with_own)
            assert there == pytest.approx(0, abs=0.1)
            assert gone < -48


def test_two_branches_are_below_and_above_and_one_is_below():
    low, high = sine(75, RATE, RATE), sine(900, RATE, RATE)
    middle = slice(RATE // 4, -RATE // 4)
    for inside, quiet in (([mute()], low), ([mute(), Chain()], low), ([Chain(), mute()], high)):
        for audio in (low, high):
            heard = np.abs(Split(inside)(audio, RATE)[:, middle]).max()
            assert heard < 0.5e-2 if audio is quiet else heard == pytest.approx(0.5, rel=0.01)


def test_a_codec_above_leaves_the_lows_alone():
    """What Opus changes in noise above 1 kHz is above 1 kHz, but for what it puts below itself."""
    audio = noise(2, RATE)
    split = Split([Chain(), Opus(bitrate_kbps=8)], low_hz=1000)
    spectrum = np.abs(np.fft.rfft((split(audio, RATE) - audio) * np.hanning(RATE))).mean(axis=0)
    assert 20 * np.log10(spectrum[10:500].mean() / spectrum[1500:3000].mean()) < -40


@pytest.mark.parametrize("high", [20, 300, 1000])
def test_with_the_upper_crossover_below_the_lower_nothing_is_between(high):
    audio = noise(2, 9000)
    low_part, between, above = Crossover(RATE, 2, [1000, 1000]).bands(audio)
    assert not between.any()
    assert low_part.any()
    assert above.any()
    inside = [PCM(bits=3), PCM(bits=5), PCM(bits=7)]
    crossed = Split(inside, low_hz=1000, high_hz=high)(audio, RATE)
    assert same(crossed, Split(copy.deepcopy(inside), low_hz=1000, high_hz=1000)(audio, RATE))


# Latency


@pytest.mark.parametrize("rate", [1000, 8000, 11_025, 44_100, 48_000, 192_000])
def test_it_is_ten_milliseconds_late_wherever_the_crossovers_are(rate):
    for cutoffs in ((20, 20_000), (200, 4000), (10_000, 300)):
        split = prepared(
            Split([Chain(), Chain(), Chain()], low_hz=cutoffs[0], high_hz=cutoffs[1]), rate
        )
        assert split.latency_samples == round(rate / 100)
        audio = noise(2, rate // 4)
        assert measure_latency(audio, split.process_block(audio)) == pytest.approx(
            split.latency_samples, abs=0.01
        )


def test_branches_wait_for_the_slowest():
    split = prepared(Split([PCM(frame_samples=500), Chain(), Opus(bitrate_kbps=256)]))
    assert split.latency_samples == 480 + 1271
    assert [split.upstream_samples(one) for one in split] == [480, 480, 480]
    audio = noise(2, RATE // 2)
    assert measure_latency(audio, split.process_block(audio)) == pytest.approx(1751, abs=0.05)
    on_grid = prepared(Split([PCM(frame_samples=500), pedalboard.BrickwallLimiter()]))
    assert on_grid.latency_samples == 480 + 499 + 63


# Moves

MOVES = ((0, "low_hz", 400.0), (700, "low_hz", 90.0), (701, "high_hz", 900.0), (950, "low_hz", 3000.0))
MOVES += (
    (951, "low_hz", 2000.0),
    (3000, "high_hz", 20_000.0),
    (3480, "low_hz", 30.0),
    (4444, "mix", 0.5),
)


def moved(sizes, inside):
    """Noise through a split whose crossovers move at places, in blocks of any sizes between them."""
    split = prepared(Split([make() for make in inside]))
    audio, parts, at = noise(2, 6000), [], 0
    for place, *move in [*MOVES, (6000, "mix", 1.0)]:
        parts.append(stream_through(split, audio[:, at:place], sizes))
        split.set(*move)
        at = place
    return np.concatenate(parts, axis=1)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(BLOCK_SIZES), min_size=1, max_size=12).map(lambda sizes: [*sizes, 513]))
def test_moves_give_the_same_samples_for_any_partition(sizes):
    inside = [lambda: PCM(bits=4), Chain, lambda: PCM(bits=6, frame_samples=37)]
    assert same(moved(sizes, inside), moved([6000], inside))


@pytest.mark.parametrize("sizes", [[1], [7, 127], [64], [65, 480]])
def test_natives_inside_too(sizes):
    """On their grid a move holds from the grid point before it, as in every board."""
    audio = noise(2, 9000)
    board = Pedalboard([Split([pedalboard.Delay(0.01), native("Chorus"), Chain()], label="bands")])
    curve = np.repeat(np.float64([300, 80, 900]), 3000)
    expected = board(audio, RATE, automation={"bands.low_hz": curve, "bands.high_hz": 5 * curve})

    player = Player(
        board, curves={"bands.low_hz": curve, "bands.high_hz": 5 * curve}, in_file_time=True
    )
    player.prepare(StreamSpec(RATE, 2), 9000)
    longer = np.concatenate((audio, np.zeros((2, player.latency_samples), np.float32)), axis=1)
    assert same(stream_through(player, longer, sizes)[:, player.latency_samples :], expected)


def ridden(turn):
    """A 220 Hz tone through what is below a crossover that `turn` moves, a call every 10 ms."""
    split = prepared(Split([Chain(), mute()]), channels=1)
    audio, parts = sine(220, RATE, 2 * RATE), []
    for at in range(0, 2 * RATE, 480):
        turn(split, at / (2 * RATE))
        parts.append(split.process_block(audio[:, at : at + 480]).copy())
    return np.concatenate(parts, axis=1)[:, RATE // 5 :]


GESTURES = {
    "a slow ride": lambda split, t: split.set(
        "low_hz", 60 * (2000 / 60) ** (0.5 - 0.5 * np.cos(9 * pi * t))
    ),
    "a shaken knob": lambda split, t: split.set("low_hz", 120 + 280 * (t * 200 % 2 < 1)),
    "jumps": lambda split, t: split.set("low_hz", 60 if t * 20 % 2 < 1 else 4000),
}


@pytest.mark.parametrize("gesture", GESTURES)
def test_a_crossover_that_moves_adds_nothing_above_5_khz(gesture):
    still = max(
        energy_above_db(ridden(lambda split, _, hz=hz: split.set("low_hz", hz)), 5000, RATE)
        for hz in (60, 220, 4000)
    )
    sound = ridden(GESTURES[gesture])
    assert np.ptp(np.abs(sound.reshape(1, -1, 480)).max(axis=2)) > 0.2  # it does move
    assert energy_above_db(sound, 5000, RATE) < max(still, -140) + 3


def test_a_lane_meets_the_sound_that_was_there():
    """A jump at a sample of the file changes nothing before it, and begins right after it."""
    audio = noise(1, 20_000)
    jump = (("0 samples", 100), ("9600 samples", 100), ("9600 samples", 8000))
    lane = Lane("split.low_hz", jump)
    board = Pedalboard([PCM(), Split([Chain(), mute()], low_hz=100)])
    sound = board(audio, RATE, automation=Controls(lanes=(lane,)))
    still = board(audio, RATE)
    changed = np.flatnonzero(np.abs(sound - still)[0] > 1e-4)
    assert 9600 <= changed[0] < 9600 + 200  # the fade begins flat, and on pedalboard's grid


# A container


def test_more_than_three_are_refused_in_one_line():
    line = (
        r"^split has no place for 4 plugins; it takes up to 3, for what is below low_hz, [^\n]*Chain$"
    )
    three = Split([Chain(), Chain(), Chain()])
    for wrong in (
        lambda: Split([Chain(), Chain(), Chain(), Chain()]),
        lambda: three.append(Chain()),
        lambda: three.insert(0, PCM()),
        lambda: three.__setitem__(slice(0, 1), [PCM(), PCM()]),
    ):
        with pytest.raises(ConfigurationError, match=line):
            wrong()
    assert len(three) == 3
    three[0], three[2] = three[2], three[0]
    assert three(noise(2, 100), RATE).shape == (2, 100)


def test_it_is_never_taken_for_one_of_pedalboards():
    split = Split([pedalboard.Gain(-6), pedalboard.Gain(6)])
    assert as_native(split) is None
    assert as_native(Chain([Mix([split])])) is None
    audio = sine(75, RATE, RATE)
    assert np.abs(split(audio, RATE)).max() == pytest.approx(0.5 * 10 ** (-6 / 20), rel=0.01)


def test_copies_are_alike_and_of_their_own():
    split = Split(
        [PCM(bits=6), Opus(bitrate_kbps=16), Chain([Mix([PCM(bits=5)])])], low_hz=333, label="bands"
    )
    audio = noise(2, 9000)
    expected = split(audio, RATE)
    for again in (copy.deepcopy(split), pickle.loads(pickle.dumps(split)), split[:]):
        assert type(again) is Split
        assert (again.low_hz, again.label) == (333, "bands")
        if again[0] is not split[0]:
            again[1].bitrate_kbps = 16
            assert same(again(audio, RATE), expected)


def test_a_preset_holds_it(tmp_path):
    split = Split(
        [Chain(), Split([PCM(bits=6)], low_hz=1000), Opus()], low_hz=150, high_hz=9000, label="bands"
    )
    path = save_preset(Pedalboard([split, PCM()]), tmp_path / "bands.toml")
    assert 'effect = "split"' in path.read_text()
    board = load_preset(path).board()
    again = board[0]
    assert type(again) is Split
    assert again.values == split.values
    assert [type(one) for one in again] == [type(one) for one in split]
    audio = noise(2, 9000)
    assert same(again(audio, RATE), split(audio, RATE))
    alone = load_preset(save_preset(split, tmp_path / "alone.toml")).board()
    assert type(alone[0]) is Split
    path.write_text(
        'version = 1\n[[chain]]\neffect = "split"\n' + '[[chain.chain]]\neffect = "opus"\n' * 4
    )
    with pytest.raises(PresetError, match=r"chain\[1\]: split has no place for 4 plugins"):
        load_preset(path).board()


def test_plugins_that_come_while_it_runs_wait_for_the_next_stream():
    split = prepared(Split([Chain(), Chain()]))
    audio = noise(2, 1000)
    split.process_block(audio)
    split.append(PCM(bits=2))
    split.low_hz = 700
    assert split.process_block(audio).shape == (2, 1000)
    assert split.is_stale
