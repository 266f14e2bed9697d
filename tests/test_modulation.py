"""Modulators: shapes of LFOs, random numbers and walks, followers, hits; and no partition matters."""

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import cut, noise, recording, recordings, sine

from codecfx.audio import silence
from codecfx.control.cycles import stream_of, uniform
from codecfx.control.modulation import (
    LFO,
    EnvelopeFollower,
    RandomWalk,
    TransientGate,
    modulator_of,
)
from codecfx.control.timeline import TempoMap, Timeline, tempo_of
from codecfx.errors import CodecFxError, ConfigurationError, ParameterError, UnknownName

RATE = 48_000
TICKS = (1, 7, 64, 65, 480)  # samples from tick to tick
SHAPES = ("sine", "triangle", "saw-up", "saw-down", "square", "random", "hold")
EVERY = [
    *(LFO("lfo", shape=shape, rate_hz=3.7, phase=0.3, seed=5) for shape in SHAPES),
    LFO("beats", shape="random", beats=0.75),
    RandomWalk("walk", rate_hz=23.0, step=0.9, seed=3),
    RandomWalk("beats", beats=0.25),
    EnvelopeFollower("level", attack_ms=2.0, release_ms=30.0),
    TransientGate("hits", hold_ms=3.0, release_ms=20.0),
]
sizes = st.lists(st.sampled_from((0, 1, 7, 15, 16, 17, 127, 512, 513)), min_size=1, max_size=8).filter(
    any
)


def positions_of(modulator, audio, rate=RATE, tick=64, tempo=None, seed=0):
    """The positions at every tick up to the end of `audio`, heard at once."""
    count = audio.shape[1] // tick + 1
    running = modulator.running(Timeline(rate, tempo=tempo), tick, seed, history=count)
    running.hear(audio)
    return running.positions(0, count)


def cycling(modulator, count, tick=480, tempo=None, seed=0):
    """`count` positions of a modulator that hears nothing, a hundred a second."""
    return modulator.running(Timeline(RATE, tempo=tempo), tick, seed).positions(0, count)


# LFOs


def shape_at(shape, turn, width):
    """The position of a shape after `turn` cycles, an exact fraction."""
    part = turn % 1
    if shape == "sine":
        return (1 - math.cos(2 * math.pi * (part + Fraction(1, 4)))) / 2
    if shape == "triangle":
        return math.asin(math.sin(2 * math.pi * part)) / math.pi + 0.5
    if shape == "square":
        return 1.0 if part < width else 0.0
    return float(part if shape == "saw-up" else 1 - part)


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.625, 1.0])
def test_a_shape_is_its_formula(shape, phase):
    # 7 cycles in 16 seconds of 256 ticks: places that are exact, jumps among them
    lfo = LFO("lfo", shape=shape, rate_hz=7 / 16, phase=phase, width=0.25)
    heard = lfo.running(Timeline(65_536), 256).positions(0, 5000)
    turns = (Fraction(7 * tick, 4096) + Fraction(phase) for tick in range(5000))
    expected = [shape_at(shape, turn, 0.25) for turn in turns]
    np.testing.assert_allclose(heard, expected, atol=1e-9)


def test_every_shape_starts_where_it_says():
    starts = {"sine": 0.5, "triangle": 0.5, "saw-up": 0, "saw-down": 1, "square": 1}
    for shape, start in starts.items():
        first, second = cycling(LFO("lfo", shape=shape), 2)
        assert first == start
        assert second == first if shape == "square" else (second < first) == (shape == "saw-down")
    for shape in ("sine", "triangle"):
        assert cycling(LFO("lfo", shape=shape, phase=0.25), 1)[0] == 1


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("rate_hz", [0.25, 1.0, 7.0, 31.0])
def test_a_rate_is_cycles_a_second(shape, rate_hz):
    heard = cycling(LFO("lfo", shape=shape, rate_hz=rate_hz), 6400)  # 64 seconds
    spectrum = np.abs(np.fft.rfft(heard - heard.mean()))
    assert np.argmax(spectrum) == 64 * rate_hz


@pytest.mark.parametrize("width", [0.01, 0.31, 0.5, 0.99])
def test_the_width_of_a_square_is_how_long_it_is_up(width):
    heard = cycling(LFO("lfo", shape="square", width=width), 10_000, tick=48)
    assert set(heard) == {0.0, 1.0}
    assert heard.mean() == pytest.approx(width, abs=1e-3)


def test_without_a_rate_a_cycle_is_a_second_and_a_step_half_of_one():
    assert np.array_equal(cycling(LFO("lfo"), 300), cycling(LFO("lfo", rate_hz=1), 300))
    assert np.array_equal(cycling(RandomWalk("walk"), 300), cycling(RandomWalk("walk", rate_hz=2), 300))


@pytest.mark.parametrize("beats", [0.5, 1, 4])
def test_beats_follow_the_tempo(beats):
    tempo = tempo_of([[0, 120], [4, 60], [6, 90]])  # changes after 2 and after 4 seconds
    heard = cycling(LFO("lfo", shape="saw-up", beats=beats), 800, tempo=tempo)
    seconds = np.arange(800) / 100
    passed = np.minimum(seconds, 2) * 2 + np.clip(seconds - 2, 0, 2) + np.maximum(seconds - 4, 0) * 1.5
    turned = np.abs(heard - passed / beats % 1)
    assert np.minimum(turned, 1 - turned).max() < 1e-9  # a place on the circle


def test_what_is_random_jumps_on_the_beat():
    tempo = tempo_of([[0, 120], [4, 60]])
    heard = cycling(LFO("lfo", shape="hold", beats=1), 600, tempo=tempo)
    assert (np.flatnonzero(np.diff(heard)) + 1).tolist() == [50, 100, 150, 200, 300, 400, 500]


# Random numbers


def test_random_numbers_are_splitmix64():
    # its first outputs from the state 1234567, as rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    known = (
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    )
    assert uniform(1_234_567, np.arange(5)).tolist() == [(one >> 11) / 2**53 for one in known]


def test_a_seed_is_mixed_as_splitmix64_mixes():
    # the first output of a state is the mixed state after one step
    gamma = 0x9E3779B97F4A7C15
    assert (stream_of(1_234_567 + gamma) >> 11) / 2**53 == uniform(1_234_567, np.arange(1))[0]
    assert stream_of(-1) == stream_of(2**64 - 1)


def test_random_numbers_are_uniform_and_independent():
    for seed in (0, 1, 2**40):
        heard = cycling(LFO("lfo", shape="hold", rate_hz=50.0), 40_000, tick=960, seed=seed)
        assert 0 <= heard.min() < 1e-3
        assert 1 - 1e-3 < heard.max() < 1
        assert heard.mean() == pytest.approx(1 / 2, abs=0.006)  # four standard errors, also below
        assert heard.var() == pytest.approx(1 / 12, abs=0.0015)
        tenths, _ = np.histogram(heard, 10, (0, 1))
        assert np.square(tenths - 4000).sum() / 4000 < 30  # chi-square, 9 degrees of freedom
        for lag in (1, 2, 7, 64):
            assert abs(np.corrcoef(heard[:-lag], heard[lag:])[0, 1]) < 0.02


@pytest.mark.parametrize("made", [LFO("l", shape="hold"), LFO("l", shape="random"), RandomWalk("w")])
def test_a_seed_is_a_movement(made):
    def seeded(own, performance):
        return cycling(type(made)(**{**vars(made), "seed": own}), 5000, seed=performance)

    assert np.array_equal(seeded(7, 0), seeded(7, 0))
    assert np.array_equal(seeded(7, 3), seeded(3, 7))  # they are added up
    for other in ((8, 0), (7, 1), (6, 0), (0, 0)):
        likeness = np.corrcoef(seeded(7, 0), seeded(*other))[0, 1]
        assert abs(likeness) < 0.9
        assert not np.isin(seeded(7, 0)[100::100], seeded(*other)).any()  # nor the same ones, moved


def test_smooth_random_glides_between_what_hold_jumps_to():
    jumps = cycling(LFO("lfo", shape="hold", rate_hz=1.0), 2001)
    glides = cycling(LFO("lfo", shape="random", rate_hz=1.0), 2001)
    assert np.array_equal(glides[::100], jumps[::100])
    assert np.allclose(glides[50:-1:100], (jumps[:-1:100] + jumps[100::100]) / 2)
    low = np.minimum(jumps[:-1:100], jumps[100::100])
    high = np.maximum(jumps[:-1:100], jumps[100::100])
    for place in range(100):
        assert np.all((low <= glides[place:-1:100]) & (glides[place:-1:100] <= high))
    # cubic: 1.5 of the way a second at the most, and none where a knot is
    assert np.abs(np.diff(glides)).max() * 100 <= 1.5
    assert np.abs(np.diff(glides)[::100]).max() * 100 < 0.04


# Walks


def bouncing(seed, step, start, count):
    """A walk by the simplest model: a ball that turns back at 0 and 1."""
    place, way, places = start, 1, [start]
    for random in uniform(stream_of(seed), np.arange(count)):
        place += way * step * (2 * random - 1)
        if place < 0 or place > 1:
            place, way = (-place if place < 0 else 2 - place), -way
        places.append(place)
    return places


@pytest.mark.parametrize("step", [0.0, 0.01, 0.2, 1.0])
@pytest.mark.parametrize("start", [0.0, 0.3, 1.0])
def test_a_walk_is_reflected_at_its_ends(step, start):
    walk = RandomWalk("walk", rate_hz=1.0, step=step, start=start, seed=9)
    heard = cycling(walk, 20_001, tick=4800)  # ten ticks a step
    stops = heard[::10]
    np.testing.assert_allclose(stops, bouncing(9, step, start, 2000), atol=1e-8)
    assert heard.min() >= 0
    assert heard.max() <= 1
    assert np.abs(np.diff(stops)).max() <= step
    assert np.allclose(
        heard[:-1].reshape(-1, 10), np.linspace(stops[:-1], stops[1:], 11, axis=1)[:, :10]
    )
    if step >= 0.2:
        assert heard.min() < 0.02
        assert heard.max() > 0.98
        assert heard.mean() == pytest.approx(0.5, abs=0.12)


def test_a_walk_goes_back_and_far_ahead():
    def walk():
        return RandomWalk("walk", rate_hz=50.0).running(Timeline(RATE), 960)  # a step a tick

    whole = walk().positions(0, 140_000)
    jumping = walk()
    for first in (0, 139_000, 5, 70_000, 69_999, 131_072, 1):
        assert np.array_equal(jumping.positions(first, 1000), whole[first : first + 1000])
    jumping.reset()
    assert [jumping.positions(tick, 1)[0] for tick in range(300)] == whole[:300].tolist()


# No partition matters


@pytest.mark.parametrize("modulator", EVERY, ids=lambda one: f"{one.type} {getattr(one, 'shape', '')}")
@given(
    sizes=sizes,
    tick=st.sampled_from(TICKS),
    asks=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 200)), min_size=1, max_size=5),
)
def test_no_partition_changes_a_bit(modulator, sizes, tick, asks):
    audio = noise(2, 1200) * np.repeat((1, 0.01, 0.7, 0.0, 1, 0.1), 200).astype(np.float32)
    tempo = tempo_of([[0, 120], [0.01, 777], [0.1, 60]])
    whole = positions_of(modulator, audio, tick=tick, tempo=tempo)
    running = modulator.running(Timeline(RATE, tempo=tempo), tick, history=1201)
    heard = 0
    for piece, (first, count) in zip(cut(audio, sizes), cycle(asks), strict=False):
        running.hear(piece)
        heard += piece.shape[1]
        there = heard // tick + 1
        first %= there
        count = min(count, there - first)
        assert np.array_equal(running.positions(first, count), whole[first : first + count])
    assert heard == 1200
    running.reset()
    running.hear(audio)
    assert np.array_equal(running.positions(0, whole.size), whole)


@pytest.mark.parametrize("modulator", EVERY[:-2], ids=lambda one: f"{one.type} {one.beats}")
@given(asks=st.lists(st.tuples(st.integers(0, 19_000), st.integers(0, 300)), min_size=1, max_size=20))
def test_what_follows_from_time_can_be_asked_in_any_order(modulator, asks):
    timeline = Timeline(RATE, tempo=tempo_of([[0, 120], [32, 60], [90, 240]]))
    whole = modulator.running(timeline, 480).positions(0, 20_000)
    running = modulator.running(timeline, 480)
    for first, count in asks:
        for start, many in ((first, 2), (first + 2, count), (first + 7, 1)):  # on from there, and back
            assert np.array_equal(running.positions(start, many), whole[start : start + many])


@pytest.mark.parametrize("modulator", EVERY, ids=lambda one: f"{one.type} {getattr(one, 'shape', '')}")
def test_positions_are_float64_from_0_to_1(modulator):
    heard = positions_of(modulator, noise(1, 20_000, level=3.0), tempo=TempoMap.steady(90))
    assert heard.dtype == np.float64
    assert heard.shape == (313,)
    assert np.all((heard >= 0) & (heard <= 1))
    running = modulator.running(Timeline(RATE, tempo=TempoMap.steady(90)), 64)
    assert running.positions(0, 0).shape == (0,)
    heard = running.positions(0, 1)
    heard += 5  # is the caller's own
    assert running.positions(0, 1)[0] <= 1


# Followers


@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("kind", [EnvelopeFollower, TransientGate])
def test_a_position_knows_what_is_before_its_tick_only(kind, tick):
    audio = noise(2, 4000)
    for at in (0, 1, 1600, 1601):
        other = audio.copy()
        other[:, at:] = 0.9
        # steps of 16 samples; a tick's own sample is after it
        known = at // tick + 1
        one, two = (positions_of(kind("x"), sound, tick=tick)[:known] for sound in (audio, other))
        assert np.array_equal(one, two)


@pytest.mark.parametrize("level_db", [-70.0, -60.0, -41.3, -12.0, 0.0, 6.0])
def test_a_steady_sine_stands_at_its_peak(level_db):
    for rate in (8000, 44_100, 48_000, 192_000):
        sound = sine(997.0, rate, rate, level=10 ** (level_db / 20))
        heard = positions_of(EnvelopeFollower("level", attack_ms=0.0, release_ms=500.0), sound, rate)
        assert heard[0] == 0
        expected = min(1, max(0, (level_db + 60) / 60))
        assert heard[heard.size // 2 :] == pytest.approx(expected, abs=0.1 / 60)  # a tenth of a dB


def test_floor_and_ceiling_are_the_ends_of_the_scale():
    sound = sine(1000.0, RATE, RATE, level=0.1)  # -20 dB
    for floor_db, ceiling_db, position in (
        (-40, 0, 0.5),
        (-20, 0, 0),
        (-30, -20, 1),
        (-100, 20, 2 / 3),
    ):
        follower = EnvelopeFollower("x", attack_ms=0, floor_db=floor_db, ceiling_db=ceiling_db)
        assert positions_of(follower, sound)[-1] == pytest.approx(position, abs=0.01)


def steps_until_changed(levels, start, end):
    """Where a run of linear levels has gone 1 - 1/e of its way, between samples by a line."""
    share = (levels - start) / (end - start)
    after = int(np.argmax(share >= 1 - 1 / math.e))
    return after - (share[after] - (1 - 1 / math.e)) / (share[after] - share[after - 1])


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
@pytest.mark.parametrize("time_ms", [5.0, 50.0, 400.0])
@pytest.mark.parametrize("key", ["attack_ms", "release_ms"])
def test_attack_and_release_take_their_time(rate, time_ms, key):
    start, end = (0.1, 0.9) if key == "attack_ms" else (0.9, 0.1)
    samples = 16 * (rate // 16)
    sound = np.repeat(np.float32([[start, end]]), samples, axis=1)
    other = {"attack_ms": "release_ms", "release_ms": "attack_ms"}[key]
    follower = EnvelopeFollower("level", floor_db=-60.0, **{key: time_ms, other: 0.0})
    sound[:, :16] = 0.9 if key == "attack_ms" else sound[:, :16]  # there at once where falling is
    heard = positions_of(follower, sound, rate, tick=16)
    levels = 10 ** ((heard * 60 - 60) / 20)
    begun = samples // 16
    if key == "release_ms":
        assert levels[begun] == pytest.approx(start)
    taken = steps_until_changed(levels[begun:], levels[begun], end) * 16 / rate * 1000
    assert taken == pytest.approx(time_ms, rel=0.01, abs=16 / rate * 1000 / 4)


def test_a_time_of_0_is_at_once():
    sound = np.repeat(np.float32([[0.0, 0.5, 0.0]]), 160, axis=1)
    heard = positions_of(EnvelopeFollower("x", attack_ms=0, release_ms=0), sound, tick=16)
    half = 1 + 20 * math.log10(0.5) / 60
    assert heard == pytest.approx(np.repeat([0, half, 0], [11, 10, 10]), abs=1e-9)


def test_the_loudest_channel_counts_and_either_sign():
    sound = silence(3, 4800)
    sound[1] = -0.5
    one = positions_of(EnvelopeFollower("x"), sound)
    assert np.array_equal(one, positions_of(EnvelopeFollower("x"), -sound[1:2]))
    assert one[-1] > 0.85


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 2e6])
def test_what_is_no_sound_is_silence(wrong):
    sound = noise(2, 48_000)
    broken = sound.copy()
    broken[1, 24_005] = wrong
    sound[:, 24_000:24_016] = 0
    for modulator in (EnvelopeFollower("x"), TransientGate("x")):
        assert np.array_equal(positions_of(modulator, broken), positions_of(modulator, sound))


def test_a_side_chain_is_another_sound():
    timeline = Timeline(RATE)
    duck = EnvelopeFollower("duck", of="drums/kick.wav").running(timeline, 64)
    level = EnvelopeFollower("level").running(timeline, 64)
    assert (duck.listens_to, level.listens_to) == ("drums/kick.wav", "input")
    assert TransientGate("hits", of="kick.wav").running(timeline, 64).listens_to == "kick.wav"
    assert LFO("lfo").running(timeline, 64).listens_to is None
    assert RandomWalk("walk").running(timeline, 64).listens_to is None
    duck.hear(sine(500.0, RATE, 4800, level=0.5))
    level.hear(silence(2, 4800))
    assert duck.positions(75, 1)[0] > 0.85
    assert level.positions(75, 1)[0] == 0


@pytest.mark.parametrize("kind", [EnvelopeFollower, TransientGate])
def test_what_was_not_heard_or_is_forgotten_is_an_index_error(kind):
    running = kind("x").running(Timeline(RATE), 65, history=10)
    assert running.positions(0, 1)[0] == 0  # nothing is before sample 0
    running.hear(noise(2, 64))
    with pytest.raises(IndexError, match=r"^ticks 0 to 1 were asked for, 0 to 0 are there; hear more"):
        running.positions(0, 2)
    running.hear(noise(2, 1))
    assert running.positions(0, 2).shape == (2,)
    running.hear(noise(2, 10 * 65))
    assert running.positions(2, 10).shape == (10,)
    for first, count in ((1, 1), (0, 12), (2, 11), (12, 1), (-1, 1)):
        with pytest.raises(IndexError, match="2 to 11 are there"):
            running.positions(first, count)
    running.reset()
    assert running.positions(0, 1).shape == (1,)
    with pytest.raises(IndexError, match="0 to 0 are there"):
        running.positions(1, 1)


def test_the_history_is_that_of_the_latest_ticks():
    audio = noise(1, 6400)
    whole = positions_of(EnvelopeFollower("x"), audio)
    running = EnvelopeFollower("x").running(Timeline(RATE), 64, history=7)
    for block in cut(audio, [500]):
        running.hear(block)
    assert np.array_equal(running.positions(94, 7), whole[94:])


# Hits

HITS = (0.2, 0.513, 0.7, 1.101, 1.25, 1.83)  # seconds


def drums(rate, kind, bed_db=-70.0, level=0.5):
    """Two channels of two seconds: a bed of noise, and hits in one of them, all as loud."""
    sound = noise(2, 2 * rate, seed=3, level=10 ** (bed_db / 20))
    places = [round(seconds * rate) for seconds in HITS]
    time = np.arange(rate // 8) / rate
    shapes = {
        "clicks": (time == 0) * 1.0,
        "snares": np.random.default_rng(1).uniform(0.8, 1, time.size) * np.exp(-time / 0.03),
        "kicks": np.cos(2 * np.pi * 55 * time) * np.exp(-time / 0.04),
    }
    for place in places:
        sound[0, place : place + time.size] += (level * shapes[kind]).astype(np.float32)
    return sound, places


def rises(positions):
    """The ticks at which a gate opens."""
    return (np.flatnonzero(np.diff(positions) > 0) + 1).tolist()


@pytest.mark.parametrize("kind", ["clicks", "snares", "kicks"])
@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_a_gate_opens_once_a_hit_and_at_once(kind, tick, rate):
    sound, places = drums(rate, kind)
    ticks = rises(positions_of(TransientGate("hits"), sound, rate, tick))
    assert len(ticks) == len(places)
    for opened, place in zip(ticks, places, strict=True):
        assert 0 < opened * tick - place <= tick + 16


def test_a_gate_hears_hits_above_music():
    sound, places = drums(RATE, "snares", level=0.6)
    sound += sum(sine(hz, RATE, 2 * RATE, 2, level=0.03) for hz in (220, 277, 330, 440))
    ticks = rises(positions_of(TransientGate("hits"), sound)[20:])  # not where the music begins
    assert [(tick + 20) * 64 // 100 for tick in ticks] == pytest.approx(np.array(places) // 100, abs=2)


@pytest.mark.parametrize("rate", [8000, 96_000])
@pytest.mark.parametrize("threshold_db", [1.0, 6.0, 12.0])
def test_a_steady_sound_hits_once_where_it_begins(rate, threshold_db):
    gate = TransientGate("hits", threshold_db=threshold_db)
    for hz in (20.0, 41.2, 55.0, 110.0, 440.0, 997.0):
        heard = positions_of(gate, sine(hz, rate, 2 * rate), rate)
        assert heard[0] == 0
        assert rises(heard) == [1]
    if threshold_db >= 6:  # noise has peaks of its own
        assert rises(positions_of(gate, noise(2, 2 * rate), rate)) == [1]


def fade(shape, seconds, rate):
    """A tone that fades in, is full for a second, and fades out."""
    along = np.linspace(0, 1, int(seconds * rate))
    shapes = {"linear": along, "smooth": np.sin(np.pi / 2 * along) ** 2, "dB": 10 ** (4 * along - 4)}
    gain = np.concatenate((shapes[shape], np.ones(rate), shapes[shape][::-1]))
    return sine(440.0, rate, gain.size, level=1.0) * gain.astype(np.float32)


@pytest.mark.parametrize(
    ("threshold_db", "rate", "shape", "seconds"),
    [
        *((6.0, rate, "linear", 2.0) for rate in (44_100, 48_000)),
        *((6.0, rate, "smooth", 0.5) for rate in (44_100, 48_000)),
        *((6.0, rate, "dB", 0.3) for rate in (8000, 48_000)),
        (6.0, 8000, "linear", 3.0),
        (6.0, 48_000, "linear", 4.0),
        (3.0, 48_000, "linear", 4.0),
        (12.0, 48_000, "linear", 0.7),
    ],
)
def test_fades_are_no_hits(threshold_db, rate, shape, seconds):
    gate = TransientGate("hits", threshold_db=threshold_db)
    assert not positions_of(gate, fade(shape, seconds, rate), rate).any()
    assert positions_of(gate, fade("linear", 0.02, rate), rate).any()


def test_the_threshold_is_how_far_a_hit_rises():
    # the beginning, and a step of 10 dB from one steady level to another
    sound = sine(1000.0, RATE, RATE, level=0.1)
    sound[:, RATE // 2 :] *= np.float32(10**0.5)
    for threshold_db, hits in ((3, 2), (8, 2), (11, 1), (40, 1)):
        assert len(rises(positions_of(TransientGate("x", threshold_db=threshold_db), sound))) == hits


@pytest.mark.parametrize("rate", [8000, 48_000])
@pytest.mark.parametrize(("gap_ms", "fading_ms"), [(50, 10), (80, 30), (100, 60)])
def test_hits_in_a_row_are_told_apart(gap_ms, fading_ms, rate):
    hit = sine(1500.0, rate, gap_ms * rate // 1000)
    hit = hit * np.exp(-1000 / rate / fading_ms * np.arange(hit.size)).astype(np.float32)
    heard = positions_of(TransientGate("x", hold_ms=10), np.tile(hit, 20), rate, tick=16)
    assert np.diff(rises(heard)) * 16 / rate * 1000 == pytest.approx(np.full(19, gap_ms), abs=4)


@pytest.mark.parametrize("rate", [8000, 48_000])
@pytest.mark.parametrize("threshold_db", [1.0, 6.0, 20.0])
def test_quieter_hits_than_the_floor_do_not_count(rate, threshold_db):
    sound, places = drums(rate, "clicks", bed_db=-200.0, level=0.1)  # -20 dB
    for floor_db, hits in ((-120.0, 6), (-50.0, 6), (-20.1, 6), (-19.9, 0), (0.0, 0)):
        gate = TransientGate("x", threshold_db=threshold_db, floor_db=floor_db)
        assert len(rises(positions_of(gate, sound, rate))) == hits
    assert len(places) == 6


@pytest.mark.parametrize("hold_ms", [1.0, 10.0, 75.0])
@pytest.mark.parametrize("release_ms", [0.0, 40.0])
def test_a_gate_holds_and_then_falls(hold_ms, release_ms):
    sound = silence(1, RATE)
    sound[0, 9600] = 0.5  # its step ends at 9616
    gate = TransientGate("hits", hold_ms=hold_ms, release_ms=release_ms)
    for tick in (16, 64):
        heard = positions_of(gate, sound, tick=tick)
        past_ms = (np.arange(heard.size) * tick - 9616) / 48
        hold = max(hold_ms, tick / 48)  # a tick at least
        expected = np.where(past_ms < hold, 1.0, 0.0)
        if release_ms:
            expected = np.clip(1 - (past_ms - hold) / release_ms, 0, 1)
        assert heard == pytest.approx(np.where(past_ms < 0, 0, expected), abs=1e-9)


def test_a_hold_shorter_than_a_tick_is_seen():
    sound, places = drums(RATE, "clicks")
    heard = positions_of(TransientGate("hits", hold_ms=1), sound, tick=1200)
    assert rises(heard) == [place // 1200 + 1 for place in places]
    assert heard.sum() == len(places)


def test_a_hit_within_the_hold_prolongs_it():
    sound = silence(1, RATE)
    sound[0, [4800, 10_800]] = 0.5
    heard = positions_of(TransientGate("hits", hold_ms=200), sound, tick=16)
    assert rises(heard) == [301]
    assert heard.sum() == (6000 + 9600) / 16


def test_the_first_sound_is_a_hit_and_silence_is_none():
    assert rises(positions_of(TransientGate("x"), np.full((1, 4800), 0.5, np.float32))) == [1]
    assert not positions_of(TransientGate("x"), silence(2, 4800)).any()


def test_a_gate_opens_at_what_leaps():
    sounds = {"made here": (drums(RATE, "snares", bed_db=-40)[0], RATE)}
    sounds |= {name: recording(name) for name in recordings("vibe_ace.ogg")[1:]}  # a jazz band
    for name, (audio, rate) in sounds.items():
        tick = rate // 200  # 5 ms
        opened = np.array(rises(positions_of(TransientGate("x", hold_ms=20.0), audio, rate, tick)))
        count = audio.shape[1] // tick
        squares = np.square(audio[:, : count * tick]).mean(axis=0)
        power = squares.reshape(count, tick).mean(axis=1) + 1e-8
        before = np.convolve(power, np.ones(8) / 8)[:count]  # 40 ms
        leaps_db = 10 * np.log10(power[1:] / before[:-1])
        leaping = np.flatnonzero((leaps_db > 11) & (power[1:] > 1e-4)) + 1
        assert leaping.size >= len(HITS)
        for place in leaping:
            assert np.abs(opened - place).min() <= 4, f"{name}: none at {place * tick / rate} s"
        assert len(HITS) <= len(opened) < 5 * audio.shape[1] / rate


# Tables

TABLES = (
    {"name": "wobble", "type": "lfo"},
    {"name": "wobble", "type": "lfo", "rate_hz": 0.5, "phase": 0.25},
    {"name": "b", "type": "lfo", "shape": "square", "beats": 4, "width": 0.25, "seed": 7},
    {"name": "e", "type": "envelope"},
    {"name": "e", "type": "envelope", "of": "kick.wav", "attack_ms": 0, "release_ms": 10_000},
    {"name": "e", "type": "envelope", "floor_db": -40, "ceiling_db": -6},
    {"name": "t", "type": "transient"},
    {"name": "t", "type": "transient", "of": "kick.wav", "threshold_db": 12, "hold_ms": 5},
    {"name": "t", "type": "transient", "floor_db": -30, "release_ms": 80},
    {"name": "w", "type": "walk"},
    {"name": "w", "type": "walk", "beats": 1, "step": 0.5, "start": 0, "seed": 1},
)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_becomes_a_modulator_and_the_table_again(table):
    modulator = modulator_of(table)
    assert modulator.to_table() == table
    assert modulator_of(modulator.to_table()) == modulator
    with pytest.raises(FrozenInstanceError):
        modulator.name = "other"


def test_tables_have_the_defaults_of_the_classes():
    assert modulator_of({"name": "x", "type": "lfo", "shape": "sine", "rate_hz": "3"}) == LFO(
        "x", rate_hz=3
    )
    full = {"of": "input", "attack_ms": 5, "release_ms": 150, "floor_db": -60, "ceiling_db": 0}
    assert modulator_of({"name": "x", "type": "envelope", **full}) == EnvelopeFollower("x")
    full = {"of": "input", "threshold_db": 6, "floor_db": -50, "hold_ms": 50, "release_ms": 0}
    assert modulator_of({"name": "x", "type": "transient", **full}) == TransientGate("x")
    full = {"step": 0.2, "start": 0.5, "seed": 0}
    assert modulator_of({"name": "x", "type": "walk", **full}) == RandomWalk("x")


WRONG = [
    ({"name": "x"}, "type: a modulator wants one; write one of lfo, envelope, transient, walk"),
    ({"type": "lfo"}, "name: a modulator wants one; write what it is to be called"),
    ({"name": "x", "type": "lof"}, "type: no modulator type 'lof'; did you mean 'lfo'?"),
    ({"name": "x", "type": ["lfo"]}, "type: no modulator type '['lfo']'; did you mean 'lfo'?"),
    ({"name": "", "type": "lfo"}, "name: it takes a word, not ''"),
    ({"name": 5, "type": "walk"}, "name: it takes a word, not 5"),
    ({"name": "x", "type": "lfo", "rat_hz": 1}, "rat_hz: no lfo key 'rat_hz'; did you mean 'rate_hz'?"),
    (
        {"name": "x", "type": "envelope", "attack": 1},
        "attack: no envelope key 'attack'; did you mean 'attack_ms'?",
    ),
    ({"name": "x", "type": "lfo", "shape": "sin"}, "shape: no shape 'sin'; did you mean 'sine'?"),
    (
        {"name": "x", "type": "lfo", "shape": ["sine"]},
        "shape: no shape '['sine']'; did you mean 'sine'?",
    ),
    ({"name": "x", "type": "lfo", "rate_hz": 600}, "rate_hz: it takes 0.001 to 50 Hz, not 600"),
    ({"name": "x", "type": "lfo", "rate_hz": 0}, "rate_hz: it takes 0.001 to 50 Hz, not 0"),
    ({"name": "x", "type": "lfo", "rate_hz": "fast"}, "rate_hz: it takes 0.001 to 50 Hz, not 'fast'"),
    ({"name": "x", "type": "lfo", "rate_hz": True}, "rate_hz: it takes 0.001 to 50 Hz, not True"),
    ({"name": "x", "type": "lfo", "rate_hz": math.nan}, "rate_hz: it takes 0.001 to 50 Hz, not nan"),
    ({"name": "x", "type": "lfo", "beats": -1}, "beats: it takes 0.01 to 1000 beats, not -1"),
    (
        {"name": "x", "type": "lfo", "beats": 1, "rate_hz": 2},
        "beats: there is a rate_hz already; write one of the two",
    ),
    ({"name": "x", "type": "lfo", "phase": 90}, "phase: it takes 0 to 1 of a cycle, not 90"),
    ({"name": "x", "type": "lfo", "width": 1}, "width: it takes 0.01 to 0.99 of a cycle, not 1"),
    (
        {"name": "x", "type": "lfo", "seed": 0.5},
        "seed: it takes a whole number from 0 to 999999, not 0.5",
    ),
    (
        {"name": "x", "type": "lfo", "seed": -1},
        "seed: it takes a whole number from 0 to 999999, not -1",
    ),
    ({"name": "x", "type": "envelope", "of": 3}, "of: it takes 'input' or the path of a sound, not 3"),
    (
        {"name": "x", "type": "transient", "of": " "},
        "of: it takes 'input' or the path of a sound, not ' '",
    ),
    ({"name": "x", "type": "envelope", "attack_ms": -1}, "attack_ms: it takes 0 to 10000 ms, not -1"),
    (
        {"name": "x", "type": "envelope", "release_ms": 10_001},
        "release_ms: it takes 0 to 10000 ms, not 10001",
    ),
    ({"name": "x", "type": "envelope", "floor_db": -121}, "floor_db: it takes -120 to 24 dB, not -121"),
    (
        {"name": "x", "type": "envelope", "floor_db": -20, "ceiling_db": -20},
        "ceiling_db: it takes more than floor_db, which is -20 dB, not -20",
    ),
    ({"name": "x", "type": "transient", "threshold_db": 0}, "threshold_db: it takes 1 to 40 dB, not 0"),
    ({"name": "x", "type": "transient", "floor_db": 1}, "floor_db: it takes -120 to 0 dB, not 1"),
    ({"name": "x", "type": "transient", "hold_ms": 0}, "hold_ms: it takes 1 to 10000 ms, not 0"),
    (
        {"name": "x", "type": "transient", "release_ms": [1]},
        "release_ms: it takes 0 to 10000 ms, not [1]",
    ),
    ({"name": "x", "type": "walk", "step": 1.1}, "step: it takes 0 to 1, not 1.1"),
    ({"name": "x", "type": "walk", "start": -0.1}, "start: it takes 0 to 1, not -0.1"),
    ({"name": "x", "type": "walk", "rate_hz": 51}, "rate_hz: it takes 0.001 to 50 Hz, not 51"),
    (
        {"name": "x", "type": "walk", "shape": "sine"},
        "shape: no walk key 'shape'; there is: beats, name, rate_hz, seed, start, step, type",
    ),
]


@pytest.mark.parametrize(("table", "message"), WRONG)
def test_what_is_wrong_is_one_line_that_begins_with_its_key(table, message):
    with pytest.raises(ConfigurationError) as caught:
        modulator_of(table)
    assert str(caught.value) == message
    wanted = UnknownName if ": no " in message else ParameterError if ": it takes" in message else None
    assert wanted is None or isinstance(caught.value, wanted)


def test_the_classes_check_as_tables_do():
    for make, message in (
        (lambda: LFO("x", rate_hz=99), "rate_hz: it takes 0.001 to 50 Hz, not 99"),
        (lambda: LFO("x", phase=None), "phase: it takes 0 to 1 of a cycle, not None"),
        (lambda: RandomWalk("x", beats=1, rate_hz=1), "beats: there is a rate_hz already"),
        (lambda: EnvelopeFollower(""), "name: it takes a word"),
        (lambda: TransientGate("x", of=None), "of: it takes 'input' or the path of a sound, not None"),
    ):
        with pytest.raises(CodecFxError, match=message):
            make()


@pytest.mark.parametrize("modulator", [LFO("x", beats=1), RandomWalk("x", beats=1)])
def test_beats_want_a_tempo(modulator):
    with pytest.raises(ConfigurationError, match=r"^beats: a cycle in beats wants a tempo; write"):
        modulator.running(Timeline(RATE), 64)


@pytest.mark.parametrize("modulator", [LFO("x"), RandomWalk("x"), EnvelopeFollower("x")])
def test_ticks_go_on_and_are_kept(modulator):
    with pytest.raises(ConfigurationError, match=r"^tick_samples: it takes 1 or more, not 0"):
        modulator.running(Timeline(RATE), 0)
    with pytest.raises(ConfigurationError, match=r"^history: it takes 1 or more, not 0"):
        modulator.running(Timeline(RATE), 64, history=0)
