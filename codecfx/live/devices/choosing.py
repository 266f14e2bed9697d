"""Which devices are meant: by number, by name or a part of it, or by saying nothing.

PortAudio's own default is not always one to take: on Linux it may be ALSA's plug to JACK, which breaks
off, or the HDMI of a screen.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from codecfx.errors import AudioDeviceError, UnknownName, shown
from codecfx.live.devices.listing import Device, Way, devices, short_name
from codecfx.live.devices.refusals import too_few_channels

Wanted: TypeAlias = str | int | None
"""A device's number, its name or a part of it; "default", "" or None for what is usual."""

_USUAL = (None, "", "default")
# Host APIs from the best: the first that has what is wanted is used. JACK is there while its server
# runs, and whoever runs one wants it
_RANKS = (
    "Core Audio",
    "Windows WASAPI",
    "JACK Audio Connection Kit",
    "ALSA",
    "PulseAudio",
    "ASIO",
    "Windows DirectSound",
    "MME",
    "Windows WDM-KS",
    "OSS",
)
# ALSA's devices to take when none is named, before PortAudio's default, which is the first of a list;
# and the one that it must not be
_ALSA_USUAL, _ALSA_NEVER = ("default", "pipewire", "pulse"), "jack"
_SOUND_FILES = "/dev/snd"


def choose(
    input: Wanted = None,
    output: Wanted = None,
    *,
    host_api: str | None = None,
    among: Sequence[Device] | None = None,
) -> tuple[Device, Device]:
    """The input and the output to open, both of one host API, as a stream needs them.

    An exact name wins over a part of one; capital letters do not matter. What is under several host
    APIs is taken from the best that has both: Core Audio, WASAPI, JACK while its server runs, ALSA,
    others.

    Args:
        input: a number, a name or a part of it; None or "default" for what is usual there.
        output: the same.
        host_api: a host API's name or a part of it, which is then the only one.
        among: the devices there are; None asks PortAudio, which takes 0.1 s, and 1.5 s where JACK's
            server hangs.

    Raises:
        AudioDeviceError: no such device or host API; several that may be meant; two of different host
            APIs; no device at all. Or as `devices`.
    """
    one, other = _choose({"input": input, "output": output}, host_api, among)
    return one, other


def choose_one(
    way: Way,
    wanted: Wanted = None,
    *,
    host_api: str | None = None,
    among: Sequence[Device] | None = None,
) -> Device:
    """The device to open where the other side is a file; else as `choose`."""
    return _choose({way: wanted}, host_api, among)[0]


def _choose(
    wants: Mapping[Way, Wanted], host_api: str | None, among: Sequence[Device] | None
) -> list[Device]:
    every = devices() if among is None else among
    if not every:
        raise no_device()
    apis = _host_apis(every, host_api)
    found = {way: _called(way, wanted, apis, every) for way, wanted in wants.items()}
    for api in apis:
        here = {way: [one for one in found[way] if one.host_api == api] for way in wants}
        if all(here.values()):
            return [_only(way, wants[way], here[way]) for way in wants]
    for way in wants:
        if not found[way]:
            where = f" under {short_name(apis[0])}" if host_api else ""
            file = "--input song.wav" if way == "input" else "--output out.wav"
            raise AudioDeviceError(f"no {way} device{where}; plug one in, or take a file: {file}")
    raise AudioDeviceError(
        f"{found['input'][0]} and {found['output'][0]} are of different host APIs, and a stream has "
        "one; codecfx devices shows which has what"
    )


def _host_apis(every: Iterable[Device], wanted: str | None) -> list[str]:
    """The names of the host APIs to look in, the best first."""
    names = list(dict.fromkeys(one.host_api for one in every))
    if not wanted:
        return sorted(names, key=lambda name: _RANKS.index(name) if name in _RANKS else len(_RANKS))
    part = _plain(wanted)
    found = [name for name in names if part in (_plain(name), _plain(short_name(name)))]
    found = found or [name for name in names if part in _plain(name)]
    if len(found) == 1:
        return found
    there = ", ".join(short_name(name) for name in found or names)
    if found:
        raise AudioDeviceError(f"the host API '{shown(wanted)}' may be {there}; write more of its name")
    hint = "; JACK is there while its server runs: start jackd" * (part == "jack")
    raise AudioDeviceError(f"no host API '{shown(wanted)}' with devices; there is: {there}{hint}")


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("-", "")


def _called(way: Way, wanted: Wanted, apis: Sequence[str], every: Sequence[Device]) -> list[Device]:
    """Every device that may be meant, of any of the host APIs."""
    if wanted in _USUAL:
        return [one for api in apis for one in _usual(way, api, every)]
    name = str(wanted).strip()
    if name.isascii() and name.isdecimal():
        return [_numbered(way, name, apis, every)]
    here = [one for one in every if one.host_api in apis and one.channels(way)]
    small = name.lower()
    found = (
        [one for one in here if one.name == name]
        or [one for one in here if one.name.lower() == small]
        or [one for one in here if small in one.name.lower()]
    )
    if not found:
        raise _unknown(way, name, apis, every)
    return found


def _usual(way: Way, api: str, every: Iterable[Device]) -> list[Device]:
    """The device that is taken of a host API when none is named; one or none."""
    here = [one for one in every if one.host_api == api and one.channels(way)]
    if api == "ALSA":
        here = [one for one in here if one.name != _ALSA_NEVER]
        for name in _ALSA_USUAL:
            for one in here:
                if one.name == name:
                    return [one]
    return ([one for one in here if one.is_default(way)] or here)[:1]


def _numbered(way: Way, number: str, apis: Sequence[str], every: Sequence[Device]) -> Device:
    for one in every:
        if str(one.number) != number.lstrip("0").rjust(1, "0"):
            continue
        if one.host_api not in apis:
            raise AudioDeviceError(f"device {number} is {one}, not of {short_name(apis[0])}")
        if not one.channels(way):
            raise AudioDeviceError(too_few_channels(one, way, 1))
        return one
    last = max(one.number for one in every)
    raise AudioDeviceError(f"no device {shown(number)}; codecfx devices lists 0 to {last}")


def _unknown(way: Way, name: str, apis: Sequence[str], every: Sequence[Device]) -> AudioDeviceError:
    for one in every:  # it may be there, but not so
        if name.lower() in one.name.lower():
            if one.host_api in apis:
                return AudioDeviceError(too_few_channels(one, way, 1))
            return AudioDeviceError(f"{one} is not under {short_name(apis[0])}")
    names = {one.label for one in every if one.host_api in apis and one.channels(way)}
    return AudioDeviceError(f"{UnknownName(f'{way} device', shown(name), names)} (codecfx devices)")


def _only(way: Way, wanted: Wanted, found: Sequence[Device]) -> Device:
    if len(found) > 1:
        which = ", ".join(f"{one.number} '{one.label}'" for one in found)
        raise AudioDeviceError(
            f"the {way} device '{shown(wanted)}' may be {which} ({found[0].api}); give its number, or "
            "more of its name"
        )
    return found[0]


def no_device() -> AudioDeviceError:
    """The error for a machine without any sound device; says what to do."""
    files = Path(_SOUND_FILES).glob("pcm*") if sys.platform == "linux" else ()
    hidden = any(not os.access(file, os.R_OK | os.W_OK) for file in files)
    jack = " or start jackd" * (sys.platform == "linux")
    cure = f"join the group audio ({_SOUND_FILES} is not for you)" if hidden else f"plug one in{jack}"
    return AudioDeviceError(
        f"no audio device; {cure}, or try without one: codecfx live --input song.wav --output out.wav"
    )
