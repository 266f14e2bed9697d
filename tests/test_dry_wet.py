"""Dry and wet: a delay line against a slow one, and a ramp that is exact to the sample."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import cut, late, noise, same, sine, stream_through

from codecfx.effects.dry_wet import DelayLine, DryWet

DELAYS = (0, 1, 7, 64, 65, 1271)
sizes = st.lists(st.sampled_from((0, 1, 2, 7, 63, 64, 65, 500)), min_size=1, max_size=12).filter(any)


class SlowDelay:
    """What a delay line is: a list, a sample put in at its end and one taken from its beginning."""

    def __init__(self, delay, channels):
        self._past = [[0.0] * channels for _ in range(delay)]

    def exchange(self, block):
        taken = []
        for sample in block.T.tolist():
            self._past.append(sample)
            taken.append(self._past.pop(0))
        return np.array(taken, np.float32).reshape(-1, block.shape[0]).T


@pytest.mark.parametrize("delay", DELAYS)
@given(sizes=sizes)
def test_a_delay_line_is_a_list(delay, sizes):
    line, slow = DelayLine(delay, 2), SlowDelay(delay, 2)
    for block in cut(noise(2, 1500), sizes):
        assert same(line.exchange(block), slow.exchange(block))


@pytest.mark.parametrize("delay", DELAYS)
@given(sizes=sizes)
def test_recall_and_remember_are_the_two_halves_of_exchange(delay, sizes):
    whole, halves = DelayLine(delay, 1), DelayLine(delay, 1)
    for block in cut(noise(1, 1500), sizes):
        expected = whole.exchange(block)
        assert same(halves.recall(block), expected)
        assert same(halves.recall(block), expected)  # nothing was put in
        halves.remember(block)


def test_a_reset_delay_line_is_silent():
    line = DelayLine(65, 2)
    line.exchange(noise(2, 100))
    line.reset()
    audio = noise(2, 200, seed=1)
    assert same(line.exchange(audio), late(audio, 65))


class Upside:
    """A processor that is told apart from its input: minus half of it, `latency_samples` later."""

    def __init__(self, latency_samples):
        self.latency_samples = latency_samples
        self._line = DelayLine(latency_samples, 1)

    def process_block(self, block):
        return np.float32(-0.5) * self._line.exchange(block)

    def reset(self):
        self._line.reset()


def moved(gains_at, rate, samples):
    """The gain at every sample, slowly: each move adds its part of the way to those before it.

    `gains_at` holds (place, gain): towards `gain` from the sample at `place` on.
    """
    steps = max(1, rate * 20 // 1000)
    gains = np.full(samples, gains_at[0][1])
    for (_, before), (place, gain) in pairwise(gains_at):
        for at in range(place, samples):
            t = min(1.0, (at - place + 1) / steps)
            gains[at] += (gain - before) * (35 * t**4 - 84 * t**5 + 70 * t**6 - 20 * t**7)
    return gains


@pytest.mark.parametrize("latency", [0, 1, 64, 127])
@given(sizes=sizes, targets=st.lists(st.sampled_from((0.0, 0.25, 1.0)), min_size=1, max_size=4))
def test_a_move_is_exact_to_the_sample_for_any_partition(latency, sizes, targets):
    rate, samples = 8000, 1200  # a move takes 160 samples, and the next begins before it is over
    audio = noise(1, samples)
    moves = [(0, 1.0), *((150 * (place + 1), gain) for place, gain in enumerate(targets))]
    mixer = DryWet(Upside(latency), rate, 1, 1.0)
    parts, at = [], 0
    for place, gain in [*moves[1:], (samples, None)]:
        parts.append(stream_through(mixer, audio[:, at:place], sizes))
        if gain is not None:
            mixer.set_wet(gain)
        at = place
    output = np.concatenate(parts, axis=1)
    gains = moved(moves, rate, samples)
    dry = late(audio, latency)
    # float32 gains and two float32 products
    np.testing.assert_allclose(output, dry * (1 - gains) + -0.5 * dry * gains, atol=2e-7)


@pytest.mark.parametrize("gain", [0.0, 0.3, 1.0])
@given(sizes=sizes)
def test_no_partition_changes_a_bit(gain, sizes):
    audio = noise(1, 1500)
    whole, parts = (DryWet(Upside(64), 8000, 1, 1.0) for _ in range(2))
    for mixer in (whole, parts):
        mixer.set_wet(gain)
    assert same(stream_through(parts, audio, sizes), whole.process_block(audio))


def test_the_ends_are_exact():
    audio = noise(1, 1000)
    wet = np.float32(-0.5) * late(audio, 64)
    for gain, expected in ((0.0, late(audio, 64)), (1.0, wet)):
        assert same(DryWet(Upside(64), 48000, 1, gain).process_block(audio), expected)
        mixer = DryWet(Upside(64), 8000, 1, 0.5)
        mixer.set_wet(gain)
        assert same(mixer.process_block(audio)[:, 160:], expected[:, 160:])


def test_half_way_of_a_lossless_effect_is_the_input():
    audio = noise(1, 1000)

    class Nothing(Upside):
        def process_block(self, block):
            return self._line.exchange(block)

    mixer = DryWet(Nothing(65), 8000, 1, 0.5)
    assert same(mixer.process_block(audio), late(audio, 65))


def test_the_latency_is_the_wet_ones_whatever_the_mix():
    for gain in (0.0, 0.5, 1.0):
        mixer = DryWet(Upside(127), 8000, 1, gain)
        assert mixer.latency_samples == 127
        mixer.set_wet(1 - gain)
        mixer.process_block(noise(1, 100))
        assert mixer.latency_samples == 127


def test_a_reset_ends_a_move_where_it_was_going():
    audio = noise(1, 500)
    mixer = DryWet(Upside(7), 8000, 1, 1.0)
    mixer.set_wet(0.0)
    mixer.process_block(audio[:, :80])  # half of the way
    mixer.reset()
    assert same(mixer.process_block(audio), late(audio, 7))


def test_a_move_takes_twenty_milliseconds_at_any_rate():
    for rate in (8000, 44100, 192000):
        mixer = DryWet(Upside(0), rate, 1, 1.0)
        mixer.set_wet(0.0)
        ones = np.ones((1, rate // 10), np.float32)
        moving = np.flatnonzero(np.abs(mixer.process_block(ones)[0] - 1) > 1e-7)
        last = moving[-1] + 1
        assert same(mixer.process_block(ones), ones)
        # its ends are too soft for float32: 35 t**4 of 1.5 is below its last digit for a while
        assert 0.95 * rate * 0.02 < last <= rate * 0.02
        assert moving[0] < 0.03 * rate * 0.02


def above_5_khz_db(sound, rate):
    """The loudest that a second of sound gets above 5 kHz, in dB of full scale."""
    spectrum = np.fft.rfft(sound.astype(np.float64) * np.hanning(sound.shape[-1]))
    spectrum[..., : 5000 * sound.shape[-1] // rate] = 0
    peak = np.abs(np.fft.irfft(spectrum, sound.shape[-1])).max()
    return 20 * np.log10(peak + 1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_no_gesture_is_heard_above_the_tone_it_moves(seed):
    """A gain that is turned 30 and 300 times a second puts nothing above 5 kHz on a low sine but the
    rounding of float32, -150 dB at a quarter of full scale; a straight ramp of 20 ms makes -75 dB.
    """
    rate, samples = 48000, 48000
    audio = sine(100, rate, samples)
    for every in (1600, 160):
        mixer = DryWet(Upside(0), rate, 1, 1.0)
        random = np.random.default_rng(seed)
        parts = []
        for piece in cut(audio, [every]):
            mixer.set_wet(random.uniform())
            parts.append(mixer.process_block(piece))
        turned = np.concatenate(parts, axis=1)
        assert above_5_khz_db(turned, rate) < -140
        assert np.abs(turned).max() > 0.05
