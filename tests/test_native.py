"""pedalboard's plugins in our streams: what was measured of pedalboard 0.9.26, and what we made of it.

The first part holds the facts that codecfx/effects/native.py is built on. Where one of them changes
with a new pedalboard, these tests say so, and a simpler native.py may do.
"""

import numpy as np
import pedalboard
import pytest
from signals import (
    HOST_RATES,
    cut,
    late,
    measure_latency,
    noise,
    push_through,
    rms_db,
    same,
    sine,
    snr_db,
    stream_through,
    tones,
    voice,
)

from codecfx.audio import silence
from codecfx.effects import native, native_effect, registry
from codecfx.effects.board import Chain, Mix, Pedalboard
from codecfx.effects.native import GRID_SAMPLES, NativeRun, OnSegments, Segments
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ParameterError, UnknownName, UnsupportedFormat

NAMES = registry.native_names()
ONLY_OFFLINE = {"GSMFullRateCompressor", "PitchShift"}
STREAMABLE = [name for name in NAMES if name not in ONLY_OFFLINE]
MEMORYLESS = {"Bitcrush", "Clipping", "Distortion", "Gain", "Invert"}
AUDIBLE = {
    "Chorus": {"feedback": 0.3},
    "Compressor": {"threshold_db": -30, "ratio": 4},
    "Delay": {"delay_seconds": 0.05, "feedback": 0.3},
    "HighShelfFilter": {"gain_db": 6},
    "LowShelfFilter": {"gain_db": 6},
    "NoiseGate": {"threshold_db": -20},
    "PeakFilter": {"gain_db": 6},
    "Phaser": {"feedback": 0.3},
    "PitchShift": {"semitones": 3},
}


@pytest.fixture(scope="module")
def plugin(impulse_path):
    """Makes one of pedalboard's plugins by its name, with settings that are heard."""

    def plugin(name, **settings):
        if name == "Convolution":
            settings["impulse_response_filename"] = impulse_path
        return getattr(pedalboard, name)(**(AUDIBLE.get(name, {}) | settings))

    return plugin


def material(rate, samples, channels=2):
    return tones(rate, samples, channels) + noise(channels, samples, level=0.05)


def as_it_streams(plugin, audio, rate, sizes):
    """What pedalboard itself gives for `audio` in calls of `sizes` with reset=False."""
    return np.concatenate(
        [plugin.process(piece, rate, 8192, False) for piece in cut(audio, sizes)], axis=1
    )


def agrees(name, audio, expected):
    if name == "Convolution":  # an FFT's last bits depend on its blocks; measured 4e-8
        return audio.shape == expected.shape and np.abs(audio - expected).max() < 1e-7
    return same(audio, expected)


def levels_db(audio, rate):
    """The level of every 10 ms of one channel."""
    step = rate // 100
    pieces = audio[0, : audio.shape[1] // step * step].reshape(-1, step)
    return np.array([rms_db(piece) for piece in pieces])


# What pedalboard does


@pytest.mark.parametrize("name", STREAMABLE)
@pytest.mark.parametrize("size", [7, 64, 127, 512])
def test_constant_blocks_are_the_offline_render(plugin, name, size):
    audio = material(48000, 16 * 512 * 2)
    audio = audio[:, : audio.shape[1] // size * size]
    offline = plugin(name).process(audio, 48000)
    streamed = as_it_streams(plugin(name), audio, 48000, [size])
    assert streamed.shape[1] > 0
    assert agrees(name, streamed, offline[:, : streamed.shape[1]])


@pytest.mark.parametrize("name", STREAMABLE)
def test_mixed_blocks_are_not_unless_the_plugin_has_no_memory(plugin, name):
    audio = material(48000, 24000)
    offline = plugin(name).process(audio, 48000)
    streamed = as_it_streams(plugin(name), audio, 48000, [64, 127, 512, 7, 1024])
    assert same(streamed, offline[:, : streamed.shape[1]]) == (name in MEMORYLESS)


@pytest.mark.parametrize("name", STREAMABLE)
def test_the_buffer_size_inside_one_call_changes_nothing(plugin, name):
    audio = material(44100, 8000)
    offline = plugin(name).process(audio, 44100)
    assert agrees(name, plugin(name).process(audio, 44100, GRID_SAMPLES), offline)


def test_streamed_gsm_is_nearly_silent(plugin):
    sound = voice(48000, 48000)
    offline = plugin("GSMFullRateCompressor").process(sound, 48000)
    streamed = as_it_streams(plugin("GSMFullRateCompressor"), sound, 48000, [64])
    assert rms_db(offline) == pytest.approx(rms_db(sound), abs=2)
    assert rms_db(streamed) < rms_db(offline) - 40


def test_a_streamed_pitch_shift_is_silent(plugin):
    sound = voice(48000, 3 * 48000)
    streamed = as_it_streams(plugin("PitchShift"), sound, 48000, [64])
    assert 0 < streamed.shape[1] < sound.shape[1] - 48000  # it withholds more than a second
    assert rms_db(streamed) < -300


def test_small_shapes_are_misread_or_refused():
    # why blocks never go to pedalboard as they come
    with pytest.raises(RuntimeError, match="Unable to determine channel layout"):
        pedalboard.Gain(0).process(np.ones((2, 2), np.float32), 48000, 64, False)
    # MP3 refuses three channels, but not one sample of each: it takes that for three of one channel
    with pytest.raises(ValueError, match="mono or stereo"):
        pedalboard.MP3Compressor().process(np.ones((3, 4), np.float32), 48000)
    assert pedalboard.MP3Compressor().process(np.ones((3, 1), np.float32), 48000).shape == (3, 1)


def test_a_mix_of_branches_that_withhold_comes_apart_when_it_is_cut_up(plugin):
    audio = material(44100, 9001)
    branches = [plugin("Gain", gain_db=-6), plugin("BrickwallLimiter")]
    parts = sum(one(audio, 44100) for one in branches)
    assert snr_db(parts, pedalboard.Mix(branches)(audio, 44100, 10_000)) > 100
    streamed = as_it_streams(pedalboard.Mix(branches), audio, 44100, [64])
    assert snr_db(parts[:, : streamed.shape[1]], streamed) < 20
    spec = StreamSpec(44100, 2)
    assert not native.fits_a_run(pedalboard.Mix(branches), spec)
    assert not native.fits_a_run(pedalboard.Mix([pedalboard.Chain([plugin("PitchShift")])]), spec)
    assert native.fits_a_run(pedalboard.Mix([plugin("Gain"), plugin("Delay")]), spec)


# What we make of it


@pytest.mark.parametrize("name", STREAMABLE)
@pytest.mark.parametrize("rate", HOST_RATES)
def test_our_stream_is_the_offline_render_as_late_as_declared(plugin, name, rate):
    effect = native_effect.wrap(plugin(name))
    try:
        effect.prepare(StreamSpec(rate, 2))
    except UnsupportedFormat:
        assert (name, rate > 48000) == ("MP3Compressor", True)
        return
    audio = material(rate, 6000)
    offline = plugin(name).process(audio, rate)
    streamed = stream_through(effect, audio, [480, 7, 0, 1024, 127, 1])
    assert agrees(name, streamed, late(offline, effect.latency_samples))


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize(
    "name", ["BrickwallLimiter", "MP3Compressor", "Resample", "GSMFullRateCompressor"]
)
def test_pedalboard_itself_aligns_its_offline_render(plugin, name, rate):
    # so that to be `latency_samples` behind it is to be that far behind the input
    sound = voice(rate, rate // 2) + noise(1, rate // 2, level=0.01)
    # GSM and Resample go through 8 kHz, whose samples are 6 of ours
    tolerance = 1 if name in ("GSMFullRateCompressor", "Resample") else 0.05
    assert abs(measure_latency(sound, plugin(name).process(sound, rate))) < tolerance


@pytest.mark.parametrize(
    ("name", "rate", "withheld"),
    [
        ("BrickwallLimiter", 48000, 240),
        ("BrickwallLimiter", 44100, 220),
        ("MP3Compressor", 48000, 3609),
        ("MP3Compressor", 16000, 2457),
        ("Gain", 48000, 0),
        ("Reverb", 48000, 0),
    ],
)
def test_what_is_withheld_is_probed(plugin, name, rate, withheld):
    run = NativeRun([plugin(name)], StreamSpec(rate, 2))
    assert run.holdback_samples == withheld
    audio = material(rate, 128 * GRID_SAMPLES)
    taken = given_back = 0
    for piece in cut(audio, [GRID_SAMPLES]):
        taken += piece.shape[1]
        given_back += run.push(piece).shape[1]
        assert taken - given_back <= withheld
    assert taken - given_back == withheld


def test_plugins_in_a_run_withhold_together(plugin):
    names = ["BrickwallLimiter", "Gain", "Resample", "BrickwallLimiter"]
    alone = [NativeRun([plugin(name)], StreamSpec(48000, 1)).holdback_samples for name in names]
    together = NativeRun([plugin(name) for name in names], StreamSpec(48000, 1))
    assert together.holdback_samples == sum(alone)


@pytest.mark.parametrize("name", STREAMABLE)
def test_probing_leaves_a_plugin_as_new(plugin, name):
    probed, fresh = plugin(name), plugin(name)
    run = NativeRun([probed], StreamSpec(48000, 2))
    audio = material(48000, 100 * GRID_SAMPLES)
    expected = fresh.process(audio, 48000, GRID_SAMPLES, False)
    assert agrees(name, push_through(run, audio, [GRID_SAMPLES]), expected)


@pytest.mark.parametrize("name", ["BrickwallLimiter", "MP3Compressor", "Resample"])
def test_a_plugin_that_was_used_is_probed_as_a_new_one(plugin, name):
    used = plugin(name)
    expected = NativeRun([plugin(name)], StreamSpec(48000, 2)).holdback_samples
    for _ in range(2):
        used.process(material(48000, 10_000), 48000, GRID_SAMPLES, False)
        run = NativeRun([used], StreamSpec(48000, 2))
        assert run.holdback_samples == expected
        audio = material(48000, 8192)
        assert same(run.push(audio), plugin(name)(audio, 48000)[:, : 8192 - int(expected)])


def test_a_plugin_that_fills_up_for_ever_is_refused(plugin):
    # or for six seconds, which is as good
    slow = [plugin("BrickwallLimiter", lookahead_ms=100) for _ in range(60)]
    with pytest.raises(UnsupportedFormat, match="BrickwallLimiter: withholds ever more sound"):
        NativeRun(slow, StreamSpec(48000, 1))


def test_a_latency_that_changes_behind_our_back_never_shortens_a_block():
    limiter = pedalboard.BrickwallLimiter()
    effect = native_effect.wrap(limiter)
    effect.prepare(StreamSpec(48000, 2))
    latency = effect.latency_samples
    audio = material(48000, 9600)
    for lookahead_ms in (10.0, 1.0, 5.0):
        limiter.lookahead_ms = lookahead_ms
        stream_through(effect, audio, [512, 7])
        assert effect.latency_samples == latency
    effect.reset()
    assert same(
        stream_through(effect, audio, [512]),
        late(pedalboard.BrickwallLimiter().process(audio, 48000), latency),
    )


def test_chains_of_pedalboards_are_opened_up_and_mixes_are_not():
    gain, delay, reverb = pedalboard.Gain(), pedalboard.Delay(), pedalboard.Reverb()
    beside = pedalboard.Mix([reverb])
    nested = pedalboard.Pedalboard([gain, pedalboard.Chain([delay, beside])])
    opened = list(native.in_series([nested]))
    assert [type(one) for one in opened] == [pedalboard.Gain, pedalboard.Delay, pedalboard.Mix]


# Only offline


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_our_gsm_is_the_offline_one(plugin, rate):
    sound = voice(rate, 2 * rate)
    offline = plugin("GSMFullRateCompressor").process(sound, rate)
    ours = registry.find("GSMFullRateCompressor")()(sound, rate)
    settled = slice(rate // 4, 7 * rate // 4)
    likeness = np.corrcoef(offline[0, settled], ours[0, settled])[0, 1]
    assert likeness > 0.97  # measured 0.976 to 0.985: its predictors never forget entirely
    assert rms_db(ours[:, settled]) == pytest.approx(rms_db(offline[:, settled]), abs=0.2)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_gsm_has_no_seams(rate):
    tone = registry.find("GSMFullRateCompressor")()(sine(440, rate, 2 * rate), rate)
    levels = levels_db(tone[:, rate // 4 : 7 * rate // 4], rate)
    # hops of 0.24 s: six seams; GSM's own frames come and go by 0.5 dB
    assert np.abs(levels - np.median(levels)).max() < 0.75


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("semitones", [3, -7, 12])
def test_our_pitch_shift_has_the_level_of_the_offline_one(rate, semitones):
    sound = voice(rate, 3 * rate)
    offline = pedalboard.PitchShift(semitones).process(sound, rate)
    ours = registry.find("PitchShift")(semitones=semitones)(sound, rate)
    middle = slice(rate // 2, 11 * rate // 4)
    # Rubber Band's phases are arbitrary and beat in the formants; measured 0.41 dB at worst
    assert rms_db(ours[:, middle]) == pytest.approx(rms_db(offline[:, middle]), abs=0.6)


# Tones that Rubber Band itself shifts without a dip; most it does not (5 dB and more, offline too)
STEADY = [(48000, 440, 3), (48000, 1000, 3), (48000, 1000, 12), (16000, 220, 3), (8000, 440, 12)]


@pytest.mark.parametrize(("rate", "hz", "semitones"), STEADY)
def test_a_pitch_shift_has_its_pitch_and_no_seams(rate, hz, semitones):
    tone = sine(hz, rate, 17 * rate // 4)
    ours = registry.find("PitchShift")(semitones=semitones)(tone, rate)[:, rate // 2 : 4 * rate]
    spectrum = np.abs(np.fft.rfft(ours[0] * np.hanning(ours.shape[1])))
    assert np.argmax(spectrum) / 3.5 == pytest.approx(hz * 2 ** (semitones / 12), rel=0.002)
    levels = levels_db(ours, rate)
    # three seams, where crossfades of phases that do not meet would leave up to nothing
    assert np.abs(levels - np.median(levels)).max() < 1.5


def test_segments_of_a_plugin_without_memory_are_the_plugin():
    # whatever the segments, their places and fades must cancel out
    run = OnSegments(pedalboard.Gain(-6), Segments(0.1, 0.03, 0.02, 0.01, 0), StreamSpec(8000, 2))
    audio = noise(2, 8000)
    passed = push_through(run, audio, [127, 1024])
    expected = pedalboard.Gain(-6).process(audio, 8000)[:, : passed.shape[1]]
    assert passed.shape[1] > 6000
    # a fade of a sound into itself rounds in its last bit
    np.testing.assert_allclose(passed, expected, atol=1e-7)


@pytest.mark.parametrize("name", sorted(ONLY_OFFLINE))
def test_only_offline_plugins_stream_wherever_they_stand(plugin, name):
    sound = voice(8000, 8000 * 2)
    alone = registry.find(name)(**AUDIBLE.get(name, {}))(sound, 8000, reset=False)
    in_chain = Chain([plugin("Gain", gain_db=0), plugin(name)])(sound, 8000, reset=False)
    in_their_mix = Pedalboard([pedalboard.Mix([plugin(name)])])
    in_our_mix = Mix([plugin(name), plugin("Gain", gain_db=-100)])
    assert same(in_chain, alone)
    assert same(in_their_mix(sound, 8000, reset=False), alone)
    # -100 dB of the input beside it
    assert snr_db(alone, in_our_mix(sound, 8000, reset=False)) > 80


# As an effect of ours


def test_every_built_in_is_there_with_its_own_defaults(plugin):
    assert {"Compressor", "Reverb", "Delay", "MP3Compressor", "PitchShift"} <= set(NAMES)
    for name in NAMES:
        cls = registry.find(name.upper())
        assert cls.name == name
        assert cls.description
        if name != "Convolution":  # which has no defaults: it cannot be without a file
            fresh, effect = cls.plugin_class(), cls()
            for parameter in effect.natives:
                own, ours = (getattr(one, parameter.id) for one in (fresh, effect.plugin))
                assert ours == own
                text = isinstance(parameter.default, str)
                assert effect.values[parameter.id] == (own.name.lower() if text else pytest.approx(own))


def test_parameters_reach_the_plugin_at_once_or_with_the_next_prepare():
    compressor = registry.find("compressor")(threshold_db=-20, mix=0.5)
    assert compressor.plugin.threshold_db == -20
    compressor.threshold_db = "-30"
    assert compressor.plugin.threshold_db == -30
    ladder = registry.find("LadderFilter")(mode="HPF24")
    assert ladder.plugin.mode == pedalboard.LadderFilter.Mode.HPF24
    assert ladder.mode == "hpf24"
    limiter = registry.find("BrickwallLimiter")()
    limiter.prepare(StreamSpec(48000, 1))
    assert limiter.latency_samples == 240 + GRID_SAMPLES - 1
    limiter.lookahead_ms = 10
    assert limiter.is_stale
    assert limiter.latency_samples == 240 + GRID_SAMPLES - 1
    limiter.prepare(StreamSpec(48000, 1))
    assert limiter.latency_samples == 480 + GRID_SAMPLES - 1


def test_a_change_of_what_is_not_to_move_is_the_one_pedalboard_would_make():
    audio = material(48000, 128 * 64)
    effect = registry.find("Gain")(gain_db=0)
    effect.prepare(StreamSpec(48000, 2, quantum_samples=GRID_SAMPLES, moving=False))
    plugin = pedalboard.Gain(0)
    for place, piece in enumerate(cut(audio, [64])):
        if place % 17 == 0:
            effect.gain_db = plugin.gain_db = -place / 10
        assert same(effect.process_block(piece), plugin.process(piece, 48000, 64, False))


def another_value(effect, parameter):
    """A value that a plugin takes for a parameter, other than the one it has; None if none is found."""
    now = effect.values[parameter.id]
    tries = parameter.steps or ([0.5 * now, now + 1, 0.3] if not isinstance(now, str) else [])
    for value in tries:
        try:
            effect.set(parameter.id, value)
        except ParameterError:
            continue
        if effect.values[parameter.id] != now:
            return value
    return None


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Convolution"])
def test_changed_while_running_and_reset_it_is_as_built_with_the_change(name):
    # 48 kHz: below 41 kHz, JUCE's Phaser puts its centre elsewhere when it is set before `prepare`
    audio = material(48000, 3000)
    changed = 0
    for parameter in registry.find(name)().natives:
        running = registry.find(name)()
        running.prepare(StreamSpec(48000, 2))
        running.process_block(audio)
        value = another_value(running, parameter)
        if value is None or running.is_stale:
            continue
        # JUCE's own ramps, of up to 50 ms, go on through its reset
        running.process_block(audio)
        running.reset()
        built = registry.find(name)(**{parameter.id: value})
        built.prepare(StreamSpec(48000, 2))
        assert same(running.process_block(audio), built.process_block(audio))
        changed += 1
    # Invert has nothing to change, these two only what needs a prepare
    assert changed or name in ("Invert", "Resample", "GSMFullRateCompressor")


def test_what_a_plugin_refuses_is_refused_in_one_line(tmp_path):
    with pytest.raises(ParameterError, match=r"^BrickwallLimiter: lookahead_ms .* 0.1 to 100 ms$"):
        registry.find("BrickwallLimiter")(lookahead_ms=1e9)
    with pytest.raises(ParameterError, match=r"^Convolution: "):
        registry.find("Convolution")(impulse_response_filename=str(tmp_path / "none.wav"))
    compressor = registry.find("Compressor")(ratio=2)
    with pytest.raises(ParameterError, match=r"^Compressor: ") as refusal:
        compressor.ratio = 0.5
    assert len(str(refusal.value).splitlines()) == 1
    assert compressor.ratio == compressor.plugin.ratio == 2
    with pytest.raises(ParameterError, match="takes 1 to 1000"):
        compressor.ratio = float("nan")
    with pytest.raises(UnknownName, match="did you mean 'threshold_db'"):
        registry.find("Compressor")(treshold_db=0)
    with pytest.raises(UnknownName, match="did you mean 'Compressor'"):
        native_effect.find("Compresor")


def test_a_wrapped_plugin_keeps_its_own_settings(plugin):
    reverb = pedalboard.Reverb(room_size=0.9, wet_level=0.123)
    effect = native_effect.wrap(reverb, label="hall", damping=0.25)
    assert effect.plugin is reverb
    assert (effect.room_size, effect.wet_level, effect.damping) == (0.9, 0.123, 0.25)
    assert reverb.damping == 0.25
    assert reverb.room_size == np.float32(0.9)
    assert repr(effect) == "Reverb(room_size=0.9, damping=0.25, wet_level=0.123, label='hall')"


def test_a_container_is_no_single_effect():
    for container in (pedalboard.Chain([]), pedalboard.Mix([]), pedalboard.Pedalboard([])):
        with pytest.raises(TypeError, match=r"is no single effect; a codecfx\.Chain or Mix"):
            native_effect.wrap(container)


def test_a_mix_of_its_own_is_the_plugins():
    chorus = registry.find("Chorus")(mix=0.25)
    assert chorus.plugin.mix == 0.25
    chorus.mix = 0.75
    assert chorus.plugin.mix == 0.75
    chorus.prepare(StreamSpec(48000, 1))
    audio = material(48000, 4096, 1)
    expected = pedalboard.Chorus(mix=0.75).process(audio, 48000)
    assert same(chorus.process_block(audio), late(expected, 63))


def test_blocks_on_the_grid_cost_no_latency():
    spec = StreamSpec(48000, 1, quantum_samples=2 * GRID_SAMPLES)
    effect = registry.find("Reverb")()
    effect.prepare(spec)
    assert effect.latency_samples == 0
    assert effect.quantum_samples == GRID_SAMPLES
    audio = material(48000, 1024, 1)
    assert same(stream_through(effect, audio, [128, 256]), pedalboard.Reverb().process(audio, 48000))
    assert same(effect.process_block(silence(1, 0)), silence(1, 0))
