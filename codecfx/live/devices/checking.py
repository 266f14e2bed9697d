"""Whether devices open as is wanted: channels and rate, tried by PortAudio."""

import re
from collections.abc import Sequence

from codecfx.errors import AudioDeviceError, ConfigurationError, shown
from codecfx.live.devices.listing import Device, Way
from codecfx.live.devices.portaudio import ask
from codecfx.live.devices.refusals import refusal, too_few_channels

_MOST_CHANNELS = 1024
_RATES_HZ = (48_000.0, 44_100.0)  # for two devices of which neither's own suits the other


def check(
    input: Device | None,
    output: Device | None,
    *,
    rate_hz: float | None = None,
    input_channels: Sequence[int] | None = None,
    output_channels: Sequence[int] | None = None,
) -> int:
    """Whether the devices open like this, and at which rate in Hz. [control thread; takes 0.1 s, 1.5 s
    where JACK's server hangs]

    Args:
        input: the input device; None for a file.
        output: the output device; None for a file.
        rate_hz: the rate that is wanted; None for one that both take, the output's own first.
        input_channels: which of its channels are wanted, from 1; None for the first two, or the one.
        output_channels: the same.

    Raises:
        AudioDeviceError: a channel that there is not, a rate that is not taken, a device that is busy,
            forbidden or gone. Or as `devices`.
    """
    sides = []
    if output is not None:
        sides.append(_side(output, "output", output_channels))
    if input is not None:
        sides.append(_side(input, "input", input_channels))
    if rate_hz is not None:
        rates = [float(rate_hz)]
    else:
        rates = list(dict.fromkeys([*(device.rate_hz for device, _, _ in sides), *_RATES_HZ]))
    tries = [(*side, rate) for rate in rates for side in sides]
    answers = ask([_trial(*one) for one in tries])["refusals"]
    refusals = {one: said for one, said in zip(tries, answers, strict=True) if said is not None}
    for rate in rates:
        if not any((*side, rate) in refusals for side in sides):
            return round(rate)
    for device, way, channels in sides:
        if all((device, way, channels, rate) in refusals for rate in rates):
            rate = device.rate_hz if rate_hz is None else rates[0]
            said = refusals[device, way, channels, rate]
            raise AudioDeviceError(refusal(said, device, way, rate, channels))
    raise AudioDeviceError(
        f"{input} and {output} take no rate both, and a stream has one; theirs are "
        f"{sides[1][0].rate_hz:g} and {sides[0][0].rate_hz:g} Hz: set one of them, or choose another"
    )


def _side(device: Device, way: Way, channels: Sequence[int] | None) -> tuple[Device, Way, int]:
    """A device, the way it is used, and how many channels it takes to reach the last that is wanted."""
    last = max(channels) if channels else max(1, min(2, device.channels(way)))
    if last > device.channels(way):
        raise AudioDeviceError(too_few_channels(device, way, last))
    return device, way, last


def _trial(device: Device, way: Way, channels: int, rate_hz: float) -> dict[str, object]:
    return {
        "number": device.number,
        "name": device.name,
        "host_api": device.host_api,
        "way": way,
        "channels": channels,
        "rate_hz": rate_hz,
    }


def parse_channels(text: str) -> tuple[int, ...]:
    """Channels of a device, from 1, in the order that they are written.

    Raises:
        ConfigurationError: no such list; one channel twice; more than a device can have.

    >>> parse_channels("3,4"), parse_channels("1-2"), parse_channels("7, 1-3"), parse_channels("5")
    ((3, 4), (1, 2), (7, 1, 2, 3), (5,))
    """
    channels: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", part)
        if found is None:
            raise _no_channels(text, "write numbers from 1: 3,4 or 1-2")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first:
            raise _no_channels(text, "the first channel is 1")
        if last < first:
            raise _no_channels(text, f"{first}-{last} ends before it begins")
        if last > _MOST_CHANNELS:
            raise _no_channels(text, f"a device has {_MOST_CHANNELS} at most")
        channels.extend(range(first, last + 1))
    twice = next((one for one in channels if channels.count(one) > 1), None)
    if twice is not None:
        raise _no_channels(text, f"{twice} is there twice")
    return tuple(channels)


def _no_channels(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"channels '{shown(text)}': {why}")
