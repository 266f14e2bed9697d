"""Containers: lists as pedalboard's are, its sound to the last bit where all is its own, and one sum of
latencies where it is not.
"""

from itertools import pairwise

import numpy as np
import pedalboard
import pytest
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
    voice,
)

from codecfx.effects import registry
from codecfx.effects.base import Effect
from codecfx.effects.board import Chain, Mix, Pedalboard, is_native
from codecfx.effects.processor import StreamSpec
from codecfx.errors import SameEffectTwice, UnsupportedFormat

Opus, PCM = registry.find("opus"), registry.find("pcm")
GRID = 63  # what pedalboard's grid costs, once
OPUS = 1271  # 959 + 312 at 48 kHz


def material(rate, samples, channels=2):
    return tones(rate, samples, channels) + noise(channels, samples, level=0.02)


def prepared(effect, rate=48000, channels=2):
    effect.prepare(StreamSpec(rate, channels))
    return effect


# A list


def test_it_is_a_list():
    opus, gain, pcm, reverb = Opus(), pedalboard.Gain(), PCM(), pedalboard.Reverb()
    board = Pedalboard([opus])
    board.append(gain)
    board.insert(0, pcm)
    board += [reverb]
    assert list(board) == [pcm, opus, gain, reverb]
    assert len(board) == 4
    assert (board[0], board[-1], board.index(gain)) == (pcm, reverb, 2)
    assert gain in board
    assert pedalboard.Gain() not in board
    assert [type(one) for one in reversed(board)] == [type(one) for one in (reverb, gain, opus, pcm)]
    del board[0]
    board.remove(gain)
    assert board.pop() is reverb
    assert list(board) == [opus]
    board.extend([pcm, gain])
    board.reverse()
    assert list(board) == [gain, pcm, opus]
    board[1] = reverb
    board[1:] = [pcm, opus]
    assert list(board) == [gain, pcm, opus]
    del board[::2]
    assert list(board) == [pcm]
    board.clear()
    assert not board
    with pytest.raises(IndexError):
        _ = board[0]


def test_a_slice_is_a_container_like_it():
    parts = [Opus(), pedalboard.Gain(), PCM()]
    for kind in (Pedalboard, Chain, Mix):
        whole = kind(parts, mix=0.25, bypass=True, label="drums")
        piece = whole[1:]
        assert type(piece) is kind
        assert list(piece) == parts[1:]
        assert piece.values == whole.values
        assert piece.label == "drums"
        piece.append(pedalboard.Gain())
        assert len(whole) == 3


def test_two_plugins_swap_places():
    one, other = Opus(), pedalboard.Gain()
    board = Pedalboard([one, other])
    board[0], board[1] = board[1], board[0]
    assert list(board) == [other, one]
    assert board(noise(2, 1000), 48000).shape == (2, 1000)


def test_it_is_itself_and_no_other():
    board = Pedalboard([])
    assert board == [board][0]
    assert board != Pedalboard([])
    assert len({board, Pedalboard([]), board}) == 2


def test_it_shows_what_it_holds():
    assert repr(Pedalboard([])) == "<codecfx.Pedalboard with 0 plugins: []>"
    assert repr(Mix([PCM(bits=4)])) == "<codecfx.Mix with 1 plugin: [PCM(bits=4)]>"
    shown = repr(Chain([Opus(bitrate_kbps=12), pedalboard.Gain(3)]))
    assert shown.startswith("<codecfx.Chain with 2 plugins: [Opus(bitrate_kbps=12.0), <pedalboard.Gain")


@pytest.mark.parametrize("nothing", [None, [], (), iter(())])
def test_it_may_be_empty(nothing):
    board = Pedalboard(nothing)
    audio = noise(2, 1000)
    assert same(board(audio, 48000), audio)
    assert board.latency_samples == 0
    assert same(Mix([])(audio, 48000), pedalboard.Mix([])(audio, 48000))


@pytest.mark.parametrize("wrong", [5, pedalboard.Gain(), Opus()])
def test_a_plugin_alone_is_no_list(wrong):
    with pytest.raises(TypeError, match="Pedalboard takes a list of plugins; write"):
        Pedalboard(wrong)


@pytest.mark.parametrize("wrong", [1, "Opus", None, Opus, np.zeros(3), lambda audio: audio])
def test_what_is_no_plugin_is_refused(wrong):
    board = Pedalboard([Opus()])
    for use in (
        lambda: Pedalboard([wrong]),
        lambda: board.append(wrong),
        lambda: board.insert(0, wrong),
        lambda: board.extend([wrong]),
        lambda: board.__setitem__(0, wrong),
        lambda: board.__setitem__(slice(0, 1), [wrong]),
    ):
        with pytest.raises(TypeError, match="is no plugin; a board takes codecfx effects"):
            use()
    assert len(board) == 1


@pytest.mark.parametrize("make", [Opus, pedalboard.Gain, lambda: Mix([]), lambda: pedalboard.Chain([])])
def test_one_instance_stands_in_one_place(make):
    one = make()
    for twice in (
        lambda: Pedalboard([one, one]),
        lambda: Pedalboard([one]).append(one),
        lambda: Pedalboard([Mix([one]), one]),
        lambda: Mix([Chain([PCM(), Mix([one])]), Chain([one])]),
        lambda: Pedalboard([PCM()]).extend([one, one]),
        lambda: Pedalboard([PCM(), PCM()]).__setitem__(slice(0, 2), [one, one]),
    ):
        with pytest.raises(SameEffectTwice, match="stands in this chain twice"):
            twice()
    board = Pedalboard([one, PCM()])
    board[1] = one  # as a swap does for a moment
    with pytest.raises(SameEffectTwice):
        board(noise(2, 100), 48000)
    with pytest.raises(RuntimeError):  # as pedalboard has it
        board.prepare(StreamSpec(48000, 2))


def test_one_instance_stands_in_one_place_of_pedalboards_containers_too():
    gain = pedalboard.Gain()
    with pytest.raises(SameEffectTwice):
        Pedalboard([pedalboard.Chain([gain]), pedalboard.Mix([pedalboard.Chain([gain])])])
    with pytest.raises(SameEffectTwice):
        Pedalboard([Mix([pedalboard.Pedalboard([gain])]), gain])


def test_what_only_pedalboards_containers_hold_is_told_apart():
    # pedalboard makes Python objects for these as one looks, one after another at the same address
    many = pedalboard.Mix([pedalboard.Gain() for _ in range(17)])
    nested = pedalboard.Chain([pedalboard.Mix([pedalboard.Delay(0.01) for _ in range(17)])])
    audio = noise(2, 1000)
    assert Pedalboard([many, nested, PCM()])(audio, 48000).shape == audio.shape


def test_a_board_cannot_hold_itself():
    board = Pedalboard([PCM()])
    inner = Mix([])
    with pytest.raises(SameEffectTwice):
        board.append(board)
    with pytest.raises(SameEffectTwice):
        board[0] = board
    board.append(inner)
    with pytest.raises(SameEffectTwice):
        inner.append(board)
    assert board(noise(2, 100), 48000).shape == (2, 100)


# All of it pedalboard's: its sound to the last bit


def plugins():
    return [
        pedalboard.Compressor(-30, 4),
        pedalboard.Chain([pedalboard.Chorus(), pedalboard.BrickwallLimiter()]),
        pedalboard.Mix([pedalboard.Delay(0.03), pedalboard.Gain(-6), pedalboard.Chain([])]),
        pedalboard.Pedalboard([pedalboard.Reverb(), pedalboard.Mix([pedalboard.Phaser()])]),
        pedalboard.Resample(8000),
    ]


NATIVE_BOARDS = {
    "a list": (lambda: pedalboard.Pedalboard(plugins()), lambda: Pedalboard(plugins())),
    "a mix": (lambda: pedalboard.Mix(plugins()), lambda: Mix(plugins())),
    "one": (
        lambda: pedalboard.Pedalboard([pedalboard.PitchShift(3)]),
        lambda: Pedalboard([pedalboard.PitchShift(3)]),
    ),
    "ours in ours": (
        lambda: pedalboard.Chain([pedalboard.Mix(plugins()), pedalboard.Chain([pedalboard.Gain(3)])]),
        lambda: Chain([Mix(plugins()), Chain([pedalboard.Gain(3)])]),
    ),
    "mp3": (
        lambda: pedalboard.Pedalboard([pedalboard.MP3Compressor(), pedalboard.GSMFullRateCompressor()]),
        lambda: Pedalboard([Chain([pedalboard.MP3Compressor()]), pedalboard.GSMFullRateCompressor()]),
    ),
}


@pytest.mark.parametrize("name", NATIVE_BOARDS)
@pytest.mark.parametrize(
    "shape", ["channels first", "samples first", "a vector", "mono", "mono samples first"]
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_native_board_is_pedalboards_bit_for_bit(name, shape, kind):
    audio = material(44100, 9001).astype(kind)
    audio = {
        "channels first": audio,
        "samples first": np.ascontiguousarray(audio.T),
        "a vector": audio[0],
        "mono": audio[:1],
        "mono samples first": audio[:1].T,
    }[shape]
    theirs, ours = (make() for make in NATIVE_BOARDS[name])
    # in one block: cut up, pedalboard's own Mix comes apart (tests/test_native.py)
    expected = theirs(audio, 44100, 10_000)
    for buffer_size in (8192, 127):
        processed = ours(audio, 44100, buffer_size)
        assert processed.shape == audio.shape
        assert same(processed, expected)


@pytest.mark.parametrize("name", NATIVE_BOARDS)
@pytest.mark.parametrize("sound", recordings("trumpet.ogg"))
def test_recordings_are_pedalboards_bit_for_bit(name, sound):
    audio, rate = recording(sound)
    theirs, ours = (make() for make in NATIVE_BOARDS[name])
    audio = audio[:, : rate // 2]
    # GSM behind MP3 hears another sound for every block size, offline too
    expected = theirs(audio, rate) if name == "mp3" else theirs(audio, rate, rate)
    assert same(ours(audio, rate), expected)


@pytest.mark.parametrize("name", ["a list", "a mix", "ours in ours"])
@pytest.mark.parametrize("rate", [11025, 48000])
def test_a_streamed_native_board_is_pedalboards_but_later(name, rate):
    theirs, ours = (make() for make in NATIVE_BOARDS[name])
    audio = material(rate, 9001)
    prepared(ours, rate)
    streamed = stream_through(ours, audio, BLOCK_SIZES)
    assert same(streamed, late(theirs(audio, rate, 10_000), ours.latency_samples))


@pytest.mark.parametrize("kind", [pedalboard.Mix, Mix])
def test_a_mix_of_withheld_branches_is_their_sum_however_it_is_cut(kind):
    def branches():
        late_ones = [pedalboard.BrickwallLimiter(), pedalboard.Chain([pedalboard.Resample(8000)])]
        return [pedalboard.Gain(-6), *late_ones, pedalboard.Mix([pedalboard.MP3Compressor()])]

    audio = material(44100, 20_000)
    parts = sum(one(audio, 44100).astype(np.float64) for one in branches())
    board = Pedalboard([kind(branches())])
    for buffer_size in (127, 8192):  # 1e27 and NaN were seen of pedalboard here
        np.testing.assert_allclose(board(audio, 44100, buffer_size), parts, atol=1e-6)
    latency = board.latency_samples
    for sizes in ([64], [512, 7], [20_000]):
        board.reset()
        streamed = stream_through(board, audio, sizes)
        np.testing.assert_allclose(streamed[:, latency:], parts[:, :-latency], atol=1e-6)


def test_garbage_is_silence_for_native_boards_too():
    audio = material(48000, 5000)
    silent = audio.copy()
    audio[0, 100:110], audio[1, 200], audio[1, 300] = np.nan, np.inf, 1e30
    silent[0, 100:110] = silent[1, 200] = silent[1, 300] = 0
    assert same(Pedalboard(plugins())(audio, 48000), pedalboard.Pedalboard(plugins())(silent, 48000))


def test_a_mixed_or_bypassed_native_board_is_ours():
    audio = noise(2, 5000)
    gain_of_half = [pedalboard.Gain(-6)]
    board = Pedalboard(gain_of_half, mix=0.5)
    expected = 0.5 * audio + 0.5 * pedalboard.Gain(-6)(audio, 48000)
    np.testing.assert_allclose(board(audio, 48000), expected, atol=1e-7)  # one float32 rounding
    board.mix, board.bypass = 1, True
    assert same(board(audio, 48000), audio)
    board.bypass = False
    assert same(board(audio, 48000), pedalboard.Gain(-6)(audio, 48000))


# Latency


def test_a_chain_has_the_sum_of_latencies_and_the_grid_once():
    def latency(*inside, kind=Chain):
        return prepared(kind(list(inside))).latency_samples

    assert latency(Opus()) == OPUS
    assert latency(Opus(), PCM(), Opus(frame_ms=10)) == OPUS + 63 + (479 + 312)
    assert latency(pedalboard.Gain()) == GRID
    assert latency(pedalboard.Gain(), pedalboard.Reverb(), pedalboard.Delay()) == GRID
    assert latency(pedalboard.Gain(), Opus(), pedalboard.Reverb()) == GRID + OPUS
    assert latency(pedalboard.BrickwallLimiter(), Opus(), pedalboard.BrickwallLimiter()) == (
        GRID + 240 + OPUS + 240
    )
    assert latency(Chain([Chain([pedalboard.Gain()]), Pedalboard([Opus(), pedalboard.Gain()])])) == (
        GRID + OPUS
    )
    assert latency(registry.find("Gain")(), Opus(), registry.find("Reverb")()) == GRID + OPUS


def test_a_mix_has_the_largest_of_latencies():
    def latency(*inside):
        return prepared(Mix(list(inside))).latency_samples

    assert latency(Opus(), PCM()) == OPUS
    assert latency(Opus(), pedalboard.Gain()) == GRID + OPUS
    assert latency(Chain([PCM(), PCM()]), Opus()) == OPUS
    assert latency(Chain([Opus(), PCM()]), Opus(), Mix([])) == OPUS + 63
    assert latency(pedalboard.BrickwallLimiter(), pedalboard.Gain()) == GRID + 240


def test_blocks_on_the_grid_save_its_latency():
    board = Pedalboard([pedalboard.Gain(), Opus()])
    assert board.quantum_samples == 64
    board.prepare(StreamSpec(48000, 2, quantum_samples=64))
    assert board.latency_samples == OPUS
    audio = material(48000, 4096)
    output = stream_through(board, audio, [64, 512, 0])
    assert same(
        output, late(prepared(Pedalboard([Opus()])).process_block(pedalboard.Gain()(audio, 48000)), 0)
    )
    assert Pedalboard([Opus()]).quantum_samples == 1


def lossless(channels_latency):
    """PCM of that latency: the reference that any arrangement must pass unchanged."""
    return PCM(frame_samples=channels_latency + 1)


ARRANGEMENTS = {
    "a chain": lambda: Chain([lossless(63), lossless(0), lossless(500)]),
    "natives between": lambda: Pedalboard([pedalboard.Gain(0), lossless(100), pedalboard.Gain(0)]),
    "nested": lambda: Pedalboard([Chain([lossless(7), Chain([lossless(64)])]), Chain([lossless(1)])]),
    "a mix of one": lambda: Mix([lossless(200)]),
    "resampled": lambda: Chain([PCM(rate_hz=96000), pedalboard.Gain(0)]),
}


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_lossless_arrangements_pass_the_input_at_their_latency(name):
    board = prepared(ARRANGEMENTS[name]())
    audio = tones(48000, 9000, 2)
    output = stream_through(board, audio, [127, 0, 480])
    expected = late(audio, board.latency_samples)
    if name == "resampled":
        assert snr_db(expected[:, 2000:], output[:, 2000:]) > 80  # twice the filter's -96 dB
    else:
        assert same(output, expected)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_mix_aligns_its_branches(rate):
    branches = [
        Chain([lossless(300), pedalboard.Gain(0)]),
        lossless(0),
        pedalboard.Gain(0),
        Pedalboard([Chain([lossless(64)]), lossless(1)]),
    ]
    mix = prepared(Mix(branches), rate)
    assert mix.latency_samples == GRID + 300
    audio = noise(2, 3000)
    output = stream_through(mix, audio, [7, 512])
    # four times a float32 is one: any branch off by a sample would not be
    assert same(output, 4 * late(audio, mix.latency_samples))
    assert same(mix(audio, rate), 4 * audio)


def test_opus_beside_its_own_input_is_aligned():
    sound = voice(48000, 24000)
    mix = Mix([Opus(bitrate_kbps=128, mode="celt"), pedalboard.Gain(0)])
    alone = Opus(bitrate_kbps=128, mode="celt")(sound, 48000)
    np.testing.assert_allclose(mix(sound, 48000), alone + sound, atol=1e-6)
    assert measure_latency(sound, mix(sound, 48000)) == pytest.approx(0, abs=0.05)


def test_a_plugin_between_codecs_hears_the_codec():
    sound = voice(48000, 9600)
    board = Pedalboard([pedalboard.Gain(-6), Opus(), pedalboard.Distortion(20)])
    softer = pedalboard.Gain(-6)(sound, 48000)
    latency = prepared(board, channels=1).latency_samples
    padded = np.concatenate((softer, np.zeros((1, latency), np.float32)), axis=1)
    decoded = prepared(Opus(), channels=1).process_block(padded)[:, OPUS : OPUS + 9600]
    expected = pedalboard.Distortion(20)(np.ascontiguousarray(decoded), 48000)
    assert same(board(sound, 48000), expected)


# A stream that goes on, and when it must begin anew


def test_what_is_set_that_needs_a_prepare_makes_a_board_stale():
    opus, limiter = Opus(), registry.find("BrickwallLimiter")()
    board = Pedalboard([Mix([opus]), limiter])
    audio = noise(2, 3000)
    board(audio, 48000)
    assert board.latency_samples == GRID + OPUS + 240
    for change, latency in (
        (lambda: opus.set("frame_ms", 10), GRID + 791 + 240),
        (lambda: limiter.set("lookahead_ms", 1), GRID + 791 + 48),
        (lambda: board.append(PCM()), GRID + 791 + 48 + 63),
        (lambda: board[0].append(Opus(frame_ms=40)), GRID + 2231 + 48 + 63),
        (lambda: board.__delitem__(1), 2231 + 63),
        (lambda: board.reverse(), 2231 + 63),
    ):
        assert not board.is_stale
        before = board.latency_samples
        change()
        assert board.is_stale
        assert board.latency_samples == before  # until the next prepare
        board(audio, 48000, reset=False)
        assert board.latency_samples == latency


def test_a_change_inside_pedalboards_own_containers_makes_a_board_stale():
    for container in (pedalboard.Chain([]), pedalboard.Mix([pedalboard.Gain(0)])):
        board = Pedalboard([PCM(), container])
        audio = noise(2, 3000)
        board(audio, 48000)
        assert not board.is_stale
        container.append(pedalboard.BrickwallLimiter())
        assert board.is_stale
        board(audio, 48000)
        assert board.latency_samples == GRID + 63 + 240


def test_what_changes_at_once_does_not():
    opus = Opus()
    board = prepared(Pedalboard([opus, pedalboard.Gain()]))
    opus.bitrate_kbps, opus.mix, board.mix, board.bypass = 8, 0.5, 0.25, True
    board[1].gain_db = -20
    assert not board.is_stale


def test_a_child_prepared_for_somebody_else_is_prepared_again():
    opus = Opus()
    board = Pedalboard([opus, PCM()])
    audio = material(48000, 4000)
    expected = board(audio, 48000, reset=False)
    opus(noise(1, 500), 16000)
    assert board.is_stale
    # the stream begins anew, since its memory went elsewhere, with the latency that was declared
    assert same(board(audio, 48000, reset=False), expected)
    assert board.latency_samples == OPUS + 63


def test_a_child_used_alone_in_between_leaves_no_trace_in_the_next_array():
    for child in (Opus(), pedalboard.Delay(0.01), registry.find("Reverb")(), Mix([Opus()])):
        board = Pedalboard([child, PCM()])
        audio = material(48000, 4000)
        expected = board(audio, 48000)
        child(noise(2, 3000, seed=7), 48000)
        assert same(board(audio, 48000), expected)


def test_one_effect_may_move_from_board_to_board():
    opus = Opus()
    audio = material(48000, 4000)
    one, other = Pedalboard([opus]), Pedalboard([PCM(), opus])
    expected = one(audio, 48000), other(audio, 48000)
    for _ in range(2):
        assert same(one(audio, 48000), expected[0])
        assert same(other(audio, 48000), expected[1])


def test_children_change_while_the_board_runs():
    opus = Opus(bitrate_kbps=64, mode="celt", bandwidth="fullband")
    board = prepared(Pedalboard([pedalboard.Gain(0), opus]), channels=1)
    audio = noise(1, 24000, level=0.1)
    board.process_block(audio)
    assert opus.meter.details["bandwidth"] == "fullband"
    opus.bandwidth = "narrowband"
    board.process_block(audio)
    assert opus.meter.details["bandwidth"] == "narrowband"
    board.reset()
    assert opus.meter.packets == 0


def test_reset_true_is_aligned_and_reset_false_is_late():
    board = Pedalboard([PCM(), pedalboard.Gain(0)])
    audio = noise(2, 1000)
    assert same(board(audio, 48000), audio)
    assert same(board(audio, 48000, reset=False)[:, board.latency_samples :], audio[:, : 1000 - 126])


# Layouts


@pytest.mark.parametrize("board", [[PCM], [pedalboard.Gain], [PCM, pedalboard.Gain]])
def test_streams_keep_the_layout_they_began_with(board):
    board = Pedalboard([make() for make in board])
    audio = noise(2, 1500)
    expected = board(audio, 48000, reset=False)
    board.reset()
    ends = np.cumsum([0, 500, 2, 1, 2, 0, 3, 1, 1, 990])
    for begin, end in pairwise(ends):
        block = board(audio[:, begin:end].T, 48000, reset=False)
        assert block.shape == (end - begin, 2)
        assert same(block.T, expected[:, begin:end])
    board.reset()
    board(audio[:, :500], 48000, reset=False)
    for begin, end in pairwise(ends[1:]):
        block = board(audio[:, begin:end], 48000, reset=False)
        assert block.shape == (2, end - begin)
        assert same(block, expected[:, begin:end])


@pytest.mark.parametrize("board", [[PCM], [pedalboard.Gain], [PCM, pedalboard.Gain]])
def test_an_array_at_once_decides_the_layout_of_the_stream_after_it(board):
    board = Pedalboard([make() for make in board])
    square = np.float32([[1, 2], [3, 4]])
    board(noise(2, 500).T, 48000)
    after_samples_first = [board(square, 48000, reset=False) for _ in range(500)]
    board(noise(2, 500), 48000)
    after_channels_first = [board(square, 48000, reset=False) for _ in range(500)]
    gain = 1 if isinstance(board[-1], Effect) else 10 ** (board[-1].gain_db / 20)
    # rows are samples of two channels, or two channels of two samples: one alternates 1, 3 and the
    # other 1, 2 in the first channel, once the latency is over
    np.testing.assert_allclose(np.concatenate(after_samples_first)[-4:, 0].max(), 3 * gain, rtol=1e-6)
    np.testing.assert_allclose(
        np.concatenate(after_channels_first, 1)[0, -4:].max(), 2 * gain, rtol=1e-6
    )


@pytest.mark.parametrize("board", [[PCM], [pedalboard.Gain], [PCM, pedalboard.Gain], []])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize(
    "shape",
    [(2, 0), (0, 2), (0,), (1, 0), (1,), (1, 1), (2, 1), (1, 2), (2, 2), (3, 3), (8, 8), (8, 9)],
)
def test_every_shape_comes_back_as_it_was(board, reset, shape):
    board = Pedalboard([make() for make in board])
    audio = np.ones(shape, np.float32)
    processed = board(audio, 48000, reset=reset)
    assert processed.shape == shape
    assert processed.dtype == np.float32
    if reset:
        expected = 10 ** (1 / 20) if pedalboard.Gain in map(type, board) else 1.0
        np.testing.assert_allclose(processed, expected * audio, rtol=1e-6)


@pytest.mark.parametrize("board", [[PCM], [pedalboard.Gain], []])
def test_what_is_no_audio_is_refused(board):
    board = Pedalboard([make() for make in board])
    for wrong, message in (
        (np.zeros((2, 100), np.int16), "audio is int16; codecfx takes floats with full scale at 1.0"),
        (np.zeros((2, 100), bool), "must be an array of numbers"),
        (np.zeros((2, 100), complex), "must be an array of numbers"),
        (["a", "b"], "must be an array of numbers"),
        (np.zeros((2, 3, 100), np.float32), "has 3 dimensions"),
        (np.float32(0), "has 0 dimensions"),
        (np.zeros((9, 100), np.float32), "has 9 channels; codecfx takes 1 to 8"),
        (np.zeros((100, 9), np.float32), "has 9 channels; codecfx takes 1 to 8"),
        (np.zeros((0, 0), np.float32), "has 0 channels; codecfx takes 1 to 8"),
    ):
        with pytest.raises(UnsupportedFormat, match=message):
            board(wrong, 48000)
    for wrong_rate in (0, -48000, 44100.5, float("nan"), float("inf")):
        with pytest.raises(UnsupportedFormat, match="sample rate"):
            board(np.zeros((2, 100), np.float32), wrong_rate)


def test_lists_and_floats_of_any_size_are_taken():
    audio = noise(2, 100)
    board = Pedalboard([PCM(), pedalboard.Gain(0)])
    for taken in (audio.tolist(), audio.astype(np.float64), audio.astype(">f4"), audio[:, ::1]):
        assert same(board(taken, 48000.0), audio)
    assert board(audio.astype(np.float16), 48000).dtype == np.float32


def test_who_is_native():
    assert is_native(pedalboard.Gain())
    assert is_native(pedalboard.Pedalboard([]))
    for other in (Opus(), Pedalboard([]), registry.find("Gain")(), pedalboard.Gain, None):
        assert not is_native(other)


@pytest.mark.parametrize("kind", [Pedalboard, Chain, Mix])
def test_containers_nest_in_each_other(kind):
    audio = material(48000, 3000)
    inner = [kind([PCM()]), kind([kind([pedalboard.Gain(0)])])]
    board = kind(inner)
    times = 2 if kind is Mix else 1
    assert same(board(audio, 48000), np.float32(times) * audio)
    assert isinstance(board, Effect)


def test_a_stream_after_a_whole_array_has_the_declared_latency():
    """pedalboard rendered the array with the same plugin, which was then full of its own latency."""
    sound = material(48_000, 24_000)
    board = Pedalboard([pedalboard.MP3Compressor()])
    whole = board(sound, 48_000)
    streamed = board.process(sound, 48_000, reset=False)
    assert same(streamed, late(whole, board.latency_samples))
