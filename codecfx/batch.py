"""Many renders: which files become which, and the processes that do it.

Every worker is a process of its own with a pipe to the parent. Whatever happens to one render, a bad
file or a killed worker, the others go on; a worker whose parent is gone stops and leaves no half file.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codecfx.audio_file import AUDIO_SUFFIXES, OUTPUT_SUFFIXES
from codecfx.errors import AudioFileError, CodecFxError, ConfigurationError
from codecfx.recipe import Recipe
from codecfx.rendering import RenderReport, render
from codecfx.takes import is_take, load_take

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True, slots=True)
class Job:
    """One file to render. `problem` says why it cannot be, found before anything was rendered."""

    source: Path
    target: Path
    problem: str = ""
    delta: str = ""  # what kind of delta it is to be, if not the order's own


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with every file."""

    recipe: Recipe
    tail_seconds: float = 0.0
    overwrite: bool = False
    seed: int | None = None


Outcome = RenderReport | CodecFxError
"""What came of a job."""


def plan(inputs: Iterable[Path], output: Path) -> list[Job]:
    """The jobs of rendering `inputs`, files, takes and folders of both, to `output`: a file for one of
    them, else a folder that mirrors the inputs'.

    Raises:
        ConfigurationError: several files cannot go into one.
    """
    inputs = list(dict.fromkeys(inputs))
    if Path("-") in (*inputs, output):
        raise ConfigurationError("'-' is no file; audio goes from files to files, not through pipes")
    one_file = len(inputs) == 1 and (not os.path.isdir(inputs[0]) or is_take(inputs[0]))
    suffix = "" if os.path.isdir(output) else output.suffix.lower()
    if suffix in OUTPUT_SUFFIXES:
        if not one_file:
            raise ConfigurationError(f"{output} is one file; give a folder for many (-o rendered/)")
        return [Job(inputs[0], output)]
    if suffix and (one_file or suffix in AUDIO_SUFFIXES):
        known = ", ".join(sorted(OUTPUT_SUFFIXES))
        raise ConfigurationError(f"{output}: cannot write '{output.suffix}'; use one of {known}")
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for source, inside in _sources(inputs, output):
        if inside is None:
            may_look = os.access(source, os.R_OK | os.X_OK)
            why = "no audio files in this folder" if may_look else "this folder may not be read"
            jobs.append(Job(source, source, f"{source}: {why}"))
            continue
        suffix = source.suffix if source.suffix.lower() in OUTPUT_SUFFIXES else ".wav"
        target = (output / inside).with_suffix(suffix)
        other = taken.setdefault(target, source)
        clash = f"{source}: {other} becomes {target} too; render one of them elsewhere"
        jobs.append(Job(source, target, "" if other is source else clash))
    sources = {_real(job.source) for job in jobs}
    return [_sparing(job, sources) for job in jobs]


def with_deltas(jobs: Iterable[Job], kind: str) -> list[Job]:
    """`jobs`, and beside each what the effects change of it: `voice.wav` and `voice.delta.wav`."""
    jobs = list(jobs)
    taken = {_real(one) for job in jobs for one in (job.source, job.target)}
    both = []
    for job in jobs:
        target = job.target.with_stem(f"{job.target.stem}.delta")
        clash = f"{job.source}: its delta would replace {target}; render it elsewhere"
        both += [job, Job(job.source, target, job.problem or clash * (_real(target) in taken), kind)]
    return both


def _sparing(job: Job, sources: set[Path]) -> Job:
    """`job`, or why it cannot be: it would replace the source of another."""
    target = _real(job.target)
    if job.problem or target not in sources or target == _real(job.source):
        return job
    return replace(job, problem=f"{job.source}: becomes {job.target}, an input too; render elsewhere")


def _real(path: Path) -> Path:
    """`path` without links; unlike `Path.resolve`, of anything."""
    return Path(os.path.realpath(path))


def _sources(inputs: Iterable[Path], output: Path) -> Iterator[tuple[Path, Path | None]]:
    """Every file, and its place below the output folder; a folder without audio has none."""
    for path in inputs:
        if is_take(path):
            yield path, _as_wav(path)
            continue
        if not os.path.isdir(path):
            yield path, Path(path.name)
            continue
        results = _real(output)
        inside = _real(path) in results.parents
        found = False
        for file in sorted(path.rglob("*")):
            if is_take(file):
                found = True
                yield file, file.relative_to(path).parent / _as_wav(file)
            if is_take(file.parent):
                continue
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.suffix.lower() in AUDIO_SUFFIXES and os.path.isfile(file) and not hidden:
                if inside and results in _real(file).parents:
                    continue  # what an earlier render left below the inputs
                found = True
                yield file, file.relative_to(path)
        if not found:
            yield path, None


def _as_wav(take: Path) -> Path:
    """What a take's sound is called."""
    return Path(f"{take.resolve().name}.wav")


def run(
    jobs: Iterable[Job],
    order: Order,
    workers: int,
    on_progress: Callable[[Job, float], None],
    on_outcome: Callable[[Job, Outcome], None],
) -> None:
    """Do every job, `workers` at a time, and say what comes of each as soon as it does.

    One worker renders in this process. On KeyboardInterrupt the workers clean up and stop first.
    """
    ready: deque[Job] = deque()
    for one in jobs:
        if one.problem:
            on_outcome(one, AudioFileError(one.problem))
        else:
            ready.append(one)
    if workers <= 1 or len(ready) <= 1:
        for one in ready:
            on_outcome(one, _render(one, order, partial(on_progress, one)))
        return
    from multiprocessing.connection import wait

    crew: list[_Worker] = []
    try:
        for _ in range(min(workers, len(ready))):
            crew.append(_Worker(order))
            crew[-1].begin(ready.popleft())
        while busy := [worker for worker in crew if worker.job is not None]:
            for pipe in wait([worker.pipe for worker in busy]):
                at = next(index for index, worker in enumerate(crew) if worker.pipe is pipe)
                worker = crew[at]
                job = worker.job
                assert job is not None
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    died = f"{job.source}: its process was killed before it was done; render it again"
                    message = AudioFileError(died)
                    worker.stop()
                    crew[at] = worker = _Worker(order)
                if isinstance(message, float):
                    on_progress(job, message)
                    continue
                worker.job = None
                on_outcome(job, message)
                if ready:
                    worker.begin(ready.popleft())
    finally:
        for worker in crew:
            worker.pipe.close()
        for worker in crew:
            worker.stop()


def _render(job: Job, order: Order, on_progress: Callable[[float], None]) -> Outcome:
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        if is_take(job.source):
            return _render_take(job, order, on_progress)
        return render(
            _recipe(job, order).board(),
            job.source,
            job.target,
            automation=order.recipe.controls(),
            midi=order.recipe.midi_file(),
            tail_seconds=order.tail_seconds,
            overwrite=order.overwrite,
            seed=order.seed,
            on_progress=on_progress,
        )
    except AudioFileError as error:
        return AudioFileError(str(error))
    except CodecFxError as error:  # a plain one, so that it can travel between processes
        return CodecFxError(f"{job.source}: {error}")
    except OSError as error:
        return AudioFileError(f"{job.target}: cannot be written ({error.strerror or error})")
    except MemoryError:
        return AudioFileError(f"{job.source}: not enough memory to render it")


def _render_take(job: Job, order: Order, on_progress: Callable[[float], None]) -> RenderReport:
    """A take as it was, but for what the order says: other effects, more controls, another seed."""
    take, recipe = load_take(job.source), _recipe(job, order)
    board = None if recipe.is_bare else recipe.board()
    if board is None and (recipe.mix is not None or recipe.delta):
        board = recipe.finished(take.preset.board())
    return take.render(
        job.target,
        board=board,
        controls=take.preset.controls + recipe.controls(),
        tail_seconds=order.tail_seconds,
        overwrite=order.overwrite,
        seed=order.seed,
        on_progress=on_progress,
    )


def _recipe(job: Job, order: Order) -> Recipe:
    return replace(order.recipe, delta=job.delta) if job.delta else order.recipe


class _Worker:
    """A process that renders one job after another."""

    def __init__(self, order: Order) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")  # threads and audio engines do not survive forks
        self.pipe, theirs = context.Pipe()
        self.job: Job | None = None
        self._process = context.Process(target=_work, args=(theirs, order), daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()

    def begin(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # a worker that is gone already is found out by what comes back
            self.pipe.send(job)

    def stop(self) -> None:
        """Let it clean up and go: it sees the closed pipe at its next report."""
        self.pipe.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; a process begun in it never gets one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it lets signals in again when it starts, so it starts first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: "Connection[Any, Any]", order: Order) -> None:
    """A worker's life: jobs in, fractions and outcomes out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which closes the pipe
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not at once: the half file goes first
    try:
        while True:
            job = pipe.recv()
            try:
                outcome = _render(job, order, pipe.send)
            except Exception as error:  # a fault of ours or a plugin's: the other stems go on
                fault = f"{type(error).__name__}: {error}; please report this"
                outcome = CodecFxError(f"{job.source}: {fault}")
            pipe.send(outcome)
    except (EOFError, OSError):
        return  # the parent is done, or gone; the render's own `with` has removed its half file
