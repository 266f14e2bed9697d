"""Codecs whose frames take long, live: computed beside the audio, the same samples one run later."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from math import ceil, floor

import numpy as np
import pedalboard
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import late, measure_latency, noise, same, stream_through, tones

from codecfx import codecs
from codecfx.audio import silence
from codecfx.codecs.base import CodecFormat, Packet, check_frames
from codecfx.control.parameters import Change, Parameter
from codecfx.effects import registry
from codecfx.effects.base import Effect
from codecfx.effects.board import Chain, Mix, Pedalboard
from codecfx.effects.codec_effect import effect_of
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.generations import Generations
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.effects.setlist import Setlist
from codecfx.live.complaints import Complaints
from codecfx.stream.beside import WORKER_NAME, Beside, _Job
from codecfx.stream.framing import Framed

RATE = 48_000
FRAME = 480
BLOCKS = (0, 1, 7, 64, 65, 127, 128, 480, 481, 1024)


class Slow:
    """A codec with a memory: a gain, and an echo of the frame before. Where it computes is noted; what
    it does beside that is the test's to say.
    """

    name = "slow"
    title = "Slow"
    description = "A codec that takes as long as a test likes"
    parameters = (
        Parameter("gain", "Gain", default=1.0, minimum=0.0, maximum=2.0, change=Change.NEXT_FRAME),
        Parameter("echo", "Echo", default=0.0, minimum=0.0, maximum=1.0, change=Change.NEXT_FRAME),
        Parameter("run_frames", "Run", default=1, choices=(1, 2, 7), change=Change.PREPARE),
    )
    computes_long = True

    @staticmethod
    def at_work(codec):
        """Called with the codec before every run."""

    def __init__(self, sample_rate, channels, settings):
        self.format = CodecFormat(RATE, channels, FRAME, 0, int(settings["run_frames"]))
        self.settings = {key: float(settings[key]) for key in ("gain", "echo")}
        self.planned, self.threads, self.announced = [], [], []
        self.reset()

    @classmethod
    def widest(cls, settings):
        return 2

    def encode(self, frames):
        check_frames(frames, self.format)
        self.threads.append(threading.current_thread().name)
        packets = []
        for at in range(0, frames.shape[1], FRAME):
            place = at // FRAME % self.format.run_frames
            if place == 0:
                self.at_work(self)
            for planned in [one for one in self.planned if one[0] == place]:
                self.planned.remove(planned)
                self.settings[planned[1]] = planned[2]
            frame = frames[:, at : at + FRAME]
            sound = self.settings["gain"] * frame + self.settings["echo"] * self.before
            self.before = frame.copy()
            packets.append(Packet(sound.astype(np.float32).tobytes(), 8))
        return packets

    def decode(self, packets):
        shape = (self.format.channels, FRAME)
        return np.concatenate(
            [np.frombuffer(one.payload, np.float32).reshape(shape) for one in packets], axis=1
        )

    def announce(self, parameter_id, value):
        self.announced.append(parameter_id)

    def set(self, parameter_id, value):
        self.set_within(parameter_id, value, 0)

    def set_within(self, parameter_id, value, frame):
        self.threads.append(threading.current_thread().name)
        self.planned.append((frame, parameter_id, float(value)))

    def reset(self):
        for _, parameter_id, value in self.planned:
            self.settings[parameter_id] = value
        self.planned = []
        self.before = silence(self.format.channels, FRAME)

    def describe(self, packet):
        return {"size": str(len(packet.payload))}


def slow(at_work=lambda codec: None, **values):
    """An effect of a codec that does `at_work` before every run."""
    codec = type("Slow", (Slow,), {"at_work": staticmethod(at_work)})
    return effect_of(codec)(**values)


def codec_of(effect):
    return effect._links[0].codec


_OTHERS = set()  # workers of tests that failed before, which their tracebacks keep


def workers():
    return [one for one in threading.enumerate() if one.name == WORKER_NAME and one not in _OTHERS]


def workers_end():
    """Whether all of them do, soon."""
    until = time.monotonic() + 10
    while workers() and time.monotonic() < until:
        time.sleep(0.001)
    return not workers()


def settle(effect):
    """Wait until the workers have done what was handed in."""
    for link in effect._links:
        done = threading.Event()
        link._beside.do(done.set)
        assert done.wait(10)


@pytest.fixture(autouse=True)
def nobody_stays_behind():
    """No effect needs a garbage collection to let its workers go."""
    gc.collect()  # what others left
    if not workers_end():
        _OTHERS.update(workers())
    gc.disable()
    yield
    gc.enable()


LONG = [name for name in codecs.names() if getattr(codecs.find(name), "computes_long", False)]
SETTINGS = {
    "slow": lambda: slow(echo=0.25),
    "slow, two frames at once": lambda: slow(echo=0.25, run_frames=2),
    "slow, seven frames at once": lambda: slow(run_frames=7, gain=0.5),
    **{name: registry.find(name) for name in LONG},
    "encodec, eight hops, mid and side": lambda: registry.find("encodec")(hops=8, coupling="mid_side"),
    "encodec48": lambda: registry.find("encodec48")(segment_s=0.1),
}
of_every_long_codec = pytest.mark.parametrize("name", SETTINGS)


def moves_of(effect, samples, count, seed):
    """Moves of the codec's own parameters, to values all over their ranges, at any samples."""
    random = np.random.default_rng(seed)
    live = [one for one in effect.codec.parameters if one.change is Change.NEXT_FRAME]
    moves = []
    for at in np.sort(random.integers(0, samples, count if live else 0)).tolist():
        one = live[random.integers(len(live))]
        moves.append((at, Move(f"{effect.name}.{one.id}", one.value_at(random.uniform()))))
    return moves


def played(effect, audio, rate, moves, sizes, *, live, seed=0):
    """What a player makes of it, moved between blocks of random `sizes`; and how late it is."""
    random = np.random.default_rng(seed)
    player = Player(Chain([effect]), events=moves)
    player.prepare(StreamSpec(rate, len(audio), max(sizes), live=live))
    heard, at = [], 0
    while at < audio.shape[1]:
        size = int(random.choice(sizes))
        heard.append(player.process_block(audio[:, at : at + size]).copy())
        at += size
    player.restore()
    return np.concatenate(heard, axis=1), player.latency_samples


# The same samples, a run later


@of_every_long_codec
@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_samples_are_those_without_a_worker_a_run_later(name, rate, seed):
    # somewhere on the way, over a second of every codec but the slowest
    audio = 0.8 * tones(rate, rate, 2, seed=seed)
    plain, live = SETTINGS[name](), SETTINGS[name]()
    moves = moves_of(plain, rate, 12, seed)
    expected, early = played(plain, audio, rate, moves, [65_536], live=False)
    heard, later = played(live, audio, rate, moves, BLOCKS, live=True, seed=seed)
    codec = codec_of(live).format
    run = codec.run_samples * rate / codec.sample_rate
    assert later - early in (floor(run), ceil(run))  # not whole: a tenth of a second of 44.1 kHz
    assert np.abs(expected).max() > 0.01
    assert same(heard, late(expected, later - early))
    settle(live)
    assert live.problem == ""
    assert live.meter == plain.meter


@given(
    sizes=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=12).filter(any),
    run_frames=st.sampled_from([1, 2, 7]),
    channels=st.sampled_from([1, 2, 5]),
    set_at=st.integers(0, 9999),
)
def test_any_partition_gives_the_same_samples(sizes, run_frames, channels, set_at):
    audio = noise(channels, 10_000)
    moves = [(set_at, Move("slow.gain", 0.5)), (set_at + 1, Move("slow.echo", 0.25))]
    expected, _ = played(slow(run_frames=run_frames), audio, RATE, moves, [99_999], live=False)
    heard, _ = played(slow(run_frames=run_frames), audio, RATE, moves, sizes, live=True)
    assert same(heard, late(expected, run_frames * FRAME))


def test_long_blocks_are_many_runs_at_once():
    audio = noise(2, 100 * FRAME + 7)
    effect = slow(echo=0.25)
    effect.prepare(StreamSpec(RATE, 2, live=True))
    heard = effect.process_block(audio)
    settle(effect)
    assert len(codec_of(effect).threads) == 2  # the last one apart, not one by one
    plain = slow(echo=0.25)
    plain.prepare(StreamSpec(RATE, 2))
    assert same(heard, late(plain.process_block(audio), FRAME))


def test_what_comes_in_is_not_looked_at_later():
    """A host uses its buffer again for the next block."""
    audio = noise(1, 20 * FRAME)
    arrived = threading.Event()
    effect = slow(lambda codec: arrived.wait(10))
    effect.prepare(StreamSpec(RATE, 1, live=True))
    buffer = audio[:, :FRAME].copy()
    effect.process_block(buffer)
    buffer.fill(9)
    arrived.set()
    heard = [effect.process_block(audio[:, FRAME:])]
    assert same(heard[0], late(audio, 2 * FRAME - 1)[:, FRAME:])


@pytest.mark.parametrize("name", ["opus", "pcm", "gsm"])
def test_codecs_that_are_quick_are_as_ever(name):
    plain, live = registry.find(name)(), registry.find(name)()
    plain.prepare(StreamSpec(RATE, 2))
    live.prepare(StreamSpec(RATE, 2, live=True))
    assert workers() == []
    assert live.latency_samples == plain.latency_samples
    audio = noise(2, RATE // 4)
    assert same(live.process_block(audio), plain.process_block(audio))
    assert live.late_runs == 0
    assert live.problem == ""


def test_neural_codecs_are_long():
    assert {"encodec", "encodec48", "lyra", "soundstream"} <= set(LONG)


# Latency


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("run_frames", [1, 7])
def test_the_declared_latency_is_the_measured_one(rate, run_frames):
    effect = slow(run_frames=run_frames)
    effect.prepare(StreamSpec(rate, 2, live=True))
    audio = noise(2, effect.latency_samples + rate // 4)
    heard = stream_through(effect, audio, [127, 64])
    # the resampler's own exactness; at the codec's rate it is the input to the bit
    assert measure_latency(audio, heard) == pytest.approx(effect.latency_samples, abs=0.01)
    if rate == RATE:
        assert effect.latency_samples == 2 * run_frames * FRAME - 1
        assert same(heard, late(audio, effect.latency_samples))


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_dry_and_wet_are_aligned(rate):
    effect = slow(mix=0.5)
    effect.prepare(StreamSpec(rate, 1, live=True))
    audio = 0.5 * tones(rate, rate // 2)  # none of it where the resampler ends
    heard = stream_through(effect, audio, [128])
    settled = slice(2 * effect.latency_samples, None)
    wanted = late(audio, effect.latency_samples)[:, settled]
    # two resamplings' ripple and rounding; a sample off is 0.3
    np.testing.assert_allclose(heard[:, settled], wanted, atol=1e-3 if rate != RATE else 1e-6)


def test_branches_of_a_mix_are_aligned():
    board = Mix([slow(), registry.find("pcm")(), slow(run_frames=7)])
    board.prepare(StreamSpec(RATE, 2, live=True))
    audio = noise(2, 20_000, level=0.1)
    heard = stream_through(board, audio, [128])
    assert board.latency_samples == 14 * FRAME - 1
    np.testing.assert_allclose(heard, late(3 * audio, board.latency_samples), atol=1e-6)


# Threads


def test_the_audio_thread_never_computes():
    for live, where in ((False, threading.current_thread().name), (True, WORKER_NAME)):
        effect = slow(lambda codec: time.sleep(0.01))
        effect.prepare(StreamSpec(RATE, 2, 128, live=live))
        for number in range(30):
            effect.gain = 1 + number % 2
            effect.process_block(noise(2, 128))
        assert set(codec_of(effect).threads) == {where}
        # nor opens encoders: the worker has the time for that
        assert (codec_of(effect).announced == []) is live


def test_every_group_of_channels_has_a_worker_of_its_own():
    together = threading.Barrier(3)
    effect = slow(lambda codec: together.wait(10))
    effect.prepare(StreamSpec(RATE, 5, live=True))
    assert len(workers()) == 3
    audio = noise(5, 4 * FRAME)
    # each run waits until all three are at it
    heard = stream_through(effect, audio, [FRAME])
    assert same(heard, late(audio, 2 * FRAME - 1))
    assert effect.problem == ""
    del effect
    assert workers_end()


def test_a_run_that_is_late_is_waited_for_and_counted(monkeypatch):
    gate = threading.Event()
    effect = slow(lambda codec: gate.wait(10))
    effect.prepare(StreamSpec(RATE, 1, live=True))
    audio = noise(1, 6 * FRAME)
    first = effect.process_block(audio[:, : 2 * FRAME - 1]).copy()
    assert effect.late_runs == 0

    def at_last(job, result=_Job.result):
        gate.set()
        return result(job)

    monkeypatch.setattr(_Job, "result", at_last)
    rest = effect.process_block(audio[:, 2 * FRAME - 1 :])
    assert same(np.concatenate((first, rest), axis=1), late(audio, 2 * FRAME - 1))
    assert effect.late_runs == 1
    effect.reset()
    assert effect.late_runs == 1  # of the whole performance
    effect.prepare(StreamSpec(RATE, 1, live=True))
    assert effect.late_runs == 0


def test_a_run_in_time_is_not_late():
    done = threading.Semaphore(0)
    effect = slow()
    effect.prepare(StreamSpec(RATE, 1, live=True))
    beside = effect._links[0]._beside
    for _ in range(20):
        effect.process_block(noise(1, FRAME))
        beside.do(done.release)  # what is handed in is done in order
        assert done.acquire(timeout=10)
    assert effect.late_runs == 0


def test_workers_end_with_their_streams():
    effect = slow()
    for _ in range(100):
        effect.prepare(StreamSpec(RATE, 5, live=True))
        effect.process_block(noise(5, 2000))
    until = time.monotonic() + 10
    while len(workers()) > 3 and time.monotonic() < until:
        time.sleep(0.001)
    assert len(workers()) == 3
    del effect
    assert workers_end()


def test_a_worker_ends_with_its_stream_also_while_it_computes():
    begun, gate = threading.Event(), threading.Event()

    def at_work(codec):
        begun.set()
        gate.wait(10)

    effect = slow(at_work)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    effect.process_block(noise(1, FRAME))
    assert begun.wait(10)
    del effect  # does not wait
    assert len(workers()) == 1
    gate.set()
    assert workers_end()


def test_a_board_that_was_prepared_for_another_stream_keeps_its_own():
    effect = slow()
    board = Chain([effect])
    board.prepare(StreamSpec(RATE, 1, live=True))
    audio = noise(1, 4 * FRAME)
    first = board.process_block(audio[:, : 2 * FRAME]).copy()
    effect.prepare(StreamSpec(44_100, 2, live=True))
    rest = board.process_block(audio[:, 2 * FRAME :])
    assert same(np.concatenate((first, rest), axis=1), late(audio, 2 * FRAME - 1))
    assert len(workers()) == 2
    del board, effect
    gc.collect()  # a container is freed no earlier
    assert workers_end()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python cannot say what is urgent")
def test_the_worker_is_as_urgent_as_the_audio_but_for_one():
    urgencies = []

    def at_work(codec):
        urgencies.append((os.sched_getscheduler(0), os.sched_getparam(0).sched_priority))

    effect = slow(at_work)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    allowed = []

    def play():
        effect.process_block(noise(1, FRAME))
        try:
            for policy, priority in ((os.SCHED_FIFO, 7), (os.SCHED_RR, 1)):
                os.sched_setscheduler(0, policy, os.sched_param(priority))
                allowed.append(policy)
                effect.process_block(noise(1, FRAME))
        except PermissionError:
            pass
        effect.process_block(noise(1, FRAME))

    audio = threading.Thread(target=play)
    audio.start()
    audio.join()
    effect.reset()
    ours = (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
    if not allowed:
        assert set(urgencies) == {ours}
        pytest.skip("this user may not be urgent")
    assert urgencies == [ours, (os.SCHED_FIFO, 6), (os.SCHED_RR, 1), (os.SCHED_RR, 1)]
    assert effect.problem == ""


ENDINGS = {
    "with a run under way": "pass",
    "with an effect that is gone": "del effect",
    "with audio that goes on": """
        def play():
            while True:
                effect.process_block(silence(1, 480))
        threading.Thread(target=play, daemon=True).start()
        time.sleep(0.1)
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_exits_as_if_nothing_was(ending):
    code = f"""
        import sys, threading, time
        sys.path.insert(0, "tests")
        from test_beside import StreamSpec, silence, slow
        effect = slow(lambda codec: time.sleep(0.05))
        effect.prepare(StreamSpec(48000, 1, live=True))
        effect.process_block(silence(1, 481))
        {ENDINGS[ending].strip()}
        print("done")
    """
    lines = "\n".join(line.removeprefix("        ") for line in code.splitlines())
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", lines], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert time.monotonic() - began < 30


# Reset


@pytest.mark.parametrize("name", ["slow", "slow, two frames at once", "encodec", "lyra", "mp3"])
def test_a_reset_one_is_as_new(name):
    audio = 0.8 * tones(RATE, RATE // 2, 2)
    effect = SETTINGS[name]()
    effect.prepare(StreamSpec(RATE, 2, live=True))
    fresh = effect.process_block(audio).copy()
    settle(effect)
    meter = effect.meter
    for dirt in (1, 700, 5000):
        stream_through(effect, noise(2, dirt), [127])
        effect.reset()
        assert effect.meter.packets == 0
        assert same(stream_through(effect, audio, BLOCKS), fresh)
        settle(effect)
        assert effect.meter == meter
        effect.reset()


def test_a_reset_waits_for_the_worker():
    begun, gate = threading.Event(), threading.Event()

    def at_work(codec):
        begun.set()
        gate.wait(10)

    effect = slow(at_work, echo=0.25)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    effect.process_block(noise(1, FRAME))
    assert begun.wait(10)
    effect.gain = 0.5
    threading.Timer(0.05, gate.set).start()
    effect.reset()
    assert gate.is_set()
    audio = noise(1, 5 * FRAME, seed=2)
    heard = effect.process_block(audio).copy()
    # what was set before the reset holds after it, and no echo is left
    plain = slow(echo=0.25, gain=0.5)
    plain.prepare(StreamSpec(RATE, 1))
    assert same(heard, late(plain.process_block(audio), FRAME))


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signals")
def test_a_wait_may_be_interrupted():
    gate = threading.Event()
    effect = slow(lambda codec: gate.wait(10), echo=0.25)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    audio = noise(1, 20 * FRAME)

    def stop(*_):
        raise Stopped

    def interrupted(block):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        effect.process_block(block)

    before = signal.signal(signal.SIGALRM, stop)
    try:
        effect.process_block(audio[:, :FRAME])
        for size in (FRAME, 5 * FRAME):  # one run waits for the one before; many for themselves
            with pytest.raises(Stopped):
                interrupted(audio[:, :size])
    finally:
        signal.signal(signal.SIGALRM, before)
    gate.set()
    effect.reset()
    plain = slow(echo=0.25)
    plain.prepare(StreamSpec(RATE, 1))
    assert same(effect.process_block(audio), late(plain.process_block(audio), FRAME))


# What goes wrong


def test_where_a_codec_raises_there_is_silence_and_it_is_remembered():
    calls = []

    def at_work(codec):
        calls.append(codec)
        if len(calls) in (3, 5):
            raise RuntimeError(f"no frame {len(calls)} for you")

    effect = slow(at_work)
    effect.prepare(StreamSpec(RATE, 2, live=True))
    audio = noise(2, 9 * FRAME)
    heard = stream_through(effect, audio, [128])
    expected = audio.copy()
    for number in (2, 4):
        expected[:, number * FRAME : (number + 1) * FRAME] = 0
    assert same(heard, late(expected, effect.latency_samples))
    assert "no frame 3 for you" in effect.problem  # the first: others may follow from it
    assert "at_work" in effect.problem
    settle(effect)
    assert effect.meter.packets == 7
    effect.reset()
    assert same(stream_through(effect, audio, [128]), late(audio, effect.latency_samples))
    calls.clear()
    del effect
    assert workers_end()  # nor does the exception keep it


def test_many_runs_at_once_are_silent_together():
    def at_work(codec):
        if codec.before.any():
            raise MemoryError

    effect = slow(at_work)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    audio = noise(1, 9 * FRAME)
    assert not effect.process_block(audio).any()
    settle(effect)
    assert "MemoryError" in effect.problem


def test_a_setting_that_a_codec_refuses_hangs_nobody(monkeypatch):
    effect = slow()
    effect.prepare(StreamSpec(RATE, 1, live=True))

    def refuse(*_):
        raise ValueError("not that")

    monkeypatch.setattr(codec_of(effect), "set", refuse)
    effect.gain = 0.5
    audio = noise(1, 5 * FRAME)
    assert same(stream_through(effect, audio, [100]), late(audio, effect.latency_samples))
    assert "not that" in effect.problem


def test_what_is_no_sound_becomes_silence():
    effect = slow(lambda codec: codec.before.fill(np.nan), echo=1.0)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    assert not effect.process_block(noise(1, 5 * FRAME)).any()
    assert effect.problem == ""


def test_a_performer_is_told_of_copies_that_fail_or_are_late(monkeypatch):
    """In a chain of generations too, whose later passes have no meter: a line, and again when it is
    worse, but no oftener than every ten seconds.
    """

    def refuse(*_):
        raise RuntimeError("no bits left")

    board, complaints = (
        Pedalboard([Generations([registry.find("vorbis")()], generations=3)]),
        Complaints(),
    )
    board.prepare(StreamSpec(RATE, 2, live=True))
    last = board[0].copies[-1]
    monkeypatch.setattr(codec_of(last), "encode", refuse)
    assert list(complaints.fresh(board, 100.0)) == []
    board.process_block(noise(2, RATE // 4))
    settle(last)
    late = last.late_runs  # where several runs come at once, or the machine is busy
    told = list(complaints.fresh(board, 101.0))
    assert told.count("vorbis has failed, and was silent instead: RuntimeError: no bits left") == 1
    assert list(complaints.fresh(board, 102.0)) == []
    last._links[0]._beside.late_runs = late + 7
    (line,) = complaints.fresh(board, 112.0)
    assert line == (
        f"the sound has waited for vorbis {late + 7} times; where that goes on, end other programs, or "
        "play fewer codecs at once"
    )


# Meters


def test_meters_can_be_read_while_the_worker_computes():
    begun, gate = threading.Semaphore(0), threading.Semaphore(0)

    def at_work(codec):
        begun.release()
        gate.acquire(timeout=10)

    effect = slow(at_work)
    effect.prepare(StreamSpec(RATE, 1, live=True))
    effect.process_block(noise(1, FRAME))
    assert begun.acquire(timeout=10)
    assert effect.meter.packets == 0
    assert effect.recent_packets() == []
    gate.release()
    effect.process_block(noise(1, FRAME))  # takes the first, as soon as it is there
    assert begun.acquire(timeout=10)
    assert effect.meter.packets == 1
    assert [packet.details for packet in effect.recent_packets()] == [{"size": str(4 * FRAME)}]
    gate.release()
    effect.reset()
    assert effect.meter.packets == 0


# By itself


def test_it_gives_what_was_handed_in_a_run_ago():
    beside = Beside(1, 64)
    run = partial(beside.run, compute=np.negative)
    framed = FixedLatency(Framed(64, 1, run, beside.reset, withheld_samples=64), 1)
    audio = noise(1, 1000)
    assert framed.latency_samples == 127
    assert same(stream_through(framed, audio, [65, 7, 300]), -late(audio, 127))
    assert beside.problem == ""
    assert beside.late_runs <= 1000 // 64


# Every container passes it on


class Asked(Effect):
    """Notes what it is prepared for."""

    name = "asked"

    def build(self, spec):
        self._asked = spec
        return FixedLatency(Framed(1, spec.channels, lambda frames: frames), spec.channels)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    "around",
    [
        lambda inner: inner,
        lambda inner: Chain([inner]),
        lambda inner: Pedalboard([pedalboard.Gain(0), inner, pedalboard.Reverb()]),
        lambda inner: Mix([pedalboard.Gain(0), inner]),
        lambda inner: Pedalboard(
            [Mix([pedalboard.Gain(0), Chain([pedalboard.Gain(0), Mix([inner])])])]
        ),
    ],
)
def test_containers_pass_it_on(around, live):
    asked = Asked()
    board = around(asked)
    board.prepare(StreamSpec(RATE, 2, 128, live=live))
    assert asked._asked.live is live
    player = Player(board)
    player.prepare(StreamSpec(RATE, 2, 256, live=not live))
    assert asked._asked.live is not live
    Setlist([player], {}).prepare(StreamSpec(RATE, 2, 512, live=live))
    assert asked._asked.live is live
    assert asked._asked.max_block_samples >= 512


def test_an_array_is_not_live():
    effect = slow()
    effect.prepare(StreamSpec(RATE, 1, live=True))
    assert effect.latency_samples == 2 * FRAME - 1
    audio = noise(1, 5 * FRAME)
    assert same(effect(audio, RATE), audio)
    assert effect.latency_samples == FRAME - 1
    assert workers_end()
