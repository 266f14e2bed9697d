"""Measures codecfx against its peers, side by side in one run, and writes the table that the README
quotes. Bounds are printed whether met or not; machines are noisy, so every figure is a median of pairs.

usage: make bench   (needs ffmpeg on the path for the rows of files; half an hour)
       python benchmarks/bench.py classic [CODEC ...]   those rows alone, printed and not kept
       python benchmarks/bench.py neural | control | live | damage
"""

import compileall
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import classic_codecs
import damaged_codecs
import neural_codecs
from stem import synthesise

HERE = Path(__file__).parent
CODECFX = [sys.executable, "-m", "codecfx"]


@dataclass
class Row:
    """One comparison: ours against the peer's, and the bound it should keep."""

    what: str
    ours: str
    peer: str
    ratio: float
    bound: float | None

    def line(self) -> str:
        bound, kept = "–", "–"
        if self.bound is not None:
            bound, kept = f"{self.bound:g}", "yes" if self.ratio <= self.bound else "NO"
        ratio = f"{self.ratio:.{2 if self.ratio >= 0.2 else 3}f}"
        return f"| {self.what} | {self.ours} | {self.peer} | {ratio} | {bound} | {kept} |"


def main() -> None:
    compileall.compile_dir(HERE.parent / "codecfx", quiet=2)  # as an installed package has it
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if "classic" in sys.argv:
            chosen = sys.argv[sys.argv.index("classic") + 1 :]
            print("\n".join(row.line() for row in classic(work, chosen)))
            return
        for name, measure in (
            ("neural", neural),
            ("control", control),
            ("live", live),
            ("damage", damage),
        ):
            if name in sys.argv:
                print("\n".join(row.line() for row in measure(work)))
                return
        for measure in (
            whole_file,
            memory,
            small_blocks,
            help_text,
            control,
            live,
            damage,
            neural,
            classic,
        ):
            rows += measure(work)
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    machine = f"{os.cpu_count()} cores, {system}"
    table = [
        f"Medians of paired runs, {time.strftime('%Y-%m-%d')}, {machine}.",
        "",
        "| what | codecfx | peer | ratio | bound | kept |",
        "|---|---|---|---|---|---|",
        *(row.line() for row in rows),
    ]
    (HERE / "RESULTS.md").write_text("\n".join(table) + "\n", encoding="utf-8")
    print("\n".join(table))


def whole_file(work: Path) -> list[Row]:
    """Five minutes of 48 kHz stereo through Opus at 32 kbps, file to file, against ffmpeg's encode and
    decode of the same file.
    """
    if shutil.which("ffmpeg") is None:
        print("no ffmpeg on the path: whole-file rows left out")
        return []
    source = _music(work, 300)
    encoded, decoded, ours = work / "peer.opus", work / "peer.wav", work / "ours.wav"
    quiet = ["ffmpeg", "-y", "-loglevel", "error", "-i"]
    settings = ["-c:a", "libopus", "-b:a", "32k", "-vbr", "constrained", "-compression_level", "10"]

    def peer() -> "Usage":
        return _run([*quiet, str(source), *settings, str(encoded)]) + _run(
            [*quiet, str(encoded), str(decoded)]
        )

    def codecfx() -> "Usage":
        effect = "opus:bitrate_kbps=32,complexity=10"
        return _run(
            [*CODECFX, "render", str(source), "-o", str(ours), "-e", effect, "--overwrite", "-q"]
        )

    mine, theirs = _pairs(codecfx, peer, 7)
    return [
        _row("5 min stereo, Opus 32 kbps: CPU", mine, theirs, lambda usage: usage.cpu, "s", 0.95),
        _row("5 min stereo, Opus 32 kbps: wall", mine, theirs, lambda usage: usage.wall, "s", 0.65),
    ]


def live(_: Path, seconds: float = 60.0) -> list[Row]:
    """The live host on a JACK server without a sound card, which takes jackd and real-time priority."""
    if shutil.which("jackd") is None:
        return []
    import live_session

    pairs = [(live_session.load(seconds), live_session.bare(seconds)) for _ in range(3)]
    ours = statistics.median(one.engine / one.seconds for one, _ in pairs)
    bare = statistics.median(one.engine / one.seconds for _, one in pairs)
    board = "live, Opus, Compressor, Reverb at 128"
    rows = [
        Row(f"{board}: of a core", f"{ours:.3f} s", "1 s", ours, 0.1),
        Row(f"{board}: beside a bare callback", f"{ours:.3f} s", f"{bare:.3f} s", ours / bare, None),
    ]
    (stress, floor), (plain, plain_floor) = (
        live_session.stress(10 * seconds),
        live_session.unprivileged(4 * seconds),
    )
    lost, least = (600 * count / stress.seconds for count in (stress.dropouts, floor))
    rows.append(
        Row(
            f"the same, both cores burning: dropouts in 10 min ({100 * stress.steal:.1f} % stolen), "
            "beside a thread that only computes",
            f"{lost:.0f}",
            f"{least:.0f}",
            lost,
            1,
        )
    )
    share, least = plain.dropouts / plain.blocks, plain_floor / plain.blocks
    rows.append(
        Row(
            f"without real-time priority, at 256: blocks lost ({100 * plain.steal:.1f} % stolen)",
            f"{100 * share:.2f} %",
            f"{100 * least:.2f} %",
            share,
            0.001,
        )
    )
    mean, _ = live_session.knob(20)
    block = 1000 * 128 / 48_000 + 1
    rows.append(
        Row("controller to sound at 128, mean", f"{mean:.2f} ms", f"{block:.2f} ms", mean / block, 1)
    )
    return rows


def classic(work: Path, chosen: Sequence[str] = ()) -> list[Row]:
    """Every classic codec against ffmpeg's, where ffmpeg has it: three pairs each."""
    from codecfx.cli import catalogue

    if shutil.which("ffmpeg") is None:
        print("no ffmpeg on the path: rows of classic codecs left out")
        return []
    source, ours = _music(work, 300), work / "ours.wav"
    rows, there = [], classic_codecs.encoders()
    for name, peer in classic_codecs.PEERS.items():
        if chosen and name not in chosen:
            continue
        if peer.encode.split()[0] not in there:
            print(f"this ffmpeg has no {peer.encode.split()[0]}: {name} left out")
            continue

        def theirs(peer: classic_codecs.Peer = peer) -> "Usage":
            return sum(map(_run, classic_codecs.commands(peer, source, work)), Usage(0, 0, 0))

        def mine(name: str = name) -> "Usage":
            render = ["render", str(source), "-o", str(ours), "-e", name, "--overwrite", "-q"]
            return _run([*CODECFX, *render])

        frame_ms = catalogue.codec(name)["frame_ms"]
        bound = classic_codecs.BOUND if frame_ms >= classic_codecs.BOUND_FROM_MS else None
        pairs = _pairs(mine, theirs, 3)
        rows.append(_row(f"5 min stereo, {name}: CPU", *pairs, lambda usage: usage.cpu, "s", bound))
        print(rows[-1].line(), flush=True)
    return rows


def damage(work: Path) -> list[Row]:
    """What is wrong with packets costs next to nothing beside coding them."""
    sound = synthesise(4.0)
    return [
        Row(what, f"{1000 * wrong:.0f} ms", f"{1000 * bare:.0f} ms", ratio - 1, 0.05)
        for what, wrong, bare, ratio in damaged_codecs.added(sound)
    ]


def neural(work: Path) -> list[Row]:
    """Neural codecs on one thread, against real time and against Meta's package: medians of 5."""

    def times(what: str, *arguments: object) -> list[dict[str, float]]:
        return [neural_codecs.measured(what, *arguments) for _ in range(5)]

    def against_time(name: str, figures: list[dict[str, float]], key: str, bound: float) -> Row:
        seconds = statistics.median(one[key] for one in figures)
        return Row(name, f"{1000 * seconds:.0f} ms", "1000 ms", seconds, bound)

    rows = []
    for hops, most in ((75, 1 / 13), (8, 1 / 11)):
        figures = times("runs", hops)
        for way in ("encode", "decode"):
            name = f"EnCodec, {hops} hops at once: {way} a second"
            rows.append(against_time(name, figures, way, round(most, 3)))
    for channels, most in ((1, 0.40), (2, 0.65)):
        figures = times("live", channels)
        name = f"EnCodec live, 2 hops, 48 kHz, {'stereo' if channels == 2 else 'mono'}"
        rows.append(against_time(f"{name}: of a core", figures, "core", most))
        late = statistics.median(one["late"] for one in figures)
        rows.append(Row(f"{name}: late calls", f"{100 * late:.2f} %", "–", late, 0.001))
    pairs = [
        (
            neural_codecs.measured("ours_offline", 60),
            neural_codecs.measured("package_offline", 60),
        )
        for _ in range(5)
    ]
    mine, theirs = ([pair[side]["cpu"] for pair in pairs] for side in (0, 1))
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    a, b = statistics.median(mine), statistics.median(theirs)
    rows.append(Row("EnCodec, 60 s offline: CPU", f"{a:.2f} s", f"{b:.2f} s", ratio, round(1 / 2.4, 3)))
    mine, theirs = ([pair[side]["mib"] for pair in pairs] for side in (0, 1))
    a, b = statistics.median(mine), statistics.median(theirs)
    rows.append(Row("EnCodec, 60 s offline: memory grown", f"{a:.0f} MiB", f"{b:.0f} MiB", a / b, None))
    rows.append(
        against_time("Lyra, numpy: a second there and back", times("lyra", "numpy"), "both", 0.111)
    )
    rows.append(against_time("Lyra, LiteRT: the same", times("lyra", "litert"), "both", 0.04))
    return rows


def control(work: Path) -> list[Row]:
    """32 lanes and 1,000 messages a second, live, in blocks of 128 samples at 48 kHz: what they add,
    as a part of a core. Seven runs, each still and moving.
    """
    rows = []
    for what, *arguments in (("nothing to move",), ("everything in motion", "board")):
        added = []
        for _ in range(7):
            script = [sys.executable, str(HERE / "control.py"), *arguments]
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(script, capture_output=True, text=True, check=True, env=environment)
            times = json.loads(done.stdout)
            added.append(times["moving"] - times["still"])
        middle = statistics.median(added)
        name = f"32 lanes, 1,000 messages/s, {what}: added, of a core"
        rows.append(Row(name, f"{1000 * middle:.0f} ms", "1000 ms", middle, 0.03))
    return rows


def memory(work: Path) -> list[Row]:
    """Peak memory of a render of an hour against one of a minute."""
    peaks = []
    for seconds in (60, 3600):
        source = _music(work, seconds)
        target = work / "rendered.wav"
        usage = _run(
            [*CODECFX, "render", str(source), "-o", str(target), "-e", "opus", "--overwrite", "-q"]
        )
        peaks.append(usage.peak_mib)
        source.unlink()
    minute, hour = peaks
    more = hour - minute
    return [
        Row(
            "peak memory of 60 min and of 1 min; MiB more",
            f"{hour:.0f} MiB",
            f"{minute:.0f} MiB",
            more,
            16,
        )
    ]


def small_blocks(work: Path) -> list[Row]:
    """64-sample blocks through Compressor, Opus, Reverb: our board against the three called bare."""
    import ctypes

    import pedalboard

    import codecfx
    from codecfx.codecs import libopus

    stem = synthesise(10.0)
    blocks = [np.ascontiguousarray(stem[:, at : at + 64]) for at in range(0, stem.shape[1] - 63, 64)]
    lib = libopus.load()
    encoder, decoder = lib.create_encoder(48_000, 2, 2049), lib.create_decoder(48_000, 2)
    lib.encoder_ctl(encoder, libopus.SET_BITRATE, ctypes.c_int(32_000))
    lib.encoder_ctl(encoder, libopus.SET_COMPLEXITY, ctypes.c_int(10))
    compressor, reverb = pedalboard.Compressor(-20, 4), pedalboard.Reverb()
    frame, packet = np.zeros((960, 2), np.float32), np.zeros(4000, np.uint8)
    frame_at, packet_at = frame.ctypes.data, packet.ctypes.data

    def bare() -> list[float]:
        times = []
        for index, block in enumerate(blocks):
            began = time.perf_counter()
            block = compressor.process(block, 48_000, 64, False)
            at = index % 15 * 64
            frame[at : at + 64] = block.T
            if at == 896:
                written = lib.encode_float(encoder, frame_at, 960, packet_at, 4000)
                lib.decode_float(decoder, packet[:written].tobytes(), written, frame_at, 960, 0)
            reverb.process(block, 48_000, 64, False)
            times.append(time.perf_counter() - began)
        return times

    board = codecfx.Pedalboard(
        [pedalboard.Compressor(-20, 4), codecfx.Opus(bitrate_kbps=32), pedalboard.Reverb()]
    )
    board.prepare(codecfx.StreamSpec(48_000, 2, 64))

    def ours() -> list[float]:
        times = []
        for block in blocks:
            began = time.perf_counter()
            board.process_block(block)
            times.append(time.perf_counter() - began)
        return times

    rows = []
    pairs = [(ours(), bare()) for _ in range(7)]
    for what, figure in (("median block", statistics.median), ("mean block", statistics.fmean)):
        mine = [figure(pair[0]) * 1e6 for pair in pairs]
        theirs = [figure(pair[1]) * 1e6 for pair in pairs]
        ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
        name = f"64-sample blocks, Compressor, Opus, Reverb: {what}"
        a, b = statistics.median(mine), statistics.median(theirs)
        rows.append(Row(name, f"{a:.1f} µs", f"{b:.1f} µs", ratio, 2.5))
    return rows


def help_text(work: Path) -> list[Row]:
    """`codecfx --help` against a bare typer-and-rich program."""
    bare = work / "bare.py"
    bare.write_text(
        "import typer\nimport rich.console\napp = typer.Typer()\n"
        "@app.command()\ndef render(path: str) -> None:\n    '''Render.'''\n"
        "@app.command()\ndef play(path: str) -> None:\n    '''Play.'''\napp()\n"
    )
    mine, theirs = _pairs(
        lambda: _run([*CODECFX, "--help"]), lambda: _run([sys.executable, str(bare), "--help"]), 15
    )
    return [_row("codecfx --help", mine, theirs, lambda usage: usage.wall, "s", 1.5)]


@dataclass
class Usage:
    """What a process took, as the operating system counted it."""

    cpu: float  # seconds
    wall: float  # seconds
    peak_mib: float

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu + other.cpu, self.wall + other.wall, max(self.peak_mib, other.peak_mib))


# A process started by a large one is counted with the large one's memory: a small one starts it
_LAUNCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024]))
"""


def _run(command: list[str]) -> Usage:
    launched = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCH, *command], stdout=subprocess.PIPE, check=True
    )
    code, cpu, wall, peak_mib = json.loads(launched.stdout)
    if code:
        raise SystemExit(f"{' '.join(command)} failed")
    return Usage(cpu, wall, peak_mib)


def _pairs(
    ours: Callable[[], Usage], peer: Callable[[], Usage], runs: int
) -> tuple[list[Usage], list[Usage]]:
    """Both in turn, after one of each that does not count."""
    ours(), peer()
    measured = [(ours(), peer()) for _ in range(runs)]
    return [pair[0] for pair in measured], [pair[1] for pair in measured]


def _row(
    what: str,
    mine: list[Usage],
    theirs: list[Usage],
    figure: Callable[[Usage], float],
    unit: str,
    bound: float | None,
) -> Row:
    ours, peer = [figure(one) for one in mine], [figure(one) for one in theirs]
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    a, b = statistics.median(ours), statistics.median(peer)
    return Row(what, f"{a:.2f} {unit}", f"{b:.2f} {unit}", ratio, bound)


def _music(work: Path, seconds: int) -> Path:
    """A WAV of that length: a minute of the stem, over and over."""
    path = work / f"music-{seconds}.wav"
    minute = synthesise(60.0).T
    with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(minute)
    return path


if __name__ == "__main__":
    main()
