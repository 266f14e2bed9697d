"""Feedback around a codec: echoes at their sample, loops that stay below full scale, and taps that move
without a click.
"""

import numpy as np
import pytest
from signals import cut, late, noise, rms_db, same, sine, stream_through, tones
from test_dry_wet import above_5_khz_db

import codecfx
from codecfx.audio import smooth_step
from codecfx.effects import registry
from codecfx.effects.feedback import LOUDEST_BACK, LOUDEST_OUT, soft_ceiling
from codecfx.effects.processor import StreamSpec

RATE = 48_000


def prepared(name, rate=RATE, channels=1, **values):
    effect = registry.find(name)(**values)
    effect.prepare(StreamSpec(rate, channels))
    return effect


# The ceiling


@pytest.mark.parametrize("knee", [0.5, 0.75, 0.999, 1.0])
def test_a_ceiling_is_the_identity_up_to_its_knee_and_never_above_full_scale(knee):
    sound = np.linspace(-70, 70, 200_001, dtype=np.float32)[np.newaxis]
    knees = np.full(1, knee, np.float32)
    bent = soft_ceiling(sound, knees)
    below = np.abs(sound) <= knee
    assert same(bent[below], sound[below])
    assert same(bent, soft_ceiling(sound, np.full(sound.shape[1], knee, np.float32)))
    if knee < 1:
        assert np.abs(bent).max() <= LOUDEST_BACK
        assert np.diff(bent).min() > -3e-7  # of float32
    else:
        assert same(bent, sound)
    assert (
        np.abs(soft_ceiling(np.full((1, 9), 1e8, np.float32), np.full(1, 0.5, np.float32))).max() <= 1
    )


# Echoes


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("milliseconds", [1.0, 7.3, 250.0, 2000.0])
def test_an_echo_of_pcm_is_exact_to_the_sample_and_in_level(rate, milliseconds):
    effect = prepared("pcm", rate, feedback=0.5, feedback_ms=milliseconds)
    period = effect.latency_samples + round(milliseconds * rate / 1000)
    click = np.zeros((1, 4 * period + 100), np.float32)
    click[0, 0] = 0.25
    heard = stream_through(effect, click, [512, 127, 1])[0]
    places = np.flatnonzero(heard)
    assert same(places, np.arange(len(places)) * period + effect.latency_samples)
    assert heard[places].tolist() == [0.25 * 0.5**echo for echo in range(len(places))]
    assert len(places) >= 4


@pytest.mark.parametrize("name", ["opus", "gsm", "mp3", "g722"])
def test_once_around_takes_the_latency_and_the_delay(name):
    effect = prepared(name, 44_100, feedback=0.6, feedback_ms=200.0)
    period = effect.latency_samples + round(200.0 * 44.1)
    burst = np.zeros((1, 3 * period + 8000), np.float32)
    burst[0, :1500] = tones(44_100, 1500)[0] * np.hanning(1500)
    heard = effect.process_block(burst)[0].astype(np.float64)
    first = heard[: period - 1000]
    likeness = np.correlate(heard[period - 500 : 2 * period - 500], first, "valid")
    # a codec is exact in the mean over what it does to a burst twice
    assert abs(int(np.argmax(np.abs(likeness))) - 500) <= 3


def test_the_delay_does_not_touch_latency_nor_the_first_time_around():
    audio = tones(RATE, 20_000, level=0.2)
    bare = prepared("opus")
    whole = bare.process_block(audio).copy()
    for milliseconds in (1.0, 100.0):
        effect = prepared("opus", feedback=0.4, feedback_ms=milliseconds)
        assert effect.latency_samples == bare.latency_samples
        before = effect.latency_samples // 960 * 960 + round(milliseconds * 48)
        assert same(effect.process_block(audio)[:, :before], whole[:, :before])


def test_drive_and_makeup_are_outside_of_the_loop():
    click = np.zeros((1, 20_000), np.float32)
    click[0, 0] = 0.01
    heard = codecfx.PCM(feedback=0.5, feedback_ms=50, drive_db=20, makeup_db=6)(click, RATE)[0]
    echoes = heard[np.flatnonzero(heard)]
    np.testing.assert_allclose(echoes[1:] / echoes[:-1], 0.5, rtol=1e-6)
    assert echoes[0] == pytest.approx(0.1 * 10**0.3)


def test_groups_of_channels_echo_alike_and_apart():
    effect = prepared("opus", channels=5, feedback=0.7, feedback_ms=60.0)
    audio = tones(RATE, 30_000, channels=5, level=0.3)
    audio[2:4] = 0
    heard = effect.process_block(audio).copy()
    assert np.abs(heard[2:4]).max() < 1e-30
    pair = prepared("opus", channels=2, feedback=0.7, feedback_ms=60.0)
    assert same(pair.process_block(audio[:2]), heard[:2])


@pytest.mark.parametrize("sizes", [[1], [47], [48], [49], [64, 4097], [6000]])
def test_blocks_longer_and_shorter_than_the_delay_give_the_same(sizes):
    audio = noise(1, 6000, level=0.5)
    effect = prepared("gsm", feedback=0.9, feedback_ms=1.0, drive_db=6)
    whole = effect.process_block(audio).copy()
    effect.reset()
    assert same(stream_through(effect, audio, sizes), whole)


def test_at_full_feedback_a_sound_that_fits_stays_for_ever():
    effect = prepared("pcm", feedback=1.0, feedback_ms=100.0)
    period = effect.latency_samples + 4800
    audio = np.zeros((1, 20 * period), np.float32)
    audio[:, :period] = noise(1, period, level=0.05)
    heard = effect.process_block(audio)[:, effect.latency_samples :]
    assert same(heard[:, 18 * period : 19 * period], audio[:, :period])


# Bounds


def torture(seconds):
    """So many seconds each of noise, clicks, and a square at full scale, in two channels."""
    samples = seconds * RATE
    clicks = np.zeros((2, samples), np.float32)
    clicks[:, ::4801] = 1
    square = np.sign(np.sin(2 * np.pi * 97 * np.arange(samples) / RATE))
    return np.concatenate(
        (noise(2, samples, level=0.3), clicks, [square] * 2), axis=1, dtype=np.float32
    )


def looped(name, seconds, **values):
    """The peak of all that is heard of a loop at its limits, and what is left 3 s after its end."""
    effect = prepared(name, channels=2, feedback=1.1, feedback_ms=23.0, drive_db=36.0, **values)
    sound, peak = torture(seconds), 0.0
    for piece in cut(np.concatenate((sound, np.zeros_like(sound[:, :RATE])), axis=1), [65_536]):
        heard = effect.process_block(piece)
        assert np.isfinite(heard).all()
        peak = max(peak, float(np.abs(heard).max()))
    lasts = rms_db(heard)
    effect.feedback = 0.0
    left = effect.process_block(np.zeros((2, 3 * RATE), np.float32))[:, -RATE:]
    return peak, lasts, rms_db(left)


BROKEN = {"flip": 0.02, "behind": 0.1, "loss": 0.1, "conceal": "repeat"}


@pytest.mark.parametrize(
    ("name", "seconds", "broken"),
    [("pcm", 5, False), ("g722", 2, True), ("gsm", 2, True), ("opus", 2, False), ("opus", 5, True)],
)
def test_a_loop_never_gets_louder_than_6_db_above_full_scale_and_ends(name, seconds, broken):
    peak, lasts, left = looped(name, seconds, **(BROKEN if broken else {}))
    assert peak <= LOUDEST_OUT
    assert -20 < lasts < 0  # it sounds on by itself
    assert left < -60  # the idle noise of the codec itself


def test_makeup_comes_after_the_bound():
    effect = prepared("pcm", feedback=1.1, feedback_ms=5.0, makeup_db=6.0)
    heard = effect.process_block(10 * noise(1, RATE))
    assert np.abs(heard).max() <= LOUDEST_OUT * 10 ** (6 / 20) * 1.0001


def test_a_reset_silences_the_loop():
    effect = prepared("opus", feedback=1.1, feedback_ms=50.0)
    effect.process_block(noise(1, RATE))
    effect.reset()
    assert np.abs(effect.process_block(np.zeros((1, RATE), np.float32))).max() < 1e-30


# Moves


@pytest.mark.parametrize("every", [160, 1600, 4800])
@pytest.mark.parametrize(
    ("parameter_id", "values", "more"),
    [
        ("feedback", [0.0, 0.5, 0.9, 0.1], {"feedback_ms": 35.0}),
        ("feedback_ms", [20.0, 30.0, 400.0, 7.0], {"feedback": 0.5}),
    ],
)
@pytest.mark.parametrize("name", ["pcm", "opus"])
def test_a_ridden_loop_does_not_click(name, parameter_id, values, more, every):
    more = more | ({"bitrate_kbps": 256, "mode": "celt"} if name == "opus" else {})
    tone = sine(220, RATE, 3 * RATE, level=0.02)
    tone[:, :RATE] *= smooth_step(RATE).astype(np.float32)
    effect, parts = prepared(name, **more), []
    for number, piece in enumerate(cut(tone, [every])):
        effect.set(parameter_id, values[number % len(values)])
        parts.append(effect.process_block(piece).copy())
    ridden = above_5_khz_db(np.concatenate(parts, axis=1)[:, -RATE:], RATE)
    resting = [
        above_5_khz_db(
            prepared(name, **(more | {parameter_id: one})).process_block(tone)[:, -RATE:], RATE
        )
        for one in values
    ]
    assert ridden < max(max(resting) + 3, -140)


def test_a_delay_that_moves_twice_in_a_fade_ends_at_the_last():
    effect = prepared("pcm", feedback=0.5, feedback_ms=100.0)
    quiet = np.zeros((1, 200), np.float32)
    for milliseconds in (50.0, 20.0, 10.0):
        effect.feedback_ms = milliseconds
        effect.process_block(quiet)
    effect.process_block(np.zeros((1, 4000), np.float32))
    click = np.zeros((1, 1000), np.float32)
    click[0, 0] = 0.25
    heard = effect.process_block(click)[0]
    assert same(np.flatnonzero(heard)[:2], np.array([63, 63 + 63 + 480]))


def test_turned_up_later_it_sends_back_what_was_heard_before():
    audio = np.zeros((1, 20_000), np.float32)
    audio[:, 1000:2000] = noise(1, 1000, level=0.1)
    effect = prepared("pcm", feedback_ms=200.0)
    first = effect.process_block(audio[:, :3000]).copy()
    assert same(first, late(audio, 63)[:, :3000])
    effect.feedback = 0.5
    rest = effect.process_block(audio[:, 3000:])
    back = 1000 + 2 * 63 + 9600 - 3000
    np.testing.assert_allclose(rest[0, back : back + 1000], 0.5 * audio[0, 1000:2000], rtol=1e-6)
