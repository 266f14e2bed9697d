"""`codecfx presets`: sounds, where they are, and whether they are right."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="List, show and check presets.", add_completion=False)

_NAME = typer.Argument(help="A preset's name, or a .toml file.", metavar="PRESET")


@app.command("list")
def list_presets(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every preset and what it sounds like."""
    from codecfx.cli import catalogue
    from codecfx.cli.output import print_json, print_table
    from codecfx.errors import PresetError
    from codecfx.presets import load_preset, preset_names

    entries: list[dict[str, Any]] = []
    for name, path in preset_names().items():
        needs_model = False
        try:
            preset = load_preset(path)
            description = preset.description
            needs_model = catalogue.needs_model(preset.chain)
        except PresetError as error:  # a broken one of the user's own must not hide the others
            description = f"unreadable: {error}"
        facts = {"name": name, "description": description, "path": str(path)}
        entries.append(facts | {"needs_model": needs_model})
    if as_json:
        print_json(entries)
        return
    print_table(
        ("preset", "what it is"),
        [(one["name"], one["description"] + " (needs model)" * one["needs_model"]) for one in entries],
    )
    if any(one["needs_model"] for one in entries):
        print("\n(needs model): 'codecfx models list' says which there are, and how to get them")


@app.command()
def show(preset: Annotated[str, _NAME]) -> None:
    """A preset as it is written."""
    from codecfx.presets import load_preset

    path = load_preset(preset).path
    assert path is not None
    print(path.read_text(encoding="utf-8").rstrip())


@app.command()
def path(preset: Annotated[str, typer.Argument(metavar="[PRESET]")] = "") -> None:
    """Where a preset is; without a name, the folders that are looked in, your own first."""
    from codecfx.presets import preset_folders, preset_path

    if preset:
        print(preset_path(preset))
        return
    for folder in preset_folders():
        print(folder)


@app.command()
def validate(presets: Annotated[list[str] | None, typer.Argument(metavar="[PRESET]...")] = None) -> int:
    """Check presets, or all there are: every unknown name and value out of range, with file and key."""
    from codecfx.errors import ConfigurationError
    from codecfx.presets import load_preset, preset_names

    names: list[str | Path] = [*presets] if presets else [*preset_names().values()]
    wrong = 0
    for name in names:
        try:
            problems = load_preset(name).problems()
        except ConfigurationError as error:
            problems = [str(error)]
        for problem in problems:
            print(problem)
        wrong += bool(problems)
    print(f"{len(names) - wrong} of {len(names)} presets are good")
    return 1 if wrong else 0
