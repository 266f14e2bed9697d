"""Howls: loops that would run away are caught, and nothing else is turned down."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import cut, noise, recording, recordings, rms_db, same, silence, sine, tones, voice

from codecfx.audio import smooth_step
from codecfx.live.guard import Guard
from codecfx.live.howl import HowlDetector

RATE = 48_000
DUCK = 10 ** (-24 / 20)
REAL = recordings(
    "vibe_ace.ogg",
    "music_48k.flac",
    "brahms_strings.ogg",
    "trumpet.ogg",
    "vocal_song.ogg",
    "speech_male.ogg",
    "speech_female.ogg",
    "speech_lyra_48k.wav",
)


# A loop: what comes out is heard again, later, through a room


@cache
def room(rate, delay_samples, gain_db):
    """An impulse response of 40 ms with eight resonances. In a loop of that delay, the frequency that
    comes back in phase and loudest has a gain of `gain_db`.
    """
    random = np.random.default_rng(3)
    time = np.arange(rate // 25) / rate
    hz = np.array((210, 390, 640, 1010, 1730, 2480, 3900, 6100)) * random.uniform(0.95, 1.05, 8)
    sizes = random.uniform(0.5, 1, 8)
    phases = random.uniform(0, 2 * np.pi, 8)
    rings = np.sin(2 * np.pi * hz[:, np.newaxis] * time + phases[:, np.newaxis])
    response = (sizes[:, np.newaxis] * rings).sum(axis=0) * np.exp(-time / 0.006)
    places = np.fft.rfftfreq(1 << 18, 1 / rate)
    around = np.fft.rfft(response, 1 << 18) * np.exp(-2j * np.pi * places * delay_samples / rate)
    crossings = np.flatnonzero((around.imag[:-1] * around.imag[1:] <= 0) & (around.real[1:] > 0))
    loudest = crossings[np.argmax(np.abs(around[crossings]))]
    return response * 10 ** (gain_db / 20) / np.abs(around[loudest])


def loop(mouth, rate, delay_ms, gain_db, *, ear=None, block=128, converters=True):
    """What loudspeakers play, while a microphone hears `mouth`, (samples,), and them; `ear` stands
    between the two. Converters stop at full scale; without them the loop is linear.
    """
    delay = int(delay_ms * rate / 1000)
    block = min(block, delay)
    response = room(rate, delay, gain_db)
    heard = np.concatenate((mouth, np.zeros(delay + response.size + block)))
    played = np.zeros(mouth.size, np.float32)
    guard = Guard(rate, 1)
    for first in range(0, mouth.size, block):
        sound = heard[np.newaxis, first : min(first + block, mouth.size)].astype(np.float32)
        if converters:
            sound = guard.process(np.clip(sound, -1, 1))
        if ear is not None:
            sound = ear.process(sound)
        played[first : first + sound.shape[1]] = sound[0]
        back = np.convolve(sound[0].astype(np.float64), response)
        heard[first + delay : first + delay + back.size] += back
    return played


class Witness:
    """A detector, and when it heard what."""

    def __init__(self, rate):
        self.detector, self.howls = HowlDetector(rate, 1), []
        self._rate, self._at = rate, 0

    def process(self, block):
        before = self.detector.count
        out = self.detector.process(block)
        self._at += block.shape[1]
        if self.detector.count > before:
            self.howls.append((self._at / self._rate, self.detector.frequency_hz))
        return out


def levels_db(audio, rate):
    """RMS of every 10 ms."""
    step = rate // 100
    return np.array(
        [rms_db(audio[first : first + step]) for first in range(0, audio.size - step, step)]
    )


def audible_s(alone, howling, rate):
    """When what a loop adds to its mouth is above -40 dBFS for the first time, and stays there."""
    below = np.flatnonzero(levels_db(howling - alone, rate) < -40)
    return (below[-1] + 1) / 100


LOOPS = [
    pytest.param(rate, delay_ms, gain_db, block, id=f"{rate} Hz, {delay_ms} ms, {gain_db} dB")
    for rate, delay_ms, gain_db, block in (
        (48_000, 5, 1, 128),
        (48_000, 5, 12, 64),
        (48_000, 12, 1, 512),
        (48_000, 12, 3, 113),
        (48_000, 25, 2, 128),
        (48_000, 25, 12, 256),
        (48_000, 40, 3, 480),
        (48_000, 40, 6, 1024),
        (44_100, 8, 2, 128),
        (44_100, 40, 12, 441),
        (96_000, 10, 2, 256),
        (96_000, 30, 6, 1000),
        (16_000, 20, 3, 64),
    )
]


@pytest.mark.parametrize(("rate", "delay_ms", "gain_db", "block"), LOOPS)
def test_a_loop_is_caught_within_a_second_of_being_audible(rate, delay_ms, gain_db, block):
    mouth = voice(rate, 3 * rate, level=0.05)[0].astype(np.float64)
    alone = loop(mouth, rate, delay_ms, -200)
    free = loop(mouth, rate, delay_ms, gain_db)
    assert levels_db(free, rate)[-50:].min() > -10  # it does run away
    witness = Witness(rate)
    caught = loop(mouth, rate, delay_ms, gain_db, ear=witness, block=block)
    when, hz = witness.howls[0]
    assert -0.5 < when - audible_s(alone, free, rate) < 1
    begin = int((when + 0.35) * rate)
    assert rms_db(caught[begin : begin + rate // 2]) < -45  # 24 dB below the voice, and no howl
    assert rms_db(free[begin : begin + rate // 2]) > rms_db(caught[begin : begin + rate // 2]) + 20
    around = free[int((when - 0.05) * rate) : int((when + 0.05) * rate)]
    spectrum = np.abs(np.fft.rfft(around * np.hanning(around.size), 10 * rate))
    assert spectrum[int(10 * hz) - 100 : int(10 * hz) + 100].max() == spectrum[1000:].max()


@pytest.mark.parametrize("delay_ms", [10, 20, 35])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_loop_without_limits_stays_bounded(rate, delay_ms):
    mouth = voice(rate, 6 * rate, level=0.05)[0].astype(np.float64)
    gain_db = 0.08 * delay_ms  # grows by some 60 dB/s
    assert levels_db(loop(mouth[: 4 * rate], rate, delay_ms, gain_db, converters=False), rate)[-1] > 20
    witness = Witness(rate)
    played = loop(mouth, rate, delay_ms, gain_db, ear=witness, converters=False)
    assert len(witness.howls) >= 2  # it comes back when it is let
    assert levels_db(played, rate).max() < -6


# What is a howl by itself


def growing(hz, db_per_s, rate=RATE, channels=1, seconds=3.0, until_db=-3.0):
    """A tone that grows out of nothing, up to `until_db` at the end, in a little noise."""
    samples = int(seconds * rate)
    level = 10 ** ((until_db + db_per_s * (np.arange(samples) / rate - seconds)) / 20)
    return (
        sine(hz, rate, samples, channels, level=1) * level + noise(channels, samples, level=1e-4)
    ).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000])
@pytest.mark.parametrize("db_per_s", [10, 40, 120])
def test_a_tone_that_grows_is_a_howl_at_any_rate(rate, db_per_s):
    detector = HowlDetector(rate, 1)
    detector.process(growing(1234.5, db_per_s, rate))
    assert detector.count == 1
    assert detector.is_howling
    assert detector.frequency_hz == pytest.approx(1234.5, rel=2e-3)


@pytest.mark.parametrize("hz", [150, 200, 333, 620, 2500, 7000, 15_000])
def test_a_howl_has_any_pitch(hz):
    detector = HowlDetector(RATE, 1)
    detector.process(growing(hz, 40))
    assert detector.count == 1
    assert detector.frequency_hz == pytest.approx(hz, rel=1e-2)


@pytest.mark.parametrize("parts", [(1, 1), (1, 0), (0, 1), (1, -1), (0.3, 1)])
def test_a_howl_is_heard_in_any_channel(parts):
    detector = HowlDetector(RATE, 2)
    detector.process(growing(1000, 40) * np.array(parts, np.float32)[:, np.newaxis])
    assert detector.count == 1


@pytest.mark.parametrize("db_per_s", [0, 3])
@pytest.mark.parametrize("level_db", [-40, -20, -10, -3])
@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_tone_that_stands_still_below_full_scale_is_none(db_per_s, level_db, hz):
    audio = growing(hz, db_per_s, until_db=level_db)
    detector = HowlDetector(RATE, 1)
    assert detector.process(audio) is audio
    assert detector.count == 0


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_tone_that_stands_at_full_scale_is_one_for_as_long_as_it_lasts(hz):
    audio = np.concatenate((sine(hz, RATE, 5 * RATE, level=0.89), silence(1, 3 * RATE)), axis=1)
    audio += noise(1, audio.shape[1], level=1e-4)
    detector = HowlDetector(RATE, 1)
    out = detector.process(audio)
    assert detector.count == 1
    assert rms_db(out[:, RATE // 2 : 5 * RATE]) == pytest.approx(
        rms_db(audio[:, RATE : 5 * RATE]) - 24, abs=0.1
    )
    assert not detector.is_howling
    assert same(out[:, -RATE:], audio[:, -RATE:])


# What is none


def vowels(rate, samples):
    """Singing: five notes of a voice with vibrato and swells, through the formants of vowels."""
    time = np.arange(samples) / rate
    note = (time / 0.9).astype(int) % 5
    pitch = np.array((220, 247, 330, 440, 523))[note] * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * time))
    turns = np.cumsum(pitch) / rate
    formants = np.array(((700, 1200), (400, 2000), (300, 870), (500, 1700), (300, 2300)))[note].T
    swell = np.sin(np.pi * (time / 0.9 % 1)) ** 0.7
    partials = (
        sum(1 / (1 + ((k * pitch - formant) / 150) ** 2) for formant in formants)
        * np.sin(2 * np.pi * k * turns)
        for k in range(1, 20)
    )
    return swell * sum(partials)


def plucked(rate, samples):
    """Strings that are plucked four times a second: harmonics, the higher the shorter."""
    random = np.random.default_rng(2)
    sound = np.zeros(samples)
    for first in range(0, samples, rate // 4):
        time = np.arange(samples - first) / rate
        hz = 110 * 2 ** (random.integers(0, 25) / 12)
        for k in range(1, int(min(16, 0.4 * rate / hz))):
            sound[first:] += np.sin(2 * np.pi * k * hz * time) * np.exp(-k * 3 * time) / k
    return sound


def saws(rate, samples):
    """Chords of saws, half a second each, that swell, two of them in a row at one level."""
    time = np.arange(samples) / rate
    chord = np.array(((220, 277, 330), (196, 247, 294), (175, 220, 262)))[
        (time / 0.5).astype(int) % 3
    ].T
    swell = np.where((time / 1.5).astype(int) % 2, 1.0, (time / 0.5) % 1)
    return swell * sum((np.cumsum(hz) / rate) % 1 - 0.5 for hz in chord)


def drums(rate, samples):
    """Noise with a beat, and a drum whose pitch falls."""
    time = np.arange(samples) / rate
    kick = np.sin(2 * np.pi * 40 * (time % 0.5) + 12 * np.exp(-30 * (time % 0.5))) * np.exp(
        -6 * (time % 0.5)
    )
    return noise(1, samples)[0] * np.exp(-25 * (time % 0.25)) + 0.8 * kick


def whistling(rate, samples):
    """Pure notes, a third of a second each, with an attack of 30 ms and a vibrato."""
    time = np.arange(samples) / rate
    hz = np.array((1200, 1350, 1500, 1800))[(time / 0.33).astype(int) % 4] * (
        1 + 0.006 * np.sin(2 * np.pi * 5 * time)
    )
    attack = np.clip((time % 0.33) / 0.03, 0, 1) * np.clip((0.33 - time % 0.33) / 0.05, 0, 1)
    return attack * np.sin(2 * np.pi * np.cumsum(hz) / rate)


def made(sound):
    def make(rate, samples):
        audio = sound(rate, samples)[np.newaxis]
        return (0.6 * audio / np.abs(audio).max()).astype(np.float32)

    return make


MADE = {sound.__name__: made(sound) for sound in (vowels, plucked, saws, drums, whistling)}
MADE |= {"voice": voice, "tones": tones, "noise": lambda rate, samples: noise(1, samples)}


# A pure tone at full scale is taken for a howl
LOUD = [(name, gain_db) for name in MADE for gain_db in (0, 12) if (name, gain_db) != ("whistling", 12)]


@pytest.mark.parametrize(("name", "gain_db"), LOUD)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_sounds_that_are_made_do_not_howl(name, rate, gain_db):
    audio = MADE[name](rate, 5 * rate) * np.float32(10 ** (gain_db / 20))
    for block in (audio, Guard(rate, 1).process(audio)):
        detector = HowlDetector(rate, 1)
        assert detector.process(block) is block
        assert detector.count == 0


@pytest.mark.parametrize("gain_db", [0, 12])
@pytest.mark.parametrize("name", REAL)
def test_music_and_speech_do_not_howl(name, gain_db):
    audio, rate = recording(name)
    audio = audio * np.float32(10 ** (gain_db / 20) / np.abs(audio).max())
    for block in (audio, Guard(rate, len(audio)).process(audio)):
        detector = HowlDetector(rate, len(audio))
        assert detector.process(block) is block
        assert detector.count == 0


# What is done about it


def gains_of(out, audio):
    """Of a stream that is 0.01 and more everywhere."""
    return out[0].astype(np.float64) / audio[0]


def howl_and_rest(*silences_s, rate=16_000):
    """Howls of 0.4 s, with rests between them."""
    howl = growing(1000, 100, rate, seconds=0.5)
    rests = [noise(1, int(seconds * rate), level=1e-4) for seconds in silences_s]
    return np.concatenate([part for rest in rests for part in (howl, rest)], axis=1)


def ducks(audio, rate=16_000):
    """When the output is turned down, and for how long until it rises again, in seconds."""
    detector = HowlDetector(rate, 1)
    was = [
        detector.process(block) is not None and detector.is_howling
        for block in cut(audio, (rate // 100,))
    ]
    turns = [at / 100 for at, (one, next) in enumerate(pairwise([False, *was, False])) if one != next]
    return [(begin, end - begin) for begin, end in zip(turns[::2], turns[1::2], strict=True)]


def test_the_output_goes_down_in_30_ms_and_up_in_half_a_second():
    howl = howl_and_rest(4, rate=RATE)
    # a slow saw beside it, so that there always is something to measure; below where it looks
    audio = howl + np.float32(0.5) + np.float32(0.2) * sine(20, RATE, howl.shape[1])
    detector = HowlDetector(RATE, 1)
    gain = gains_of(detector.process(audio), audio)
    begin = int(np.flatnonzero(gain < 1 - 1e-6)[0])
    down = 1 + (DUCK - 1) * smooth_step(RATE * 30 // 1000)
    around = gain[begin - 200 : begin + 2000]
    shift = int(np.argmin(np.abs(around - 0.5))) - int(np.argmin(np.abs(down - 0.5)))
    assert np.abs(around[shift : shift + down.size] - down).max() < 1e-5
    end = int(np.flatnonzero(gain < DUCK + 1e-5)[-1])
    assert 1 < (end - begin) / RATE < 1.6
    up = DUCK + (1 - DUCK) * smooth_step(RATE // 2)
    rising = gain[end : end + RATE]
    shift = int(np.argmin(np.abs(rising - 0.5))) - int(np.argmin(np.abs(up - 0.5)))
    first = max(0, -shift)
    assert np.abs(rising[first + shift : shift + up.size] - up[first:]).max() < 1e-5
    assert np.all(gain[end + int(0.51 * RATE) :] == 1)


def test_it_acts_in_the_very_sample_after_the_hop_that_howls():
    audio = growing(1000, 60)
    whole = HowlDetector(RATE, 1)
    out = whole.process(audio)
    hop = np.flatnonzero(out != audio)[0] // 1024 * 1024
    part = HowlDetector(RATE, 1)
    part.process(audio[:, : hop - 1])
    assert part.count == 0
    part.process(audio[:, hop - 1 : hop])
    assert part.count == 1


def test_a_howl_that_comes_back_is_held_longer():
    first, second, third, later = ducks(howl_and_rest(3, 5, 22, 3))
    assert first[1] == pytest.approx(1.1, abs=0.25)
    assert second[1] == pytest.approx(3.1, abs=0.25)
    assert third[1] == pytest.approx(9.1, abs=0.25)
    assert later[1] == pytest.approx(1.1, abs=0.25)  # 12 s of peace


@given(
    sizes=st.lists(st.sampled_from((0, 1, 7, 63, 64, 128, 500, 1023, 1024, 5000)), min_size=1).filter(
        any
    )
)
def test_blocks_make_no_difference(sizes):
    rate = 8000
    audio = howl_and_rest(2.5, 1, rate=rate)
    audio = np.concatenate((audio, growing(700, 30, rate, seconds=1)), axis=1)
    if sum(sizes) < 100:
        audio = audio[:, : rate * 3 // 2]
    whole, cutting = HowlDetector(rate, 1), HowlDetector(rate, 1)
    expected = whole.process(audio)
    assert whole.count > 0
    assert same(
        np.concatenate([cutting.process(block) for block in cut(audio, sizes)], axis=1), expected
    )
    assert (cutting.count, cutting.frequency_hz) == (whole.count, whole.frequency_hz)


def test_a_detector_that_was_reset_is_a_new_one():
    audio = howl_and_rest(0.5)
    detector = HowlDetector(16_000, 1)
    expected = detector.process(audio)
    assert detector.is_howling
    detector.reset()
    assert not detector.is_howling
    assert detector.frequency_hz == 0
    assert same(detector.process(audio), expected)
    assert detector.count == 2


def test_what_comes_in_is_never_changed():
    audio = howl_and_rest(1)
    before = audio.copy()
    HowlDetector(16_000, 1).process(audio)
    assert same(audio, before)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30, 0])
def test_garbage_is_no_howl(wrong):
    audio = noise(2, RATE)
    audio[0, 10_000:20_000] = wrong
    detector = HowlDetector(RATE, 2)
    assert detector.process(audio) is audio
    detector.process(growing(1000, 60, channels=2))
    assert detector.count == 1
