"""The laws of contract 2, for every stage there is: chunking, withholding, delay, reset.

And the resampler's own: count, delay, flatness, aliases, images.
"""

from fractions import Fraction
from functools import partial
from math import ceil, floor

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    cut,
    fit_sine,
    measure_latency,
    noise,
    push_through,
    rms_db,
    same,
    sine,
    snr_db,
    tones,
    voice,
)

from codecfx.audio import silence
from codecfx.codecs import find
from codecfx.control.parameters import checked
from codecfx.effects.codec_effect import signal_path
from codecfx.effects.native import GRID_SAMPLES, NativeRun, OnSegments, Segments
from codecfx.effects.processor import StreamSpec
from codecfx.stream.channels import MatchChannels, SideBySide, groups
from codecfx.stream.framing import Framed
from codecfx.stream.link import Link
from codecfx.stream.resampling import Resampled, there_and_back
from codecfx.stream.stage import Series, padding_samples

RATE_PAIRS = [
    (48000, 48000),
    (8000, 48000),
    (48000, 8000),
    (44100, 48000),
    (48000, 44100),
    (11025, 12000),
    (12000, 11025),
    (22050, 24000),
    (88200, 48000),
    (192000, 44100),
    (44100, 192000),
    (16000, 16001),
    (7, 11),
    (65, 64),
]


def codec(name, rate, channels, **values):
    cls = find(name)
    return cls(rate, channels, checked(cls.parameters, values, name))


def codec_path(name, rate, channels, **values):
    return signal_path([Link(codec(name, rate, channels, **values))], rate, channels)


class Backwards:
    """A run that shows where its frames begin: each is played backwards, louder than the one before."""

    def __init__(self, frame_samples):
        self.frame_samples = frame_samples
        self.frames = 0

    def run(self, frames):
        assert frames.shape[1] % self.frame_samples == 0
        assert frames.shape[1] > 0
        turned = []
        for frame in cut(frames, [self.frame_samples]):
            self.frames += 1
            turned.append(np.float32(self.frames) * frame[:, ::-1])
        return np.concatenate(turned, axis=1)

    def reset(self):
        self.frames = 0


def framed(frame_samples, channels=2):
    backwards = Backwards(frame_samples)
    return Framed(frame_samples, channels, backwards.run, backwards.reset)


def side_by_side():
    parts = groups(5, 2)
    return SideBySide(parts, [codec_path("opus", 44100, p.stop - p.start) for p in parts])


def link_in_frames(name, rate, channels, **values):
    link = Link(codec(name, rate, channels, **values))
    form = link.codec.format
    return Framed(form.frame_samples, form.channels, link.run, link.reset, form.lookahead_samples)


def native_run(channels, *plugins):
    return NativeRun([make() for make in plugins], StreamSpec(48000, channels))


# name: (a new stage, its channels in, what its chunks are multiples of, its rate)
STAGES = {
    "framed 1": (partial(framed, 1), 2, 1, 48000),
    "framed 7": (partial(framed, 7), 2, 1, 48000),
    "framed 64": (partial(framed, 64), 2, 1, 48000),
    "framed 65": (partial(framed, 65), 2, 1, 48000),
    **{
        f"resampled {rate} to {new_rate}": (partial(Resampled, rate, new_rate, 2), 2, 1, rate)
        for rate, new_rate in RATE_PAIRS
    },
    "resampled with a grid delay": (partial(Resampled, 48000, 44100, 1, 146), 1, 1, 48000),
    "one to one channel": (partial(MatchChannels, 1, 1), 1, 1, 48000),
    "mono to stereo": (partial(MatchChannels, 1, 2), 1, 1, 48000),
    "stereo to mono": (partial(MatchChannels, 2, 1), 2, 1, 48000),
    "seven to mono": (partial(MatchChannels, 7, 1), 7, 1, 48000),
    "side by side, five channels": (side_by_side, 5, 1, 44100),
    "link of 8-bit pcm": (partial(link_in_frames, "pcm", 48000, 2, bits=8), 2, 1, 48000),
    "link of pcm, one sample": (partial(link_in_frames, "pcm", 48000, 1, frame_samples=1), 1, 1, 48000),
    "link of opus, 2.5 ms": (partial(link_in_frames, "opus", 48000, 2, frame_ms=2.5), 2, 1, 48000),
    "link of opus with fec": (partial(link_in_frames, "opus", 16000, 1, fec=True), 1, 1, 16000),
    "series, pcm at 11.025": (partial(codec_path, "pcm", 48000, 2, rate_hz=11025, bits=6), 2, 1, 48000),
    "series, opus from 44.1": (partial(codec_path, "opus", 44100, 2), 2, 1, 44100),
    "series, opus from 11.025": (partial(codec_path, "opus", 11025, 1, frame_ms=10), 1, 1, 11025),
    "series of two framings": (lambda: Series([framed(64), framed(7)]), 2, 1, 48000),
    "native reverb": (partial(native_run, 2, pedalboard.Reverb), 2, GRID_SAMPLES, 48000),
    "native limiter": (
        partial(native_run, 2, pedalboard.Chorus, pedalboard.BrickwallLimiter, pedalboard.Delay),
        2,
        GRID_SAMPLES,
        48000,
    ),
    "native mp3": (partial(native_run, 1, pedalboard.MP3Compressor), 1, GRID_SAMPLES, 48000),
    "native resample": (partial(native_run, 1, pedalboard.Resample), 1, GRID_SAMPLES, 48000),
    "gsm on segments": (
        lambda: OnSegments(
            pedalboard.GSMFullRateCompressor(), Segments(0.04, 0.04, 0.06, 0.01, 0), StreamSpec(8000, 1)
        ),
        1,
        GRID_SAMPLES,
        8000,
    ),
    "pitch shift on segments": (
        lambda: OnSegments(
            pedalboard.PitchShift(3), Segments(0.05, 0.05, 0.05, 0.02, 0.01), StreamSpec(8000, 2)
        ),
        2,
        GRID_SAMPLES,
        8000,
    ),
}

of_every_stage = pytest.mark.parametrize("name", STAGES)


def signal_for(name, samples):
    _, channels, quantum, rate = STAGES[name]
    samples = quantum * ceil(samples / quantum)
    return np.float32(0.7) * tones(rate, samples, channels) + noise(channels, samples, level=0.05)


def settled_samples(stage, rate):
    """Enough input for a stage to give some of everything: twice what it withholds, and 60 ms."""
    return 2 * ceil(stage.holdback_samples / stage.ratio) + rate * 6 // 100 + 100


# Every stage


@of_every_stage
@settings(max_examples=16)
@given(sizes=st.lists(st.integers(0, 9) | st.integers(0, 900), min_size=1, max_size=12).filter(any))
def test_the_output_does_not_depend_on_the_chunks(name, sizes):
    make, _, quantum, rate = STAGES[name]
    stage = make()
    audio = signal_for(name, settled_samples(stage, rate))
    at_once = stage.push(audio).copy()
    in_chunks = push_through(make(), audio, [size * quantum for size in sizes])
    assert at_once.shape[1] > 0
    assert same(in_chunks, at_once)


@of_every_stage
def test_it_never_withholds_more_than_it_declares(name):
    make, _, quantum, rate = STAGES[name]
    stage = make()
    audio = signal_for(name, settled_samples(stage, rate))
    taken = given_back = 0
    most_withheld = Fraction(0)
    for chunk in cut(audio, [quantum]):
        taken += chunk.shape[1]
        given_back += stage.push(chunk).shape[1]
        withheld = taken * stage.ratio - given_back
        assert withheld <= stage.holdback_samples
        most_withheld = max(most_withheld, withheld)
    # Nor much less, or latency would be wasted: two framings declare for frames that end together,
    # 63 + 6, which 64 and 7 do every 448 samples; a quantum's last chunk hides up to its size
    assert most_withheld > stage.holdback_samples - quantum - ceil(stage.ratio)


@of_every_stage
def test_after_a_reset_it_is_as_new(name):
    make, channels, quantum, rate = STAGES[name]
    used = make()
    audio = signal_for(name, settled_samples(used, rate))
    fresh = make().push(audio).copy()
    push_through(used, noise(channels, 61 * quantum, seed=9), [7 * quantum, quantum, 31 * quantum])
    used.reset()
    assert same(used.push(audio), fresh)
    used.reset()
    assert same(used.push(audio), fresh)


@of_every_stage
def test_a_chunk_of_nothing_changes_nothing(name):
    make, channels, _, rate = STAGES[name]
    stage = make()
    audio = signal_for(name, settled_samples(stage, rate))
    nothing = silence(channels, 0)
    assert stage.push(nothing).shape[1] == 0
    first = stage.push(audio).copy()
    assert stage.push(nothing).shape == (first.shape[0], 0)
    assert same(first, make().push(audio))


# Frames


@pytest.mark.parametrize("frame_samples", [1, 7, 64, 65])
@pytest.mark.parametrize("chunk", [1, 7, 64, 65])
def test_frames_come_whole_in_order_and_as_soon_as_they_are_full(frame_samples, chunk):
    stage = framed(frame_samples, channels=1)
    audio = noise(1, 10 * frame_samples * chunk)
    taken = given_back = 0
    for piece in cut(audio, [chunk]):
        taken += chunk
        given_back += stage.push(piece).shape[1]
        assert given_back == taken - taken % frame_samples
    stage.reset()
    frames = audio.reshape(-1, frame_samples)[:, ::-1]
    numbered = (np.arange(len(frames), dtype=np.float32) + 1)[:, np.newaxis] * frames
    assert same(push_through(stage, audio, [chunk]), numbered.reshape(1, -1))


# Channels


def test_mono_spreads_as_it_is_and_comes_back_exactly():
    mono = noise(1, 127)
    for channels in (1, 2, 7, 8):
        spread = MatchChannels(1, channels).push(mono)
        assert same(spread, np.repeat(mono, channels, axis=0))
    assert same(MatchChannels(2, 1).push(MatchChannels(1, 2).push(mono)), mono)


def test_a_downmix_is_the_mean():
    audio = noise(7, 64)
    mean = audio.astype(np.float64).mean(axis=0, keepdims=True)
    # 7 float32 additions of values below 1
    np.testing.assert_allclose(MatchChannels(7, 1).push(audio), mean, atol=1e-6)


def test_one_side_of_a_match_must_be_mono():
    with pytest.raises(ValueError, match="one side must be mono"):
        MatchChannels(2, 3)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("widest", [1, 2])
def test_groups_hold_every_channel_once(channels, widest):
    parts = groups(channels, widest)
    assert [c for part in parts for c in range(part.start, part.stop)] == list(range(channels))
    assert {part.stop - part.start for part in parts[:-1]} <= {widest}


def test_side_by_side_keeps_every_channel_its_own():
    parts = groups(5, 2)
    audio = noise(5, 640)
    stage = SideBySide(parts, [framed(64, part.stop - part.start) for part in parts])
    assert same(stage.push(audio), framed(64, 5).push(audio))


# Series


def test_holdbacks_and_lookaheads_add_up_at_the_rate_they_come_out():
    halved = Resampled(48000, 24000, 1)
    frames = Framed(960, 1, lambda frames: frames, lookahead_samples=156)
    doubled = Resampled(24000, 48000, 1)
    series = Series([halved, frames, doubled])
    assert series.ratio == 1
    assert series.holdback_samples == 2 * 959
    assert series.lookahead_samples == 2 * (halved.lookahead_samples + 156) + doubled.lookahead_samples
    assert padding_samples(series) == 2 * 959


def test_only_a_stage_of_ratio_one_can_be_padded():
    with pytest.raises(ValueError, match="ratio 1/2"):
        padding_samples(Resampled(48000, 24000, 1))


def test_padding_keeps_a_resampled_codec_from_running_dry():
    # frames of 320 at 24 kHz seen from 44.1 kHz: 319 samples are 586.1625, and whole samples come out
    stage = codec_path("pcm", 44100, 1, rate_hz=24000, frame_samples=320)
    padding = padding_samples(stage)
    assert padding == floor(Fraction(319 * 441, 240))
    least_waiting = waiting = padding
    for _ in range(3 * 44100 // 10):
        waiting += stage.push(silence(1, 1)).shape[1] - 1
        least_waiting = min(least_waiting, waiting)
    # never dry, and not padded for nothing: within a sample of dry when frames fall worst
    assert 0 <= least_waiting <= 1


# The resampler


@pytest.mark.parametrize(("rate", "new_rate"), RATE_PAIRS)
@settings(max_examples=16)
@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_n_samples_become_exactly_n_times_the_ratio_rounded_up(rate, new_rate, sizes):
    stage = Resampled(rate, new_rate, 1)
    taken = given_back = 0
    for size in sizes:
        taken += size
        given_back += stage.push(silence(1, size)).shape[1]
        assert given_back == -(-taken * new_rate // rate)


@pytest.mark.parametrize(("rate", "new_rate"), RATE_PAIRS)
def test_a_sine_comes_out_at_its_level_and_exactly_as_late_as_declared(rate, new_rate):
    slower = min(rate, new_rate)
    for of_slower in (0.01, 0.2, 0.37, 0.45):
        hz = of_slower * slower
        stage = Resampled(rate, new_rate, 1)
        begin = 2 * ceil(stage.lookahead_samples)  # past the filter's own beginning
        audio = sine(hz, rate, ceil(begin / stage.ratio) + 20 * ceil(rate / slower) + 2000)
        settled = stage.push(audio)[:, begin:]
        amplitude, rest = fit_sine(settled, hz, new_rate)
        # the sine as it would be at the new rate, `lookahead_samples` later
        ideal = 2 * np.pi * hz * (begin - float(stage.lookahead_samples)) / new_rate
        phase = np.angle(amplitude * np.exp(-1j * ideal))
        late_by = phase * new_rate / (2 * np.pi * hz)
        # measured 2e-6; float32 noise on the lowest sine allows no more than this
        assert abs(late_by) < 1e-4
        # Kaiser's ripple at -96 dB is 0.00014 dB
        assert abs(20 * np.log10(abs(amplitude) / 0.5)) < 0.0005
        # images of the input rate and rounding; measured -93.4 at worst, at 0.45 of 65 to 64
        assert rms_db(rest[np.newaxis]) - rms_db(settled) < -92


@pytest.mark.parametrize(("rate", "new_rate"), [pair for pair in RATE_PAIRS if pair[0] > pair[1] > 64])
def test_what_the_new_rate_cannot_hold_is_gone(rate, new_rate):
    stage = Resampled(rate, new_rate, 1)
    above = [of_new * new_rate for of_new in (0.55, 0.6, 0.8, 0.99, 1.3)]
    for hz in [hz for hz in above if hz < rate / 2]:
        stage.reset()
        audio = sine(hz, rate, 4000 + 64 * ceil(rate / new_rate))
        settled = stage.push(audio)[:, 2 * ceil(stage.lookahead_samples) :]
        assert rms_db(settled) - rms_db(audio) < -95  # measured -101.4 at worst


@pytest.mark.parametrize(("rate", "new_rate"), RATE_PAIRS)
def test_dc_passes_exactly(rate, new_rate):
    stage = Resampled(rate, new_rate, 1)
    ones = np.ones((1, 200 * ceil(rate / min(rate, new_rate))), np.float32)
    settled = stage.push(ones)[:, 2 * ceil(stage.lookahead_samples) :]
    # a row of taps sums to 1; adding 65 of them in float32 rounds, here by up to 4e-7
    np.testing.assert_allclose(settled, 1, atol=1e-6)


# where a tile is one output, many, or the last of a period's a smaller one; delays beyond an input
TILED = [
    (48000, 8000, 0),
    (8000, 48000, 17),
    (48000, 44100, 0),
    (44100, 48000, 146),
    (16001, 16000, 40000),
    (65, 64, 1),
    (768000, 1000, 0),
    (1000, 768000, 700),
]


@pytest.mark.parametrize(("rate", "new_rate", "grid_delay"), TILED)
def test_an_output_is_the_sum_of_the_inputs_around_it(rate, new_rate, grid_delay):
    ratio = Fraction(new_rate, rate)
    up, down = ratio.numerator, ratio.denominator
    reach = 32 * max(up, down)
    inputs = ceil(150 / min(ratio, 1))
    audio = noise(1, inputs)
    outputs = Resampled(rate, new_rate, 1, grid_delay).push(audio)[0]
    for j in {0, len(outputs) - 1, *range(0, len(outputs), max(1, len(outputs) // 97))}:
        # grid points from every input to the middle of what output j hears; beyond the reach, nothing
        away = j * down - np.arange(-2 * reach, inputs) * up - reach - grid_delay
        near = np.abs(away) <= reach
        x = away[near] / reach
        weights = np.sinc(32 * x) * np.i0(9 * np.sqrt(1 - x**2))  # Kaiser's window, beta 9
        known = np.concatenate((np.zeros(2 * reach), audio[0]))[near]
        # 65 roundings of float32 and more, at levels below 1
        assert outputs[j] == pytest.approx(weights @ known / weights.sum(), abs=2e-6)


@pytest.mark.parametrize(("rate", "new_rate", "grid_delay"), TILED)
def test_live_blocks_and_rendering_give_the_same_bits(rate, new_rate, grid_delay):
    stage = Resampled(rate, new_rate, 2, grid_delay)
    audio = noise(2, ceil(70_000 * min(1, rate / new_rate)))
    at_once = stage.push(audio)
    for size in (1, 7, 64, 65, 480, 65536):
        stage.reset()
        in_blocks = push_through(stage, audio[:, : 300 * size], [size])
        assert in_blocks.tobytes() == at_once[:, : in_blocks.shape[1]].tobytes()


@pytest.mark.parametrize("channels", range(1, 9))
def test_a_channel_resamples_as_if_it_were_alone(channels):
    audio = noise(channels, 4800)
    alone = [Resampled(44100, 48000, 1, 7).push(channel[np.newaxis]) for channel in audio]
    assert same(Resampled(44100, 48000, channels, 7).push(audio), np.concatenate(alone))
    # nor does it matter how the samples lie in memory
    turned = np.ascontiguousarray(audio.T).T
    assert same(Resampled(44100, 48000, channels, 7).push(turned), np.concatenate(alone))


def test_the_same_rate_would_pass_what_it_can_hold():
    audio = 0.4 * tones(48000, 4800)
    stage = Resampled(48000, 48000, 1)
    delay = int(stage.lookahead_samples)
    assert snr_db(audio[:, :-delay], stage.push(audio)[:, delay:]) > 90


WAYS = [
    (44100, 48000, 312),
    (44100, 48000, 120),
    (11025, 12000, 78),
    (22050, 24000, 156),
    (32000, 48000, 312),
    (88200, 48000, 312),
    (96000, 48000, 313),
    (192000, 48000, 1),
    (48000, 8000, 0),
    (48000, 44100, 7),
    (44100, 8000, 65),
    (8000, 44100, 64),
    (48000, 24000, 1),
]


@pytest.mark.parametrize(("rate", "codec_rate", "lookahead"), WAYS)
def test_there_and_back_takes_a_whole_number_of_samples(rate, codec_rate, lookahead):
    there, back = there_and_back(rate, codec_rate, 1, lookahead)
    # a codec that does nothing but wait, as contract 1 has it: `lookahead` samples at its own rate
    waiting = Waiting(lookahead)
    series = Series([*there, Framed(1, 1, waiting.run, waiting.reset, lookahead), *back])
    assert series.ratio == 1
    assert series.lookahead_samples.denominator == 1
    delay = int(series.lookahead_samples)
    hz = 0.2 * min(rate, codec_rate)
    audio = sine(hz, rate, 2 * delay + 4000)
    arrived = series.push(audio)[:, : audio.shape[1]]  # a grid point may complete more than N
    # two passes of ripple, images and float32; half a sample off would leave 4 dB
    assert snr_db(audio[:, delay:-delay], arrived[:, 2 * delay :]) > 85


class Waiting:
    """A run that gives back what it got `samples` ago."""

    def __init__(self, samples):
        self._past = silence(1, samples)

    def run(self, frames):
        known = np.concatenate((self._past, frames), axis=1)
        kept = known.shape[1] - self._past.shape[1]
        self._past = known[:, kept:]
        return known[:, :kept]

    def reset(self):
        self._past = np.zeros_like(self._past)


def test_equal_rates_need_no_resampler():
    assert there_and_back(48000, 48000, 2, 312) == ([], [])


# The link


def test_a_change_falls_into_the_frame_that_is_being_filled():
    link = Link(codec("pcm", 48000, 1, frame_samples=64))
    stage = Framed(64, 1, link.run, link.reset)
    audio = noise(1, 256)
    first = stage.push(audio[:, :127]).copy()  # one frame out, the second all but full
    link.set("bits", 1)
    rest = stage.push(audio[:, 127:]).copy()
    assert same(first, audio[:, :64])
    assert same(rest, np.where(audio[:, 64:] < 0, np.float32(-1), np.float32(1)))


def test_of_all_changes_before_a_frame_the_last_of_each_reaches_it():
    link = Link(codec("opus", 48000, 1))
    for parameter_id, value in (
        ("mode", "silk"),
        ("bandwidth", "narrowband"),
        ("rate_mode", "cbr"),
        ("bitrate_kbps", 100.0),
        ("bitrate_kbps", 12.0),
    ):
        link.set(parameter_id, value)
    link.run(voice(48000, 960))
    assert link.codec.describe(link.meter.recent[-1]) == {
        "mode": "SILK",
        "bandwidth": "narrowband",
        "channels": "mono",
    }
    assert link.meter.recent[-1].bits == 240


def test_the_meter_counts_true_bits_since_the_reset():
    link = Link(codec("opus", 48000, 1))
    sent = link.codec.encode(voice(48000, 7 * 960))
    link.reset()
    link.run(voice(48000, 7 * 960))
    assert link.meter.packets == 7
    assert link.meter.bits == sum(8 * len(packet.payload) for packet in sent)
    assert list(link.meter.recent) == sent
    link.reset()
    assert (link.meter.packets, link.meter.bits, len(link.meter.recent)) == (0, 0, 0)


def test_a_long_run_in_two_threads_gives_the_samples_of_short_ones():
    audio = voice(48000, 65 * 960, channels=2)
    long, short = Link(codec("opus", 48000, 2)), Link(codec("opus", 48000, 2))
    at_once = long.run(audio)
    assert same(at_once, np.concatenate([short.run(frame) for frame in cut(audio, [960])], axis=1))
    assert long.meter == short.meter


# Delays


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        # declared delays in samples; CELT's content may be 0.4 off (notes on Opus' own lookahead)
        ("series, pcm at 11.025", 0.01),
        ("series, opus from 44.1", 1.0),
        ("link of opus, 2.5 ms", 0.5),
        ("native limiter", 0.01),
        ("native resample", 0.5),
        ("native mp3", 0.5),
    ],
)
def test_content_is_as_late_as_declared(name, tolerance):
    make, channels, quantum, rate = STAGES[name]
    stage = make()
    audio = noise(channels, quantum * (rate // 2 // quantum))
    late_by = measure_latency(audio, stage.push(audio))
    # a stage that drops the beginning it withholds is early by it; pedalboard's do, ours never
    assert late_by == pytest.approx(float(stage.lookahead_samples), abs=tolerance)
