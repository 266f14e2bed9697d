"""The verbs, put together."""

from typing import Annotated

import typer

from codecfx.cli import codecs, cost, devices, doctor, effects, live, midi, models, presets, render

app = typer.Typer(
    name="codecfx",
    help="Audio codecs as playable effects.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("live")(live.command)
app.command("render")(render.command)
app.command("effects")(effects.command)
app.command("codecs")(codecs.command)
app.command("cost")(cost.command)
app.add_typer(presets.app, name="presets")
app.add_typer(models.app, name="models")
app.add_typer(midi.app, name="midi")
app.command("devices")(devices.command)
app.command("doctor")(doctor.command)


def _version(asked: bool) -> None:
    if asked:
        import codecfx

        print(f"codecfx {codecfx.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Audio codecs as playable effects."""
