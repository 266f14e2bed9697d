"""What moving a board costs: 32 lanes and 1,000 messages a second, live, in blocks of 128 at 48 kHz.

usage: python benchmarks/control.py [board]   prints the CPU seconds that a second of sound takes, still
and moving: an effect that does nothing, so that moves alone are seen, or a board whose every gain and
plugin is then in motion all the time
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import codecfx
from codecfx.control.parameters import Change, Parameter
from codecfx.effects.base import BYPASS, MIX, Effect
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.paths import every_path
from codecfx.effects.processor import Processor
from codecfx.stream.framing import Framed

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from stem import synthesise

RATE, BLOCK, SECONDS = 48_000, 128, 10
MESSAGES_A_SECOND, LANES, KNOBS = 1000, 32, 16


class Nothing(Effect):
    """Passes its input on, whatever is set."""

    name = "nothing"
    parameters = (*(Parameter(f"p{n}", "", 0.0, 0.0, 1.0) for n in range(KNOBS)), MIX, BYPASS)

    def build(self, spec: codecfx.StreamSpec) -> Processor:
        return FixedLatency(Framed(1, spec.channels, lambda frames: frames), spec.channels)


def board() -> codecfx.Pedalboard:
    if "board" not in sys.argv:
        return codecfx.Pedalboard([Nothing()])
    return codecfx.Pedalboard(
        [codecfx.native("Compressor"), codecfx.Opus(), codecfx.MP3(), codecfx.native("Reverb")]
    )


def controls(played: codecfx.Pedalboard) -> codecfx.Controls:
    """Lanes that all move all the time, over the board's numbers in turn, each its own way; knobs on
    others of them. What crossfades a whole encoder at every value, MP3's, is not among them.
    """
    numbers = [
        (path, target.parameter)
        for path, target in every_path(played).items()
        if target.parameter.change is not Change.PREPARE
        and isinstance(target.parameter.default, float)
        and target.parameter.minimum is not None
        and (target.effect.name != "mp3" or target.parameter.id == "mix")
        and (target.parameter is not MIX or "board" in sys.argv)
    ]
    lanes = []
    for number in range(LANES):
        path, parameter = numbers[number % len(numbers)]
        there = [parameter.value_at(0.4 + 0.2 * (at % 2)) for at in range(SECONDS + 1)]
        points = [(f"{at} s", value) for at, value in enumerate(there)]
        lanes.append(codecfx.Lane(path, points, ("linear", "smooth")[number % 2]))
    maps = []
    for number in range(KNOBS):
        path, parameter = numbers[number % len(numbers)]
        ends = {"min": parameter.value_at(0.3), "max": parameter.value_at(0.7)}
        maps.append(codecfx.Map.of({"source": f"cc {number}", "target": path, **ends}))
    return codecfx.Controls(tuple(lanes), tuple(maps))


def cpu(play: Callable[[np.ndarray], np.ndarray], sound: np.ndarray) -> float:
    """CPU seconds for a second of `sound`."""
    began = time.process_time()
    for at in range(0, sound.shape[1], BLOCK):
        play(sound[:, at : at + BLOCK])
    return (time.process_time() - began) / SECONDS


def main() -> None:
    sound = synthesise(SECONDS)
    spec = codecfx.StreamSpec(RATE, 2, BLOCK)
    still = board()
    still.prepare(spec)
    moved = board()
    player = codecfx.Player(moved, controls(moved), in_file_time=False)
    player.prepare(spec, sound.shape[1])
    random = np.random.default_rng(1)
    knobs = random.integers(0, (KNOBS, 128), (MESSAGES_A_SECOND * SECONDS, 2)).tolist()
    messages = [bytes([0xB0, knob, value]) for knob, value in knobs]
    sent = blocks = 0

    def play(block: np.ndarray) -> np.ndarray:
        nonlocal sent, blocks
        blocks += 1
        due = blocks * BLOCK * MESSAGES_A_SECOND // RATE
        for message in messages[sent:due]:
            player.post(message)
        sent = due
        return player.process_block(block)

    print(json.dumps({"still": cpu(still.process_block, sound), "moving": cpu(play, sound)}))


if __name__ == "__main__":
    main()
