"""Effects among threads, interrupted, copied, and changed behind their backs."""

import copy
import pickle
import threading

import numpy as np
import pedalboard
import pytest
from signals import noise, same, sine

import codecfx
from codecfx.effects.native_effect import wrap
from codecfx.effects.processor import STEP_SAMPLES, StreamSpec

RATE = 48_000


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_call_that_is_interrupted_leaves_nobody_at_the_decoder(monkeypatch):
    """The next call would find its libopus decoder in the hands of the last one's thread."""
    sound = noise(2, 3 * STEP_SAMPLES)
    opus = codecfx.Opus()
    expected = opus(sound, RATE)
    codec = opus._links[0].codec
    encode, decode, decoding = codec.encode, codec.decode, []

    def interrupted(frames):
        if len(calls) == 2:
            raise Stopped
        calls.append(frames)
        return encode(frames)

    def watched(packets):
        decoding.append("begin")
        decoded = decode(packets)
        decoding.append("end")
        return decoded

    calls = []
    monkeypatch.setattr(codec, "encode", interrupted)
    monkeypatch.setattr(codec, "decode", watched)
    with pytest.raises(Stopped):
        opus(sound, RATE)
    assert decoding.count("begin") == decoding.count("end")
    monkeypatch.undo()
    assert same(opus(sound, RATE), expected)


def test_several_threads_may_call_one_effect():
    sounds = [noise(2, 48_000, seed) for seed in range(4)]
    opus = codecfx.Opus(bitrate_kbps=24)
    expected = [opus(sound, RATE) for sound in sounds]
    results = {}

    def call(place):
        results[place] = [opus(sounds[place], RATE) for _ in range(3)]

    threads = [threading.Thread(target=call, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, wanted in enumerate(expected):
        assert all(same(result, wanted) for result in results[place])


def test_bypass_from_another_thread_never_clicks():
    """Every step of the gain is a move's: at most 35/16 of a straight way of 20 ms from wet to dry.
    Moves there and back add up to no more, since the slope of one has a single hump."""
    effect = codecfx.PCM(bits=1, frame_samples=1)
    effect.prepare(StreamSpec(RATE, 1, 32))
    over = threading.Event()

    def toggle():
        while not over.is_set():
            effect.bypass = not effect.bypass

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        # dry is 0.5 and wet 1: the output is the gain
        sound = np.full((1, 32), 0.5, np.float32)
        out = np.concatenate([effect.process_block(sound).copy() for _ in range(3000)], axis=1)
    finally:
        over.set()
        thread.join()
    assert np.abs(np.diff(out)).max() <= 35 / 16 * 0.5 / (RATE * 0.020) * 1.01


def test_copies_are_effects_of_their_own():
    board = codecfx.Pedalboard(
        [
            codecfx.native("Compressor", threshold_db=-20, label="glue"),
            codecfx.Mix([codecfx.Opus(bitrate_kbps=12), codecfx.PCM(bits=8, mix=0.5)]),
        ],
        mix=0.75,
    )
    sound = noise(2, 24_000)
    expected = board(sound, RATE)
    for again in (copy.copy(board), copy.deepcopy(board), pickle.loads(pickle.dumps(board))):
        assert repr(again) == repr(board)
        assert again.mix == 0.75
        assert same(again(sound, RATE), expected)
    other = copy.deepcopy(board)
    other[1][0].bitrate_kbps = 6
    assert board[1][0].bitrate_kbps == 12
    assert same(board(sound, RATE), expected)


def test_an_effect_in_two_boards_leaves_the_first_ones_stream_alone():
    opus = codecfx.Opus()
    first, second = codecfx.Chain([opus]), codecfx.Chain([opus])
    sound = noise(1, 9600)
    first.prepare(StreamSpec(RATE, 1))
    expected = first.process_block(sound).copy()
    first.prepare(StreamSpec(RATE, 1))
    half = first.process_block(sound[:, :4800]).copy()
    second.prepare(StreamSpec(44_100, 2))
    assert same(np.concatenate((half, first.process_block(sound[:, 4800:])), axis=1), expected)


def test_a_limiters_lookahead_may_change_between_arrays():
    limiter = pedalboard.BrickwallLimiter(lookahead_ms=2)
    board = codecfx.Pedalboard([limiter, codecfx.PCM()])
    click = np.zeros((1, 24_000), np.float32)
    click[0, 5000] = 0.5
    for lookahead_ms in (2, 20, 1, 5):
        limiter.lookahead_ms = lookahead_ms
        assert np.argmax(np.abs(board(click, RATE))) == 5000


def test_what_was_set_on_a_plugin_is_what_its_effect_says(tmp_path):
    effect = wrap(pedalboard.Compressor())
    effect.plugin.threshold_db = -50
    assert effect.threshold_db == -50
    path = codecfx.save_preset(codecfx.Pedalboard([effect]), tmp_path / "own.toml")
    assert codecfx.load_preset(path).board()[0].threshold_db == -50
    effect.threshold_db = 0  # its default, and not what the plugin has
    assert effect.plugin.threshold_db == 0


def test_a_filter_that_runs_away_is_silence_not_noise():
    """pedalboard's filters are unstable at and above half the rate."""
    sound = noise(1, 24_000)
    loose = codecfx.Pedalboard([pedalboard.LowpassFilter(RATE), codecfx.PCM()])
    assert np.isfinite(loose(sound, RATE)).all()
    with pytest.raises(codecfx.CodecFxError, match=r"at 16000 Hz it takes less than 8000 Hz"):
        codecfx.native("LowpassFilter", cutoff_frequency_hz=9000)(sound, 16_000)
    effect = codecfx.native("HighpassFilter")
    effect(sound, 16_000)
    with pytest.raises(codecfx.CodecFxError, match="less than 8000"):
        effect.cutoff_frequency_hz = 12_000
    assert effect.cutoff_frequency_hz == 50


def test_the_room_of_a_convolution_may_change(impulse_path, tmp_path):
    import soundfile

    other = tmp_path / "other.wav"
    soundfile.write(other, np.eye(1, 100, 50, dtype=np.float32).T, RATE, subtype="FLOAT")
    sound = sine(440, RATE, 4800)
    effect = codecfx.native("Convolution", impulse_response_filename=impulse_path)
    before = effect(sound, RATE)
    effect.impulse_response_filename = str(other)
    assert not same(effect(sound, RATE), before)
    assert same(
        effect(sound, RATE),
        codecfx.native("Convolution", impulse_response_filename=str(other))(sound, RATE),
    )


@pytest.mark.parametrize("wrong", [44100.5, 0, 999, 768_001, None, "fast"])
def test_rates_beyond_reason_are_refused_in_one_line(wrong):
    with pytest.raises(codecfx.CodecFxError, match="sample rate is") as refusal:
        codecfx.Opus()(noise(1, 10), wrong)
    assert "\n" not in str(refusal.value)


def test_recent_packets_tell_bits_and_mode_of_each():
    opus = codecfx.Opus(bitrate_kbps=16, application="voip", rate_mode="cbr")
    opus(noise(1, RATE), RATE)
    packets = opus.recent_packets()
    assert len(packets) == opus.meter.packets
    assert sum(packet.bits for packet in packets) == opus.meter.bits
    assert {packet.kbps for packet in packets} == {16.0}
    assert packets[-1].details["mode"] in ("SILK", "hybrid", "CELT")
