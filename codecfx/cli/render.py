"""`codecfx render`: audio files through a chain of effects."""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecfx.cli.options import EffectOption, MixOption, PresetOption

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from codecfx.batch import Job, Outcome
    from codecfx.recipe import Recipe
    from codecfx.rendering import PacketCounts, RenderReport
    from codecfx.takes import Take


def command(
    # What cannot be read is a failed render, not wrong usage: it must not stop the others
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Audio files, takes, folders.", readable=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file for one input; a folder for many.",
            readable=False,
        ),
    ],
    preset: PresetOption = "",
    effect: EffectOption = None,
    mix: MixOption = None,
    automation: Annotated[
        list[str] | None,
        typer.Option(
            "--automation", "-a", metavar="FILE", help="Lanes: .toml, .json, .csv; may be repeated."
        ),
    ] = None,
    midi: Annotated[
        str, typer.Option("--midi", metavar="FILE", help="A .mid, played through the maps.")
    ] = "",
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", "-m", metavar="NAME", help="A map's name or file, see 'codecfx midi maps'."
        ),
    ] = None,
    tail: Annotated[float, typer.Option(metavar="SECONDS", help="Ring out for so long.")] = 0.0,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Files at a time; 0: one per core.")
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    delta: Annotated[
        bool, typer.Option("--delta", help="What the effects change: dry less wet, aligned.")
    ] = False,
    with_delta: Annotated[
        bool, typer.Option("--with-delta", help="Beside each file its delta, NAME.delta.wav.")
    ] = False,
    matched: Annotated[
        bool, typer.Option("--matched", help="Of deltas: wet at the level of dry.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of every effect and modulator.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report in JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Render stems through codecs and effects: same length, rate, channels and format, in time.

    A take's folder renders to what was heard; with a preset, automation or a seed, to another version.
    """
    from codecfx.batch import Order, plan, run, with_deltas
    from codecfx.errors import ConfigurationError
    from codecfx.recipe import Recipe

    if not 0 <= tail <= 3600:
        raise ConfigurationError(f"--tail is {tail:g}; it takes 0 to 3600 seconds")
    if delta and with_delta:
        raise ConfigurationError(
            "--delta and --with-delta: the one is instead, the other beside; choose"
        )
    if matched and not (delta or with_delta):
        raise ConfigurationError("--matched is of deltas; add --delta or --with-delta")
    kind = "matched" if matched else "on"
    recipe = Recipe(
        preset,
        tuple(effect or ()),
        mix,
        tuple(automation or ()),
        tuple(maps or ()),
        midi,
        delta=kind if delta else "",
    )
    planned = plan(inputs, output)
    if with_delta:
        planned = with_deltas(planned, kind)
    takes = _takes_of((job.source for job in planned), recipe)
    if not recipe.is_bare or len(takes) < len(planned) or not takes:
        recipe.check()  # whatever is wrong with it is wrong for every file: say so before the first
    workers = jobs or _cores()
    screen = _Screen(planned, show=not quiet and not as_json)
    try:
        with screen:
            run(planned, Order(recipe, tail, overwrite, seed), workers, screen.progress, screen.outcome)
    except KeyboardInterrupt:
        screen.summary(as_json, quiet)
        raise
    screen.summary(as_json, quiet)
    return 1 if screen.failed else 0


def _takes_of(sources: Iterable[Path], recipe: "Recipe") -> "list[Take]":
    """The takes among the sources; says what is of another version here than they ran on."""
    from codecfx.cli.output import print_aside
    from codecfx.errors import ConfigurationError
    from codecfx.takes import is_take, load_take

    takes = [load_take(path) for path in sources if is_take(path)]
    if takes and recipe.midi:
        raise ConfigurationError(f"--midi {recipe.midi}: a take has messages of its own; leave it out")
    for take in takes:
        for line in take.differs:
            print_aside(f"codecfx: note: {take.folder}: {line} here; it may sound otherwise")
    return takes


def _cores() -> int:
    """The cores this process may use: in a container, fewer than the machine has."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Screen:
    """Progress while files are rendered, and what came of them."""

    def __init__(self, jobs: "list[Job]", show: bool) -> None:
        self._jobs = jobs
        self._outcomes: dict[Job, Outcome] = {}
        self._tasks: dict[Job, TaskID] = {}
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bars: Progress | None = _progress_bars() if show and terminal else None

    def __enter__(self) -> None:
        self._live: AbstractContextManager[Any] = self._bars or nullcontext()
        self._live.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    @property
    def failed(self) -> int:
        return sum(isinstance(outcome, Exception) for outcome in self._outcomes.values())

    def progress(self, job: "Job", done: float) -> None:
        if self._bars is None:
            return
        if job not in self._tasks:
            self._tasks[job] = self._bars.add_task(job.source.name, total=1.0)
        self._bars.update(self._tasks[job], completed=done)

    def outcome(self, job: "Job", outcome: "Outcome") -> None:
        from codecfx.cli.output import print_error

        self._outcomes[job] = outcome
        if self._bars is not None and job in self._tasks:
            self._bars.remove_task(self._tasks[job])
        if isinstance(outcome, Exception):
            print_error(str(outcome), self._bars.console if self._bars else None)

    def summary(self, as_json: bool, quiet: bool) -> None:
        from codecfx.cli.output import print_json

        if as_json:
            print_json([_as_json(job, self._outcomes.get(job)) for job in self._jobs])
        elif not quiet:
            for outcome in self._outcomes.values():
                if not isinstance(outcome, Exception):
                    print(_in_words(outcome))
            if len(self._jobs) > 1:
                done = len(self._outcomes) - self.failed
                left = len(self._jobs) - len(self._outcomes)
                print(
                    f"{done} rendered, {self.failed} failed"
                    + (f", {left} not begun or stopped" if left else "")
                )


def _progress_bars() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _in_words(report: "RenderReport") -> str:
    from codecfx.cli.output import level

    rates = "".join(
        f"{name} {kbps:.1f} kbps, " if len(report.kbps) > 1 else f"{kbps:.1f} kbps, "
        for name, kbps in report.kbps.items()
    )
    packets = "".join(
        f"\n  {name}: {_packets_in_words(one)}"
        for name, one in report.packets.items()
        if not one.is_whole
    )
    clipped = f", {report.clipped_samples} samples clipped" if report.clipped_samples else ""
    return (
        f"{report.target}: {report.seconds:.1f} s at {report.real_time_factor:.0f}x, {rates}"
        f"{report.latency_samples} samples ({report.latency_ms:.1f} ms) of latency removed, "
        f"peak {level(report.peak_in_db)} in, {level(report.peak_out_db)} out{clipped}{packets}"
    )


def _packets_in_words(of: "PacketCounts") -> str:
    share = 100 * of.lost / of.sent if of.sent else 0.0
    return (
        f"{of.sent} packets, lost {of.lost} ({share:.1f} %), concealed {of.concealed}, "
        f"repaired {of.repaired}, damaged {of.damaged}, seed {of.seed}"
    )


def _as_json(job: "Job", outcome: "Outcome | None") -> dict[str, Any]:
    from dataclasses import asdict

    names = {"name": job.source.name, "source": str(job.source), "target": str(job.target)}
    if outcome is None:
        return names | {"ok": False, "error": "stopped"}
    if isinstance(outcome, Exception):
        return names | {"ok": False, "error": str(outcome)}
    factor = {"real_time_factor": round(outcome.real_time_factor, 2)}
    return names | {"ok": True, "error": None} | factor | (asdict(outcome) | names)
