"""Rendering: an audio file through a board into another file, in constant memory.

Files are read and written by a thread of their own, a step ahead and a step behind the board.

The board's latency is removed, so that the output starts where the input does and lasts as long, plus a
tail where one is asked for. Stems rendered by different boards stay in time with each other.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import inf, log10
from os import PathLike
from pathlib import Path

import numpy as np

from codecfx.audio import silence
from codecfx.audio_file import AudioSource, AudioTarget
from codecfx.control.controls import Controls
from codecfx.control.midi_file import MidiFile
from codecfx.effects.base import Effect
from codecfx.effects.codec_effect import CodecEffect
from codecfx.effects.processor import STEP_SAMPLES, Processor, StreamSpec
from codecfx.errors import ConfigurationError
from codecfx.performance import Performance, SideChains, effects_of, give_seed


@dataclass(frozen=True, slots=True)
class PacketCounts:
    """What became of a codec's packets."""

    sent: int
    lost: int  # not there when they were due
    concealed: int  # of those, in whose place something else was heard
    repaired: int  # made good from others
    damaged: int  # not what was sent
    seed: int  # of all their chance

    @property
    def is_whole(self) -> bool:
        """Whether nothing happened to any."""
        return not (self.lost or self.repaired or self.damaged)


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did. Levels are sample peaks in dB of full scale, -inf for silence."""

    source: Path
    target: Path
    sample_rate: int  # Hz
    channels: int
    samples: int  # written, per channel; source and tail
    seconds: float  # of sound written
    elapsed_seconds: float
    kbps: dict[str, float]  # true mean bitrate of every codec, by label or name
    latency_samples: int  # removed
    latency_ms: float
    peak_in_db: float
    peak_out_db: float
    clipped_samples: int  # beyond full scale, where the output's format cannot hold them
    seed: int | None
    packets: dict[str, PacketCounts] = field(default_factory=dict)  # of every codec, by the same names

    @property
    def real_time_factor(self) -> float:
        """Seconds of sound per second of work."""
        return self.seconds / self.elapsed_seconds if self.elapsed_seconds else inf


def render(
    board: Effect,
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    automation: Controls | None = None,
    midi: MidiFile | None = None,
    tail_seconds: float = 0.0,
    overwrite: bool = False,
    seed: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> RenderReport:
    """Render the file `source` through `board` into the file `target`.

    The output has the source's length, rate, channels and sample format, and its tags; its suffix picks
    the container. It stands under its name only when it is whole.

    Args:
        board: any effect or container; it is prepared for the source and starts from silence.
        automation: lanes, maps and modulators that move its parameters, in the source's own time. Every
            parameter is afterwards what it was before.
        midi: messages for the maps, from the source's beginning on; its tempo is that of beats where
            `automation` has none.
        tail_seconds: how much longer than the source, for reverbs to ring out.
        overwrite: whether a file that exists may be replaced.
        seed: given to every effect that has a `seed`, and added to the modulators'.
        on_progress: called now and then with the fraction done, 0 to 1.

    Raises:
        AudioFileError: a file that cannot be read or written, one line with its name.
        UnsupportedFormat: more channels than the board takes, or a rate that an effect refuses.
        ConfigurationError: automation of what the board has not, or to what it does not take.
    """
    controls = automation or Controls()
    if midi is not None and controls.tempo is None:
        controls += Controls(tempo=midi.tempo)
    return perform(
        board,
        source,
        target,
        Performance(controls, midi.messages if midi else ()),
        tail_seconds=tail_seconds,
        overwrite=overwrite,
        seed=seed,
        on_progress=on_progress,
    )


def perform(
    board: Effect,
    source: str | PathLike[str],
    target: str | PathLike[str],
    performance: Performance,
    *,
    tail_seconds: float = 0.0,
    overwrite: bool = False,
    seed: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> RenderReport:
    """As `render`, of any performance."""
    began = time.perf_counter()
    if not 0 <= tail_seconds <= 3600:
        raise ConfigurationError(f"tail is {tail_seconds:g} seconds; it takes 0 to 3600")
    if seed is not None:
        performance = replace(performance, seed=seed)
        give_seed(board, seed)
    with ExitStack() as open_files:
        reader = open_files.enter_context(AudioSource(source))
        spec = StreamSpec(reader.sample_rate, reader.channels, live=performance.live)
        running: Processor = board
        if performance:
            sounds = open_files.enter_context(SideChains(spec.sample_rate))
            running = player = performance.on(board, spec.sample_rate, sounds.listen, seed)
            open_files.callback(player.restore)
            player.prepare(spec, reader.samples)
        else:
            board.prepare(replace(spec, moving=False))
        writer = open_files.enter_context(AudioTarget(target, reader, overwrite=overwrite))
        length = reader.samples + round(tail_seconds * reader.sample_rate)
        skip = latency = running.latency_samples  # other boards of a take may have others
        peak_in = 0.0
        with ThreadPoolExecutor(1, "codecfx-file") as aside:
            written = aside.submit(lambda: None)
            ahead = aside.submit(reader.read, STEP_SAMPLES)
            begun = 0  # samples on their way to the file
            while begun < length:
                block = ahead.result()
                ahead = aside.submit(reader.read, STEP_SAMPLES)
                if block.shape[1]:
                    peak_in = max(peak_in, float(np.abs(block).max()))
                else:  # the source is over: silence pushes out what is still inside
                    rest = length - begun + skip
                    block = silence(reader.channels, min(STEP_SAMPLES, rest))
                processed = running.process_block(block)
                ready = processed[:, skip:][:, : length - begun].copy()
                skip -= min(skip, processed.shape[1])
                begun += ready.shape[1]
                written.result()
                written = aside.submit(writer.write, ready)
                if on_progress is not None:
                    on_progress(begun / length)
            written.result()
        writer.commit()
    return RenderReport(
        source=Path(source),
        target=Path(target),
        sample_rate=reader.sample_rate,
        channels=reader.channels,
        samples=length,
        seconds=length / reader.sample_rate,
        elapsed_seconds=time.perf_counter() - began,
        kbps={name: effect.meter.kbps for name, effect in _codecs(board).items()},
        latency_samples=latency,
        latency_ms=1000 * latency / reader.sample_rate,
        peak_in_db=_decibels(peak_in),
        peak_out_db=_decibels(writer.peak),
        clipped_samples=writer.clipped_samples,
        seed=seed,
        packets={name: _counts(effect) for name, effect in _codecs(board).items()},
    )


def _codecs(board: Effect) -> dict[str, CodecEffect]:
    """The codecs by label or name; a second of a name is "opus 2"."""
    named: dict[str, CodecEffect] = {}
    seen: Counter[str] = Counter()
    for effect in effects_of(board):
        if isinstance(effect, CodecEffect):
            name = effect.label or effect.name
            seen[name] += 1
            named[f"{name} {seen[name]}" if seen[name] > 1 else name] = effect
    return named


def _counts(effect: CodecEffect) -> PacketCounts:
    meter, seed = effect.meter, int(effect.values["seed"])
    return PacketCounts(meter.packets, meter.lost, meter.concealed, meter.repaired, meter.damaged, seed)


def _decibels(peak: float) -> float:
    return 20 * log10(peak) if peak > 0 else -inf
