"""Generations of one codec: the passes of a parameter."""

import numpy as np
import pytest
from signals import measure_latency, same, snr_db, stream_through, tones, voice

import codecfx
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec

RATE = 48_000


@pytest.mark.parametrize("generations", [1, 2, 7, 50])
def test_generations_of_pcm_are_the_identity(generations):
    audio = voice(RATE, 24_000, channels=2)
    effect = codecfx.PCM(generations=generations)
    assert same(effect(audio, RATE), audio)
    bare = codecfx.PCM().prepared(StreamSpec(RATE, 2)).latency_samples
    assert effect.latency_samples == generations * bare + (generations - 1) * round(0.382 * 64)


@pytest.mark.parametrize("name", ["opus", "mp3", "gsm", "aac", "encodec"])
def test_latency_is_what_is_declared(name):
    audio = voice(RATE, 60_000)
    late = []
    for values in ({}, {"generations": 4}, {"generations": 4, "resync": 0.0}):
        effect = registry.find(name)(**values)
        if name == "opus":
            effect.mode = "celt"  # SILK moves phases
        effect.prepare(StreamSpec(RATE, 1))
        heard = effect.process_block(audio)
        wrong = measure_latency(audio, heard) - effect.latency_samples
        late.append(wrong)
    # each pass is as far off as one is: speech codecs shift phases by some samples
    assert abs(late[1]) <= 4 * abs(late[0]) + 2
    assert abs(late[2]) <= 4 * abs(late[0]) + 2


def test_it_keeps_getting_worse():
    """Out of step every generation adds its own errors; in step AAC finds its own numbers again."""
    audio = tones(RATE, 96_000)

    def against(generations, resync):
        effect = codecfx.AAC(generations=generations, resync=resync)
        return snr_db(audio[:, 9000:-9000], effect(audio, RATE)[:, 9000:-9000])

    first, third, ninth = (against(count, 0.382) for count in (1, 3, 9))
    assert first > third + 4 > ninth + 8
    assert against(9, 0.0) == pytest.approx(first, abs=0.2)


@pytest.mark.parametrize("name", ["opus", "mp3", "gsm", "lyra"])
def test_the_same_samples_for_any_partition_and_moves_reach_every_pass(name):
    audio = tones(RATE, 48_000, channels=2)
    heard = []
    for sizes in ([960], [7, 1024, 480], [24_000]):
        effect = registry.find(name)(generations=3, loss=0.1, seed=2)
        effect.prepare(StreamSpec(RATE, 2))
        parts = [stream_through(effect, audio[:, :24_000], sizes)]
        if "bitrate_kbps" in effect.values and name != "gsm":
            effect.bitrate_kbps = 32 if name == "mp3" else 9
            assert all(len(link._changes) == 1 for link in (*effect._earlier, *effect._links))
        parts.append(stream_through(effect, audio[:, 24_000:], sizes))
        heard.append(np.concatenate(parts, axis=1))
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])


def test_loss_is_on_the_last():
    effect = codecfx.GSM(generations=5, loss=0.25)
    effect.prepare(StreamSpec(8000, 1))
    effect.process_block(voice(8000, 160 * 200))
    assert 30 <= effect.meter.lost <= 70
    assert effect.meter.packets == 200
