"""Damages packets of every codec in every way, and looks whether anybody could be hurt.

usage: python tests/damaged_packets.py PACKETS  (of all codecs together)
"""

import sys
import time

import numpy as np
from made_models import use_made_models
from signals import tones, voice

from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.stream.bits import REGIONS
from codecfx.stream.ears import LOUDEST
from codecfx.stream.network import CONCEALMENTS

RATE = 48_000
SECONDS = 1.0
PEAK = 0.25
WRONG = ("flip", "swap", "cut", "behind", "xor", "freeze", "slow", "reverse", "starve_kbps")


def wrong(random):
    """Some network and some damage."""
    values = {"seed": int(random.integers(2**31)), "region": str(random.choice(REGIONS))}
    for share in ("flip", "swap", "cut", "behind", "loss", "reorder", "duplicate"):
        if random.random() < 0.4:
            values[share] = float(random.random() ** 3)
    if random.random() < 0.2:
        values["xor"] = int(random.integers(256))
    if random.random() < 0.1:
        values |= {"freeze": True, "freeze_packets": int(random.integers(1, 50))}
    if random.random() < 0.2:
        values["scatter"] = float(random.random())
    if random.random() < 0.1:
        values["slow"] = float(random.uniform(1, 8))
    if random.random() < 0.1:
        values["reverse"] = True
    if random.random() < 0.1:
        values["starve_kbps"] = float(random.uniform(1, 32))
    if random.random() < 0.1:
        values["generations"] = 2
    if random.random() < 0.5:
        values["packets_hit"] = float(random.random())
    return values | {"conceal": str(random.choice(CONCEALMENTS))}


def hurt(name, packets, seed=0):
    """Run a codec until so many packets were sent; raises AssertionError with what was set."""
    random = np.random.default_rng(seed)
    sent = 0
    while sent < packets:
        rate = int(random.choice([RATE, 44_100, 16_000]))
        channels = int(random.integers(1, 3))
        make = voice if random.random() < 0.5 else tones
        sound = make(rate, int(SECONDS * rate), channels=channels, seed=int(random.integers(1000)))
        sound *= PEAK / np.abs(sound).max()
        buffer_ms = float(random.choice([0, 0, 45]))
        values = wrong(random)
        about = f"{name} at {rate} Hz, {channels} channels: {values}, buffer_ms={buffer_ms}"
        if "walk" in registry.find(name)().values and random.random() < 0.5:
            values |= {"walk": int(random.integers(100)), "shuffle": float(random.random())}
            values |= {"drop_books": "2", "drone_books": int(random.integers(4))}
        if name == "encodec48":  # else it has a packet a second
            values["segment_s"] = 0.1
        effect = registry.find(name)(**values, buffer_ms=buffer_ms)
        effect.prepare(StreamSpec(rate, channels))
        late = effect.latency_samples
        heard = effect.process_block(sound)
        assert heard.shape == sound.shape, about
        assert np.isfinite(heard).all(), about
        # the last of two generations hears what the first made of the sound, which may be louder
        if any(values.get(one) for one in WRONG) and "generations" not in values:
            # the clamp is exact at the codec's rate, and a filter on the way there adds to a peak: 13 %
            # at most were seen
            most = 1.25 * LOUDEST * PEAK
            assert np.abs(heard).max() <= most, f"{about}: {np.abs(heard).max()}"
        assert effect.latency_samples == late, about
        sent += max(1, effect.meter.packets)
    return sent


def main(packets):
    use_made_models()
    names = registry.codec_names()
    began, sent = time.monotonic(), 0
    for name in names:
        sent += hurt(name, packets // len(names), seed=int(began))
        print(f"{name}: {sent} packets, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(int(float(sys.argv[1])))
