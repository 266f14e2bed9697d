"""The guard: what is fine is not touched, and whatever comes in, what goes out can be listened to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import (
    cut,
    energy_above_db,
    noise,
    recording,
    recordings,
    rms_db,
    same,
    sine,
    tones,
    voice,
)

from codecfx.audio import silence
from codecfx.live.guard import CEILING, Guard

RATE = 48_000
MUSIC = recordings(
    "vibe_ace.ogg", "music_48k.flac", "brahms_strings.ogg", "trumpet.ogg", "vocal_song.ogg"
)
SPEECH = recordings("speech_lyra_48k.wav", "speech_male.ogg", "speech_female.ogg")
sizes = st.lists(
    st.sampled_from((0, 1, 2, 7, 15, 16, 17, 26, 27, 64, 65, 128, 500, 2400)), min_size=1, max_size=12
).filter(any)

# ITU-R BS.1770-4, annex 2, table 1, as it is printed: phases 0 and 1, which backwards are 3 and 2
BS1770 = (
    (0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875,
     0.1373291015625, 0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250,
     0.0148925781250, -0.0083007812500),
    (-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500,
     0.4650878906250, 0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625,
     0.0330810546875, -0.0189208984375),
)  # fmt: skip


def db(ratio):
    return 20 * np.log10(ratio)


def sound(name, seconds=12.0):
    """A recording, or music of sorts, with its highest sample at 1."""
    audio, rate = (tones(RATE, 2 * RATE, 2), RATE) if name == "made here" else recording(name)
    audio = audio[:, : int(seconds * rate)]
    return audio / np.abs(audio).max(), rate


def true_peak(audio):
    """The highest between samples, eight times as fine, by the discrete Fourier transform."""
    step, margin = 1 << 16, 1024
    highest = 0.0
    padded = np.pad(audio, ((0, 0), (margin, margin + step)))
    for first in range(0, audio.shape[1], step):
        spectra = np.fft.rfft(padded[:, first : first + step + 2 * margin])
        length = 8 * (step + 2 * margin)
        fine = 8 * np.fft.irfft(spectra, length)
        highest = max(highest, float(np.abs(fine[:, 4 * margin : -4 * margin]).max()))
    return highest


def guarded(audio, rate=RATE, sizes=(128,), **options):
    guard = Guard(rate, len(audio), **options)
    return np.concatenate([guard.process(block) for block in cut(audio, sizes)], axis=1)


def estimates(age):
    """The least squares for what is `age` samples old, of 12 samples, oldest first."""
    turns = np.linspace(0, np.pi, 2000)
    power = 1 / (turns**2 + (np.pi / 10) ** 2)
    ages = np.arange(12)[::-1]
    cosines = np.cos(turns * (ages[:, np.newaxis, np.newaxis] - ages[:, np.newaxis]))
    alike = (cosines * power).sum(axis=2)
    wanted = (np.cos(turns * (ages[:, np.newaxis] - age)) * power).sum(axis=1)
    return np.linalg.solve(alike + 1e-6 * alike[0, 0] * np.eye(12), wanted)


def slow_limiter(audio, rate=RATE):
    """What the limiter is: one sample after the other."""
    known = np.pad(audio.astype(np.float64), ((0, 0), (11, 0)))

    def between(taps):
        return np.abs([np.correlate(channel, taps, "valid") for channel in known]).max(axis=0)

    phases = [phase[::way] for phase in BS1770 for way in (1, -1)]
    peaks = np.max([np.abs(audio).max(axis=0), *map(between, phases)], axis=0)
    early = np.max([between(estimates(age)) for age in (0.5, 1.5)], axis=0)
    peaks = np.where(early > 1, np.maximum(peaks, early), peaks)
    hold, keeps = rate // 100, 1 - 1 / (rate // 10)
    overs, followed, gains = [0.0] * hold, 1 / 128, []
    for peak in peaks.tolist():
        over = max(1, peak / CEILING)
        overs.append(min(over * min(over, 10 ** (1 / 20)) - 1, 30))
        followed = max(max(overs[-hold - 1 :]) + 1 / 128, followed * keeps)
        gains.append(1 / (1 + followed - 1 / 128))
    return audio * gains


# Where nothing is wrong


@pytest.mark.parametrize("name", MUSIC)
def test_music_below_the_ceiling_is_not_touched(name):
    audio, rate = sound(name, seconds=60)
    audio *= np.float32(10 ** (-1.3 / 20) / true_peak(audio))  # BS.1770 reads up to 0.3 dB high
    guard = Guard(rate, 2)
    assert all(guard.process(block) is block for block in cut(audio, (128, 64, 512)))
    assert guard.worst_gain_db() == guard.gain_db == 0
    assert guard.clamped == guard.garbage == 0
    assert not guard.dc


@pytest.mark.parametrize("hz", [5, 8.3, 15, 22, 31.7, 50, 997, 11_000])
def test_tones_are_not_touched_down_to_5_hz(hz):
    audio = sine(hz, RATE, 3 * RATE, level=0.86)
    guard = Guard(RATE, 1)
    assert all(guard.process(block) is block for block in cut(audio, (480,)))


@pytest.mark.parametrize("samples", [0, 1, 128])
def test_silence_and_nothing_pass(samples):
    block = silence(2, samples)
    assert Guard(RATE, 2).process(block) is block


def test_what_comes_in_is_never_changed():
    hot = noise(2, 5000, level=2) + np.float32(0.3)
    before = hot.copy()
    guarded(hot, sizes=(5000,))
    assert same(hot, before)


# Blocks


def everything(channels, seed):
    """All that can be wrong with a sound, at once and one after the other."""
    random = np.random.default_rng(seed)
    audio = noise(channels, 60_000, seed, level=0.1)
    audio[:, 3000:9000] *= 9  # above the ceiling, now and then
    audio[:, 15_000:15_400] *= 40
    audio[:, 20_000:26_000] = sine(12_000, RATE, 6000, channels, level=1.2)
    audio[-1, 27_000:50_000] += 0.3
    audio[0, random.integers(0, 60_000, 20)] = random.choice([np.nan, np.inf, -np.inf, 3e7, 1e5], 20)
    audio[:, 52_000:53_000] = 0
    return audio


@pytest.mark.parametrize(("rate", "channels"), [(4000, 1), (4000, 2), (RATE, 2)])  # 15 s, and 1.25 s
@given(sizes=sizes, seed=st.integers(0, 5))
def test_blocks_make_no_difference(rate, channels, sizes, seed):
    audio = everything(channels, seed)[:, : 60_000 if sum(sizes) > 300 else 16_000]
    assert same(guarded(audio, rate, sizes), guarded(audio, rate, (audio.shape[1],)))


def test_a_guard_that_was_reset_is_a_new_one():
    audio = everything(2, 0)
    guard = Guard(RATE, 2)
    guard.process(audio[:, :40_000])
    guard.reset()
    assert not guard.dc
    assert guard.gain_db == guard.worst_gain_db() == 0
    assert same(guard.process(audio), guarded(audio, sizes=(60_000,)))


# Loudness


@pytest.mark.parametrize("rate", [8000, 48_000])
@pytest.mark.parametrize("level", [0.15, 0.25, 0.6, 4])
def test_the_limiter_is_its_definition(rate, level):
    audio = noise(2, 12_000, level=0.5) + sine(300, rate, 12_000, 2)
    audio = audio * np.linspace(0.1, 1, 12_000, dtype=np.float32) ** 2 * np.float32(level)
    audio[:, 7000:] *= np.float32(0.1)
    assert np.abs(guarded(audio, rate) - slow_limiter(audio, rate)).max() < 2e-4  # weights of 14 bits


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("name", MUSIC)
def test_true_peaks_of_hot_music_stay_below_full_scale(name, clipped):
    audio, rate = sound(name)
    audio = audio * np.float32(4)
    audio = np.clip(audio, -1, 1) if clipped else audio
    out = guarded(audio, rate, sizes=(512,))
    assert np.abs(out).max() <= np.float32(CEILING)
    assert db(true_peak(out)) < -0.7
    assert db(true_peak(audio)) > 0.3


# What no causal limiter can know is how a sound goes on: what is far above full scale from one sample
# to the next goes over for half a period. Measured true peaks in dBFS, rounded up
SQUARE = np.sign(sine(441.3, RATE, RATE)) * np.float32(2)


@pytest.mark.parametrize(
    ("audio", "highest_db"),
    [
        pytest.param(sine(997, RATE, RATE, level=4), -1.8, id="sine"),
        pytest.param(sine(5003, RATE, RATE, level=4), -0.8, id="high sine"),
        pytest.param(SQUARE, -1.1, id="square"),
        pytest.param(noise(1, RATE, level=1), 0.2, id="noise"),
        pytest.param(np.clip(20 * voice(RATE, RATE), -1, 1), -0.5, id="clipped voice"),
    ],
)
def test_true_peaks_of_wild_sounds(audio, highest_db):
    assert db(true_peak(guarded(audio))) < highest_db


@pytest.mark.parametrize("name", SPEECH)
def test_true_peaks_of_clipped_speech(name):
    audio, rate = sound(name)
    highest_db = -0.9
    if name == "made here":  # music that is all clipped: next to noise
        highest_db = 0.1
    elif rate < RATE:  # most of what was clipped at 16 kHz is between samples
        highest_db = 0.8
    assert db(true_peak(guarded(np.clip(20 * audio, -1, 1), rate))) < highest_db


@pytest.mark.parametrize("level", [1.2, 2, 4])
def test_peaks_that_no_sample_shows_are_found(level):
    turns = np.pi / 4 + np.pi / 2 * np.arange(RATE // 2)
    audio = (level * np.sin(turns)[np.newaxis]).astype(np.float32)  # samples are 3 dB below its peaks
    out = guarded(audio)
    assert db(true_peak(out)) < 1.0  # at once, when it begins out of nothing
    settled = out[:, 64:-64] * np.hanning(out.shape[1] - 128)  # and without a beginning
    assert db(true_peak(settled)) < -0.9


def test_it_acts_at_once_and_lets_go_in_a_tenth_of_a_second():
    audio = silence(2, RATE) + np.float32(0.04)
    audio[1, 9600] = 2
    guard = Guard(RATE, 2)
    # sample by sample where it happens
    sizes = [9590, *[1] * 1000, RATE]
    out = np.concatenate([guard.process(block) for block in cut(audio, sizes)], axis=1)
    assert same(out[:, :9600], audio[:, :9600])
    assert abs(out[1, 9600]) <= CEILING
    over = audio[0, 9601:] / out[0, 9601:] - 1  # channels are turned down together
    assert over[0] > 1.2
    assert np.ptp(over[6:480]) < 1e-5  # held, once all of its peaks were heard
    assert np.diff(over[480:38_400]).max() < 1e-5
    assert over[480 + 4800] / over[480] == pytest.approx(1 / np.e, abs=0.01)
    assert same(out[:, -9600:], audio[:, -9600:])
    assert guard.gain_db == 0


def test_a_low_tone_keeps_its_shape():
    out = guarded(sine(60, RATE, RATE, level=3))
    settled = out[:, RATE // 2 :]
    assert energy_above_db(settled, 100, RATE) < rms_db(settled) - 60


def test_readings_tell_of_the_limiter():
    guard = Guard(RATE, 1)
    guard.process(sine(1000, RATE, 4800, level=2.0))
    assert guard.gain_db == pytest.approx(db(CEILING / 2) - 1, abs=0.2)
    guard.process(silence(1, RATE // 10))
    assert -6 < guard.gain_db < -1
    assert guard.worst_gain_db() == pytest.approx(db(CEILING / 2) - 1, abs=0.2)
    assert guard.worst_gain_db() == guard.gain_db
    guard.process(silence(1, RATE))
    guard.worst_gain_db()
    assert guard.worst_gain_db() == guard.gain_db == 0


def test_without_the_limiter_samples_are_clamped_and_counted():
    audio = noise(2, 5000, level=0.5)
    guard = Guard(RATE, 2, is_off=True)
    out = np.concatenate([guard.process(block) for block in cut(audio, (128,))], axis=1)
    assert same(out, np.clip(audio, -1, 1))
    assert guard.clamped == np.count_nonzero(np.abs(audio) > 1) > 100
    assert guard.gain_db == guard.worst_gain_db() == 0
    guard.is_off = False
    assert np.abs(guard.process(audio)).max() <= CEILING


# Garbage


@pytest.mark.parametrize("wrong", [np.nan, -np.inf, np.inf, 2e6, -3e38])
def test_silence_stands_for_what_is_no_sound(wrong):
    audio = sine(1000, RATE, 4800, 2)
    expected = audio.copy()
    audio[1, 1000:1003] = wrong
    expected[1, 1000:1003] = 0
    guard = Guard(RATE, 2)
    out = np.concatenate([guard.process(block) for block in cut(audio, (128,))], axis=1)
    assert same(out, expected)
    assert guard.garbage == 3


def test_one_absurd_sample_does_not_silence_what_follows():
    audio = sine(1000, RATE, 2 * RATE)
    audio[0, 4800] = 9e5
    guard = Guard(RATE, 1)
    out = guard.process(audio)
    assert guard.garbage == 0
    assert guard.clamped == 1
    assert out[0, 4800] == 1
    assert rms_db(out[:, 4800 + RATE // 2 :][:, : RATE // 100]) > rms_db(audio[:, :4800]) - 3
    assert same(out[:, RATE + 4800 :], audio[:, RATE + 4800 :])


@pytest.mark.parametrize("level", [1, 1e3, 1e38])
def test_noise_of_any_loudness_can_be_listened_to(level):
    audio = noise(2, RATE, level=0.3).clip(-1, 1) * np.float32(level)
    out = guarded(audio)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1


# Offsets


@pytest.mark.parametrize("offset", [0.06, -0.3, 1.0])
def test_a_standing_offset_is_taken_out(offset):
    audio = sine(440, RATE, 3 * RATE, 2, level=0.1)
    audio[1, RATE // 2 : 2 * RATE] += np.float32(offset)
    guard = Guard(RATE, 2, is_off=True)
    blocks = list(cut(audio, (480,)))
    out, on = [], []
    for block in blocks:
        out.append(guard.process(block))
        on.append(guard.dc)
    out = np.concatenate(out, axis=1)
    assert same(out[0], np.clip(audio[0], -1, 1))  # that channel has none
    assert same(out[1, : RATE // 2], audio[1, : RATE // 2])
    assert not any(on[: 50 + 19])  # 0.2 s
    settled = out[1, RATE + 4800 : 2 * RATE - 4800]
    assert np.abs(settled - audio[0, RATE + 4800 : 2 * RATE - 4800]).max() < 0.002
    assert all(on[50 + 40 : 200])
    assert not any(on[200 + 60 :])
    assert same(out[:, 2 * RATE + 28_800 :], audio[:, 2 * RATE + 28_800 :])


def test_an_offset_comes_and_goes_without_a_click():
    audio = silence(1, 3 * RATE) + np.float32(0.2)
    guard = Guard(RATE, 1)
    out = guard.process(audio)
    assert abs(out[0, -1]) < 1e-4
    assert energy_above_db(out[:, 4800:RATE], 300, RATE) < -120


@pytest.mark.parametrize("name", [*MUSIC, *SPEECH[1:]])
def test_music_and_speech_have_no_offset(name):
    audio, rate = sound(name, seconds=60)
    guard = Guard(rate, len(audio))
    for block in cut(audio * np.float32(4), (4096,)):
        guard.process(block)
        assert not guard.dc
