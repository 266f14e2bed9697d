"""Why a device does not open, in words: PortAudio's codes, and what a host API adds to them."""

from collections.abc import Sequence
from typing import Any

from codecfx.errors import AudioDeviceError
from codecfx.live.devices.listing import Device, Way

# portaudio.h: PaErrorCode
_HOST_ERROR = -9999
_CHANNELS = -9998
_RATE = -9997
_DEVICE = -9996
_FORMAT = -9994
_COMBINATION = -9993
_BUSY = -9985

_OTHERS = "codecfx devices lists the others"


def refusal(error: Sequence[Any], device: Device, way: Way, rate_hz: float, channels: int) -> str:
    """One line for an error that PortAudio gives: what is wrong, what there is, and what to do.

    Args:
        error: what sounddevice.PortAudioError has as `args`: PortAudio's text, its code, and for an
            error of the host API three things, the last its text.
        device: the device that was to be opened.
        way: as what.
        rate_hz: at which rate.
        channels: with how many channels.

    >>> jack = Device(0, "system", "JACK Audio Connection Kit", 2, 2, 48000.0, 1, 1, 1, 1, True, True)
    >>> refusal(("Invalid sample rate", -9997), jack, "input", 44100, 2)
    "'system' (JACK) does not take 44100 Hz; it runs at 48000 Hz: leave out --rate, or give 48000"
    """
    text = str(error[0]) if error else "no reason given"
    code = error[1] if len(error) > 1 else 0
    host_text = str(error[2][2]).strip() if len(error) > 2 else ""
    has = device.channels(way)
    wrong_rate = rate_hz != device.rate_hz
    if code == _RATE or (code == _DEVICE and wrong_rate and device.api == "WASAPI"):
        return rate_refusal(device, rate_hz)
    if code == _CHANNELS and channels > has:
        return too_few_channels(device, way, channels)
    if code == _CHANNELS:
        return f"{device} does not open with {channels} of its {has} {way} channels; name the last one"
    if code == _DEVICE:
        return f"{device} does not open as {way}; was it unplugged? {_OTHERS}"
    if code == _BUSY or "busy" in host_text.lower() or "in use" in host_text.lower():
        return f"{device} is busy: another program has it; end that one, or choose another device"
    if "denied" in host_text.lower() or "not permitted" in host_text.lower():
        return f"{device} is not for you ({host_text}); allow it in the system's privacy settings"
    if code == _COMBINATION:
        return (
            f"{device} does not open as {way}: unplugged, or not for you (Linux: join the group audio)"
        )
    if code == _FORMAT:
        return f"{device} takes no samples of 32 bits floating point; {_OTHERS}"
    reason = f"{text}: {host_text}" if host_text else text
    return f"{device} does not open as {way} ({' '.join(reason.split())}); {_OTHERS}"


def rate_refusal(device: Device, rate_hz: float) -> str:
    """One line for a rate that a device does not take."""
    own = f"{device.rate_hz:g}"
    if rate_hz == device.rate_hz:
        return f"{device} does not take {own} Hz, its own rate; give another: --rate 44100 or 48000"
    return (
        f"{device} does not take {rate_hz:g} Hz; it runs at {own} Hz: leave out --rate, or give {own}"
    )


def too_few_channels(device: Device, way: Way, wanted: int) -> str:
    """One line for a channel that a device has not."""
    has = device.channels(way)
    if not has:
        return f"{device} has no {way} channels; {_OTHERS}"
    there = "only channel 1" if has == 1 else f"channels 1 to {has}"
    return f"{device} has no {way} channel {wanted}; it has {there}"


def opening_error(
    error: BaseException, device: Device, way: Way, rate_hz: float, channels: int
) -> AudioDeviceError:
    """What to raise for an error of sounddevice's that came while a stream was opened."""
    return AudioDeviceError(refusal(error.args, device, way, rate_hz, channels))
