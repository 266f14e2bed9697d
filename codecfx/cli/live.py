"""`codecfx live`: the microphone through a board, now."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codecfx.cli.options import EffectOption, MixOption

if TYPE_CHECKING:
    from codecfx.live.host import Host
    from codecfx.live.wiring import Setup
    from codecfx.presets import Preset
    from codecfx.recipe import Recipe

_DEVICES, _MIDI, _TAKES, _SCREEN = "Devices", "MIDI", "Takes", "Screen"


def command(
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset", "-p", metavar="NAME", help="A preset's name or .toml file; more to go through."
        ),
    ] = None,
    effect: EffectOption = None,
    mix: MixOption = None,
    automation: Annotated[
        list[str] | None,
        typer.Option("--automation", "-a", metavar="FILE", help="Lanes, from the start on."),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", metavar="NAME", help="A map's name or file; may be repeated."),
    ] = None,
    input: Annotated[
        str,
        typer.Option(
            "--input",
            "-i",
            metavar="DEVICE",
            help="A number or part of a name (see 'codecfx devices'); or a file, played in a loop.",
            rich_help_panel=_DEVICES,
        ),
    ] = "",
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="DEVICE",
            help="As --input; or a .wav to write.",
            rich_help_panel=_DEVICES,
        ),
    ] = "",
    in_channels: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="As 3,4 or 1-2; else the first two.", rich_help_panel=_DEVICES
        ),
    ] = "",
    out_channels: Annotated[
        str, typer.Option(metavar="LIST", help="As --in-channels.", rich_help_panel=_DEVICES)
    ] = "",
    rate: Annotated[
        int,
        typer.Option(metavar="HZ", min=0, help="Else the device's own.", rich_help_panel=_DEVICES),
    ] = 0,
    block: Annotated[
        int,
        typer.Option(metavar="SAMPLES", min=0, help="Else the device's own.", rich_help_panel=_DEVICES),
    ] = 0,
    host_api: Annotated[
        str, typer.Option(metavar="NAME", help="JACK, ALSA, WASAPI, ...", rich_help_panel=_DEVICES)
    ] = "",
    allow_feedback: Annotated[
        bool,
        typer.Option(
            "--allow-feedback",
            help="Play a built-in microphone through built-in speakers.",
            rich_help_panel=_DEVICES,
        ),
    ] = False,
    unmuted: Annotated[bool, typer.Option("--unmuted", help="Sound from the start.")] = False,
    no_limiter: Annotated[
        bool, typer.Option("--no-limiter", help="Take the limiter before the output out.")
    ] = False,
    midi: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PORT", help="An input; may be repeated; else the first.", rich_help_panel=_MIDI
        ),
    ] = None,
    no_midi: Annotated[bool, typer.Option("--no-midi", help="None.", rich_help_panel=_MIDI)] = False,
    midi_out: Annotated[
        str,
        typer.Option(
            metavar="PORT", help="Show values here: motor faders, lights.", rich_help_panel=_MIDI
        ),
    ] = "",
    record: Annotated[
        bool,
        typer.Option("--record", "-r", help="A take from the first sample on.", rich_help_panel=_TAKES),
    ] = False,
    takes: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where takes go.", rich_help_panel=_TAKES)
    ] = Path("takes"),
    wet: Annotated[
        bool,
        typer.Option("--wet", help="Keep the board's output in takes too.", rich_help_panel=_TAKES),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the --output file.", rich_help_panel=_TAKES)
    ] = False,
    seed: Annotated[int, typer.Option(help="Of every effect and modulator.")] = 0,
    seconds: Annotated[
        float, typer.Option(metavar="N", min=0, help="End after so long; 0: with q or Ctrl-C.")
    ] = 0.0,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Measure the devices' true round trip, through a cable from output to input.",
            rich_help_panel=_DEVICES,
        ),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Lines, for a screen reader or a log.", rich_help_panel=_SCREEN),
    ] = False,
    json_status: Annotated[
        bool,
        typer.Option("--json-status", help="A JSON object a line.", rich_help_panel=_SCREEN),
    ] = False,
) -> None:
    """The microphone through a board to the phones, now. It starts muted: m lets it sound.

    Try it without a sound card: codecfx live -p hotel-wifi -i song.wav -o out.wav --seconds 10
    """
    from codecfx.live.devices import parse_channels
    from codecfx.live.host import Host, Play
    from codecfx.live.wiring import Setup
    from codecfx.recipe import Recipe

    setup = Setup(
        input,
        output,
        parse_channels(in_channels) if in_channels else (),
        parse_channels(out_channels) if out_channels else (),
        rate,
        block,
        host_api,
        allow_feedback,
        overwrite,
    )
    if measure:
        _measure(setup)
        return
    recipe = Recipe("", tuple(effect or ()), mix, tuple(automation or ()), tuple(maps or ()))
    sounds = _sounds(recipe, preset or [])
    host = Host(
        setup,
        Play(
            sounds,
            midi=None if no_midi else (midi or [""]),
            midi_out=midi_out,
            seed=seed,
            is_muted=not unmuted and setup.output_file is None,
            has_limiter=not no_limiter,
            takes=takes,
            records_wet=wet,
            is_recording=record,
            seconds=seconds,
        ),
    )
    _show(host, plain, json_status)


def _sounds(recipe: "Recipe", presets: list[str]) -> "list[str | Preset]":
    """What can be gone through: the presets, each with what else was asked for; of a single one, all
    that there are, from it on.

    Raises:
        ConfigurationError: a preset, effect, file or path that is wrong.
    """
    from codecfx.live.mirror import preset_from
    from codecfx.presets import preset_names
    from codecfx.recipe import Recipe

    recipes = [replace(recipe, preset=name) for name in presets] or [recipe]
    for one in recipes:
        one.check()
    first = [preset_from(one) for one in recipes]
    if len(presets) != 1 or recipe != Recipe():
        return list(first)
    names = list(preset_names())
    after = names.index(presets[0]) + 1 if presets[0] in names else 0
    return [*first, *names[after:], *names[:after]]


def _measure(setup: "Setup") -> None:
    """Measure the round trip, say it and keep it."""
    from codecfx.errors import ConfigurationError
    from codecfx.live.round_trip import measure
    from codecfx.live.round_trips import keep
    from codecfx.live.wiring import wired

    if setup.input_file or setup.output_file:
        raise ConfigurationError("--measure takes devices; a file has no round trip")
    wiring = wired(replace(setup, allow_feedback=True), 0, 0)
    print(f"a sweep from {wiring.phones} to {wiring.microphone}, five times; it is heard", flush=True)
    found = measure(wiring, setup.block_samples)
    keep(wiring, found)
    print(
        f"round trip {found.ms:.2f} ms, {found.samples} samples (within {found.spread_samples:.2f}) at "
        f"{wiring.sample_rate} Hz, block {found.block_samples}; kept for 'codecfx live'"
    )


def _show(host: "Host", plain: bool, json_status: bool) -> None:
    """Play until somebody has enough, or time is over."""
    if json_status or plain:
        from codecfx.cli.live_lines import run_lines

        with host:
            run_lines(host, as_json=json_status)
    else:
        from codecfx.cli.live_screen import run_screen

        with host:
            run_screen(host)
