"""The devices that PortAudio lists, each once for every host API (sound system) that has it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from codecfx.errors import AudioDeviceError, shown
from codecfx.live.devices.portaudio import ask, load, quiet
from codecfx.live.devices.portaudio_answers import JACK, number_of, start_again

Way: TypeAlias = Literal["input", "output"]

_SHORT_NAMES = {JACK: "JACK"}
_LONGEST_LATENCY_S = 60.0  # JACK's clients that say nothing of theirs are said to have 25 hours


@dataclass(frozen=True, slots=True)
class Device:
    """A device, as one host API has it. Latencies are in milliseconds, nan where none is known."""

    number: int  # of this moment: others come and go
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    rate_hz: float  # its own; others may be taken too
    input_low_ms: float
    input_high_ms: float
    output_low_ms: float
    output_high_ms: float
    is_default_input: bool  # of its host API, as PortAudio has it; what is used is for `choose` to say
    is_default_output: bool

    @property
    def api(self) -> str:
        """The host API's name as people say it: "JACK", "WASAPI"."""
        return short_name(self.host_api)

    def channels(self, way: Way) -> int:
        """How many channels it has that way."""
        return self.input_channels if way == "input" else self.output_channels

    def is_default(self, way: Way) -> bool:
        """Whether PortAudio has it for its host API's default that way."""
        return self.is_default_input if way == "input" else self.is_default_output

    @property
    def label(self) -> str:
        """The name to show: one line, whatever is in it."""
        return shown("".join(letter if letter.isprintable() else " " for letter in self.name))

    def __str__(self) -> str:
        return f"'{self.label}' ({self.api})"


@dataclass(frozen=True, slots=True)
class HostApi:
    """A sound system that PortAudio knows here, and its devices' numbers; None for no default."""

    name: str
    devices: tuple[int, ...]
    default_input: int | None
    default_output: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that PortAudio says at one time."""

    version: str
    host_apis: tuple[HostApi, ...]
    devices: tuple[Device, ...]


def listing() -> Listing:
    """PortAudio's version, host APIs and devices, as they are now. [control thread; takes 0.1 s, 1.5 s
    where JACK's server hangs]

    Raises:
        AudioDeviceError: sounddevice or PortAudio is missing, fails, or hangs.
    """
    answer = ask()
    apis = tuple(_host_api(said) for said in answer["host_apis"])
    return Listing(answer["version"], apis, tuple(_device(said, apis) for said in answer["devices"]))


def devices() -> list[Device]:
    """Every device there is now, none on a machine without; as `listing`."""
    return list(listing().devices)


def host_apis() -> list[HostApi]:
    """Every host API that PortAudio has here, JACK while its server runs; as `listing`."""
    return list(listing().host_apis)


def numbers_here(wanted: Sequence[Device]) -> list[int]:
    """The devices' numbers in this process, whose PortAudio may count otherwise. No stream is open yet.
    [control thread]

    Raises:
        AudioDeviceError: one is not there any more, after a second look too (JACK may refuse whoever
            comes once, see `portaudio_answers.start_again`); or as `portaudio.load`.
    """
    sounddevice = load()
    numbers = _numbers(sounddevice, wanted)
    if None in numbers:
        with quiet():
            start_again(sounddevice)
        numbers = _numbers(sounddevice, wanted)
    for device, number in zip(wanted, numbers, strict=True):
        if number is None:
            raise AudioDeviceError(
                f"{device} is not there any more; codecfx devices lists what there is"
            )
    return [number for number in numbers if number is not None]


def _numbers(sounddevice: Any, wanted: Sequence[Device]) -> list[int | None]:
    return [number_of(sounddevice, one.number, one.name, one.host_api) for one in wanted]


def short_name(host_api: str) -> str:
    """A host API's name as people say it.

    >>> short_name("JACK Audio Connection Kit"), short_name("Windows WASAPI"), short_name("ALSA")
    ('JACK', 'WASAPI', 'ALSA')
    """
    return _SHORT_NAMES.get(host_api, host_api.removeprefix("Windows "))


def _host_api(said: Mapping[str, Any]) -> HostApi:
    numbers = (said["default_input_device"], said["default_output_device"])
    one, other = (None if number < 0 else number for number in numbers)
    return HostApi(said["name"], tuple(said["devices"]), one, other)


def _device(said: Mapping[str, Any], apis: Sequence[HostApi]) -> Device:
    api = apis[said["hostapi"]]
    return Device(
        number=said["index"],
        name=said["name"],
        host_api=api.name,
        input_channels=said["max_input_channels"],
        output_channels=said["max_output_channels"],
        rate_hz=said["default_samplerate"],
        input_low_ms=_milliseconds(said["default_low_input_latency"]),
        input_high_ms=_milliseconds(said["default_high_input_latency"]),
        output_low_ms=_milliseconds(said["default_low_output_latency"]),
        output_high_ms=_milliseconds(said["default_high_output_latency"]),
        is_default_input=said["index"] == api.default_input,
        is_default_output=said["index"] == api.default_output,
    )


def _milliseconds(seconds: float) -> float:
    return 1000 * seconds if 0 <= seconds < _LONGEST_LATENCY_S else math.nan
