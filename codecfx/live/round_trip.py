"""The true round trip: a sound is played, comes back through a cable, and is found in what was heard.

What devices say of their latency is what their drivers believe. The test sound is a sweep, which a
correlation finds under noise, hum and a wrong level, to a fraction of a sample; it is played five
times, and all must say the same. The measuring is done in a process of its own, which may be ended
whatever a device does.
"""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.errors import AudioDeviceError
from codecfx.live.wiring import Wiring

_TIMES, _EVERY_S, _SWEEP_S, _FIRST_S = 5, 0.7, 0.2, 0.5
_LOWEST_HZ, _HIGHEST_HZ, _LEVEL = 300.0, 12_000.0, 0.25  # -12 dBFS: heard by any device, hurting nobody
_LONGEST_S = _EVERY_S - _SWEEP_S
_CLEAR = 8.0  # so much higher is the correlation where the sound is than its RMS elsewhere
_AGREED, _SAME_SAMPLES = 3, 1.0  # so many must say the same, within so much
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How long a sound takes from the program to the phones, through a cable, and back to it."""

    samples: int
    ms: float
    block_samples: int  # of the device
    spread_samples: float  # between the measurements that agree
    peak_db: float  # of what came back, in dB of full scale


def measure(wiring: Wiring, block_samples: int) -> RoundTrip:
    """Measure the round trip of these devices, in 5 s. Something must lead back from the output's first
    channel to the input's.

    Raises:
        AudioDeviceError: a device does not open, nothing comes back, or each time says something else.
    """
    order = {
        "microphone": wiring.microphone_plug,
        "phones": wiring.phones_plug,
        "sample_rate": wiring.sample_rate,
        "block_samples": block_samples,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "codecfx.live.round_trip"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AudioDeviceError("the sound device does not answer; is it still there?") from None
    lines = done.stdout.splitlines()
    answer = json.loads(lines[-1]) if lines else {"error": f"it ended with {done.returncode}"}
    if "error" in answer:
        raise AudioDeviceError(answer["error"])
    return RoundTrip(**answer)


def sweep(sample_rate: int) -> NDArray[np.float32]:
    """The test sound: an exponential sweep, faded in and out, (samples,)."""
    samples = int(_SWEEP_S * sample_rate)
    t = np.arange(samples) / sample_rate
    highest = min(_HIGHEST_HZ, 0.4 * sample_rate)
    growth = np.log(highest / _LOWEST_HZ) / _SWEEP_S
    phase = 2 * np.pi * _LOWEST_HZ / growth * (np.exp(growth * t) - 1)
    edge = np.minimum(1.0, np.minimum(t, _SWEEP_S - t) / 0.01)
    sound: NDArray[np.float32] = (_LEVEL * edge * np.sin(phase)).astype(np.float32)
    return sound


def played(sample_rate: int) -> NDArray[np.float32]:
    """All that is played, (samples,)."""
    sound = sweep(sample_rate)
    out = np.zeros(int((_FIRST_S + _TIMES * _EVERY_S) * sample_rate), np.float32)
    for at in _starts(sample_rate):
        out[at : at + len(sound)] = sound
    return out


def _starts(sample_rate: int) -> list[int]:
    return [int((_FIRST_S + number * _EVERY_S) * sample_rate) for number in range(_TIMES)]


def found(heard: NDArray[np.float32], sample_rate: int, block_samples: int = 0) -> RoundTrip:
    """The round trip in what was heard while `played` was played, (samples,), in such blocks.

    Raises:
        AudioDeviceError: it is not to be found, or is another each time.
    """
    sound = sweep(sample_rate)
    peak = float(np.abs(heard).max())
    lags = []
    for at in _starts(sample_rate):
        lag = _lag(heard[at : at + int(_EVERY_S * sample_rate)], sound, int(_LONGEST_S * sample_rate))
        if lag is not None:
            lags.append(lag)
    if len(lags) < _AGREED:
        raise AudioDeviceError(
            f"the test sound did not come back (peak {20 * np.log10(max(peak, 1e-10)):.0f} dB): lead "
            "the output to the input by a cable, turn both up, choose their channels (--in-channels)"
        )
    middle = float(np.median(lags))
    agreed = [lag for lag in lags if abs(lag - middle) <= _SAME_SAMPLES]
    if len(agreed) < _AGREED:
        lags_ms = ", ".join(f"{1000 * lag / sample_rate:.1f}" for lag in lags)
        raise AudioDeviceError(
            f"the round trip is another each time ({lags_ms} ms): sound is lost; use a longer block "
            "(--block 512)"
        )
    mean = float(np.mean(agreed))
    return RoundTrip(
        round(mean),
        1000 * mean / sample_rate,
        block_samples,
        max(agreed) - min(agreed),
        20 * float(np.log10(peak)),
    )


def _lag(heard: NDArray[np.float32], sound: NDArray[np.float32], longest: int) -> float | None:
    """How many samples later `sound` is in `heard`, to a fraction; None where it is not clearly
    there.
    """
    size = 1 << int(np.ceil(np.log2(len(heard) + len(sound))))
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sound, size))
    correlation = np.abs(np.fft.irfft(product, size)[:longest])
    at = int(correlation.argmax())
    rest = np.sqrt(np.mean(correlation**2))
    if rest == 0 or correlation[at] < _CLEAR * rest or not 0 < at < longest - 1:
        return None
    before, here, after = correlation[at - 1 : at + 2]
    return at + 0.5 * float(before - after) / float(before - 2 * here + after)


def main() -> None:
    """Measure what standard input asks for, and say it in JSON."""
    from codecfx.live.devices import quiet

    order = json.load(sys.stdin)
    try:
        with quiet():
            answer: dict[str, Any] = _measured(order)
    except AudioDeviceError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    import os

    os._exit(0)  # what a device holds is not waited for


def _measured(order: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from codecfx.audio import Audio
    from codecfx.live.memory import Memory
    from codecfx.live.sound_card import SoundCard, plugged

    rate = order["sample_rate"]
    sound = played(rate)
    heard = np.zeros(len(sound), np.float32)
    at, longest, done = 0, 0, threading.Event()

    def process(block: Audio) -> Audio:
        nonlocal at, longest
        longest = max(longest, block.shape[1])
        samples = min(block.shape[1], len(sound) - at)
        out = np.zeros((1, block.shape[1]), np.float32)
        out[0, :samples] = sound[at : at + samples]
        heard[at : at + samples] = block[0, :samples]
        at += samples
        if at == len(sound):
            done.set()
        return out

    microphone, phones = plugged(order["microphone"], order["phones"])
    card = SoundCard(process, Memory(), microphone, phones, rate, order["block_samples"])
    card.start()
    if not done.wait(len(sound) / rate + 5):
        raise AudioDeviceError("the sound device stands still")
    card.end()
    return asdict(found(heard, rate, longest))


if __name__ == "__main__":
    main()
