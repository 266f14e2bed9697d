"""`codecfx effects`: what can stand in a chain."""

import textwrap
from typing import Annotated, Any

import typer

_COMMON = ("mix", "bypass", "delta")


def command(
    name: Annotated[str, typer.Argument(help="One effect, with every parameter.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the effects, or one with its parameters, ranges and latency."""
    from codecfx.cli import catalogue
    from codecfx.cli.output import print_json, print_table
    from codecfx.effects.codec_effect import GROUPS
    from codecfx.stream.network_paths import PATHS

    if name:
        show(_one(name), as_json)
        return
    entries = list(catalogue.every_effect())
    if as_json:
        print_json(entries)
        return
    print_table(
        ("effect", "kind", "ms at 48k", "parameters and their defaults"),
        [
            (
                one["name"],
                one["kind"],
                milliseconds(one, "48000"),
                " ".join(
                    f"{parameter['id']}={default_words(parameter)}"
                    for parameter in one["parameters"]
                    if parameter["id"] not in _COMMON and not parameter["group"]
                ),
            )
            for one in entries
        ],
        right=("ms at 48k",),
    )
    print("\nmix, bypass and delta are in all of them, and in every codec")
    for group in GROUPS:
        print(f"\n{group.ABOUT}:")
        print(textwrap.fill(", ".join(one.id for one in group.PARAMETERS), 80))
    print(f"\nnetwork={'|'.join(PATHS)} sets several at once.")
    print("'codecfx effects NAME' shows the ranges; VST3 and AU: -e plugin:path=FILE")


def _one(name: str) -> dict[str, Any]:
    from codecfx.cli import catalogue
    from codecfx.effects import registry

    lower = registry.find(name).name.lower()
    kind = "codec" if lower in registry.codec_names() else "pedalboard"
    return catalogue.entry(name, "container" if lower in registry.CONTAINERS else kind)


def show(entry: dict[str, Any], as_json: bool) -> None:
    """Print one effect with everything about it."""
    from codecfx.cli.output import print_json

    if as_json:
        print_json([entry])
        return
    print(f"{entry['name']} ({entry['kind']}): {entry['description']}")
    rates = [f"{int(rate) / 1000:g} kHz {milliseconds(entry, rate)} ms" for rate in entry["latency"]]
    if any(entry["latency"].values()):
        fit = "fit" if entry["live"] else "not fit"
        print(f"latency: {', '.join(rates)}; {fit} for live monitoring")
    else:
        print("latency: not known before it can be made")
    group = ""
    for one in entry["parameters"]:
        if one["group"] != group:
            group = one["group"]
            print(f"\n{_heading(group)}")
        print(f"\n  {one['id']} = {default_words(one)}")
        print(f"      {one['allowed']}; changes: {one['change']}")
        if one["description"]:
            print(f"      {one['description']}")


def _heading(group: str) -> str:
    """What parameters have in common that many effects have."""
    from codecfx.effects.codec_effect import GROUPS
    from codecfx.stream.network_paths import PATHS

    about = str({one.GROUP: one.ABOUT for one in GROUPS}[group])
    if group == "network":
        about += f"; network=NAME sets several: {', '.join(PATHS)}"
    return textwrap.fill(about, 80)


def default_words(parameter: dict[str, Any]) -> str:
    """A parameter's default as it is written: on, off, a number, a choice."""
    default = parameter["default"]
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else f"{default}"


def milliseconds(entry: dict[str, Any], rate: str) -> str:
    """An entry's latency at a rate, or a dash where it does not take that rate."""
    latency = entry["latency"][rate]
    if not latency:
        return "–"
    return f"{latency['ms']:.{1 if latency['ms'] < 1000 else 0}f}"  # six characters fit no table
