"""The wiring: which device or file the sound comes from, and where it goes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codecfx.errors import AudioDeviceError, AudioFileError
from codecfx.live.devices import Device, check, choose, choose_one, devices, would_feed_back

_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".w64", ".rf64")


@dataclass(frozen=True, slots=True)
class Setup:
    """What is asked for. Devices by number, name or a part of it, "" for the usual one; channels from
    1, () for the first two; rate in Hz and block in samples, 0 for the device's own.
    """

    input: str = ""
    output: str = ""
    input_channels: tuple[int, ...] = ()
    output_channels: tuple[int, ...] = ()
    sample_rate: int = 0
    block_samples: int = 0
    host_api: str = ""
    allow_feedback: bool = False
    overwrite: bool = False

    @property
    def input_file(self) -> Path | None:
        """The file that is played in place of a microphone."""
        path = Path(self.input)
        is_file = self.input != "" and (path.is_file() or path.suffix.lower() in _AUDIO_SUFFIXES)
        return path if is_file else None

    @property
    def output_file(self) -> Path | None:
        """The file that is written in place of phones."""
        path = Path(self.output)
        return path if path.suffix.lower() in _AUDIO_SUFFIXES else None


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is used. None stands for a file."""

    microphone: Device | None
    phones: Device | None
    input_channels: tuple[int, ...]  # from 1; how many a file has
    output_channels: tuple[int, ...]
    sample_rate: int  # Hz

    @property
    def channels(self) -> int:
        """Those of the board: the phones'."""
        return len(self.output_channels)

    def plug(self, device: Device | None, channels: tuple[int, ...]) -> dict[str, Any] | None:
        """A side, as an engine is told of it."""
        if device is None:
            return None
        picked = [number - 1 for number in channels]
        return {"device": asdict(device), "channels": picked, "opened": max(channels)}

    @property
    def microphone_plug(self) -> dict[str, Any] | None:
        return self.plug(self.microphone, self.input_channels)

    @property
    def phones_plug(self) -> dict[str, Any] | None:
        return self.plug(self.phones, self.output_channels)


def wired(setup: Setup, file_rate: int, file_channels: int) -> Wiring:
    """The devices that are meant and open like this; a file that is played has this rate and channels.
    [control thread; takes 0.2 s, 2 s where JACK's server hangs]

    Raises:
        AudioDeviceError: as `choose` and `check` do; or a microphone beside the loudspeakers it would
            hear.
        AudioFileError: a file that is not there.
    """
    file_in, file_out = setup.input_file, setup.output_file
    if file_in is not None and not file_in.is_file():
        raise AudioFileError(f"{file_in}: no such file")
    microphone = phones = None
    api = setup.host_api or None
    if file_in is None and file_out is None:
        every = devices()
        microphone, phones = choose(setup.input, setup.output, host_api=api, among=every)
        if not setup.allow_feedback and would_feed_back(microphone, phones, every):
            raise AudioDeviceError(
                f"{microphone} would hear {phones}, and howl; plug in headphones and choose them, or "
                "add --allow-feedback"
            )
    elif file_in is None:
        microphone = choose_one("input", setup.input, host_api=api)
    elif file_out is None:
        phones = choose_one("output", setup.output, host_api=api)
    rate = setup.sample_rate or file_rate
    if microphone is not None or phones is not None:
        rate = check(
            microphone,
            phones,
            rate_hz=setup.sample_rate or None,
            input_channels=setup.input_channels or None,
            output_channels=setup.output_channels or None,
        )
    if microphone is None:
        heard = setup.input_channels or _first(file_channels)
        if max(heard) > file_channels:
            raise AudioFileError(f"{file_in} has {file_channels} channels, no {max(heard)}")
    else:
        heard = setup.input_channels or _first(microphone.input_channels)
    if phones is None:
        given = tuple(range(1, 1 + len(setup.output_channels))) or (1, 2)
    else:
        given = setup.output_channels or _first(phones.output_channels)
    return Wiring(microphone, phones, heard, given, rate)


def _first(channels: int) -> tuple[int, ...]:
    """The first two, or the one."""
    return tuple(range(1, 1 + max(1, min(2, channels))))
