"""Twins: a pedalboard plugin's parameters move without a click, the same for any partition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import cut, noise, same, sine, stream_through, tones

import codecfx
from codecfx.effects import registry
from codecfx.effects.native import GRID_SAMPLES
from codecfx.effects.processor import StreamSpec

RATE = 48000
# What clicks in pedalboard's own hands, and how far it is turned here
SWEEPS = {
    ("Gain", "gain_db"): (-20, 0),
    ("HighpassFilter", "cutoff_frequency_hz"): (60, 8000),
    ("LowpassFilter", "cutoff_frequency_hz"): (60, 8000),
    ("LowShelfFilter", "gain_db"): (-20, 0),
    ("HighShelfFilter", "gain_db"): (-20, 0),
    ("PeakFilter", "gain_db"): (-20, 0),
    ("BrickwallLimiter", "ceiling_db"): (-40, -5),
    ("Delay", "delay_seconds"): (0.01, 0.5),
    ("Chorus", "centre_delay_ms"): (2, 20),
    ("Phaser", "centre_frequency_hz"): (100, 4000),
    ("Reverb", "dry_level"): (0, 1),
    ("Reverb", "wet_level"): (0, 1),
    ("MP3Compressor", "vbr_quality"): (0, 9),
}


def above_5_khz_db(sound):
    """The loudest that sound gets above 5 kHz, in dB of full scale."""
    spectrum = np.fft.rfft(sound.astype(np.float64) * np.hanning(sound.shape[-1]))
    spectrum[..., : 5000 * sound.shape[-1] // RATE] = 0
    return 20 * np.log10(np.abs(np.fft.irfft(spectrum, sound.shape[-1])).max() + 1e-15)


def swept(name, parameter_id, low, high, moving):
    """A low sine through a plugin that is turned there and back, 30 times a second, by 127 steps."""
    effect = registry.find(name)(**{parameter_id: low})
    effect.prepare(StreamSpec(RATE, 1, moving=moving))
    parts = []
    for place, piece in enumerate(cut(sine(110, RATE, 2 * RATE), [RATE // 30])):
        position = round(127 * (0.5 - 0.5 * np.cos(2 * np.pi * 0.7 * place / 30))) / 127
        ratio = parameter_id.endswith("hz")
        value = low * (high / low) ** position if ratio else low + (high - low) * position
        effect.set(parameter_id, value)
        parts.append(effect.process_block(piece).copy())
    return np.concatenate(parts, axis=1)[:, RATE // 5 :]


@pytest.mark.parametrize(("name", "parameter_id"), SWEEPS)
def test_a_sweep_makes_nothing_that_a_still_plugin_does_not_make(name, parameter_id):
    low, high = SWEEPS[name, parameter_id]
    still = -140.0  # the rounding of float32
    for value in np.linspace(low, high, 8):
        effect = registry.find(name)(**{parameter_id: value})
        effect.prepare(StreamSpec(RATE, 1))
        sound = effect.process_block(sine(110, RATE, 2 * RATE))[:, RATE // 5 :]
        still = max(still, above_5_khz_db(sound))
    turned = above_5_khz_db(swept(name, parameter_id, low, high, moving=True))
    assert turned < still + 3
    if name != "MP3Compressor":  # which falls silent where it is turned by itself
        assert above_5_khz_db(swept(name, parameter_id, low, high, moving=False)) > turned + 20


MOVES = ((0, "gain_db", -20.0), (700, "gain_db", 3.0), (1400, "cutoff_frequency_hz", 300.0))
MOVES += ((1410, "q", 2.0), (2000, "gain_db", -6.0), (3111, "gain_db", -3.0))


def moved(sizes, **spec):
    """Noise through a filter that is moved at places, in blocks of any sizes between them."""
    effect = registry.find("PeakFilter")()
    effect.prepare(StreamSpec(RATE, 2, **spec))
    audio, parts, at = noise(2, 5000), [], 0
    for place, *move in [*MOVES, (5000, "gain_db", 0.0)]:
        parts.append(stream_through(effect, audio[:, at:place], sizes))
        effect.set(*move)
        at = place
    return np.concatenate(parts, axis=1)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.sampled_from((0, 1, 7, 63, 64, 65, 500)), min_size=1, max_size=8).filter(any))
def test_moves_are_the_same_for_any_partition(sizes):
    assert same(moved(sizes), moved([5000]))


def test_a_move_is_over_after_twenty_milliseconds_and_then_exact():
    audio = tones(RATE, 9600, channels=2)
    effect = registry.find("HighpassFilter")(cutoff_frequency_hz=100)
    effect.prepare(StreamSpec(RATE, 2))
    before = effect.process_block(audio).copy()
    still = registry.find("HighpassFilter")(cutoff_frequency_hz=100)
    still.prepare(StreamSpec(RATE, 2, moving=False))
    assert same(before, still.process_block(audio))
    effect.cutoff_frequency_hz = 2000
    after = effect.process_block(np.concatenate((audio, audio), axis=1))
    still.cutoff_frequency_hz = 2000
    expected = still.process_block(np.concatenate((audio, audio), axis=1))
    over = 1024 + GRID_SAMPLES
    # the other plugin took its value at once, at the same sample, and is heard alone from here on
    assert same(after[:, over:], expected[:, over:])
    assert not same(after[:, : over // 2], expected[:, : over // 2])


def test_of_moves_that_wait_the_last_counts_and_a_reset_arrives():
    audio = tones(RATE, 4800, channels=1)
    effect = registry.find("Gain")(gain_db=0)
    effect.prepare(StreamSpec(RATE, 1))
    for gain_db in (-60, -40, -6):
        effect.gain_db = gain_db
        effect.process_block(audio[:, :64])
    assert effect.gain_db == -6
    effect.reset()
    fresh = codecfx.native("Gain", gain_db=-6)
    fresh.prepare(StreamSpec(RATE, 1))
    assert same(effect.process_block(audio), fresh.process_block(audio))


def test_a_reset_leaves_nothing_behind_for_the_one_that_is_not_heard():
    audio = tones(RATE, 9600, channels=1)
    heard = []
    for before in (640, 0):  # less than a piece, which waits
        effect = registry.find("Reverb")(room_size=0.9)
        effect.prepare(StreamSpec(RATE, 1))
        effect.process_block(audio[:, :before])
        effect.reset()
        first = effect.process_block(audio[:, :320]).copy()
        effect.wet_level = 0.9
        heard.append(np.concatenate((first, effect.process_block(audio[:, 320:])), axis=1))
    assert same(*heard)


def test_a_plugin_that_was_handed_in_is_heard_itself():
    import pedalboard

    gain = pedalboard.Gain(0)
    effect = codecfx.effects.native_effect.wrap(gain)
    effect.prepare(StreamSpec(RATE, 1))
    ones = np.ones((1, 4096), np.float32)
    effect.process_block(ones)
    gain.gain_db = -20
    assert effect.process_block(ones)[0, -1] == pytest.approx(0.1, rel=1e-4)
    assert effect.gain_db == -20
