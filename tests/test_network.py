"""The network between encoder and decoder: what is lost, and when; what comes late; what is heard
instead; and that nothing of it depends on how a stream is cut.
"""

from itertools import groupby, pairwise

import numpy as np
import pytest
from signals import cut, measure_latency, noise, rms_db, same, sine, stream_through, tones, voice

import codecfx
from codecfx.codecs.base import Packet
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError
from codecfx.presets import load_preset, save_preset
from codecfx.recipe import effect_from
from codecfx.stream import network
from codecfx.stream.concealment import Gap
from codecfx.stream.network import Network
from codecfx.stream.network_paths import PATHS

RATE = 48_000
MANY = 100_000
PACKET = Packet(b"", 1000)


def fates(count=MANY, packet_ms=20.0, packet=PACKET, **values):
    """Which of so many packets are there when they are due."""
    way = Network({**network.NEUTRAL, **values}, packet_ms)
    due = way.carry([packet] * (count + way.delay_packets))
    assert len(due) == count
    return np.array([not isinstance(one, Gap) for one in due])


def bursts_of(there):
    return [len(list(run)) for is_there, run in groupby(there) if not is_there]


# Loss


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("pattern", ["random", "bursts", "drift"])
def test_as_many_are_lost_as_was_asked_for(pattern, rate):
    lost = 1 - fates(loss=rate, loss_pattern=pattern, loss_period_ms=200, burst_packets=4).mean()
    # four standard deviations of independent draws; bursts of 4 and knots of 10 packets vary as if
    # there were 7 and 14 times fewer
    spread = np.sqrt(rate * (1 - rate) / MANY * {"random": 1, "bursts": 7, "drift": 14}[pattern])
    if pattern == "bursts" and rate > 0.9:  # bursts that long leave room for no others
        spread *= np.sqrt(rate / (1 - rate + 1e-9) / 2) if rate < 1 else 0
    assert abs(lost - rate) <= 4 * spread


@pytest.mark.parametrize("mean", [1.0, 3.0, 25.0])
def test_bursts_are_as_long_as_was_asked_for(mean):
    runs = bursts_of(fates(loss=0.1, loss_pattern="bursts", burst_packets=mean))
    # lengths are geometric: their spread is sqrt(mean (mean - 1))
    assert abs(np.mean(runs) - mean) <= 4 * np.sqrt(mean * (mean - 1) / len(runs))
    if mean == 1:
        assert max(runs) == 1
    else:
        assert np.mean(np.array(runs) > mean) == pytest.approx((1 - 1 / mean) ** mean, abs=0.05)


def test_random_loss_has_no_memory_and_drift_has():
    lost = {p: ~fates(loss=0.3, loss_pattern=p, loss_period_ms=2000) for p in ("random", "drift")}
    pieces = {p: one.reshape(-1, 50).mean(axis=1) for p, one in lost.items()}  # seconds
    assert np.std(pieces["random"]) == pytest.approx(np.sqrt(0.3 * 0.7 / 50), rel=0.1)
    assert np.std(pieces["drift"]) > 2 * np.std(pieces["random"])


def test_a_beat_loses_its_first_part():
    there = fates(1000, packet_ms=10, loss=0.25, loss_pattern="periodic", loss_beats=1, tempo_bpm=120)
    expected = np.arange(1000) * 10 % 500 >= 125
    assert same(there, expected)
    assert same(there, fates(1000, 10, loss=0.25, loss_pattern="periodic", loss_period_ms=500))


def test_what_is_drawn_is_lost():
    steps = "x..xX.#."
    there = fates(800, 10, loss=1, loss_pattern="drawn", loss_steps=steps, loss_period_ms=800)
    expected = np.array([step == "." for step in steps]).repeat(10)
    assert same(there, np.tile(expected, 10))
    half = fates(loss=0.5, loss_pattern="drawn", loss_steps=steps, loss_period_ms=160)
    assert 1 - half.mean() == pytest.approx(0.25, abs=0.006)
    assert fates(100, loss=1, loss_pattern="drawn").all()  # nothing is drawn


def test_a_trace_is_followed_packet_by_packet(tmp_path):
    trace = tmp_path / "trace.txt"
    trace.write_text("0 1 1\n.x  # a comment 1\n")
    there = fates(12, loss=1, loss_pattern="trace", loss_trace=str(trace))
    assert same(there, np.array([1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0], bool))


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("0120", "has '2' in it"), ("# nothing", "is empty")],
)
def test_a_trace_that_is_none_is_one_line(tmp_path, text, words):
    trace = tmp_path / "trace.txt"
    if text is not None:
        trace.write_text(text)
    effect = codecfx.PCM(loss=1, loss_pattern="trace", loss_trace=str(trace))
    with pytest.raises(ConfigurationError, match=words) as error:
        effect(noise(1, 100), RATE)
    assert "\n" not in str(error.value)
    assert str(trace) in str(error.value)


# What comes late


@pytest.mark.parametrize(
    ("shape", "beyond"),
    [
        ("uniform", lambda x: max(0, 1 - x / 2)),
        ("exponential", lambda x: np.exp(-x)),
        # half a normal of mean 1: the two tails of one whose spread is sqrt(pi / 2)
        ("normal", lambda x: float(2 * (1 - _normal(x / np.sqrt(np.pi / 2))))),
        ("pareto", lambda x: (1 + x / 1.5) ** -2.5),
    ],
)
@pytest.mark.parametrize("buffer_ms", [0, 20, 60])
def test_what_takes_longer_than_the_buffer_is_lost(shape, beyond, buffer_ms):
    late = 1 - fates(jitter_ms=25, jitter_shape=shape, buffer_ms=buffer_ms).mean()
    expected = beyond(buffer_ms / 25)
    assert abs(late - expected) <= 4 * np.sqrt(expected * (1 - expected) / MANY) + 1e-12


def _normal(x):
    from math import erf

    return 0.5 * (1 + erf(x / np.sqrt(2)))


def test_who_is_overtaken_by_more_than_the_buffer_holds_is_lost():
    for depth, share in ((0, 1), (1, 2 / 3), (2, 1 / 3), (3, 0)):
        late = 1 - fates(reorder=0.3, buffer_ms=20 * depth).mean()
        assert abs(late - 0.3 * share) < 0.006


def test_a_copy_heals_where_a_buffer_waits_for_it():
    # lost itself, and either no copy, or one that is lost as the next packet is
    expected = 0.3 * (1 - 0.5 * 0.7)
    lost = 1 - fates(loss=0.3, duplicate=0.5, buffer_ms=20).mean()
    assert lost == pytest.approx(expected, abs=0.006)
    assert 1 - fates(loss=0.3, duplicate=0.5).mean() == pytest.approx(0.3, abs=0.006)
    way = Network({**network.NEUTRAL, "loss": 0.3, "duplicate": 0.5, "buffer_ms": 20}, 20)
    way.carry([PACKET] * MANY)
    assert way.healed / MANY == pytest.approx(0.3 * 0.5 * 0.7, abs=0.006)


def test_a_narrow_link_lets_through_what_it_can():
    # packets of 1000 bits each 20 ms are 50 kbps
    assert fates(1000, bandwidth_kbps=50).all()
    for kbps in (40, 10):
        there = fates(5000, bandwidth_kbps=kbps, queue_ms=200, buffer_ms=400)
        assert there[-4000:].mean() == pytest.approx(kbps / 50, abs=0.01)
    # a queue of less than the buffer only delays: nothing is lost that is not overflow
    assert fates(10, bandwidth_kbps=25, queue_ms=5000, buffer_ms=200).all()
    assert not fates(50, bandwidth_kbps=25, queue_ms=5000, buffer_ms=200)[20:].any()


def test_an_adaptive_buffer_learns_what_packets_need():
    plain = fates(jitter_ms=10, buffer_ms=200).mean()
    adaptive = fates(jitter_ms=10, buffer_ms=200, adaptive=True)
    assert plain > 0.9999
    assert 0.9 < adaptive.mean() < plain
    # after a storm it waits long enough for a while
    way = Network({**network.NEUTRAL, "adaptive": True, "buffer_ms": 200, "jitter_ms": 40}, 20)
    way.carry([PACKET] * 1000)
    way.set("jitter_ms", 5.0)
    assert way.carry([PACKET] * 110)[10:] == [PACKET] * 100


def test_late_packets_may_be_played_when_they_come():
    packets = [Packet(b"", number) for number in range(4000)]
    values = {**network.NEUTRAL, "jitter_ms": 25, "buffer_ms": 20, "late": "played"}
    due = Network(values, 20).carry(packets)
    numbers = [one.bits for one in due if not isinstance(one, Gap)]
    assert len(set(numbers)) == len(numbers)  # none twice
    there = fates(3999, jitter_ms=25, buffer_ms=20)
    assert len(numbers) > 1.2 * there.sum()
    assert any(a > b for a, b in pairwise(numbers))  # out of order


def test_chance_is_the_seeds():
    storm = {"loss": 0.2, "jitter_ms": 10, "buffer_ms": 20, "reorder": 0.1, "duplicate": 0.1}
    one, again, other = (fates(5000, seed=seed, **storm) for seed in (1, 1, 2))
    assert same(one, again)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(5000)


# In an effect

STORM = {
    "loss": 0.2,
    "jitter_ms": 15,
    "buffer_ms": 30,
    "reorder": 0.1,
    "duplicate": 0.2,
    "late": "played",
}
CODECS = ("opus", "gsm", "mp3", "pcm", "g722", "encodec", "lyra")


# Only sound that was decoded is concealed, whatever the codec: two ways each, every way twice
WAYS = len(network.CONCEALMENTS)
CONCEALED = [
    (name, network.CONCEALMENTS[(at + turn) % WAYS])
    for turn in (0, WAYS // 2)
    for at, name in enumerate(CODECS)
]


@pytest.mark.parametrize(("name", "conceal"), CONCEALED)
def test_the_same_samples_for_any_partition(name, conceal):
    audio = tones(RATE, 40_000, channels=2)
    effect = registry.find(name)(**STORM, conceal=conceal, seed=3)
    effect.prepare(StreamSpec(RATE, 2))
    whole = effect.process_block(audio).copy()
    assert effect.meter.lost > 3
    for sizes in ([1024, 7, 480], [40_000 // 3]):
        effect.reset()
        assert same(stream_through(effect, audio, sizes), whole)
    fresh = registry.find(name)(**STORM, conceal=conceal, seed=3)
    fresh.prepare(StreamSpec(RATE, 2, max_block_samples=512))  # in one thread
    assert same(stream_through(fresh, audio, [512]), whole)
    other = registry.find(name)(**STORM, conceal=conceal, seed=4)
    other.prepare(StreamSpec(RATE, 2))
    assert not same(other.process_block(audio), whole)


def test_moves_land_on_the_packet_that_is_being_filled():
    audio = tones(RATE, 48_000)
    heard = []
    for sizes in ([480], [960, 13], [4800]):
        effect = codecfx.Opus(buffer_ms=40, conceal="stretch", loss_pattern="bursts")
        effect.prepare(StreamSpec(RATE, 1))
        parts = []
        for at, loss in ((0, 0.0), (9_600, 0.6), (28_800, 0.1), (38_400, 0.0)):
            effect.loss = loss
            until = {0: 9_600, 9_600: 28_800, 28_800: 38_400, 38_400: 48_000}[at]
            parts += [effect.process_block(one).copy() for one in cut(audio[:, at:until], sizes)]
        heard.append(np.concatenate(parts, axis=1))
        assert 5 < effect.meter.lost < 35
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])


@pytest.mark.parametrize("name", CODECS)
def test_where_nothing_is_lost_nothing_is_changed(name):
    audio = voice(RATE, 24_000, channels=2)
    bare = registry.find(name)()(audio, RATE)
    for values in ({"buffer_ms": 130}, {"distance_km": 1234}, {"conceal": "noise", "seed": 9}):
        assert same(registry.find(name)(**values)(audio, RATE), bare)


def test_latency_is_the_buffers_whole_frames_and_the_distances_samples():
    bare, far = codecfx.Opus(), codecfx.Opus(buffer_ms=50, distance_km=16_000)
    for effect in (bare, far):
        effect.prepare(StreamSpec(RATE, 1))
    assert far.latency_samples - bare.latency_samples == 3 * 960 + round(16_000 / 204.2 * 48)
    audio = voice(RATE, 48_000)
    measured = [measure_latency(audio, one.process_block(audio)) for one in (bare, far)]
    assert measured[1] - measured[0] == pytest.approx(3 * 960 + 3761, abs=0.5)  # of a parabola's top


def test_channels_lose_the_same_packets():
    audio = sine(440, RATE, 48_000, channels=4)
    heard = codecfx.GSM(loss=0.3, conceal="silence")(audio, RATE)
    silent = np.abs(heard).reshape(4, -1, 160).max(axis=2) == 0
    assert same(silent[0], silent[3])


# What is heard instead. PCM, whose frames of 20 ms are the sound itself


def pcm(conceal, audio, steps, **values):
    """What is heard where the steps, a frame each, are lost."""
    effect = codecfx.PCM(
        frame_samples=960,
        loss=1,
        loss_pattern="drawn",
        loss_steps=steps,
        loss_period_ms=20 * len(steps),
        conceal=conceal,
        **values,
    )
    return effect(audio, RATE)


STEPS = "......x.....xxx....."
LOST = [6, 12, 13, 14]


@pytest.mark.parametrize("conceal", network.CONCEALMENTS)
def test_only_gaps_are_filled(conceal):
    audio = voice(RATE, 20 * 960)
    frames = pcm(conceal, audio, STEPS).reshape(20, 960)
    clean = audio.reshape(20, 960)
    after = [frame + 1 for frame in LOST]  # the way back
    for at in range(20):
        if at not in (*LOST, *after):
            assert same(frames[at], clean[at])
        elif at in LOST:
            assert not same(frames[at], clean[at])


def test_repeat_is_the_last_packet_again():
    audio = noise(1, 20 * 960)
    frames, clean = pcm("repeat", audio, STEPS).reshape(20, 960), audio.reshape(20, 960)
    for lost, last in ((6, 5), (12, 11), (13, 11), (14, 11)):
        assert same(frames[lost], clean[last])
    short = pcm("repeat", audio, STEPS, stick_packets=2).reshape(20, 960)
    assert same(short[13], clean[11])
    assert not short[14].any()  # PCM's own concealment
    assert not pcm("repeat", audio, STEPS, stick=0).reshape(20, 960)[LOST].any()


def test_how_often_it_sticks():
    audio = noise(1, 4000 * 64, level=0.1)
    effect = codecfx.PCM(frame_samples=64, loss=0.2, conceal="repeat", stick=0.25)
    frames = effect(audio, RATE).reshape(-1, 64)
    lost = effect.meter.lost
    silent = (np.abs(frames).max(axis=1) == 0).sum()
    assert silent / lost == pytest.approx(0.75, abs=0.06)


def test_silence_is_silent():
    frames = pcm("silence", noise(1, 20 * 960), STEPS).reshape(20, 960)
    assert not frames[LOST].any()


@pytest.mark.parametrize("conceal", ["fade", "stretch", "noise"])
def test_a_gap_does_not_click(conceal):
    tone = sine(220, RATE, 20 * 960, level=0.5)
    clicks = {
        kind: rms_db(np.diff(pcm(kind, tone, STEPS), n=4)[:, 5 * 960 : 17 * 960])
        for kind in (conceal, "silence")
    }
    # a fourth difference hears what a low tone does not have: a cut. The waves' own joints are left
    assert clicks[conceal] < clicks["silence"] - 40


def test_a_wave_goes_on():
    tone = sine(220, RATE, 20 * 960, level=0.5)
    frames, clean = pcm("stretch", tone, STEPS).reshape(20, 960), tone.reshape(20, 960)
    assert np.corrcoef(frames[6], clean[6])[0, 1] > 0.98
    levels = [rms_db(frames[at][np.newaxis, 240:]) for at in (12, 13, 14)]
    assert levels[0] > levels[1] > levels[2]  # ever quieter
    assert rms_db(clean[12][np.newaxis]) - levels[2] < 6


def test_noise_has_the_level_and_colour_of_what_was_there():
    hiss = noise(1, 30 * 960, seed=2)
    low = codecfx.native("LowpassFilter", cutoff_frequency_hz=1000)(hiss, RATE)
    steps = "." * 10 + "x" * 10 + "." * 10
    heard = pcm("noise", low, steps)
    gap, before = heard[:, 11 * 960 : 20 * 960], low[:, : 10 * 960]
    assert abs(rms_db(gap) - rms_db(before)) < 1.5
    high = [rms_db(np.diff(one, n=2)) - rms_db(one) for one in (gap, before)]
    assert abs(high[0] - high[1]) < 6
    assert not same(gap[:, :960], gap[:, 960:1920])


def test_a_fade_ends_in_silence_and_begins_again():
    frames = pcm("fade", noise(1, 20 * 960), STEPS).reshape(20, 960)
    assert not frames[[13, 14]].any()
    assert frames[15, -100:].any()
    assert rms_db(frames[15][np.newaxis, :100]) < rms_db(frames[15][np.newaxis, -100:]) - 20


# By name, in files, in words


def test_paths_are_parameters():
    for name, values in PATHS.items():
        effect = codecfx.Opus(network=name)
        assert {one: effect.values[one] for one in values} == values
        effect(voice(RATE, 9600), RATE)
    assert codecfx.Opus(network="hotel", loss=0.5).loss == 0.5
    assert (
        effect_from("opus:network=hotel,loss=0.5").values
        == codecfx.Opus(network="hotel", loss=0.5).values
    )
    assert codecfx.Opus(network={"path": "5g", "seed": 7}).seed == 7


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"network": "motel"}, "did you mean 'hotel'"),
        ({"network": 3}, "it takes perfect, home-wifi"),
        ({"network": {"path": "5g", "los": 1}}, "did you mean 'loss'"),
        ({"loss": 2}, "it takes 0 to 1"),
        ({"loss_pattern": "often"}, "random, drift, bursts"),
    ],
)
def test_what_is_no_network_is_one_line(settings, words):
    with pytest.raises(ConfigurationError, match=words) as error:
        codecfx.Opus(**settings)
    assert "\n" not in str(error.value)


def test_a_preset_has_a_section(tmp_path):
    file = tmp_path / "far.toml"
    file.write_text(
        'version = 1\n[[chain]]\neffect = "opus"\n[chain.network]\npath = "satellite"\nseed = 12\n'
    )
    board = load_preset(file).board()
    assert board[0].values == codecfx.Opus(network="satellite", seed=12).values
    text = save_preset(board, tmp_path / "again.toml").read_text()
    assert "[chain.network]" in text
    assert "jitter_shape" not in text  # what is neutral is not there
    assert load_preset(tmp_path / "again.toml").board()[0].values == board[0].values


def test_a_period_is_as_long_as_was_asked_for_where_packets_begin_with_it():
    way = Network(
        {**network.NEUTRAL, "loss": 0.4, "loss_pattern": "periodic", "loss_period_ms": 100}, 5
    )
    due = way.carry([Packet(b"", 0)] * 4000)
    assert [isinstance(one, Gap) for one in due] == [at % 20 < 8 for at in range(4000)]


def test_late_tokens_are_told_apart_and_forgotten():
    """Packets that are equal are not the same; and who finds no gap is not waited for."""
    tokens = [Packet(np.full((1, 8, 1), at, np.int32), 80) for at in range(3000)]
    every = {"jitter_ms": 100, "late": "played", "buffer_ms": 40}
    way = Network({**network.NEUTRAL, **every}, 20)
    due = way.carry(tokens[:2000])
    assert sum(not isinstance(one, Gap) for one in due) > 1000
    way.set("jitter_ms", 0.0)
    way.carry(tokens[2000:2900])
    way.set("loss", 1.0)
    assert all(isinstance(one, Gap) for one in way.carry(tokens[2900:])[5:])
