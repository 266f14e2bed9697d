"""Generations: a chain again and again, as a copy of a copy is made."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from codecfx.audio import Audio
from codecfx.control.parameters import Change, Parameter
from codecfx.effects.base import COMMON, Effect
from codecfx.effects.board import Container, in_series
from codecfx.effects.dry_wet import DelayLine
from codecfx.effects.processor import Processor, StreamSpec
from codecfx.errors import ConfigurationError

GENERATIONS = Parameter(
    "generations",
    "Generations",
    default=4,
    minimum=1,
    maximum=50,
    change=Change.PREPARE,
    description="How often the sound goes through the chain, which is as much more CPU and latency",
)
RESYNC_SAMPLES = Parameter(
    "resync_samples",
    "Re-sync",
    default=271,
    minimum=0,
    maximum=48_000,
    change=Change.PREPARE,
    description="Delay before every pass but the first, so that no frame falls on the last pass's",
)


class Generations(Container):
    """A chain of codecs several times over: `Generations([MP3(), GSM()], generations=8)`.

    What it costs is known before it runs: `generations` times the chain's CPU and memory. Latency is as
    many times the chain's, and `resync_samples` between one pass and the next.

    The first pass runs the plugins themselves, the others copies with the same values; what is moved in
    a plugin moves in its copies with the same block, and its meter shows the first pass. pedalboard's
    own effects are taken as `codecfx.native` makes them; plugins that were made elsewhere are refused,
    since they cannot be copied.

    A codec that hears its own frames again where they were loses little: after ten passes Opus at 96
    kbps is as good as after one. So every pass comes later than the one before. 271 samples is a prime
    number that, with the latency of any one codec at 44.1 or 48 kHz, is 4 % of a frame or more away
    from whole frames.
    """

    name: ClassVar[str] = "generations"
    description: ClassVar[str] = "The chain inside it again and again: a copy of a copy"
    parameters: ClassVar[tuple[Parameter, ...]] = (GENERATIONS, RESYNC_SAMPLES, *COMMON)

    copies: tuple[Effect, ...] = ()
    """The plugins of every pass but the first, in order, as of the latest `prepare`."""

    def _refuse(self, plugins: Iterable[Any]) -> None:
        plugins = list(plugins)
        super()._refuse(plugins)
        for plugin in inside(plugins):
            if not isinstance(plugin, Effect) or not plugin.is_copyable:
                name = plugin.name if isinstance(plugin, Effect) else type(plugin).__name__
                raise ConfigurationError(
                    f"generations runs copies of what is in it, and this {name} cannot be copied; it "
                    f"takes codecfx effects, and pedalboard's built-ins by codecfx.native('{name}')"
                )

    def _connect(self, spec: StreamSpec) -> Processor:
        first, self._upstream = in_series(self, spec)
        passes, followed, self.copies = [first], [Followed(one) for one in inside(self)], ()
        for _ in range(1, int(self._values["generations"])):
            again = [copy.deepcopy(plugin) for plugin in self]
            self.copies += tuple(again)
            passes.append(in_series(again, spec)[0])
            for one, its_copy in zip(followed, inside(again), strict=True):
                one.copies.append(its_copy)
        return Passes(passes, followed, int(self._values["resync_samples"]), spec.channels)


def inside(plugins: Iterable[Any]) -> Iterator[Any]:
    """Plugins, and those inside of containers, in order."""
    for plugin in plugins:
        yield plugin
        if isinstance(plugin, Iterable):
            yield from inside(plugin)


class Followed:
    """An effect that runs, whose copies get the values that it is given."""

    def __init__(self, effect: Effect) -> None:
        """`effect` is prepared for the stream that its copies run in."""
        self.copies: list[Effect] = []
        self._effect, self._running = effect, effect._running
        self._seen = dict(effect._values)

    def follow(self) -> None:
        """Move the copies where it has moved since. [audio thread]"""
        now = self._effect._values
        if now == self._seen or self._effect._running is not self._running:
            return  # as nearly always; or it has been prepared for another stream
        for parameter in self._effect.parameters:
            value = now[parameter.id]
            if value != self._seen[parameter.id] and parameter.change is not Change.PREPARE:
                for one in self.copies:
                    one.move(parameter, value)
        self._seen = dict(now)


class Passes:
    """Processors one after another, with a delay between one and the next, and all that they follow."""

    def __init__(
        self,
        passes: Sequence[Processor],
        followed: Sequence[Followed],
        resync_samples: int,
        channels: int,
    ) -> None:
        self._first, *others = passes
        self._others = [(DelayLine(resync_samples, channels), one) for one in others]
        self._followed = tuple(followed) if others else ()
        latencies = sum(one.latency_samples for one in passes)
        self.latency_samples = latencies + resync_samples * len(others)

    def process_block(self, block: Audio) -> Audio:
        for effect in self._followed:
            effect.follow()
        block = self._first.process_block(block)
        for wait, one in self._others:
            block = one.process_block(wait.exchange(block))
        return block

    def reset(self) -> None:
        for effect in self._followed:
            effect.follow()  # what was set before a reset is set after it
        self._first.reset()
        for wait, one in self._others:
            wait.reset()
            one.reset()
