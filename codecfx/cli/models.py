"""`codecfx models`: the networks of neural codecs, fetched when you say so."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from codecfx.models.fetching import Progress

app = typer.Typer(help="List, fetch and check the models of neural codecs.", add_completion=False)

_NAME = typer.Argument(help="A model's name: that of its codec.", metavar="NAME")
_NAME_OR_ALL = typer.Argument(help="A model's name; all if there is none.", metavar="[NAME]")


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every model: whether it is here, its size, licence, checksums and source."""
    from codecfx import models
    from codecfx.cli.output import print_json, print_table

    states = {name: models.state(name) for name in models.MODELS}
    if as_json:
        print_json([_as_json(name, str(state)) for name, state in states.items()])
        return
    every = list(models.MODELS.values())
    print_table(
        ("model", "state", "size", "licence", "source"),
        [
            (one.name, states[one.name], models.megabytes(one.size_bytes), one.licence, one.source)
            for one in every
        ],
        right=("size",),
        close=True,
    )
    print()
    print_table(
        ("file", "of", "SHA-256 begins"),
        [(file.name, one.name, file.sha256[:16]) for one in every for file in one.files],
    )
    print(f"\nfolder: {models.folder()}")
    for one in every:
        if models.is_by_path(one):
            print(f"{one.name} is what {one.variable} names")
        elif states[one.name] == models.State.DAMAGED:
            for problem in models.verify(one):
                print(problem)  # with a path that must not be torn
    print("'codecfx models pull NAME' fetches one, 'remove NAME' removes it")


@app.command()
def pull(
    name: Annotated[str, _NAME],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="Copy from a file, or a folder of files, instead."),
    ] = None,
) -> None:
    """Fetch a model, and check it; what was cut short is resumed."""
    from codecfx import models
    from codecfx.models.fetching import pull

    model = models.find(name.lower())
    with _Screen() as screen:
        fetched = pull(model, source, screen.progress)
    for path in fetched:
        print(f"{path}: {models.megabytes(path.stat().st_size)}")
    if not fetched:
        print(f"{model.name} is there, in {models.folder()}")
    if models.is_by_path(model):
        print(f"{model.variable} is set: what it names is used instead")


@app.command()
def verify(name: Annotated[str, _NAME_OR_ALL] = "") -> int:
    """Check a model's checksums, or those of all that are here."""
    from codecfx import models

    wrong = 0
    for one in [name.lower()] if name else models.MODELS:
        problems = models.verify(one)
        if not name and problems and not models.is_by_path(one) and models.is_missing(one):
            print(f"{one}: not here")
            continue
        if not problems:
            print(f"{one}: {'named by path, not checked' if models.is_by_path(one) else 'good'}")
        for problem in problems:
            print(f"{one}: {problem}")
        wrong += bool(problems)
    return int(wrong > 0)


@app.command()
def path(name: Annotated[str, _NAME_OR_ALL] = "") -> None:
    """Where a model's files are; without a name, the folder of all."""
    from codecfx import models

    for one in models.files(name.lower()).values() if name else [models.folder()]:
        print(one)


@app.command()
def remove(name: Annotated[str, _NAME]) -> None:
    """Remove a model, what was made of it, and what a cut download has left."""
    from codecfx import models

    removed = models.remove(name.lower())
    for one in removed:
        print(f"removed {one}")
    if not removed:
        print(f"nothing of {name.lower()} in {models.folder()}")


class _Screen:
    """A bar for each file while it comes; where nobody watches, only what is out of the ordinary."""

    def __init__(self) -> None:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bars: Any = _progress_bars() if terminal else None
        self._tasks: dict[str, Any] = {}
        self._said: set[tuple[str, str]] = set()

    def __enter__(self) -> "_Screen":
        self._live: AbstractContextManager[Any] = self._bars or nullcontext()
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def progress(self, at: "Progress") -> None:
        from codecfx.cli.output import print_aside
        from codecfx.models import megabytes

        name = at.file.name
        words = {
            "resuming": f"resuming {name} after {megabytes(at.done_bytes)}",
            "waiting": f"waiting for another codecfx, which fetches {name}",
        }
        if at.doing in words and (name, at.doing) not in self._said:
            self._said.add((name, at.doing))
            print_aside(words[at.doing], self._bars.console if self._bars else None)
        if self._bars is not None and at.doing != "waiting":
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name)
            self._bars.update(self._tasks[name], completed=at.done_bytes, total=at.total_bytes)


def _progress_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _as_json(name: str, state: str) -> dict[str, Any]:
    from dataclasses import asdict

    from codecfx import models
    from codecfx.errors import CodecUnavailable

    model = models.find(name)
    try:
        paths = models.files(name)
    except CodecUnavailable:
        paths = {}
    files = [asdict(file) | {"path": str(paths[file.name]) if paths else None} for file in model.files]
    facts = {"state": state, "size_bytes": model.size_bytes, "variable": model.variable}
    return asdict(model) | facts | {"files": files}
