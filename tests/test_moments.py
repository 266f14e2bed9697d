"""Moments: which packet is heard when. PCM's packets are the sound itself, so that samples tell."""

import numpy as np
import pytest
from signals import noise, same, sine, stream_through, tones

import codecfx
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec

RATE = 48_000
FRAME = 960
RAMP = 240  # 5 ms, in which sound goes over a seam


def played(moves, frames=60, **values):
    """PCM's frames (frames, FRAME), with moves of parameters before some; and those that went in."""
    audio = noise(1, frames * FRAME, level=0.1)
    effect = codecfx.PCM(frame_samples=FRAME, **values)
    effect.prepare(StreamSpec(RATE, 1))
    parts = [effect.process_block(audio[:, :0])]
    for at in range(frames):
        for parameter_id, value in moves.get(at, {}).items():
            effect.set(parameter_id, value)
        parts.append(effect.process_block(audio[:, at * FRAME : (at + 1) * FRAME]).copy())
    late = effect.process_block(np.zeros((1, FRAME), np.float32))
    heard = np.concatenate((*parts, late), axis=1)[:, effect.latency_samples :]
    return heard[:, : frames * FRAME].reshape(frames, FRAME), audio.reshape(frames, FRAME)


def order(frames, clean):
    """Which frame that went in each is, by what follows the seam."""
    return [int(np.argmin(np.abs(clean[:, RAMP:] - one[RAMP:]).max(axis=1))) for one in frames]


def test_a_frozen_loop_is_the_last_packets_again_and_again():
    frames, clean = played({20: {"freeze": True}, 50: {"freeze": False}}, freeze_packets=7)
    expected = [*range(20), *(13 + at % 7 for at in range(30)), *range(50, 60)]
    assert order(frames, clean) == expected
    for at, index in enumerate(expected):
        is_seam = at > 0 and index != expected[at - 1] + 1
        assert same(frames[at, RAMP:], clean[index, RAMP:])
        assert same(frames[at], clean[index]) != is_seam


def test_its_length_moves_and_may_be_beats():
    moves = {20: {"freeze": True}, 30: {"freeze_packets": 3}}
    frames, clean = played(moves, freeze_packets=5)
    assert order(frames, clean)[20:40] == [15 + at % 5 for at in range(10)] + [
        17 + at % 3 for at in range(10, 20)
    ]
    # a beat at 150 is 400 ms
    frames, clean = played({30: {"freeze": True}}, freeze_beats=0.5, tempo_bpm=150)
    assert order(frames, clean)[30:] == [20 + at % 10 for at in range(30)]


def test_a_loop_is_no_longer_than_what_there_is():
    frames, clean = played({3: {"freeze": True}}, freeze_packets=100, frames=20)
    assert order(frames, clean) == [0, 1, 2, *(at % 3 for at in range(17))]


def test_scatter_takes_packets_from_anywhere_in_the_loop():
    frames, clean = played({20: {"freeze": True}}, freeze_packets=10, scatter=1.0, frames=420)
    places = np.array(order(frames, clean)[20:]) - 10
    assert set(places) == set(range(10))
    counts = np.bincount(places, minlength=10)
    assert np.abs(counts - 40).max() < 4 * np.sqrt(40)
    half, clean = played({20: {"freeze": True}}, freeze_packets=10, scatter=0.5, frames=420)
    kept = (np.array(order(half, clean)[20:]) - 10 == np.arange(400) % 10).mean()
    assert kept == pytest.approx(0.55, abs=0.1)  # a tenth is where it would have been


def test_slower_and_backwards_catch_up_with_every_window():
    frames, clean = played({16: {"slow": 2.0}}, window_packets=8, frames=40)
    assert order(frames, clean) == [*range(16), *(16 + at // 8 * 8 + at % 8 // 2 for at in range(24))]
    frames, clean = played({16: {"reverse": True}, 32: {"reverse": False}}, window_packets=8, frames=40)
    backwards = [15 + at // 8 * 8 - at % 8 for at in range(16)]
    assert order(frames, clean) == [*range(16), *backwards, *range(32, 40)]
    frames, clean = played({}, reverse=True, window_packets=8, frames=24)  # nothing before it yet
    assert order(frames, clean) == [*range(8), *range(7, -1, -1), *range(15, 7, -1)]
    frames, clean = played({16: {"freeze": True, "reverse": True}}, freeze_packets=4, frames=24)
    assert order(frames, clean)[16:] == [15, 14, 13, 12, 15, 14, 13, 12]


@pytest.mark.parametrize("name", ["pcm", "gsm", "adpcm_ima", "opus", "mp3", "sbc", "vorbis"])
def test_a_loop_is_seamless(name):
    """A jump of the tone's height would make a fourth difference of 1.8; that is 40 dB above."""
    tone = sine(330, RATE, 2 * RATE, level=0.3)

    def clicks(**values):
        effect = registry.find(name)(**values)
        if name == "pcm":
            effect.frame_samples = FRAME
        effect.prepare(StreamSpec(RATE, 1))
        before = effect.process_block(tone[:, : RATE // 2])
        if values:
            effect.freeze = True
        heard = np.concatenate((before, effect.process_block(tone[:, RATE // 2 :])), axis=1)
        return np.abs(np.diff(heard[0, RATE // 2 :], 4)).max(), heard

    clean, _ = clicks()
    frozen, heard = clicks(freeze_packets=7)
    assert np.sqrt(np.square(heard[:, RATE:]).mean()) > 0.1  # it goes on
    assert frozen < 2.5 * clean + 6 * 0.3 * 10 ** (-40 / 20)


@pytest.mark.parametrize("name", ["opus", "gsm", "mp3", "encodec", "lyra"])
def test_the_same_samples_for_any_partition(name):
    audio = tones(RATE, 48_000, channels=2)
    heard = []
    for sizes in ([960], [7, 1024, 480], [24_000]):
        effect = registry.find(name)(scatter=0.3, slow=1.5, window_packets=5, freeze_packets=6, seed=5)
        effect.prepare(StreamSpec(RATE, 2))
        parts = [stream_through(effect, audio[:, :24_000], sizes)]
        effect.freeze = True
        parts.append(stream_through(effect, audio[:, 24_000:36_000], sizes))
        effect.freeze = False
        parts.append(stream_through(effect, audio[:, 36_000:], sizes))
        assert effect.meter.damaged > 3
        heard.append(np.concatenate(parts, axis=1))
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])


def test_a_loop_is_no_quieter_when_what_goes_in_falls_silent():
    sound = np.concatenate((noise(1, RATE, level=0.2), np.zeros((1, 3 * RATE), np.float32)), axis=1)
    effect = codecfx.PCM(freeze_packets=100)
    effect.prepare(StreamSpec(RATE, 1))
    effect.process_block(sound[:, : RATE // 2])
    effect.freeze = True
    heard = effect.process_block(sound[:, RATE // 2 :])
    assert np.sqrt(np.square(heard[:, -RATE:]).mean()) == pytest.approx(0.2, rel=0.05)
