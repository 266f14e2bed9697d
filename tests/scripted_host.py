"""A live host without sound: it says what a test tells it to, and turns a real board's parameters.

As a program it shows itself, for tests of real terminals: `python scripted_host.py screen`.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Iterable

import codecfx
from codecfx.cli.live_turning import LiveHost
from codecfx.control.parameters import Value
from codecfx.effects.base import Effect
from codecfx.effects.paths import every_path
from codecfx.errors import ConfigurationError, UnknownName
from codecfx.live.status import Dropout, Knob, Level, Load, Part, Status

LATENCY = (
    Part("device in", 128, 2.67),
    Part("block", 128, 2.67),
    Part("opus", 1272, 26.5),
    Part("device out", 128, 2.67),
)
LEVELS = (Level(-18.2, -6.1), Level(-21.0, -9.4))


class ScriptedHost:
    """Everything that is asked of it is in `asked`, in order; `facts` go into its status."""

    def __init__(self, *, board: Effect | None = None, **facts: object) -> None:
        self.board = board or codecfx.Pedalboard([codecfx.Opus(bitrate_kbps=18, label="call")])
        self.sources: dict[str, str] = {}
        self.asked: list[tuple[object, ...]] = []
        self.saved = "saved: my-sound.toml"
        self.status_now = Status(
            state="running",
            seconds=133.0,
            input_name="Scarlett 2i2",
            output_name="Phones",
            sample_rate=48_000,
            block_samples=128,
            is_real_time=True,
            inputs=LEVELS,
            outputs=LEVELS,
            is_muted=False,
            presets=("hotel-wifi", "underwater", "voice-note"),
            preset="hotel-wifi",
            sides=("hotel-wifi", "underwater"),
            kbps=18.3,
            packets=1034,
            latency=LATENCY,
            load=Load(0.12, 0.34),
        )
        self.tell(**facts)

    def tell(self, **facts: object) -> None:
        """Say this from now on."""
        self.status_now = dataclasses.replace(self.status_now, **facts)

    def status(self) -> Status:
        return dataclasses.replace(self.status_now, knobs=tuple(self._knobs()))

    def _knobs(self) -> Iterable[Knob]:
        for path, target in every_path(self.board).items():
            parameter, value = target.parameter, target.value
            has_range = parameter.steps or None not in (parameter.minimum, parameter.maximum)
            position = parameter.position_of(value) if has_range else 0.5
            text = str(value) if isinstance(value, str) else f"{value:g} {parameter.unit}".rstrip()
            if isinstance(value, bool):
                text = "on" if value else "off"
            yield Knob(path, parameter, value, text, self.sources.get(path, ""), position)

    def mute(self) -> None:
        self.asked.append(("mute",))
        self.tell(is_muted=not self.status_now.is_muted)

    def bypass(self) -> None:
        self.asked.append(("bypass",))
        self.tell(is_bypassed=not self.status_now.is_bypassed)

    def panic(self) -> None:
        self.asked.append(("panic",))
        self.tell(is_muted=True)

    def record(self) -> None:
        self.asked.append(("record",))
        if self.status_now.take:
            self.tell(take="", takes=(*self.status_now.takes, self.status_now.take))
        else:
            self.tell(take="takes/2026-11-26-103000", take_seconds=0.0)

    def swap(self) -> None:
        self.asked.append(("swap",))
        side = "B" if self.status_now.side == "A" else "A"
        self.tell(side=side, preset=self.status_now.sides["AB".index(side)])

    def next_preset(self, step: int = 1) -> None:
        self.asked.append(("next_preset", step))
        presets = self.status_now.presets
        at = presets.index(self.status_now.preset) + step
        self.tell(preset=presets[at % len(presets)])

    def turn(self, path: str, value: Value) -> None:
        self.asked.append(("turn", path, value))
        every_path(self.board)[path].move(value)

    def learn(self, path: str) -> None:
        self.asked.append(("learn", path))
        self.tell(learning=path)

    def forget(self, path: str) -> None:
        self.asked.append(("forget", path))
        if path not in self.sources:
            raise UnknownName("map", path, self.sources)
        del self.sources[path]

    def save(self) -> str:
        self.asked.append(("save",))
        if not self.saved:
            raise ConfigurationError("my-sound.toml is there; choose another name")
        return self.saved


class PlayingHost(ScriptedHost):
    """One whose meters move, and which drops a block now and then."""

    def status(self) -> Status:
        now = time.monotonic()
        loud = [-12 + 9 * math.sin(rate * now) + 3 * math.sin(37 * now) for rate in (3, 4.1)]
        levels = tuple(Level(db, min(0.0, db + 8)) for db in loud)
        out = tuple(Level(db - 4, min(0.0, db + 3)) for db in loud)
        dropouts = int(now / 7) % 10
        self.tell(
            seconds=now % 10_000,
            inputs=levels,
            outputs=out,
            kbps=18 + math.sin(now),
            packets=int(now * 50) % 100_000,
            lost_packets=int(now) % 1000,
            reduction_db=min(0.0, -3 * math.sin(2 * now)),
            load=Load(0.12 + 0.01 * math.sin(now), 0.34),
            dropouts=dropouts,
            recent_dropouts=(Dropout(now // 7 * 7 % 10_000, 2),) if dropouts else (),
            take_seconds=now % 1000,
        )
        return super().status()


def main(how: str, **facts: object) -> None:
    from codecfx.cli.live_lines import run_lines
    from codecfx.cli.live_screen import run_screen
    from codecfx.presets import load_preset

    host: LiveHost = PlayingHost(board=load_preset("hotel-wifi").board(), **facts)
    if how in ("screen", "silent"):
        run_screen(host)
    else:
        run_lines(host, as_json=how == "json")
    if how != "silent":
        print("the end", *(one[0] for one in host.asked))


if __name__ == "__main__":
    main(sys.argv[1])
