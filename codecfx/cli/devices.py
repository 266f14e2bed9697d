"""`codecfx devices`: the sound devices that `codecfx live` can use."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codecfx.live.devices import Device, Way


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """List the sound devices, and which of them live uses when none is named."""
    from codecfx.cli.output import print_json, print_table
    from codecfx.live.devices import listing, no_device

    found = listing()
    used: dict[Way, int | None] = {way: _usual(way, found.devices) for way in ("input", "output")}
    if as_json:
        apis = [api.name for api in found.host_apis]
        every = [_entry(device, used) for device in found.devices]
        print_json({"portaudio": found.version, "host_apis": apis, "devices": every})
        return 0 if every else 1
    if not found.devices:
        raise no_device()
    print_table(
        ("#", "use", "in", "out", "Hz", "ms in", "ms out", "host API", "device"),
        [_row(device, used) for device in found.devices],
        right=("#", "in", "out", "Hz"),
        close=True,
    )
    print("use: what live takes when no device is named; ms: latency, low and high")
    return 0


def _usual(way: "Way", devices: "Sequence[Device]") -> int | None:
    """The number of the device that is used when none is named, as far as one is."""
    from codecfx.errors import AudioDeviceError
    from codecfx.live.devices import choose, choose_one

    try:
        pair = choose(among=devices)
        return pair[way == "output"].number
    except AudioDeviceError:  # with one side only, the other may be a file
        pass
    try:
        return choose_one(way, among=devices).number
    except AudioDeviceError:
        return None


def _entry(device: "Device", used: "dict[Way, int | None]") -> dict[str, Any]:
    from dataclasses import asdict

    uses = [way for way, number in used.items() if number == device.number]
    return asdict(device) | {"used_as": uses}


def _row(device: "Device", used: "dict[Way, int | None]") -> tuple[str, ...]:
    uses = [way for way, number in used.items() if number == device.number]
    return (
        str(device.number),
        "both" if len(uses) == 2 else "".join(uses).removesuffix("put"),
        str(device.input_channels),
        str(device.output_channels),
        f"{device.rate_hz:g}",
        _span(device.input_channels, device.input_low_ms, device.input_high_ms),
        _span(device.output_channels, device.output_low_ms, device.output_high_ms),
        device.api,
        device.label,
    )


def _span(channels: int, low_ms: float, high_ms: float) -> str:
    """A latency, low and high.

    >>> _span(2, 8.7074, 34.8), _span(2, 90, 180), _span(0, 0, 0), _span(2, math.nan, math.nan)
    ('8.7-35', '90-180', '', '?')
    """
    if not channels or math.isnan(low_ms + high_ms):
        return "?" if channels else ""
    texts = [f"{one:.1f}" if one < 10 else f"{one:.0f}" for one in (low_ms, high_ms)]
    return "-".join(dict.fromkeys(texts))
