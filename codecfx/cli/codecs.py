"""`codecfx codecs`: the codecs and how they work."""

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the codecs: frame, latency at the usual rates, bitrates."""
    from codecfx.cli import catalogue
    from codecfx.cli.effects import milliseconds
    from codecfx.cli.output import print_json, print_table

    entries = list(catalogue.every_codec())
    if as_json:
        print_json(entries)
        return
    rates = [f"{rate / 1000:g}k" for rate in catalogue.USUAL_RATES_HZ]
    print_table(
        ("codec", "frame ms", *rates, "live", "what"),
        [
            (
                one["name"],
                f"{one['frame_ms']:.4g}" if one["frame_ms"] else "–",
                *(milliseconds(one, str(rate)) for rate in catalogue.USUAL_RATES_HZ),
                "yes" if one["live"] else "no",
                f"unavailable: {one['unavailable']}" if one["unavailable"] else one["description"],
            )
            for one in entries
        ],
        right=("frame ms", *rates),
    )
    print("\nLatency in ms at three host rates")
    print("'codecfx effects NAME' shows every parameter of a codec")
