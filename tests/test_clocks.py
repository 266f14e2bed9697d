"""Clocks: codecs at rates that they were never made for; pitch that moves, and time that does not."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    energy_above_db,
    fit_sine,
    measure_latency,
    noise,
    push_through,
    same,
    sine,
    snr_db,
    stream_through,
    tones,
    voice,
)

import codecfx
from codecfx.codecs.base import CodecFormat
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import UnsupportedFormat
from codecfx.stream.clocks import Clocks, Resync

RATE = 48_000
RATIOS = [
    Fraction(1, 16),
    Fraction(1, 3),
    Fraction(17, 18),
    Fraction(18, 17),
    Fraction(5, 2),
    Fraction(16),
]
ratios = st.sampled_from(RATIOS)


def prepared(name, rate=RATE, channels=1, **values):
    effect = registry.find(name)(**values)
    effect.prepare(StreamSpec(rate, channels))
    return effect


# The stage


@settings(max_examples=40)
@given(
    ratio=ratios,
    window=st.sampled_from([Fraction(960), Fraction(1_440_000, 1029), Fraction(51)]),
    sizes=st.lists(st.sampled_from((0, 1, 7, 64, 65, 1000)), min_size=1, max_size=8).map(
        lambda sizes: [*sizes, 513]
    ),
)
def test_resync_keeps_the_laws_of_stages(ratio, window, sizes):
    audio = noise(2, 6000)
    stage = Resync(window, ratio, RATE, 2)
    whole = stage.push(audio).copy()
    stage.reset()
    assert same(push_through(stage, audio, sizes), whole)
    stage.reset()
    came = went = 0
    for samples in sizes * 3:
        went += samples
        came += stage.push(audio[:, :samples]).shape[1]
        assert came >= went * ratio - stage.holdback_samples


@pytest.mark.parametrize("ratio", RATIOS)
def test_every_window_keeps_its_place_for_ever(ratio):
    window, samples = Fraction(1000), 600_000
    ramp = np.arange(samples, dtype=np.float32)[np.newaxis]  # says where each sample is from
    heard = Resync(window, ratio, RATE, 1).push(ramp)[0]
    places = np.arange(heard.size)
    behind = places / float(ratio) - heard  # in input samples
    half = heard.size // 2
    assert np.abs(behind[:half]).max() == pytest.approx(np.abs(behind[half:]).max(), rel=0.02)
    assert np.abs(behind).max() <= 1001
    mean = float(Resync(window, ratio, RATE, 1).lookahead_samples) / float(ratio)
    assert behind.mean() == pytest.approx(mean, abs=0.02 * 1000)


@pytest.mark.parametrize("ratio", RATIOS)
def test_between_joints_a_window_is_the_sound_itself(ratio):
    audio = noise(1, 40_000)[0]
    stage = Resync(Fraction(4000), ratio, RATE, 1)
    heard = stage.push(audio[np.newaxis])[0]
    found = 0
    for at in range(0, heard.size - 20, 50):
        piece = heard[at : at + 20]
        starts = np.flatnonzero(audio[:-20] == piece[0])
        found += any(same(audio[one : one + 20], piece) for one in starts)
    assert found > 0.5 * len(range(0, heard.size - 20, 50)) or ratio in (Fraction(1, 16), Fraction(16))
    assert found > 0


# Equal clocks


@pytest.mark.parametrize("name", ["gsm", "mp3", "pcm", "g722", "encodec"])
@pytest.mark.parametrize("clock", [0.25, 0.5, 18 / 17, 2.0, 4.0])
def test_declared_latency_is_the_measured_one(name, clock):
    effect = prepared(name, encode_clock=clock, decode_clock=clock)
    sound = voice(RATE, RATE) if name == "gsm" and clock < 2 else tones(RATE, RATE)
    if clock < 1:  # what there is of it at that rate
        sound = codecfx.native("LowpassFilter", cutoff_frequency_hz=600)(sound, RATE)
    measured = measure_latency(sound, effect.process_block(sound))
    # as exact as the codec is at its own clock, in its own samples
    inexact = {"gsm": 0.2, "g722": 0.1, "encodec": 0.36}.get(name, 0.01) / clock
    own = RATE / effect._links[0].codec.format.sample_rate
    assert measured == pytest.approx(effect.latency_samples, abs=inexact * max(own, 1) + 0.1)


def test_half_a_clock_is_the_codec_at_half_its_rate():
    audio = tones(RATE, 30_000)
    slow = prepared("pcm", frame_samples=64, bits=6, encode_clock=0.5, decode_clock=0.5)
    there = codecfx.PCM(rate_hz=24_000, bits=6, frame_samples=64)
    there.prepare(StreamSpec(RATE, 1))
    assert same(slow.process_block(audio), there.process_block(audio))
    assert slow.latency_samples == there.latency_samples


@pytest.mark.parametrize(("clock", "last_hz"), [(0.5, 2000), (1.0, 4000), (2.0, 8000)])
def test_gsm_has_half_or_twice_the_band(clock, last_hz):
    heard = codecfx.GSM(encode_clock=clock, decode_clock=clock)(noise(1, RATE), RATE)
    assert energy_above_db(heard, 1.1 * last_hz, RATE) < -80
    assert energy_above_db(heard, 0.7 * last_hz, RATE) > -50


def test_frames_are_longer_and_packets_fewer():
    effect = prepared("gsm", encode_clock=0.5, decode_clock=0.5)
    effect.process_block(voice(RATE, RATE))
    assert effect.meter.packets == 25  # of 40 ms
    assert effect.meter.kbps == pytest.approx(prepared_kbps("gsm") / 2)
    # a buffer is of whole frames: 50 ms are two of 40 here, three of 20 there
    for clock, delay in ((0.5, 2 * 40), (1.0, 3 * 20), (2.0, 5 * 10)):
        late, bare = (
            prepared("gsm", encode_clock=clock, decode_clock=clock, buffer_ms=one) for one in (50, 0)
        )
        assert late.latency_samples - bare.latency_samples == delay * 48


def prepared_kbps(name):
    effect = prepared(name)
    effect.process_block(voice(RATE, RATE))
    return effect.meter.kbps


def test_loss_in_beats_keeps_the_beat():
    # the first quarter of every half second, whatever a packet takes
    for clock in (0.5, 1.0, 2.0):
        effect = prepared(
            "pcm",
            frame_samples=480,
            encode_clock=clock,
            decode_clock=clock,
            loss=0.25,
            loss_pattern="periodic",
            loss_period_ms=500,
            conceal="silence",
        )
        heard = effect.process_block(sine(1000, RATE, 2 * RATE))[0, effect.latency_samples :]
        silent = np.abs(heard[: 190 * 480]).reshape(-1, 480)[:, 100:380].max(axis=1) < 1e-3
        assert 0.2 <= silent[50:150].mean() <= 0.3
        assert silent[51:59].all()
        assert not silent[66:98].any()


# Unequal clocks


@pytest.mark.parametrize("name", ["pcm", "gsm", "opus"])
@pytest.mark.parametrize(
    ("encode", "decode"), [(1, 2), (1, 1.5), (1, 18 / 17), (2, 1), (1.5, 1), (0.5, 0.75), (4, 1)]
)
def test_pitch_is_one_clock_by_the_other(name, encode, decode):
    hz, ratio = 440.0, decode / encode
    more = {"bitrate_kbps": 64, "mode": "celt"} if name == "opus" else {}
    effect = prepared(
        name, encode_clock=encode, decode_clock=decode, window_ms=200.0, drive_db=0.0, **more
    )
    heard = effect.process_block(sine(hz, RATE, 2 * RATE, level=0.3))[0, RATE:]
    # in most pieces of 25 ms there is no joint, and their pitch is exact
    pitches = []
    for at in range(0, RATE - 1200, 600):
        piece = heard[at : at + 1200]
        steps = np.angle(analytic(piece)[200:-200])
        pitches.append(np.polyfit(np.arange(800), np.unwrap(steps), 1)[0] * RATE / (2 * np.pi))
    off = 1200 * np.log2(np.array(pitches) / (hz * ratio))
    assert abs(np.median(off)) < 12 if name == "gsm" else abs(np.median(off)) < 3  # cents


def analytic(sound):
    spectrum = np.fft.fft(sound * np.hanning(sound.size))
    spectrum[sound.size // 2 :] = 0
    return np.fft.ifft(spectrum)


@pytest.mark.parametrize(("encode", "decode"), [(1, 2), (2, 1), (1, 1.25), (1.25, 1), (0.25, 4)])
def test_time_stays_where_it_was(encode, decode):
    # bursts of noise every quarter of a second arrive when they should, give or take a window
    beats = (np.arange(4 * RATE) % 12_000 < 3000).astype(np.float32)
    audio = noise(1, 4 * RATE, level=0.3) * beats
    effect = prepared("pcm", encode_clock=encode, decode_clock=decode, window_ms=30.0)
    heard = effect.process_block(audio)
    envelopes = [np.abs(one[0]).reshape(-1, 48).max(axis=1)[np.newaxis] for one in (audio, heard)]
    envelopes = [one - one.mean() for one in envelopes]
    for part in (slice(0, 2000), slice(2000, 4000)):  # and later as well as soon
        measured = 48 * measure_latency(*(one[:, part] for one in envelopes))
        assert measured == pytest.approx(effect.latency_samples, abs=0.5 * 30 * 48)


@pytest.mark.parametrize("name", ["pcm", "opus", "gsm", "encodec"])
@pytest.mark.parametrize(("encode", "decode"), [(1, 2), (1.5, 1), (0.75, 1.2)])
def test_n_in_n_out_at_a_latency_that_is_arithmetic(name, encode, decode):
    audio = tones(44_100, 40_000, channels=2)
    effect = prepared(name, 44_100, 2, encode_clock=encode, decode_clock=decode)
    latency = effect.latency_samples
    whole = effect.process_block(audio).copy()
    for sizes in ([64], [1, 7, 4097, 127]):
        effect.reset()
        assert same(stream_through(effect, audio, sizes), whole)
        assert effect.latency_samples == latency


@pytest.mark.parametrize(("encode", "decode"), [(1, 2), (2, 1), (1, 18 / 17), (1, 1.9), (3, 1)])
def test_joints_do_not_click(encode, decode):
    tone = sine(220, RATE, 2 * RATE, level=0.5)
    heard = prepared("pcm", encode_clock=encode, decode_clock=decode).process_block(tone)[:, RATE:]
    # joints that were cut would be at -60 dB
    assert energy_above_db(heard, 5000, RATE) < -120


def test_a_window_is_whole_frames_as_long_as_was_asked_for():
    clocks = Clocks(Fraction(1, 2), Fraction(1), window_ms=100.0)
    stage = clocks.around(RATE, CodecFormat(8000, 1, 160, 0), 0)[2][0]
    assert stage._window == 2 * 160 * 6  # two of 40 ms, played in 20
    clocks = Clocks(Fraction(1), Fraction(3, 2), window_ms=5.0)
    assert clocks.around(RATE, CodecFormat(8000, 1, 160, 0), 0)[2][0]._window == 160 * 4  # one at least


# What damaged packets may do


@pytest.mark.parametrize(("encode", "decode"), [(0.5, 0.5), (2, 2), (1, 2), (1.5, 0.5)])
@pytest.mark.parametrize(
    ("name", "values"), [("pcm", {"xor": 64}), ("g722", {"cut": 0.3}), ("gsm", {"xor": 85})]
)
def test_nobody_is_hurt_at_any_clock(name, values, encode, decode):
    quiet = voice(RATE, RATE, level=0.02)
    effect = registry.find(name)(encode_clock=encode, decode_clock=decode, **values)
    peak = np.abs(effect(quiet, RATE)).max()
    assert peak <= 1.01 * 1.5 * 0.02


# Which clocks there are


def test_clocks_are_simple_fractions():
    for value, fraction in ((0.5, (1, 2)), (4 / 3, (4, 3)), (2 ** (7 / 12), (3, 2)), (1.001, (1, 1))):
        assert abs(Clocks.of({"encode_clock": value}).encode - Fraction(*fraction)) < 0.002
    cents = [
        1200 * np.log2(float(Clocks.of({"decode_clock": 2 ** (semi / 12)}).decode)) - 100 * semi
        for semi in range(-24, 25)
    ]
    assert np.abs(cents).max() < 6


def test_rates_that_do_not_meet_are_one_line():
    effect = codecfx.MP3(encode_clock=47 / 48, decode_clock=47 / 48)
    with pytest.raises(
        UnsupportedFormat, match=r"clocks of 47/48 and 47/48 .* take simpler ones"
    ) as error:
        effect(noise(1, 100), 191_999)
    assert "\n" not in str(error.value)


def test_other_clocks_are_another_stream():
    audio = tones(RATE, 20_000)
    effect = codecfx.Opus()
    one = effect(audio, RATE)
    effect.encode_clock = effect.decode_clock = 0.5
    other = effect(audio, RATE)
    assert effect.latency_samples > 2000
    effect.encode_clock = effect.decode_clock = 1.0
    assert same(effect(audio, RATE), one)
    assert snr_db(one, other) < 40


def test_a_tone_through_equal_clocks_keeps_its_pitch():
    heard = codecfx.PCM(encode_clock=0.75, decode_clock=0.75)(sine(440, RATE, RATE), RATE)
    amplitude, rest = fit_sine(heard[:, 4800:-4800], 440, RATE)
    assert abs(amplitude) == pytest.approx(0.5, rel=1e-4)
    assert np.abs(rest).max() < 1e-4
