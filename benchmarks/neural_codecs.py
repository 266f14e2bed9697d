"""What neural codecs cost: against real time, and against Meta's package on the same weights and sound.

Every figure is taken in a process of its own, on one thread: `python benchmarks/neural_codecs.py WHAT`
prints one as JSON. Weights of EnCodec are random, of official size, as the tests make them (what is
computed does not depend on them); Lyra's are Google's where they are, else made by the tests too.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LIVE_SECONDS = 20


def measured(what: str, *arguments: object) -> dict[str, float]:
    """The figures of `what`, from a process of its own."""
    command = [sys.executable, __file__, what, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def runs(hops: int) -> dict[str, float]:
    """Seconds to encode and to decode a second at 6 kbps, in calls of so many hops: medians."""
    import numpy as np

    codec = _codec("encodec", hops=hops)
    sound = _sound(24_000, 1, 10)
    size = codec.format.run_samples
    encoding, decoding = [], []
    for at in range(0, sound.shape[1] - size + 1, size):
        began = time.perf_counter()
        packets = codec.encode(np.ascontiguousarray(sound[:, at : at + size]))
        between = time.perf_counter()
        codec.decode(packets)
        encoding.append(between - began)
        decoding.append(time.perf_counter() - between)
    per_second = 24_000 / size
    return {
        "encode": per_second * statistics.median(encoding),
        "decode": per_second * statistics.median(decoding),
    }


def live(channels: int) -> dict[str, float]:
    """The whole effect at 48 kHz, two hops at a time, 6 kbps a channel, a call every 26.67 ms: the
    share of a core, and of calls that were not done within that time.
    """
    import gc

    import codecfx

    effect = codecfx.EnCodec(hops=2, bitrate_kbps=6)
    size = 1280
    effect.prepare(codecfx.StreamSpec(48_000, channels, size))
    sound = _sound(48_000, channels, 10)
    period, late, calls = size / 48_000, 0, 0
    effect.process_block(sound[:, :size])
    gc.collect()
    gc.freeze()
    began, busy = time.perf_counter(), time.process_time()
    while calls < LIVE_SECONDS / period:
        time.sleep(max(0.0, began + calls * period - time.perf_counter()))
        at = calls * size % (sound.shape[1] - size)
        entered = time.perf_counter()
        effect.process_block(sound[:, at : at + size])
        late += time.perf_counter() - entered > period
        calls += 1
    return {
        "core": (time.process_time() - busy) / (time.perf_counter() - began),
        "late": late / calls,
    }


def ours_offline(seconds: int) -> dict[str, float]:
    """CPU seconds for a sound there and back at 6 kbps in runs of a second, and MiB that it took."""
    codec = _codec("encodec", hops=75)
    sound = _sound(24_000, 1, seconds)

    def there_and_back() -> None:
        for at in range(0, sound.shape[1], 24_000):
            codec.decode(codec.encode(sound[:, at : at + 24_000]))

    codec.decode(codec.encode(sound[:, :24_000]))
    return _offline(there_and_back)


def package_offline(seconds: int) -> dict[str, float]:
    """The same with Meta's package."""
    import torch
    from encodec_model import CAUSAL, model_in
    from made_models import RANDOM

    torch.set_num_threads(1)
    model = model_in(RANDOM, CAUSAL)
    model.set_target_bandwidth(6.0)
    sound = torch.from_numpy(_sound(24_000, 1, seconds))[None]

    def there_and_back() -> None:
        with torch.inference_mode():
            model.decode(model.encode(sound))

    with torch.inference_mode():
        model.decode(model.encode(sound[:, :, :24_000]))
    return _offline(there_and_back)


def lyra(backend: str) -> dict[str, float]:
    """Seconds for a second of speech there and back at 9.2 kbps, frame by frame: the median."""
    codec = _codec("lyra", backend=backend, bitrate_kbps=9.2)
    sound, took = _sound(16_000, 1, 10), []
    for at in range(0, sound.shape[1], 320):
        began = time.perf_counter()
        codec.decode(codec.encode(sound[:, at : at + 320]))
        took.append(time.perf_counter() - began)
    return {"both": 50 * statistics.median(took)}


def _offline(work: Callable[[], None]) -> dict[str, float]:
    before, busy = _peak_mib(), time.process_time()
    work()
    return {"cpu": time.process_time() - busy, "mib": _peak_mib() - before}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _codec(name: str, **values: object):  # type: ignore[no-untyped-def]
    from codecfx import codecs
    from codecfx.control.parameters import checked

    codec = codecs.find(name)
    return codec(48_000, 1, checked(codec.parameters, values, name))


def _sound(rate: int, channels: int, seconds: int):  # type: ignore[no-untyped-def]
    from signals import noise, tones, voice

    samples = rate * seconds
    return (
        voice(rate, samples, channels) * 0.5
        + tones(rate, samples, channels)
        + noise(channels, samples, level=0.01)
    )


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from made_models import RANDOM, RANDOM_48, use_made_models

    use_made_models()
    os.environ["CODECFX_MODEL_ENCODEC"] = str(RANDOM)
    os.environ["CODECFX_MODEL_ENCODEC48"] = str(RANDOM_48)
    google = ROOT.parent / "shared" / "models" / "lyra"
    if google.is_dir():
        os.environ["CODECFX_MODEL_LYRA"] = str(google)
    what, *arguments = sys.argv[1:]
    numbers = [int(one) if one.isdigit() else one for one in arguments]
    print(json.dumps(globals()[what](*numbers)))


if __name__ == "__main__":
    main()
