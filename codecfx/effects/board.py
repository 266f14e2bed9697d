"""Containers: pedalboard's own, but for any mixture of pedalboard's effects and ours.

`Pedalboard` and `Chain` run their plugins one after another, `Mix` side by side. A container is an
effect itself, so containers nest, and each has a `mix`, a `bypass` and a latency: the sum of a chain's,
the largest of a mix's, whose other branches wait for it. Those that pedalboard does not have, `Split`,
`MidSide` and `Generations`, are modules of their own.
"""

import sys
from collections.abc import Iterable, MutableSequence
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from codecfx.audio import Audio, silence
from codecfx.effects.base import Effect
from codecfx.effects.layout import Layout
from codecfx.effects.processor import Processor, StreamSpec, without_garbage
from codecfx.effects.routing import InParallel, InSeries
from codecfx.errors import ConfigurationError, SameEffectTwice

if TYPE_CHECKING:
    from codecfx.effects.player import Automation

# What decides how much sound a pedalboard plugin withholds
LATENT_SETTINGS = ("lookahead_ms", "target_sample_rate", "quality")


def is_native(plugin: object) -> bool:
    """Whether `plugin` is pedalboard's. Loads nothing: who holds one has imported it."""
    library = sys.modules.get("pedalboard")
    return library is not None and isinstance(plugin, library.Plugin)


def _is_mix(plugin: object) -> bool:
    return is_native(plugin) and isinstance(plugin, sys.modules["pedalboard"].Mix)


class Container(Effect, MutableSequence[Any]):
    """A list that is an effect: of pedalboard plugins, our effects, and containers of either."""

    branches: ClassVar[tuple[str, ...]] = ()  # what each plugin gets, where it has a place of its own

    def __init__(self, plugins: Iterable[Any] | None = None, **settings: Any) -> None:
        """Raises TypeError for what is no plugin, SameEffectTwice, UnknownName, ParameterError;
        ConfigurationError for plugins that have no place here.
        """
        super().__init__(**settings)
        self._plugins: list[Any] = []
        self._built: list[tuple[Any, object]] = []
        self._upstream: dict[int, int] = {}  # by plugin, as of the latest `prepare`
        if not isinstance(plugins, Iterable | None) or is_native(plugins):
            raise TypeError(f"{type(self).__name__} takes a list of plugins; write [{plugins!r}]")
        self.extend(plugins or ())

    # The list

    def __len__(self) -> int:
        return len(self._plugins)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "Container": ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        """A plugin, or, for a slice, a container of the same kind with those plugins."""
        if isinstance(index, slice):
            return type(self)(self._plugins[index], label=self.label, **self.values)
        return self._plugins[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        many = isinstance(index, slice)
        values = [_checked(one) for one in (value if many else [value])]
        self._refuse(values)
        changed = list(self._plugins)
        changed[index] = values if many else values[0]
        self._refuse_too_many(changed)
        self._plugins = changed  # one instance may stand twice for a moment, while two are swapped

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        del self._plugins[index]

    def insert(self, index: int, value: Any) -> None:
        """Insert before `index`. Raises TypeError for what is no plugin, SameEffectTwice."""
        changed = list(self._plugins)
        changed.insert(index, _checked(value))
        self._refuse(changed)
        self._plugins = changed

    def _refuse(self, plugins: Iterable[Any]) -> None:
        """Raises ConfigurationError for plugins that cannot stand here together."""
        plugins = list(plugins)
        self._refuse_same_twice(plugins)
        self._refuse_too_many(plugins)

    def _refuse_too_many(self, plugins: list[Any]) -> None:
        if self.branches and len(plugins) > len(self.branches):
            raise ConfigurationError(
                f"{self.name} has no place for {len(plugins)} plugins; it takes up to "
                f"{len(self.branches)}, for {', '.join(self.branches)}: put several for one in a Chain"
            )

    def _refuse_same_twice(self, plugins: Iterable[Any]) -> None:
        # A board cannot hold itself either. Plugins are kept: pedalboard makes a Python object for what
        # is in its containers when one looks, and the next may lie where the last has been.
        seen: dict[int, Any] = {id(self): self}
        waiting = list(plugins)
        while waiting:
            plugin = waiting.pop(0)
            if id(plugin) in seen:
                raise SameEffectTwice(
                    f"{plugin!r} stands in this chain twice, and its memory serves one stream; make a "
                    "second one with the same settings"
                )
            seen[id(plugin)] = plugin
            waiting[:0] = plugin if isinstance(plugin, Iterable) else ()

    def __contains__(self, plugin: object) -> bool:
        return any(one is plugin for one in self._plugins)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = Effect.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), list(self._plugins), self.label, dict(self.values))

    def __repr__(self) -> str:
        count = f"{len(self)} plugin{'' if len(self) == 1 else 's'}"
        return f"<codecfx.{type(self).__name__} with {count}: {self._plugins!r}>"

    # The stream

    @property
    def quantum_samples(self) -> int:
        """The blocks that its plugins work in: 1, or pedalboard's grid."""
        return max((_quantum(plugin) for plugin in self._plugins), default=1)

    @property
    def is_stale(self) -> bool:
        """Also when plugins came, went, or were prepared for somebody else meanwhile."""
        built = _as_built(self._plugins)
        same = len(built) == len(self._built) and all(
            one is other and running == then
            for (one, running), (other, then) in zip(built, self._built, strict=True)
        )
        return (
            super().is_stale
            or not same
            or any(isinstance(plugin, Effect) and plugin.is_stale for plugin in self._plugins)
        )

    @property
    def is_outdated(self) -> bool:
        """Whether any of its plugins is."""
        return any(isinstance(plugin, Effect) and plugin.is_outdated for plugin in self._plugins)

    def build(self, spec: StreamSpec) -> Processor:
        self._refuse(self._plugins)
        if self.quantum_samples == 1:
            built = self._connect(spec)
        else:
            from codecfx.effects.native import on_the_grid

            built = on_the_grid(spec, self._connect)
        self._built = _as_built(self._plugins)
        return built

    def _connect(self, spec: StreamSpec) -> Processor:
        raise NotImplementedError

    def upstream_samples(self, plugin: Any) -> int:
        """How late the sound is, within this container, that reaches one of its plugins; 0 before the
        first `prepare`. Of pedalboard's plugins in a row, what those before withhold is not counted.
        """
        return self._upstream.get(id(plugin), 0)

    def process(
        self,
        input_array: ArrayLike,
        sample_rate: float,
        buffer_size: int = 8192,
        reset: bool = True,
        *,
        automation: "Automation | None" = None,
    ) -> Audio:
        """As Effect.process. Pedalboard plugins alone, from the start, are pedalboard's business: the
        result is its own to the last bit, and a stream that goes on afterwards begins with silence.
        """
        with self._lock:
            native = as_native(self) if reset and len(self) and automation is None else None
            layout = Layout.of(input_array)
            shape = np.shape(input_array)
            if native is None or shape[:1] == shape[1:]:  # pedalboard cannot read a square
                return super().process(
                    input_array, sample_rate, buffer_size, reset, automation=automation
                )
            super().process(layout.outward(silence(layout.channels, 0)), sample_rate)
            if any(_is_mix(plugin) for plugin, _ in _as_built([native])):
                buffer_size = max(buffer_size, *shape)  # cut up, its branches may not meet
            audio = without_garbage(np.asarray(input_array, np.float32))
            processed: Audio = native(audio, sample_rate, buffer_size)
            self.reset()
            return processed

    __call__ = process


class Chain(Container):
    """Plugins one after another; the same as a Pedalboard, by pedalboard's name for a nested one."""

    name: ClassVar[str] = "chain"
    description: ClassVar[str] = "Effects one after another"

    def _connect(self, spec: StreamSpec) -> Processor:
        running, self._upstream = in_series(self._plugins, spec)
        return running


class Pedalboard(Chain):
    """The drop-in for pedalboard.Pedalboard: its plugins, our effects, and containers of either."""

    name: ClassVar[str] = "pedalboard"


class Mix(Container):
    """Plugins side by side on the same input, summed; branches are aligned by their latency."""

    name: ClassVar[str] = "mix"
    description: ClassVar[str] = "Effects side by side, summed"

    def _connect(self, spec: StreamSpec) -> Processor:
        branches = [in_series([plugin], spec)[0] for plugin in self._plugins]
        return InParallel(branches, spec.channels)


def in_series(plugins: Iterable[Any], spec: StreamSpec) -> tuple[InSeries, dict[int, int]]:
    """What runs for plugins one after another, on their grid; and by plugin, how late the sound is that
    reaches it.
    """
    built = _processors(list(plugins), spec)
    late, upstream = 0, dict[int, int]()
    for processor, served in built:
        upstream |= {id(plugin): late for plugin in served}
        late += processor.latency_samples
    return InSeries(processor for processor, _ in built), upstream


def _processors(plugins: Iterable[Any], spec: StreamSpec) -> list[tuple[Processor, list[Any]]]:
    """What runs for `plugins`, and for which of them: ours one by one, pedalboard's in runs as long as
    possible.
    """
    if not any(is_native(plugin) for plugin in plugins):
        return [(plugin.prepared(spec), [plugin]) for plugin in plugins]
    from codecfx.effects import native

    built: list[tuple[Processor, list[Any]]] = []
    run: list[Any] = []
    for plugin in [*native.in_series(plugins), None]:
        if is_native(plugin) and native.fits_a_run(plugin, spec):
            run.append(plugin)
            continue
        if run:
            built.append((native.processor(run, spec), run))
            run = []
        if isinstance(plugin, Effect):
            built.append((plugin.prepared(spec), [plugin]))
        elif isinstance(plugin, Iterable):  # a pedalboard.Mix that does not align its branches
            built.append((Mix(list(plugin)).prepared(spec), [plugin]))
        elif plugin is not None:
            built.append((native.processor([plugin], spec), [plugin]))
    return built


def _rebuilt(
    kind: type[Container], plugins: list[Any], label: str, values: dict[str, Any]
) -> Container:
    return kind(plugins, label=label, **values)


def _as_built(plugins: Iterable[Any]) -> list[tuple[Any, object]]:
    """Who runs with what, those inside pedalboard's containers included: our effects with their
    stream, pedalboard's with the settings that their latency depends on.
    """
    built: list[tuple[Any, object]] = []
    for plugin in plugins:
        if isinstance(plugin, Effect):
            built.append((plugin, plugin._running))
        else:
            built.append((plugin, tuple(getattr(plugin, one, None) for one in LATENT_SETTINGS)))
        if is_native(plugin) and isinstance(plugin, Iterable):
            built += _as_built(plugin)
    return built


def as_native(plugin: Any) -> Any:
    """`plugin` as one of pedalboard's if it is nothing else, all through; otherwise None."""
    if is_native(plugin):
        return plugin
    if (
        isinstance(plugin, Chain | Mix)  # pedalboard has no others
        and plugin.mix == 1
        and not plugin.bypass
        and plugin.delta == "off"
    ):
        inner = [as_native(one) for one in plugin]
        if all(one is not None for one in inner):
            import pedalboard

            return (pedalboard.Mix if isinstance(plugin, Mix) else pedalboard.Chain)(inner)
    return None


def _quantum(plugin: Any) -> int:
    if isinstance(plugin, Effect):
        return plugin.quantum_samples
    from codecfx.effects.native import GRID_SAMPLES

    return GRID_SAMPLES


def _checked(plugin: Any) -> Any:
    if not isinstance(plugin, Effect) and not is_native(plugin):
        raise TypeError(
            f"{plugin!r} is no plugin; a board takes codecfx effects, pedalboard plugins, and "
            "containers of either"
        )
    return plugin
