"""Options that several verbs have: what board there is."""

from typing import Annotated, TypeAlias

import typer

PresetOption: TypeAlias = Annotated[
    str, typer.Option("--preset", "-p", metavar="NAME", help="A preset's name or .toml file.")
]
EffectOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--effect", "-e", metavar="SPEC", help="name:parameter=value,...; may be repeated."),
]
MixOption: TypeAlias = Annotated[
    float | None, typer.Option(metavar="0..1", help="Dry to wet, of the whole chain.")
]
