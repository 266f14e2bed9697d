"""pedalboard's home: its plugins as processors of our streams.

What was measured of pedalboard 0.9.26 and what follows (tests/test_native.py holds all of it):

- A plugin gives the same samples for any partition only if every call has the same size. So natives
  run on a grid: always `buffer_size=64`, and only whole multiples of it (`on_the_grid`). A container
  goes onto the grid once, for 63 samples of latency, however many natives it holds.
- Latent plugins return less than they are given until they are full. How much is probed with silence
  when a stream is prepared; `reset` before and afterwards makes them as new, to the last bit.
- `pedalboard.Mix` adds up branches that withhold sound only when it has all of it in one block: cut up,
  they are shifted, or memory that nobody wrote comes out (1e36 was seen). They run as our own Mix's.
- `GSMFullRateCompressor` and `PitchShift` empty their own delay with every call: streamed, the first is
  nearly silent and the second quite. They run offline inside the stream, on overlapping segments.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from codecfx.audio import Audio, silence
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.processor import without_garbage
from codecfx.errors import CodecUnavailable, UnsupportedFormat
from codecfx.stream.framing import Framed

try:
    import pedalboard as pedalboard  # native_effect takes it from here
except ImportError as error:
    raise CodecUnavailable(
        f"pedalboard does not load ({error}); pip install pedalboard, and on a bare Linux also "
        "apt install libatomic1"
    ) from None

if TYPE_CHECKING:
    from codecfx.effects.processor import Processor, StreamSpec

# Small enough to cost little latency (1.3 ms at 48 kHz), as large as the smallest usual device block
GRID_SAMPLES = 64
_PROBE_SAMPLES = 64 * GRID_SAMPLES
_MOST_PROBES = 64  # 5 s at 48 kHz


@dataclass(frozen=True, slots=True)
class Segments:
    """How a plugin that only works offline is run inside a stream, in seconds."""

    hop: float  # new sound per call
    before: float  # earlier input, until the plugin's memory is what it would have been
    after: float  # later input, which its delay looks into
    fade: float  # crossfade from one segment to the next
    shift: float  # how far a segment may move to meet the last one in phase; 0 keeps its time


# Latency is hop + fade + after. GSM's predictors forget within 0.2 s, and whole frames of 20 ms keep
# its frames where they are offline. Rubber Band looks 0.1 s ahead.
_OFFLINE_ONLY = {
    pedalboard.GSMFullRateCompressor: Segments(hop=0.24, before=0.24, after=0.06, fade=0.01, shift=0),
    pedalboard.PitchShift: Segments(hop=1.0, before=0.3, after=0.15, fade=0.04, shift=0.01),
}


def on_the_grid(spec: "StreamSpec", build: Callable[["StreamSpec"], "Processor"]) -> "Processor":
    """What `build` makes, called with whole multiples of the grid only; where the stream does not
    come that way, GRID_SAMPLES - 1 samples later.
    """
    if spec.quantum_samples % GRID_SAMPLES == 0:
        return build(spec)
    longest = spec.max_block_samples + GRID_SAMPLES - 1
    inner = build(replace(spec, quantum_samples=GRID_SAMPLES, max_block_samples=longest))
    framed = Framed(
        GRID_SAMPLES, spec.channels, inner.process_block, inner.reset, inner.latency_samples
    )
    return FixedLatency(framed, spec.channels)


def only_offline(plugin: Any) -> bool:
    """Whether a plugin has to run on segments."""
    return type(plugin) in _OFFLINE_ONLY


def fits_a_run(plugin: Any, spec: "StreamSpec") -> bool:
    """Whether a plugin streams as it is: not so what only works offline, and a pedalboard.Mix of
    branches that withhold sound.
    """
    if isinstance(plugin, pedalboard.Mix):
        return not any(NativeRun([branch], spec).holdback_samples for branch in plugin)
    return not only_offline(plugin)


def in_series(plugins: Iterable[Any]) -> Iterator[Any]:
    """`plugins` with pedalboard's own chains opened up, as far as nothing changes in the sound."""
    for plugin in plugins:
        if isinstance(plugin, pedalboard.Chain):  # a pedalboard.Pedalboard is one
            yield from in_series(plugin)
        else:
            yield plugin


def _leaves(plugin: Any) -> Iterator[Any]:
    if isinstance(plugin, pedalboard.PluginContainer):
        for inner in plugin:
            yield from _leaves(inner)
    else:
        yield plugin


def processor(plugins: Sequence[Any], spec: "StreamSpec") -> "Processor":
    """A run of plugins that fit it, or one that only works offline, on the grid.

    Raises:
        UnsupportedFormat: a plugin refuses this rate or channel count; says which and why.
    """
    if len(plugins) == 1 and only_offline(plugins[0]):
        segments = _OFFLINE_ONLY[type(plugins[0])]
        return FixedLatency(OnSegments(plugins[0], segments, spec), spec.channels)
    return FixedLatency(NativeRun(plugins, spec), spec.channels)


class NativeRun:
    """pedalboard plugins one after another, as a stage. Chunks are whole multiples of the grid."""

    ratio = Fraction(1)
    lookahead_samples = Fraction(0)  # pedalboard drops a plugin's latency from the front itself

    def __init__(self, plugins: Sequence[Any], spec: "StreamSpec") -> None:
        self._board = pedalboard.Pedalboard(list(plugins))
        self._rate = spec.sample_rate
        if any(isinstance(leaf, pedalboard.ExternalPlugin) for one in plugins for leaf in _leaves(one)):
            self._probe(spec.channels)  # some report their latency only after their first sound
        self._withheld = self._probe(spec.channels)
        self.holdback_samples = Fraction(self._withheld)
        self._owed = 0

    def _probe(self, channels: int) -> int:
        """How many samples the plugins keep once they are full."""
        probe = silence(channels, _PROBE_SAMPLES)
        kept: int = 0
        full_calls = 0
        self._board.reset()  # a plugin that was used before is full already
        try:
            for _ in range(_MOST_PROBES):
                returned = int(self._process(probe).shape[1])
                kept += _PROBE_SAMPLES - returned
                full_calls = full_calls + 1 if returned == _PROBE_SAMPLES else 0
                if full_calls == 2 or (full_calls == 1 and not kept):
                    self._board.reset()
                    return kept
        except (ValueError, RuntimeError) as error:
            raise UnsupportedFormat(f"pedalboard: {str(error).splitlines()[0]}") from None
        names = ", ".join(type(plugin).__name__ for plugin in self._board)
        raise UnsupportedFormat(f"{names}: withholds ever more sound, so it cannot be streamed")

    def _process(self, chunk: Audio) -> Audio:
        return without_garbage(self._board.process(chunk, self._rate, GRID_SAMPLES, False))

    def push(self, chunk: Audio) -> Audio:
        if not chunk.shape[1]:
            return chunk
        processed = self._process(chunk)
        self._owed += chunk.shape[1] - processed.shape[1]
        if self._owed > self._withheld:  # a plugin's latency was changed behind our back
            gap = silence(chunk.shape[0], self._owed - self._withheld)
            self._owed = self._withheld
            return np.concatenate((gap, processed), axis=1)
        return processed

    def reset(self) -> None:
        self._board.reset()
        self._owed = 0


class OnSegments:
    """A plugin that only works offline, run on overlapping segments and crossfaded, as a stage.

    Segments begin at fixed places in the stream, so the samples do not depend on the chunks. A plugin
    whose phases are arbitrary may move its segments a little, so that a tone goes on in phase.
    """

    ratio = Fraction(1)
    lookahead_samples = Fraction(0)

    def __init__(self, plugin: Any, segments: Segments, spec: "StreamSpec") -> None:
        self._plugin, self._rate = plugin, spec.sample_rate
        self._hop, self._before, self._after, self._fade, self._shift = (
            round(seconds * spec.sample_rate)
            for seconds in (
                segments.hop,
                segments.before,
                segments.after,
                segments.fade,
                segments.shift,
            )
        )
        self.holdback_samples = Fraction(self._hop + self._fade + self._after - 1)
        self._channels = spec.channels
        self._input: list[Audio] = []
        self._known = 0
        self._rising = np.linspace(0, 1, self._fade, dtype=np.float32)
        self._tail: Audio | None = None
        try:
            plugin.process(silence(spec.channels, GRID_SAMPLES), self._rate)
        except (ValueError, RuntimeError) as error:
            raise UnsupportedFormat(f"pedalboard: {str(error).splitlines()[0]}") from None
        self.reset()

    def push(self, chunk: Audio) -> Audio:
        self._input.append(chunk.copy())  # put together once a segment is whole, not every time
        self._known += chunk.shape[1]
        length = self._before + self._hop + self._fade + self._after
        if self._known < length:
            return chunk[:, :0]
        known = np.concatenate(self._input, axis=1)
        ready = []
        while known.shape[1] >= length:
            ready.append(self._segment(known[:, :length]))
            known = known[:, self._hop :]
        self._input, self._known = [known.copy()], known.shape[1]
        return np.concatenate(ready, axis=1)

    def _segment(self, around: Audio) -> Audio:
        """The next hop of sound, the end of the last segment faded into it."""
        whole = without_garbage(self._plugin.process(around, self._rate, 8192, True))
        begin, shift = self._before, self._shift
        if self._tail is not None and shift:
            nearby = whole[:, begin - shift : begin + self._fade + shift]
            begin += _best_shift(nearby, self._tail) - shift
        sound = whole[:, begin : begin + self._hop + self._fade].copy()
        if self._tail is not None:
            faded = sound[:, : self._fade] * self._rising + self._tail * (1 - self._rising)
            sound[:, : self._fade] = faded
        self._tail = sound[:, self._hop :]
        return sound[:, : self._hop]

    def reset(self) -> None:
        self._input = [silence(self._channels, self._before)]
        self._known = self._before  # samples in them
        self._tail = None


def _best_shift(candidates: Audio, tail: Audio) -> int:
    """The place in `candidates` where `tail` fits best; its middle unless another is clearly better."""
    length = tail.shape[1]
    span = candidates.shape[1] - length + 1
    size = candidates.shape[1] + length
    spectra = np.fft.rfft(candidates, size) * np.fft.rfft(tail, size).conj()
    likeness = np.fft.irfft(spectra.sum(axis=0), size)[:span]
    power = np.square(candidates, dtype=np.float64).sum(axis=0)
    energy = np.concatenate(([0.0], np.cumsum(power)))
    score = likeness / np.sqrt(np.maximum(energy[length:] - energy[:span], 0) + 1e-9)
    best, middle = int(np.argmax(score)), span // 2
    return middle if score[middle] >= 0.9 * score[best] else best
