"""The sound card: PortAudio's callback, with the desk in it. [engine]"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codecfx.audio import Audio
from codecfx.errors import AudioDeviceError
from codecfx.live.child import prefer
from codecfx.live.devices import Device, Way, load, numbers_here, opening_error
from codecfx.live.memory import Memory, Meter

Process = Callable[[Audio], Audio]
"""The desk's: the microphone's block in, (its channels, samples), the phones' out."""

_PRIORITY = 60  # below JACK's own threads, which have 70 and more
_LOAD_SECONDS = 1.0
_WORST_SECONDS = 5.0  # the worst is that of one or two such spans
_WHEN_EVERY = 64  # blocks
_ROUND_SECONDS = 0.05
_END_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plug:
    """A device, its number here, and which of the channels that are opened are used, from 0 on."""

    device: Device
    number: int
    channels: tuple[int, ...]
    opened: int


def plugged(*told: dict[str, Any] | None) -> list[Plug | None]:
    """The plugs that a `Wiring` tells of; None for a file. Raises AudioDeviceError: one is gone."""
    devices = [None if one is None else Device(**one["device"]) for one in told]
    there = [device for device in devices if device is not None]
    numbers = dict(zip(there, numbers_here(there) if there else [], strict=True))
    return [
        Plug(device, numbers[device], tuple(one["channels"]), one["opened"]) if one and device else None
        for one, device in zip(told, devices, strict=True)
    ]


class Timing:
    """What each block costs of the time there is. [audio thread]"""

    def __init__(self, sample_rate: int, memory: Memory, on_round: Callable[[], None]) -> None:
        """`on_round` is called twenty times a second, after a block: when there is time for others."""
        self._rate, self._meters = sample_rate, memory.meters
        self._on_round, self._since_round = on_round, 0.0
        self._worst = [0.0, 0.0]
        self._load = self._since = 0.0
        self._beats = self._samples = self._block = 0

    def begin(self, when: Any = None) -> float:
        """The heartbeat; the time at which this block began, in seconds of time.perf_counter. `when` is
        PortAudio's: when the block's first samples came in, and will go out.
        """
        if not self._beats:
            self._meters[Meter.REAL_TIME] = _is_real_time()
        self._beats += 1
        self._meters[Meter.CALLBACKS] = self._beats
        if when is not None and self._beats % _WHEN_EVERY == 1:
            self._meters[Meter.IN_S] = when.currentTime - when.inputBufferAdcTime
            self._meters[Meter.OUT_S] = when.outputBufferDacTime - when.currentTime
        return time.perf_counter()

    def end(self, begun: float, samples: int) -> None:
        if not samples:
            return
        span = samples / self._rate
        load = (time.perf_counter() - begun) / span
        share = min(1.0, span / _LOAD_SECONDS)
        self._load += share * (load - self._load)
        self._meters[Meter.LOAD] = self._load
        self._samples += samples
        self._meters[Meter.SAMPLE] = self._samples
        if samples > self._block:
            self._block = samples
            self._meters[Meter.BLOCK] = samples
        self._since += span
        if self._since > _WORST_SECONDS:
            self._since = 0.0
            self._worst = [0.0, self._worst[0]]
        if load > self._worst[0]:
            self._worst[0] = load
            self._meters[Meter.LOAD_WORST] = max(self._worst)
        self._since_round += span
        if self._since_round > _ROUND_SECONDS:
            self._since_round = 0.0
            self._on_round()

    def dropout(self, blocks: int = 1) -> None:
        """Sound was missing."""
        self._meters[Meter.DROPOUTS] += blocks
        self._meters[Meter.DROPOUT_AT] = time.monotonic()


def _is_real_time() -> bool:
    """Ask for real-time priority for this thread, unless it has it; whether it has."""
    if not hasattr(os, "sched_setscheduler"):
        return True  # macOS and Windows give it to audio threads
    real_time = (os.SCHED_FIFO, os.SCHED_RR)
    if os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK in real_time:
        return True
    prefer(_PRIORITY)
    return os.sched_getscheduler(0) in real_time


class SoundCard:
    """A stream from a microphone, to phones, or both; the other end may be a file's ring."""

    def __init__(
        self,
        process: Process,
        memory: Memory,
        microphone: Plug | None,
        phones: Plug | None,
        sample_rate: int,
        block_samples: int,
        on_round: Callable[[], None] = lambda: None,
    ) -> None:
        """Open it; `start` begins. `block_samples` is 0 for whatever the device has: with JACK anything
        else costs another block. `on_round` is `Timing`'s.

        Raises:
            AudioDeviceError: it does not open.
        """
        self._process, self._memory, self._rate = process, memory, sample_rate
        self._microphone, self._phones = microphone, phones
        self._timing = Timing(sample_rate, memory, on_round)
        # a slice is quicker than a list of channels
        self._picked = None if microphone is None else _picks(microphone.channels)
        self._given = None if phones is None else _picks(phones.channels)
        sounddevice = load()
        settings: dict[str, Any] = {
            "samplerate": sample_rate,
            "blocksize": block_samples,
            "dtype": "float32",
            "latency": "low",
        }
        try:
            if microphone and phones:
                self._stream = sounddevice.Stream(
                    device=(microphone.number, phones.number),
                    channels=(microphone.opened, phones.opened),
                    callback=self._both,
                    **settings,
                )
            elif microphone:
                self._stream = sounddevice.InputStream(
                    device=microphone.number,
                    channels=microphone.opened,
                    callback=self._in,
                    **settings,
                )
            else:
                assert phones is not None
                self._stream = sounddevice.OutputStream(
                    device=phones.number, channels=phones.opened, callback=self._out, **settings
                )
        except sounddevice.PortAudioError as error:
            raise self._opening_error(error) from None

    def start(self) -> None:
        """Begin. Raises AudioDeviceError."""
        try:
            self._stream.start()
        except Exception as error:  # its PortAudioError
            raise self._opening_error(error) from None

    def _opening_error(self, error: Exception) -> AudioDeviceError:
        sides: list[tuple[Plug | None, Way]] = [(self._phones, "output"), (self._microphone, "input")]
        plug, way = next((one, way) for one, way in sides if one is not None)
        assert plug is not None
        return opening_error(error, plug.device, way, self._rate, plug.opened)

    def end(self) -> None:
        """End, as far as the device lets us: a sound server that has gone may hold us for ever."""
        thread = threading.Thread(target=self._leave, daemon=True)
        thread.start()
        thread.join(_END_SECONDS)

    def _leave(self) -> None:
        """JACK's server waits seconds for one that leaves without a word."""
        self._stream.close()
        load()._terminate()

    # PortAudio's callbacks. [audio thread]

    def _both(self, heard: Any, out: Any, samples: int, when: Any, flags: Any) -> None:
        begun = self._timing.begin(when)
        if flags and (flags.input_overflow or flags.output_underflow):
            self._timing.dropout()
        self._give(out, self._process(np.ascontiguousarray(heard[:, self._picked].T)))
        self._timing.end(begun, samples)

    def _in(self, heard: Any, samples: int, when: Any, flags: Any) -> None:
        begun = self._timing.begin(when)
        if flags and flags.input_overflow:
            self._timing.dropout()
        if not self._memory.out.write(self._process(np.ascontiguousarray(heard[:, self._picked].T))):
            self._memory.meters[Meter.SPILLED] += samples
        self._timing.end(begun, samples)

    def _out(self, out: Any, samples: int, when: Any, flags: Any) -> None:
        begun = self._timing.begin(when)
        if flags and flags.output_underflow:
            self._timing.dropout()
        self._give(out, self._process(played(self._memory, samples)))
        self._timing.end(begun, samples)

    def _give(self, out: Any, sound: Audio) -> None:
        assert self._phones is not None
        if self._phones.opened > len(self._phones.channels):
            out.fill(0)
        out[:, self._given] = sound.T


def played(memory: Memory, samples: int) -> Audio:
    """The next samples of the file that plays, silence where its reader is late. [audio thread]"""
    block = memory.played.read(samples)
    missing = samples - block.shape[1]
    if missing:
        memory.meters[Meter.STARVED] += missing
        block = np.pad(block, ((0, 0), (0, missing)))
    return block


def _picks(channels: Sequence[int]) -> Any:
    first, last = channels[0], channels[-1]
    if list(channels) == list(range(first, last + 1)):
        return slice(first, last + 1)
    return list(channels)
