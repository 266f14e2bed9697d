"""`codecfx cost`: what a board takes before it runs, in latency and in work."""

from typing import Annotated

import typer

from codecfx.cli.options import EffectOption, PresetOption

_SAFE = 0.5  # of a core, live: the worst block takes twice as long as most


def command(
    preset: PresetOption = "",
    effect: EffectOption = None,
    rate: Annotated[int, typer.Option(metavar="HZ", help="Of the sound.")] = 48_000,
    channels: Annotated[int, typer.Option(metavar="N", help="Of the sound.")] = 2,
    is_live: Annotated[
        bool, typer.Option("--live", help="As live, where long codecs are a run later.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what effects take, before they run: latency, and work on one core."""
    from dataclasses import asdict

    from codecfx.cli.output import print_json, print_table
    from codecfx.costing import costs
    from codecfx.effects.processor import StreamSpec
    from codecfx.recipe import Recipe

    board, spec = Recipe(preset, tuple(effect or ())).board(), StreamSpec(rate, channels, live=is_live)
    found = costs(board, spec)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        ("effect", "ms late", "of a core", "passes"),
        [
            (one.name, f"{one.latency_ms:.1f}", f"{100 * one.core_share:.1f} %", str(one.passes))
            for one in found
        ],
        right=("ms late", "of a core", "passes"),
    )
    board.prepare(spec)  # not the sum: pedalboard's effects one after another wait once
    late = 1000 * board.latency_samples / rate
    share = sum(one.core_share for one in found)
    print(f"\ntogether {late:.1f} ms late; a second of sound takes {share:.2g} s of one core")
    if share > _SAFE:
        print("live, more than half a core is not safe: fewer generations, or a lighter codec")
