"""Beside the audio: what takes too long for a block is computed by a thread of its own, a run later.

::

    audio  ── run 1 is full ──────── run 2 is full ──────── run 3 is full ───────
              hands 1 in             hands 2 in, takes 1    hands 3 in, takes 2
    worker         └─ computes 1 ─┘       └─ computes 2 ─┘       └─ computes 3 ─┘

A run has as long as the next one takes to fill, and is as much later. That is fixed, so the samples are
those without the worker, whatever the blocks. What is not ready when it is due is waited for: a
dropout, never another sample.

Who holds Python's lock is whom the audio waits for, also where that thread itself was put aside for
other programs. So the worker follows the audio in urgency, one step behind: on two busy cores that is
one block of 2.7 ms in a thousand too late instead of one in ten.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from time import monotonic
from traceback import format_exc
from weakref import finalize

import numpy as np

from codecfx.audio import Audio, silence

WORKER_NAME = "codecfx-beside"
# Longer than any run takes: the longest is a second of sound
_EXIT_SECONDS = 10.0


class Beside:
    """Runs of frames through a worker thread, in order, each coming back when the next is handed in.

    The thread ends when this is dropped, and keeps alive nothing but what it is computing.
    """

    def __init__(self, channels: int, run_samples: int) -> None:
        """Starts the thread. [control thread]"""
        self.late_runs = 0  # that were handed in a run ago and still had to be waited for [any thread]
        self._run_samples, self._nothing = run_samples, silence(channels, 0)
        self._worker = _Worker()
        self._worker.start()
        # without waiting: who drops this may be the audio. At the interpreter's exit `_finish` cares
        finalize(self, self._worker.jobs.put, None).atexit = False
        self._due: _Job | None = None  # the latest run handed in, which comes back with the next
        self._urgency: tuple[int, int] | None = None  # that the worker has

    @property
    def problem(self) -> str:
        """The first exception of the worker, with its traceback; "" for none. [any thread]"""
        # as text: a traceback would keep alive whatever was computing
        return self._worker.problem

    def do(self, work: Callable[[], None]) -> None:
        """Have `work` done after what was handed in, before what is handed in next. [audio thread]"""
        self._worker.jobs.put(_Job(work, self._nothing))

    def run(self, frames: Audio, compute: Callable[[Audio], Audio]) -> Audio:
        """Hand in float32 (channels, k * run_samples), k >= 1, for `compute`, which returns as many;
        take as many that were handed in a run earlier. At first a run fewer comes back.

        Where `compute` raises there is silence, and `problem` says why. Of several runs at once, all
        but the last are waited for. [audio thread]
        """
        self._follow(_own_urgency())
        frames = frames.copy()  # the caller's memory will hold other sound by then
        due = [] if self._due is None else [self._due]
        many = frames.shape[1] - self._run_samples
        now = [self._hand_in(frames[:, :many], compute)] if many else []
        self._due = self._hand_in(frames[:, many:], compute)
        self.late_runs += sum(not job.is_done for job in due)
        sounds = [job.result() for job in due + now]
        return sounds[0] if len(sounds) == 1 else np.concatenate((self._nothing, *sounds), axis=1)

    def _follow(self, urgency: tuple[int, int] | None) -> None:
        if urgency is not None and urgency != self._urgency:
            self._urgency = urgency
            self.do(partial(_become_urgent, *urgency))

    def _hand_in(self, frames: Audio, compute: Callable[[Audio], Audio]) -> "_Job":
        job = _Job(partial(compute, frames), np.zeros_like(frames))
        self._worker.jobs.put(job)
        return job

    def reset(self) -> None:
        """Wait until the worker has nothing to do, and forget what it did. [audio thread]"""
        self._worker.finish().result()
        self._due = None


class _Job:
    """Something to do, and the sound that comes of it: `sound`, unless `work` makes another."""

    __slots__ = ("_done", "_sound", "_work", "is_done")

    def __init__(self, work: Callable[[], Audio | None], sound: Audio) -> None:
        self.is_done = False
        self._sound = sound
        self._work: Callable[[], Audio | None] | None = work
        self._done = threading.Lock()  # held until then: a tenth of an Event's cost
        self._done.acquire()

    def do(self) -> None:
        """[worker]"""
        work, self._work = self._work, None  # it knows a link, which knows this job
        try:
            made = work() if work is not None else None
            if made is not None:
                self._sound = made
        finally:
            self.is_done = True
            self._done.release()

    def wait(self, seconds: float = -1.0) -> None:
        """Until it is done, or so long; -1 for ever."""
        if not self.is_done and self._done.acquire(timeout=seconds):
            self._done.release()

    def result(self) -> Audio:
        """What comes of it, once it is done."""
        self.wait()
        return self._sound


class _Worker(threading.Thread):
    """Does jobs one after another, until it is given None."""

    def __init__(self) -> None:
        super().__init__(name=WORKER_NAME, daemon=True)
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.problem = ""

    def run(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                job.do()
            except BaseException:  # whatever became of it, the audio waits for the next
                self.problem = self.problem or format_exc()
            del job  # which may be the last to know a link, and with it this thread's owner

    def finish(self) -> _Job:
        """A job that is done when all before it are."""
        last = _Job(lambda: None, silence(1, 0))
        self.jobs.put(last)
        return last


def _own_urgency() -> tuple[int, int] | None:
    """The real-time policy and priority of this thread; None where it has none. Of Linux: elsewhere
    Python cannot say.
    """
    if sys.platform == "linux":
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        if policy in (os.SCHED_FIFO, os.SCHED_RR):
            return policy, os.sched_getparam(0).sched_priority
    return None


def _become_urgent(policy: int, priority: int) -> None:
    """Have this thread come right after those of this urgency. [worker]"""
    if sys.platform == "linux":
        with suppress(OSError):  # it may not
            os.sched_setscheduler(0, policy, os.sched_param(max(1, priority - 1)))


@atexit.register
def _finish() -> None:
    """Let every worker come to an end of what it computes: one that returns from a C++ library to an
    interpreter that is gone would take the process down with it. They go on waiting for work, so that
    audio that still runs does not wait for ever.
    """
    workers = [one for one in threading.enumerate() if isinstance(one, _Worker)]
    ends = [(worker, worker.finish()) for worker in workers]
    until = monotonic() + _EXIT_SECONDS
    for worker, end in ends:
        while worker.is_alive() and not end.is_done and monotonic() < until:
            end.wait(0.01)  # in short: one that was to end anyway does nothing more
