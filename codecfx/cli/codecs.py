"""`codecfx codecs`: the codecs and how they work."""

from itertools import groupby
from typing import Annotated, Any

import typer


def command(
    name: Annotated[str, typer.Argument(help="One codec, with everything about it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the codecs: rates, bitrates, frame, latency, what a change costs; or all about one."""
    from codecfx.cli import catalogue
    from codecfx.cli.output import print_json

    entries = [catalogue.codec(name.lower())] if name else list(catalogue.every_codec())
    if as_json:
        print_json(entries)
    elif name:
        show(entries[0])
    else:
        list_all(entries)


def show(about: dict[str, Any]) -> None:
    """Print one codec: its facts, then its parameters as `codecfx effects` does."""
    from codecfx.cli import catalogue, effects

    if about["unavailable"]:
        print(f"unavailable: {about['unavailable']}")
    print(f"family: {about['family']}; licence: {about['licence'] or 'its own'}")
    rates = catalogue.rates_in_words(about)
    print(f"sample rates: {rates if rates == 'any' else f'{rates} kHz'}")
    print(f"channels to one codec: {catalogue.channels_in_words(about)}")
    bitrate = about["bitrate_kbps"] or "its own"
    print(f"bitrate: {f'{bitrate} kbps' if bitrate[-1].isdigit() else bitrate}")
    if about["frame_ms"]:
        print(f"frame: {about['frame_ms']:.4g} ms at {about['sample_rate_hz'] / 1000:g} kHz")
    print(f"changes while it runs: {about['live_change'] or 'none'}")
    effects.show(about, as_json=False)


def list_all(entries: list[dict[str, Any]]) -> None:
    """Print the reference table, a family at a time."""
    from codecfx.cli import catalogue
    from codecfx.cli.effects import milliseconds
    from codecfx.cli.output import print_table, print_wrapped

    rates = (44_100, 48_000)
    latency = [f"@{rate / 1000:g}k" for rate in rates]
    rows = []
    for family, members in groupby(sorted(entries, key=_family), key=_family):
        rows.append((family, *[""] * 9))
        for one in members:
            is_missing = bool(one["unavailable"])
            lacks = "needs model" if one["needs_model"] else "missing" if is_missing else ""
            rows.append(
                (
                    one["name"],
                    catalogue.rates_in_words(one),
                    catalogue.channels_in_words(one),
                    one["bitrate_kbps"] or "–",
                    f"{one['frame_ms']:.3g}" if one["frame_ms"] else "–",
                    *(milliseconds(one, str(rate)) for rate in rates),
                    "–" if is_missing else "yes" if one["live"] else "no",
                    one["live_change"] or "–",
                    lacks or one["licence"].split(" ")[0],
                )
            )
    print_table(
        ("codec", "kHz", "ch", "kbps", "frame", *latency, "live", "change", "licence"),
        rows,
        right=("frame", *latency),
        close=True,
    )
    print("\nframe and latency (at a host of 44.1 and 48 kHz) in ms, with default settings")
    print("live: fit for monitoring, 50 ms at most")
    print("change: how a running codec takes a new setting, always without a click")
    missing: dict[tuple[str, str], list[str]] = {}
    for one in entries:
        if one["unavailable"]:
            lacks = "needs model" if one["needs_model"] else "missing"
            missing.setdefault((lacks, one["unavailable"]), []).append(one["name"])
    for (lacks, reason), names in missing.items():
        print_wrapped(f"{lacks}: {', '.join(names)}: {reason}")
    print("'codecfx codecs NAME' says all about one: bitrates, modes, parameters")


def _family(about: dict[str, Any]) -> str:
    return str(about["family"]).upper()
