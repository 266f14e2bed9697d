"""The laws of contract 3, for every codec, every pedalboard built-in, and containers of them: N for N,
any partition, reset, latency, mix and bypass, and audio that is none.

Whatever is registered as a codec, or that pedalboard adds, is tested from that day on.
"""

from functools import cache

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    BLOCK_SIZES,
    HOST_RATES,
    cut,
    late,
    measure_latency,
    noise,
    recording,
    recordings,
    rms_db,
    same,
    sine,
    snr_db,
    stream_through,
    tones,
    voice,
)

from codecfx.effects import registry
from codecfx.effects.base import MIX
from codecfx.effects.board import Chain, Mix, Pedalboard
from codecfx.effects.generations import Generations
from codecfx.effects.mid_side import MidSide
from codecfx.effects.processor import LOUDEST, StreamSpec
from codecfx.effects.split import Split
from codecfx.errors import CodecFxError, NotPrepared, UnsupportedFormat

Opus, PCM = registry.find("opus"), registry.find("pcm")

# Settings that are heard; a built-in that is not named here has its defaults
NATIVE_SETTINGS = {
    "Chorus": {"feedback": 0.3},
    "Compressor": {"threshold_db": -30, "ratio": 4},
    "Delay": {"delay_seconds": 0.03, "feedback": 0.3, "mix": 0.4},
    "HighShelfFilter": {"gain_db": 6},
    "LadderFilter": {"cutoff_hz": 2000, "resonance": 0.5},
    "Limiter": {"threshold_db": -20},
    "LowpassFilter": {"cutoff_frequency_hz": 2000},
    "LowShelfFilter": {"gain_db": 6},
    "NoiseGate": {"threshold_db": -30},
    "PeakFilter": {"gain_db": 6},
    "Phaser": {"feedback": 0.3},
    "PitchShift": {"semitones": 3},
    "Resample": {"target_sample_rate": 6000},
}

CODECS = {
    **{name: registry.find(name) for name in registry.codec_names()},
    "opus silk with fec": lambda: Opus(mode="silk", bitrate_kbps=20, fec=True, application="voip"),
    "opus dual mono, 2.5 ms": lambda: Opus(coupling="dual_mono", frame_ms=2.5, application="lowdelay"),
    "opus 60 ms, half mixed": lambda: Opus(frame_ms=60, mix=0.5),
    "pcm of 7 bits at 11.025 kHz": lambda: PCM(bits=7, rate_hz=11025, frame_samples=127),
    "pcm of one sample": lambda: PCM(frame_samples=1),
}

CONTAINERS = {
    "nothing": lambda: Pedalboard([]),
    "compressor, opus, reverb": lambda: Pedalboard(
        [pedalboard.Compressor(-30, 4), Opus(), pedalboard.Reverb()]
    ),
    "opus beside gain": lambda: Mix([Opus(), pedalboard.Gain(-6)]),
    "natives": lambda: Chain(
        [pedalboard.Chorus(), pedalboard.BrickwallLimiter(), pedalboard.Mix([pedalboard.Delay(0.03)])]
    ),
    "nested": lambda: Pedalboard(
        [
            Mix(
                [
                    Chain([pedalboard.Delay(0.03), PCM(bits=6, rate_hz=16000)]),
                    pedalboard.BrickwallLimiter(),
                    Pedalboard([Opus(frame_ms=10), PCM(frame_samples=7)], mix=0.7),
                ]
            ),
            registry.find("Chorus")(mix=0.3),
            pedalboard.Chain([pedalboard.Reverb(), pedalboard.Gain(3)]),
        ],
        mix=0.9,
    ),
    "split": lambda: Split(
        [Opus(frame_ms=5), Chain(), MidSide([PCM(bits=8)])], low_hz=300, high_hz=2000, mix=0.8
    ),
    "split natives": lambda: Split([pedalboard.Gain(-3), pedalboard.Delay(0.03)]),
    "mid and side": lambda: MidSide([Opus(frame_ms=10), pedalboard.Gain(-3)]),
    "generations": lambda: Generations(
        [PCM(bits=7, rate_hz=11025), registry.find("Gain")(gain_db=-1), Mix([Opus(frame_ms=5)])],
        generations=3,
    ),
}

EFFECTS = [*CODECS, *registry.native_names(), *CONTAINERS]
of_every_effect = pytest.mark.parametrize("name", EFFECTS)

rates = st.sampled_from(HOST_RATES)
channel_counts = st.integers(1, 8)
# mixed with longer ones, so that an effect of a second's latency comes to its sound
blocks = st.lists(st.sampled_from(BLOCK_SIZES), min_size=1, max_size=12).map(
    lambda sizes: [*sizes, 4096, 513]
)


@pytest.fixture(scope="module")
def make(impulse_path):
    """Makes an effect by its name in EFFECTS, with settings on top."""

    def make(name, **values):
        if name in CODECS or name in CONTAINERS:
            effect = {**CODECS, **CONTAINERS}[name]()
            for parameter_id, value in values.items():
                effect.set(parameter_id, value)
            return effect
        audible = dict(NATIVE_SETTINGS.get(name, {}))
        if name == "Convolution":
            audible["impulse_response_filename"] = impulse_path
        return registry.find(name)(**(audible | values))

    return make


@pytest.fixture(scope="module")
def prepare(make):
    """Makes and prepares an effect; None where it refuses the format, which one line must say."""

    def prepare(name, rate=16000, channels=2, **values):
        effect = make(name, **values)
        spec = StreamSpec(rate, channels, max_block_samples=1_000_000)
        if name == "MP3Compressor" and (channels > 2 or rate > 48000):
            with pytest.raises(UnsupportedFormat, match=r"^pedalboard: MP3.* only supports [^\n]*$"):
                effect.prepare(spec)
            return None
        effect.prepare(spec)
        return effect

    return prepare


@cache
def material(rate, channels, samples, seed=0):
    """Tones, a voice and some hiss: something for every effect to bite on. Not to be written to."""
    quarter = rate // 4
    if samples % quarter:  # the beginning of a sound that others hear too
        return material(rate, channels, samples + -samples % quarter, seed)[:, :samples]
    audio = tones(rate, samples, channels, seed, level=0.3) + noise(channels, samples, seed, level=0.02)
    audio += voice(rate, samples, channels, level=0.4)
    audio.flags.writeable = False
    return audio


def heard(effect, rate, channels, seconds=0.05):
    """Material that is long enough to come out of the effect for that long."""
    return material(rate, channels, effect.latency_samples + 1000 + int(seconds * rate))


# Any partition


@of_every_effect
@settings(max_examples=6)
@given(rate=rates, channels=channel_counts, sizes=blocks)
def test_any_partition_gives_the_same_samples(prepare, name, rate, channels, sizes):
    effect = prepare(name, rate, channels)
    if effect is None:
        return
    if effect.latency_ms > 500:  # long sounds: wide ones at low rates only
        rate = max(one for one in HOST_RATES if one <= max(8000, 96_000 // channels))
        effect = prepare(name, rate, channels)
    audio = heard(effect, rate, channels)
    whole = effect.process_block(audio).copy()
    assert whole.shape == audio.shape
    assert same(stream_through(prepare(name, rate, channels), audio, sizes), whole)
    effect.reset()
    assert same(stream_through(effect, audio, sizes), whole)


@of_every_effect
@pytest.mark.parametrize(("channels", "size"), [(1, 1), (2, 7), (2, 64), (1, 65)])
def test_one_small_block_size_gives_the_same_samples(prepare, name, channels, size):
    effect = prepare(name, 8000, channels)
    # a beginning of sound; the segments of PitchShift are pushed a second's worth first
    audio = material(8000, channels, 1500)
    first = heard(effect, 8000, channels)
    whole = np.concatenate((effect.process_block(first), effect.process_block(audio)), axis=1)
    effect.reset()
    effect.process_block(first)
    assert same(stream_through(effect, audio, [size]), whole[:, first.shape[1] :])


@of_every_effect
def test_calls_without_reset_are_the_stream(make, prepare, name):
    effect = prepare(name, 44100, 2)
    audio = heard(effect, 44100, 2)
    whole = effect.process_block(audio).copy()
    called = make(name)
    sizes = [513, 0, 1, 2, 64, 127, 1024, 4096, 7]
    parts = [called(piece, 44100, reset=False) for piece in cut(audio, sizes)]
    assert same(np.concatenate(parts, axis=1), whole)
    assert called.latency_samples == effect.latency_samples
    at_once = make(name).process(audio, 44100, reset=False)
    assert same(at_once, whole)


@of_every_effect
def test_a_reset_one_is_as_new(prepare, name):
    effect = prepare(name)
    audio = heard(effect, 16000, 2)
    fresh = effect.process_block(audio).copy()
    for dirt, sizes in (
        # enough to turn every queue around
        (noise(2, 6000 + audio.shape[1] // 2, seed=3, level=0.5), [512, 7]),
        (np.full((2, 127), np.nan, np.float32), [127]),
        (10 * audio, [audio.shape[1]]),
    ):
        effect.reset()
        stream_through(effect, dirt, sizes)
    effect.reset()
    assert same(effect.process_block(audio), fresh)
    assert effect.latency_samples == prepare(name).latency_samples


@pytest.mark.parametrize("name", CODECS)
def test_a_used_one_with_other_values_is_as_new_with_them(make, name):
    audio = material(16000, 2, 4000)
    used = make(name)
    values = dict(used.values)
    used(audio, 16000)
    for parameter in make(name).parameters:
        if parameter.group:  # tests/test_network.py
            continue
        ends = parameter.steps or (parameter.minimum, parameter.maximum)
        for value in {type(parameter.default)(ends[0]), type(parameter.default)(ends[-1])}:
            used.set(parameter.id, value)
            new = type(used)(**(values | {parameter.id: value}))
            assert outcome(used, audio) == outcome(new, audio)
        used.set(parameter.id, values[parameter.id])


def outcome(effect, audio):
    """What calling it gives: samples and latency, or the reason why not."""
    try:
        heard = effect(audio, 16000)
    except UnsupportedFormat as error:
        return str(error)
    return heard.tobytes(), effect.latency_samples


@of_every_effect
def test_a_whole_array_comes_back_aligned_and_as_long_as_it_was(make, prepare, name):
    stream = prepare(name, 22050, 2)
    latency = stream.latency_samples
    audio = material(22050, 2, 4000)
    then_silence = np.concatenate((audio, np.zeros((2, latency), np.float32)), axis=1)
    expected = stream.process_block(then_silence)[:, latency:]
    effect = make(name)
    aligned = effect(audio, 22050)
    assert same(effect(audio, 22050, buffer_size=127), aligned)
    if name == "natives":  # pedalboard's own to the last bit: tests/test_board.py
        assert aligned.shape == audio.shape
    else:
        assert same(aligned, expected)
        assert effect.latency_samples == latency


# Latency

# Codecs that predict shift phases with what they predict: SILK by up to 3 samples at 48 kHz, in both
# directions, and one-bit DFPWM by 0.6 at 32 kHz, whose filter moves with the sound; ADPCM runs behind
# steep slopes. All others, filter banks and transforms, are exact to a seventh of a sample at 48 kHz.
INEXACT_MS = {
    "opus": 0.0625,
    "encodec": 0.015,
    "lyra": 0.01,
    "soundstream": 0.01,
    "amr": 0.03,
    "speex": 0.025,
    "g729": 0.035,
    "g723": 0.015,
    "gsm": 0.008,
    "real144": 0.008,
    "adpcm_vox": 0.015,
    "adpcm": 0.006,
    "dfpwm": 0.03,
}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("rate", HOST_RATES)
def test_a_codecs_declared_latency_is_the_measured_one(prepare, name, rate):
    effect = prepare(name, rate, 2)
    audio = heard(effect, rate, 2, seconds=0.4)
    measured = measure_latency(audio, effect.process_block(audio))
    inexact_ms = next((ms for one, ms in INEXACT_MS.items() if name.startswith(one)), 0.003)
    assert measured == pytest.approx(effect.latency_samples, abs=inexact_ms * rate / 1000)


@pytest.mark.parametrize("rate", HOST_RATES)
@pytest.mark.parametrize("frame_ms", [2.5, 5, 20])
@pytest.mark.parametrize("application", ["audio", "lowdelay"])
def test_celt_is_exactly_as_late_as_declared(rate, frame_ms, application):
    effect = Opus(frame_ms=frame_ms, application=application, mode="celt", bitrate_kbps=128)
    effect.prepare(StreamSpec(rate, 2))
    audio = noise(2, rate // 4, level=0.1)
    measured = measure_latency(audio, stream_through(effect, audio, [4096]))
    # noise of the whole band; measured 0.05 at worst, at 192 kHz, where its band is a quarter of ours
    assert measured == pytest.approx(effect.latency_samples, abs=0.1)


@pytest.mark.parametrize("rate", HOST_RATES)
@pytest.mark.parametrize("codec_rate", [1000, 8000, 11025, 22050, 44100, 48000, 192000])
def test_pcm_is_the_delayed_input_at_every_pair_of_rates(rate, codec_rate):
    effect = PCM(rate_hz=codec_rate)
    effect.prepare(StreamSpec(rate, 1))
    if codec_rate >= rate:
        audio = noise(1, 1000)
        assert same(effect.process_block(audio), late(audio, effect.latency_samples))
        return
    hz = 0.2 * min(rate, codec_rate)
    settled = 2 * effect.latency_samples
    audio = sine(hz, rate, 3 * settled + 2000)
    passed = stream_through(effect, audio, [4096])
    # two resamplings' ripple, images and float32; a hundredth of a sample off would leave 38 dB
    assert snr_db(late(audio, effect.latency_samples)[:, settled:], passed[:, settled:]) > 85


# their own filters delay what they pass; tests/test_native.py aligns them with pedalboard's offline
# render, to the last bit
LATE_BY_NATURE = {"Convolution", "LadderFilter", "LowpassFilter"}
# of their own resampler's 8 kHz, or between samples
INEXACT_SAMPLES = {"GSMFullRateCompressor": 1.0, "Resample": 0.5, "Phaser": 0.5}


@pytest.mark.parametrize("name", [one for one in registry.native_names() if one not in LATE_BY_NATURE])
@pytest.mark.parametrize("rate", HOST_RATES)
def test_a_natives_declared_latency_is_the_measured_one(prepare, name, rate):
    # 0 semitones: shifted sounds have nothing to correlate with
    values = {"semitones": 0} if name == "PitchShift" else {}
    effect = prepare(name, rate, 1, **values)
    if effect is None:
        return
    # GSM carries speech only; noise shows everybody else's delay best
    audio = heard(effect, rate, 1, seconds=0.25)
    if name != "GSMFullRateCompressor":
        audio = noise(1, audio.shape[1])
    measured = measure_latency(audio, effect.process_block(audio))
    assert measured == pytest.approx(effect.latency_samples, abs=INEXACT_SAMPLES.get(name, 0.2))


@of_every_effect
def test_latency_is_known_before_the_first_sample_and_never_changes(prepare, make, name):
    unprepared = make(name)
    with pytest.raises(NotPrepared, match=r"call prepare\(StreamSpec\(48000, 2\)\) first"):
        _ = unprepared.latency_samples
    with pytest.raises(NotPrepared):
        unprepared.process_block(np.zeros((2, 64), np.float32))
    effect = prepare(name)
    latency = effect.latency_samples
    assert isinstance(latency, int)
    assert effect.latency_ms == pytest.approx(1000 * latency / 16000)
    for sizes in ([7], [512, 0, 1]):
        stream_through(effect, material(16000, 2, 1500), sizes)
        assert effect.latency_samples == latency
        effect.reset()
        assert effect.latency_samples == latency


# Mix and bypass


@of_every_effect
@pytest.mark.parametrize("values", [{"bypass": True}, {"mix": 0.0}], ids=["bypass", "mix 0"])
def test_dry_is_the_delayed_input_bit_for_bit(prepare, name, values):
    if "mix" in values and MIX not in prepare(name).parameters:
        values = {"bypass": True}  # the plugin's own mix, with a latency of its own; bypass is ours
    effect = prepare(name, **values)
    audio = heard(effect, 16000, 2)
    dry = stream_through(effect, audio, [7, 1024, 0, 64])
    assert same(dry, late(audio, effect.latency_samples))
    assert effect.latency_samples == prepare(name).latency_samples


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("mix", [0.1, 0.5, 0.9])
def test_any_mix_of_lossless_pcm_nulls_against_the_input(rate, mix):
    effect = PCM(mix=mix)
    effect.prepare(StreamSpec(rate, 2))
    audio = noise(2, 2000)
    mixed = stream_through(effect, audio, [127, 512])
    # (1 - mix) + mix is 1 but for a float32's last bit
    np.testing.assert_allclose(mixed, late(audio, 63), rtol=3e-7)


def test_a_mix_of_resampled_pcm_nulls_against_the_input():
    effect = PCM(rate_hz=48000, mix=0.5)
    effect.prepare(StreamSpec(44100, 1))
    audio = sine(5000, 44100, 4000)
    settled = 2 * effect.latency_samples
    mixed = stream_through(effect, audio, [512])
    assert snr_db(late(audio, effect.latency_samples)[:, settled:], mixed[:, settled:]) > 90


@of_every_effect
def test_turning_mix_and_bypass_never_clicks(prepare, name):
    rate, moves = 16000, [("bypass", True), ("bypass", False), ("bypass", True)]
    if MIX in prepare(name).parameters:
        moves += [("mix", 0.25), ("bypass", False), ("mix", 0.0), ("mix", 1.0)]
    wet, turned = prepare(name), prepare(name)
    if MIX in wet.parameters:
        wet.set("mix", 1.0)
        wet.reset()
    latency = turned.latency_samples
    beginning = material(rate, 1, latency + 1000)[:, : latency + 1000].repeat(2, axis=0)
    audio = sine(100, rate, 1000 * (len(moves) + 1), channels=2)
    sound, dry = wet.process_block(np.concatenate((beginning, audio), axis=1)).copy(), None
    dry = late(np.concatenate((beginning, audio), axis=1), latency)
    parts = [turned.process_block(beginning).copy()]
    # moves fall every 1000 samples and, once, in the middle of the move before
    for place, piece in enumerate(cut(audio, [1000])):
        if place:
            turned.set(*moves[place - 1])
        parts.append(turned.process_block(piece[:, :160]).copy())
        parts.append(turned.process_block(piece[:, 160:]).copy())
        assert turned.latency_samples == latency
    output = np.concatenate(parts, axis=1)
    # Both move by so much from sample to sample; moves of 20 ms add their distance, 35/16 of it over
    # 320 samples in the middle, twice as fast where the next move has begun
    largest = max(np.abs(np.diff(sound)).max(), np.abs(np.diff(dry)).max())
    ramp = np.abs(sound - dry).max() * 35 / 16 / 320
    assert np.abs(np.diff(output)).max() <= largest + ramp + 1e-6
    # and it always lies between them
    lowest, highest = np.minimum(sound, dry) - 1e-6, np.maximum(sound, dry) + 1e-6
    assert (output >= lowest).all()
    assert (output <= highest).all()


# Audio that is none


@of_every_effect
def test_what_is_no_sound_counts_as_silence(prepare, name):
    effect = prepare(name)
    audio = heard(effect, 16000, 2).copy()
    holes = np.random.default_rng(2).random(audio.shape) < 0.01
    holes[:, 1000:1127] = True
    silent = np.where(holes, np.float32(0), audio)
    expected = effect.process_block(silent).copy()
    assert np.isfinite(expected).all()
    called = effect(silent, 16000).copy()
    for garbage in (np.nan, np.inf, -np.inf, 1e30, np.finfo(np.float32).max):
        audio[holes] = garbage
        streamed = prepare(name)
        assert same(stream_through(streamed, audio, [64, 513]), expected), garbage
        assert same(streamed(audio, 16000), called), garbage


HURTS = {
    "+40 dB": lambda audio: 100 * audio,
    "denormals": lambda audio: np.full_like(audio, 1e-40),
    "silence": np.zeros_like,
    "minus zero": lambda audio: -np.zeros_like(audio),
    "DC": np.ones_like,
    "a square at full scale": np.sign,
}


@pytest.mark.parametrize("name", [one for one in EFFECTS if one != "pcm of one sample"])  # slow
def test_the_sound_recovers_from_anything(prepare, name):
    rate = 16000
    effect = prepare(name, rate, 1)
    begin, end = rate // 10, rate // 10 + 1000
    audio = np.tile(material(rate, 1, rate // 2), 2 + effect.latency_samples // (rate // 2) + 4)
    clean = effect.process_block(audio).copy()
    after = slice(audio.shape[1] - rate // 2, None)  # two seconds later
    for hurt, hurting in HURTS.items():
        effect.reset()
        hurt_audio = audio.copy()
        hurt_audio[:, begin:end] = hurting(audio[:, begin:end])
        output = effect.process_block(hurt_audio)
        assert np.isfinite(output).all(), hurt
        assert rms_db(output[:, after]) == pytest.approx(rms_db(clean[:, after]), abs=1), hurt
        if name != "PitchShift":  # whose phases are arbitrary
            # a lossy codec decides otherwise after another past: two of its decodings differ by its own
            # noise, which for SILK at 20 kbps is 7.4 dB down, for CELP at 6.3 and 8 kbps 4.9
            assert snr_db(clean[:, after], output[:, after]) > 4, hurt


@of_every_effect
@pytest.mark.parametrize("hurt", [*HURTS, "just below garbage"])
def test_nothing_but_that_is_fine_too(prepare, name, hurt):
    effect = prepare(name)
    loudest = {"just below garbage": lambda audio: np.full_like(audio, 0.99 * LOUDEST)}
    audio = (HURTS | loudest)[hurt](heard(effect, 16000, 2))
    assert np.isfinite(stream_through(effect, audio, [512, 127])).all()


@of_every_effect
def test_the_input_is_left_as_it_was(prepare, name):
    effect = prepare(name)
    audio = material(16000, 2, 3000).copy()
    before = audio.copy()
    stream_through(effect, audio, [64, 1, 513])
    effect(audio, 16000)
    assert same(audio, before)


# Formats


@pytest.mark.parametrize("name", [*CODECS, "Gain", "nothing"])
@pytest.mark.parametrize("channels", [0, 9])
def test_other_channel_counts_are_refused(make, name, channels):
    with pytest.raises(UnsupportedFormat, match=f"has {channels} channels; codecfx takes 1 to 8"):
        make(name).prepare(StreamSpec(48000, channels))


def test_no_rate_beyond_reason_is_taken():
    with pytest.raises(UnsupportedFormat, match="takes 1000 to 768000"):
        PCM().prepare(StreamSpec(0, 2))
    with pytest.raises(UnsupportedFormat, match="a whole number"):
        PCM()(noise(1, 100), 44100.5)


@of_every_effect
def test_a_new_stream_may_have_another_format(make, name):
    effect = make(name)
    for rate, channels in ((48000, 1), (16000, 2), (8000, 1)):
        audio = material(rate, channels, 1000)
        assert effect(audio, rate).shape == audio.shape
        again = make(name)
        assert same(effect(audio, rate), again(audio, rate))


def test_a_refused_format_leaves_the_effect_usable(make):
    effect = make("MP3Compressor")
    audio = material(48000, 2, 5000)
    expected = effect(audio, 48000)
    with pytest.raises(CodecFxError):
        effect(material(48000, 3, 5000), 48000)
    assert same(effect(audio, 48000), expected)


# Recordings, where there are some


@pytest.mark.parametrize("name", recordings("speech_female.ogg", "music_48k.flac", "trumpet.ogg"))
def test_recordings_are_the_same_for_any_partition_and_arrive_on_time(name):
    audio, rate = recording(name)
    audio = audio[:, rate : 3 * rate]
    board = Pedalboard([Opus(bitrate_kbps=24)])
    whole = board(audio, rate, reset=False)
    board.reset()
    assert same(stream_through(board, audio, [480, 7, 1024]), whole)
    inexact = 3.0 * max(1, rate / 48000)  # SILK's phases
    assert measure_latency(audio, whole) == pytest.approx(board.latency_samples, abs=inexact)
