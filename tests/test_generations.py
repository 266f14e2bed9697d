"""Generations: a chain again and again, each pass with its frames elsewhere, all moved together."""

import copy
import pickle

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    BLOCK_SIZES,
    late,
    measure_latency,
    noise,
    recording,
    recordings,
    same,
    snr_db,
    stream_through,
    tones,
)

from codecfx import (
    GSM,
    MP2,
    MP3,
    PCM,
    SBC,
    Chain,
    Generations,
    Mix,
    MuLaw,
    Opus,
    Pedalboard,
    Split,
    native,
)
from codecfx.effects import registry
from codecfx.effects.board import as_native
from codecfx.effects.generations import RESYNC_SAMPLES
from codecfx.effects.native_effect import wrap
from codecfx.effects.processor import StreamSpec
from codecfx.errors import CodecUnavailable, ConfigurationError, ParameterError
from codecfx.presets import load_preset, save_preset

RATE = 48_000
RESYNC = RESYNC_SAMPLES.default


def prepared(effect, channels=2, rate=RATE):
    effect.prepare(StreamSpec(rate, channels))
    return effect


def by_hand(make, generations, audio, resync=RESYNC, moves=()):
    """A chain streamed again and again, each pass from the last one's sound, later by `resync`; every
    one is moved at the same places of its own stream.
    """
    ends = [*(place for place, *_ in moves), audio.shape[1]]
    for generation in range(generations):
        chain, parts, at = prepared(make()), [], 0
        audio = late(audio, resync) if generation else audio
        for end, (_, path, parameter_id, value) in zip(ends, [*moves, (0, (), "", 0)], strict=True):
            parts.append(chain.process_block(audio[:, at:end]).copy())
            at, inner = end, chain
            for step in path:
                inner = inner[step]
            if parameter_id:
                inner.set(parameter_id, value)
        audio = np.concatenate(parts, axis=1)
    return audio


def celt():
    return Opus(mode="celt")  # SILK shifts phases by samples, with every pass


# Passes


@pytest.mark.parametrize(("generations", "resync"), [(1, 97), (2, 0), (3, 1), (5, 97), (50, 10)])
def test_generations_of_a_lossless_codec_are_the_delayed_input(generations, resync):
    lossless = Generations(
        [PCM(), PCM(frame_samples=7)], generations=generations, resync_samples=resync
    )
    prepared(lossless)
    assert lossless.latency_samples == generations * (63 + 6) + (generations - 1) * resync
    audio = noise(2, 9000)
    assert same(stream_through(lossless, audio, [127, 0, 480]), late(audio, lossless.latency_samples))


def test_they_are_the_chain_streamed_again_and_again():
    def chain():
        return Chain([Opus(bitrate_kbps=16), Chain([PCM(bits=7)]), MuLaw()])

    audio = tones(RATE, 24_000, 2)
    several = prepared(Generations(list(chain()), generations=4, resync_samples=99))
    assert same(several.process_block(audio), by_hand(chain, 4, audio, 99))


def test_pedalboards_grid_costs_its_latency_once():
    several = prepared(Generations([Opus(), native("Gain"), PCM()], generations=3))
    assert several.latency_samples == 63 + 3 * (1271 + 63) + 2 * RESYNC
    assert [several.upstream_samples(one) for one in several] == [0, 1271, 1271]


def test_one_generation_is_the_chain():
    audio = tones(RATE, 24_000, 2)
    once = Generations([Opus(bitrate_kbps=12), PCM(bits=6)], generations=1)
    assert same(once(audio, RATE), Chain([Opus(bitrate_kbps=12), PCM(bits=6)])(audio, RATE))
    assert once.latency_samples == 1271 + 63


@pytest.mark.parametrize("inside", [[celt], [MP3], [celt, MuLaw]])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_latency_is_the_passes_and_the_delays_between_them(inside, rate):
    alone = prepared(Chain([kind() for kind in inside]), 2, rate).latency_samples
    several = prepared(Generations([kind() for kind in inside], generations=3), 2, rate)
    assert several.latency_samples == 3 * alone + 2 * RESYNC
    audio = noise(2, rate)
    measured = measure_latency(audio, several.process_block(audio))
    assert measured == pytest.approx(several.latency_samples, abs=1)


@pytest.mark.parametrize("sound", recordings("music_48k.flac"))
@pytest.mark.parametrize(
    ("make", "least_db"), [(lambda: MP3(bitrate_kbps=32), 2), (lambda: Opus(bitrate_kbps=96), 5)]
)
def test_it_keeps_degrading(sound, make, least_db):
    audio, rate = recording(sound)
    audio = audio[:, :rate]
    heard = [
        snr_db(audio, Generations([make()], generations=count)(audio, rate)) for count in (1, 3, 10)
    ]
    assert heard[0] > heard[1] + least_db / 2
    assert heard[1] > heard[2] + least_db / 2


@pytest.mark.parametrize(
    ("make", "frame", "least_db"),
    [(lambda: Opus(bitrate_kbps=96), 960, 5), (SBC, 128, 5), (MP2, 1152, 2)],
)
def test_frames_that_fall_elsewhere_lose_more(make, frame, least_db):
    """Ten passes whose frames all fall on one grid, and ten whose do not."""
    audio = tones(RATE, RATE, 2) + noise(2, RATE, level=0.01)
    aligned = -prepared(make()).latency_samples % frame
    on_one_grid, elsewhere = (
        snr_db(audio, Generations([make()], generations=10, resync_samples=resync)(audio, RATE))
        for resync in (aligned, RESYNC)
    )
    assert elsewhere < on_one_grid - least_db


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_no_codecs_frames_fall_on_the_last_passs(rate):
    """By default, at its usual settings, a pass is 4 % of a frame or more away from whole frames; of
    the longest, 10 ms.
    """
    near = {}
    for name in registry.codec_names():
        effect = registry.find(name)()
        try:
            prepared(effect, 2, rate)
        except (CodecUnavailable, ConfigurationError):
            continue
        codec = effect._links[0].codec.format
        frame = codec.frame_samples * rate / codec.sample_rate
        if frame >= 32:
            away = (effect.latency_samples + RESYNC) / frame % 1
            near[name] = min(away, 1 - away) * frame / min(frame, rate // 4)
    assert len(near) > 15
    assert {name: away for name, away in near.items() if away < 0.04} == {}


# Moves

MOVES = (
    (1000, (0,), "bitrate_kbps", 8.0),
    (1001, (1, 0), "bits", 5),
    (2500, (0,), "bitrate_kbps", 64.0),
    (2500, (1,), "mix", 0.5),
    (4000, (2,), "bypass", True),
)


def moving():
    return Chain([Opus(bitrate_kbps=32, frame_ms=5), Chain([PCM(bits=9)]), Split([PCM(bits=4)])])


def moved(sizes, generations=3):
    several = prepared(Generations(list(moving()), generations=generations))
    audio, parts, at = tones(RATE, 9000, 2), [], 0
    for place, path, parameter_id, value in [*MOVES, (9000, (0,), "bitrate_kbps", 64.0)]:
        if place > at:
            parts.append(stream_through(several, audio[:, at:place], sizes))
        inner = several
        for step in path:
            inner = inner[step]
        inner.set(parameter_id, value)
        at = place
    return np.concatenate(parts, axis=1)


def test_what_moves_moves_in_every_pass_at_the_same_sample():
    expected = by_hand(moving, 3, tones(RATE, 9000, 2), moves=MOVES)
    assert same(moved([9000]), expected)
    assert not same(expected, by_hand(moving, 3, tones(RATE, 9000, 2)))


@settings(max_examples=10)
@given(st.lists(st.sampled_from(BLOCK_SIZES), min_size=1, max_size=12).map(lambda sizes: [*sizes, 513]))
def test_moves_give_the_same_samples_for_any_partition(sizes):
    assert same(moved(sizes), moved([9000]))


def test_lanes_reach_every_pass_natives_too():
    audio = tones(RATE, 24_000, 2)
    board = Pedalboard([Generations([native("Gain", gain_db=0), PCM()], generations=3)])
    curve = np.where(np.arange(24_000) < 9600, 0.0, -6.0)
    quieter = board(audio, RATE, automation={"gain.gain_db": curve})
    steady = slice(14_000, None)
    np.testing.assert_allclose(quieter[:, steady], 10 ** (-18 / 20) * audio[:, steady], atol=1e-6)
    assert board[0][0].gain_db == 0
    assert np.abs(board(audio, RATE) - audio).max() < 1e-6  # and are back where they were


def test_what_was_set_before_a_reset_is_set_in_every_pass_after_it():
    audio = tones(RATE, 9000, 2)
    several = prepared(Generations([Opus(bitrate_kbps=64)], generations=3))
    several.process_block(audio)
    several[0].bitrate_kbps = 8
    several.reset()
    new = prepared(Generations([Opus(bitrate_kbps=8)], generations=3))
    assert same(several.process_block(audio), new.process_block(audio))


def test_what_only_a_new_stream_can_bring_is_there_with_the_next_call():
    audio = tones(RATE, 9000, 2)
    several = Generations([Opus()], generations=2)
    several(audio, RATE)
    several.generations, several.resync_samples, several[0].frame_ms = 3, 50, 10
    assert several.is_stale
    again = several(audio, RATE)
    assert several.latency_samples == 3 * (479 + 312) + 2 * 50
    assert same(again, Generations([Opus(frame_ms=10)], generations=3, resync_samples=50)(audio, RATE))


def test_a_plugin_in_another_board_leaves_the_first_ones_stream_alone():
    audio = tones(RATE, 9000, 2)
    opus = Opus(bitrate_kbps=64)
    several = prepared(Generations([opus], generations=3))
    expected = several.process_block(audio).copy()
    several.reset()
    prepared(Chain([opus]))
    opus.bitrate_kbps = 8
    assert same(several.process_block(audio), expected)


# A container


def test_what_cannot_be_copied_is_refused_in_one_line():
    line = r"^generations runs copies .* this Reverb cannot be copied; .*codecfx\.native\('Reverb'\)$"
    several = Generations([Opus()])
    for wrong in (
        lambda: Generations([pedalboard.Reverb()]),
        lambda: Generations([wrap(pedalboard.Reverb())]),
        lambda: Generations([Mix([Chain([pedalboard.Reverb()])])]),
        lambda: several.append(pedalboard.Reverb()),
        lambda: several.__setitem__(0, wrap(pedalboard.Reverb())),
    ):
        with pytest.raises(ConfigurationError, match=line):
            wrong()
    several.append(Chain())
    several[1].append(pedalboard.Reverb())  # behind its back
    with pytest.raises(ConfigurationError, match=line):
        several(noise(2, 100), RATE)
    assert Generations([native("Reverb")])(noise(2, 100), RATE).shape == (2, 100)


def test_there_are_1_to_50():
    for wrong in (0, 51, 2.5, "many"):
        with pytest.raises(ParameterError, match=r"generations: generations is .* from 1 to 50"):
            Generations([], generations=wrong)


def test_it_is_a_container_like_others(tmp_path):
    several = Generations(
        [Split([PCM(bits=6), Generations([MuLaw()], generations=2)]), PCM(bits=3)],
        generations=3,
        resync_samples=17,
        label="worn",
    )
    assert as_native(several) is None
    audio = noise(2, 9000)
    expected = several(audio, RATE)
    path = save_preset(Pedalboard([several, GSM()]), tmp_path / "worn.toml")
    assert 'effect = "generations"' in path.read_text()
    for again in (
        copy.deepcopy(several),
        pickle.loads(pickle.dumps(several)),
        load_preset(path).board()[0],
    ):
        assert type(again) is Generations
        assert again.values == several.values
        assert again.label == "worn"
        assert same(again(audio, RATE), expected)
