"""The command line, as people and programs use it: real files, real terminals, and real processes
wherever what is told is more than what the verb itself prints and returns.
"""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from signals import measure_latency, noise, sine, tones

import codecfx as library
from codecfx.audio import Audio
from codecfx.cli import run
from codecfx.codecs import libopus
from codecfx.effects import registry
from codecfx.errors import CodecUnavailable, ConfigurationError
from codecfx.presets import load_preset

ROOT = Path(__file__).parents[1]
RATE = 48_000
PATIENCE = 60  # seconds; only a failure takes so long
OPUS = ("-e", "opus:bitrate_kbps=8")

Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """This machine's, without what would change the output: its user's presets, colours, width. The
    models that conftest makes stay.
    """
    private = ("CODECFX_", "XDG_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHON", "TTY_")
    made = {key: value for key, value in os.environ.items() if key.startswith("CODECFX_MODEL_")}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(private)} | made
    return kept | {"PYTHONPATH": str(ROOT), "HOME": os.devnull, "PYTHONIOENCODING": "utf-8"} | more


def codecfx(*arguments: object, cwd: Path, **more: str) -> Done:
    """Run the command line to its end, in this process: most of a start is imports. more: environment
    variables.
    """
    before, wanted = dict(os.environ), environment(**more)
    # as in a process of its own, whose output is a pipe
    printed, said = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2)
    )
    os.environ.clear()
    os.environ.update(wanted)
    try:
        with chdir(cwd), redirect_stdout(printed), redirect_stderr(said):
            exit_code = run([*map(str, arguments)])
    finally:
        os.environ.clear()
        os.environ.update(before)
    texts = []
    for stream in (printed, said):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Done(arguments, exit_code, *texts)


def a_process(*arguments: object, cwd: Path, **more: str) -> Done:
    """The same in a process of its own; warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "codecfx", *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def in_a_shell(script: str, *, cwd: Path) -> Done:
    """Run a shell's line to its end, where $codecfx is the command."""
    quoted = script.replace("$codecfx", '"$0" -m codecfx')
    return subprocess.run(
        ["sh", "-c", quoted, sys.executable],
        cwd=cwd,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def output_of(done: Done) -> str:
    """What a good command printed."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def error_of(done: Done, exit_code: int) -> str:
    """What a command that failed said: one line, and nothing else."""
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert done.stderr.startswith("codecfx: error: ")
    return done.stderr.removeprefix("codecfx: error: ").rstrip("\n")


def write(path: Path, audio: Audio, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Audio (channels, samples) as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # soundfile itself takes no name that is no text
        soundfile.write(file, audio.T, rate, subtype=subtype, format=path.suffix[1:])
    return path


def stored(path: Path) -> np.ndarray:
    """A file's numbers as they are stored."""
    kind = "float32" if soundfile.info(path).subtype == "FLOAT" else "int32"
    return soundfile.read(path, dtype=kind, always_2d=True)[0]


def tree(folder: Path) -> list[str]:
    """Every file in a folder and below it, hidden or not."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


@pytest.fixture
def stem(tmp_path) -> Path:
    """Half a second in stereo, in.wav in an otherwise empty folder."""
    return write(tmp_path / "in.wav", tones(RATE, 24_000, 2))


# Rendering


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_16"),
        (".wav", "PCM_24"),
        (".wav", "FLOAT"),
        (".flac", "PCM_24"),
        (".aiff", "PCM_16"),
    ],
)
def test_pcm_nulls_to_the_last_bit(tmp_path, suffix, subtype):
    source = write(tmp_path / f"in{suffix}", noise(2, 70_001), 44_100, subtype)
    output_of(codecfx("render", source.name, "-o", f"out{suffix}", "-e", "pcm", cwd=tmp_path))
    before, after = (soundfile.info(tmp_path / f"{name}{suffix}") for name in ("in", "out"))
    for fact in ("frames", "samplerate", "channels", "format", "subtype"):
        assert getattr(after, fact) == getattr(before, fact)
    np.testing.assert_array_equal(stored(tmp_path / f"out{suffix}"), stored(source))


def test_a_render_is_the_board_in_python(tmp_path, stem):
    """A preset, then effects of ours and natives, and a mix."""
    options = ("-p", "hotel-wifi", "-e", "opus:bitrate_kbps=8,frame_ms=60")
    options += ("-e", "Compressor:threshold_db=-20", "--mix", "0.75")
    output_of(codecfx("render", "in.wav", "-o", "out.wav", *options, cwd=tmp_path))
    board = load_preset("hotel-wifi").board()
    board.append(library.Opus(bitrate_kbps=8, frame_ms=60))
    board.append(library.native("Compressor", threshold_db=-20))
    board.mix = 0.75
    library.render(board, stem, tmp_path / "python.wav")
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "python.wav").read_bytes()


def test_opus_comes_out_where_it_went_in(tmp_path, stem):
    for target in ("out.flac", "out.ogg"):
        output_of(
            codecfx("render", "in.wav", "-o", target, "-e", "opus:bitrate_kbps=128", cwd=tmp_path)
        )
        rendered = soundfile.read(tmp_path / target, dtype="float32")[0].T
        assert rendered.shape == (2, 24_000)
        assert abs(measure_latency(tones(RATE, 24_000, 2), rendered)) < 0.5


@pytest.mark.parametrize(("format_", "name"), [("MP3", "in.mp3"), ("OGG", "in.ogg")])
def test_compressed_stems_go_in(tmp_path, format_, name):
    soundfile.write(tmp_path / name, tones(RATE, 24_000, 2).T, RATE, format=format_)
    output_of(codecfx("render", name, "-o", "out.wav", *OPUS, cwd=tmp_path))
    output_of(codecfx("render", name, "-o", "out", *OPUS, cwd=tmp_path))
    assert soundfile.info(tmp_path / "out.wav").frames == soundfile.info(tmp_path / name).frames
    assert tree(tmp_path / "out") == [name.replace(".mp3", ".wav")]


def test_a_mix_of_nothing_is_the_source(tmp_path, stem):
    output_of(codecfx("render", "in.wav", "-o", "out.wav", *OPUS, "--mix", 0, cwd=tmp_path))
    assert (tmp_path / "out.wav").read_bytes() == stem.read_bytes()


def test_a_tail_rings_out(tmp_path, stem):
    options = ("-e", "Delay:delay_seconds=0.5,feedback=0.5", "--tail", "1.5")
    output_of(codecfx("render", "in.wav", "-o", "out.wav", *options, cwd=tmp_path))
    rendered = soundfile.read(tmp_path / "out.wav")[0]
    assert len(rendered) == 24_000 + 72_000
    for second_half in range(4):
        assert np.abs(rendered[24_000 * second_half :][:24_000]).max() > 0.01


def test_the_source_may_be_named_in_any_way(tmp_path):
    """Names with spaces, dashes, newlines, umlauts, and bytes that are no text in any encoding."""
    awkward = ["my song.wav", "-e.wav", "two\nlines.wav", "Käfer–%s.wav", "[bold].wav"]
    if sys.platform == "linux":  # macOS takes Unicode only
        awkward.append(os.fsdecode(b"kick\xe9.wav"))
    for name in awkward:
        write(tmp_path / "stems" / name, noise(1, 480))
    (tmp_path / "stems" / "bad\nname.wav").write_text("This is no audio.")
    done = codecfx("render", "stems", "-o", "out", "--json", "-e", "pcm", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(tmp_path / "out")) == sorted(awkward)
    told = {one["name"]: one["ok"] for one in json.loads(done.stdout)}
    assert told == dict.fromkeys(awkward, True) | {"bad\nname.wav": False}
    paths = [f"stems/{name}" for name in awkward]
    told = output_of(codecfx("render", *paths, "-o", "again", "-e", "pcm", cwd=tmp_path))
    assert told.endswith(f"{len(awkward)} rendered, 0 failed\n")
    missing = codecfx("render", "stems/no\nsuch.wav", "-o", "x.wav", *OPUS, cwd=tmp_path)
    assert "no\\nsuch.wav" in error_of(missing, 1)
    (tmp_path / "no\naudio").mkdir()
    missing = codecfx("render", "no\naudio", "-o", "x", *OPUS, cwd=tmp_path)
    assert "no audio files" in error_of(missing, 1)


# The summary


def test_the_summary_says_what_was_done(tmp_path):
    write(tmp_path / "in.wav", sine(997, RATE, 48_000, 2, level=0.5))
    options = ("-e", "pcm:bits=16,rate_hz=24000,frame_samples=100", "-e", "Gain:gain_db=12")
    line = output_of(codecfx("render", "in.wav", "-o", "out.wav", *options, cwd=tmp_path))
    said = re.fullmatch(
        r"out\.wav: 1\.0 s at (\d+)x, 768\.0 kbps, (\d+) samples \((\d+\.\d) ms\) of latency removed, "
        r"peak -6\.0 dB in, 6\.0 dB out, (\d+) samples clipped\n",
        line,
    )
    assert said, line
    assert float(said[1]) > 1
    assert float(said[3]) == pytest.approx(1000 * int(said[2]) / RATE, abs=0.05)
    clipped = 1 - np.arcsin(10 ** (-6 / 20)) / (np.pi / 2)  # of a sine at +6 dB
    assert int(said[4]) == pytest.approx(clipped * 2 * 48_000, rel=0.01)


def test_the_summary_leaves_out_what_is_not_there(tmp_path, stem):
    """No codec, no rate; no clipping, no word of it; silence has no level; one file, no total."""
    write(tmp_path / "silence.wav", np.zeros((1, 100), np.float32))
    line = output_of(codecfx("render", "silence.wav", "-o", "out.wav", "-e", "Invert", cwd=tmp_path))
    assert re.fullmatch(
        r"out\.wav: 0\.0 s at \d+x, 63 samples \(1\.3 ms\) of latency removed, "
        r"peak silent in, silent out\n",
        line,
    )
    two = ("-e", "opus:label=call", "-e", "pcm")
    line = output_of(codecfx("render", "in.wav", "-o", "two.wav", *two, cwd=tmp_path))
    assert re.search(r"x, call \d+\.\d kbps, pcm 1536\.0 kbps, 1334 samples", line) is None
    assert re.search(r"x, call \d+\.\d kbps, pcm 3072\.0 kbps, 1334 samples", line)


def test_json_says_the_same(tmp_path):
    source = write(tmp_path / "a.wav", sine(1000, 44_100, 44_100, level=0.5), 44_100)
    write(tmp_path / "b.wav", np.zeros((2, 100), np.float32))
    (tmp_path / "c.wav").write_text("This is no audio.")
    options = ("--json", "--tail", 0.5, "--seed", 7, "-e", "opus:bitrate_kbps=24,rate_mode=cbr")
    done = codecfx("render", "a.wav", "b.wav", "c.wav", "-o", "out", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("codecfx: error: 'c.wav' is no audio file")
    assert done.stderr.count("\n") == 1
    first, second, third = json.loads(done.stdout, parse_constant=_no_json)
    report = library.render(
        library.Opus(bitrate_kbps=24, rate_mode="cbr"), source, tmp_path / "x.wav", tail_seconds=0.5
    )
    expected = {
        "name": "a.wav",
        "source": "a.wav",
        "target": "out/a.wav",
        "ok": True,
        "error": None,
        "sample_rate": 44_100,
        "channels": 1,
        "samples": 66_150,
        "seconds": 1.5,
        "kbps": report.kbps,
        "latency_samples": report.latency_samples,
        "latency_ms": report.latency_ms,
        "peak_in_db": report.peak_in_db,
        "peak_out_db": report.peak_out_db,
        "clipped_samples": 0,
        "seed": 7,
        "packets": {name: asdict(counts) for name, counts in report.packets.items()},
    }
    expected["packets"]["opus"]["seed"] = first["packets"]["opus"]["seed"]  # drawn from the 7
    assert {key: first[key] for key in expected} == expected
    assert first["real_time_factor"] == pytest.approx(1.5 / first["elapsed_seconds"], abs=0.01)
    assert set(first) == set(second) == set(expected) | {"real_time_factor", "elapsed_seconds"}
    assert (second["name"], second["peak_in_db"]) == ("b.wav", None)  # silence is -inf, no JSON number
    assert set(third) == {"name", "source", "target", "ok", "error"}
    assert (third["name"], third["ok"]) == ("c.wav", False)
    assert third["error"] in done.stderr


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_quiet_prints_nothing_but_errors(tmp_path, stem):
    quiet = ("-o", "out", "--quiet", *OPUS)
    assert output_of(codecfx("render", "in.wav", *quiet, cwd=tmp_path)) == ""
    done = codecfx("render", "in.wav", "none.wav", *quiet, "--overwrite", cwd=tmp_path)
    assert "there is no file 'none.wav'" in error_of(done, 1)
    assert tree(tmp_path / "out") == ["in.wav"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_bad_stem_does_not_stop_the_others(tmp_path, jobs):
    for name in ("a", "c", "e"):
        write(tmp_path / "stems" / f"{name}.wav", noise(1, 4800))
    (tmp_path / "stems" / "b.wav").write_text("This is no audio.")
    write(tmp_path / "stems" / "d.wav", noise(9, 100))
    done = a_process("render", "stems", "-o", "out", "--jobs", jobs, *OPUS, cwd=tmp_path)
    assert done.returncode == 1
    errors = sorted(done.stderr.splitlines())
    assert len(errors) == 2
    assert errors[0].startswith("codecfx: error: 'stems/b.wav' is no audio file")
    assert errors[1] == "codecfx: error: stems/d.wav: the audio has 9 channels; codecfx takes 1 to 8"
    *lines, total = done.stdout.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["out/a.wav", "out/c.wav", "out/e.wav"]
    assert total == "3 rendered, 2 failed"
    assert tree(tmp_path / "out") == ["a.wav", "c.wav", "e.wav"]


# Progress


def on_a_terminal(
    *arguments: object, cwd: Path, columns: int = 80, stdout_too: bool = False, **more: str
) -> tuple[int, str, str]:
    """Exit code, what the terminal saw, and standard output where that is piped instead."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "codecfx", *map(str, arguments)],
        cwd=cwd,
        env=environment(TERM="xterm-256color", **more),
        stdin=subprocess.DEVNULL,
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux says so when nobody holds the other end
                break
            if not piece:
                break
            seen += piece
        os.close(ours)
        printed = process.stdout.read() if process.stdout else b""
    return process.returncode, seen.decode(), printed.decode()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_terminal_sees_a_bar_and_the_output_nothing_of_it(tmp_path, jobs):
    for name in ("bass.wav", "lead.wav"):
        write(tmp_path / name, noise(1, 40 * RATE), subtype="PCM_U8")
    command = ("render", "bass.wav", "lead.wav", "-o", "out", "--jobs", jobs, *OPUS)
    code, seen, printed = on_a_terminal(*command, cwd=tmp_path)
    assert code == 0
    assert "━━━━" in seen
    assert re.search(r"[1-9]\d?%", seen)
    assert "bass.wav" in seen
    assert "lead.wav" in seen
    assert "kbps" not in seen
    *lines, total = printed.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["out/bass.wav", "out/lead.wav"]
    assert total == "2 rendered, 0 failed"
    assert "\x1b" not in printed
    assert "━" not in printed
    assert seen.rstrip("\r").endswith("\x1b[?25h")  # gone at the end, and the cursor is back


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_a_terminal_sees_no_bar_where_none_is_wanted(tmp_path, stem, option):
    code, seen, printed = on_a_terminal(
        "render", "in.wav", "-o", "out.wav", *OPUS, option, cwd=tmp_path
    )
    assert (code, seen) == (0, "")
    assert bool(printed) == (option == "--json")


def test_no_bar_where_errors_go_to_a_pipe(tmp_path, stem):
    done = codecfx("render", "in.wav", "-o", "out.wav", *OPUS, cwd=tmp_path, FORCE_COLOR="1")
    assert "━" not in output_of(done)


def test_an_error_stays_one_line_above_the_bars(tmp_path):
    """However long it is, and however narrow the terminal: it can be copied."""
    stem = write(tmp_path / "in.wav", noise(1, 30 * RATE), subtype="PCM_U8")
    missing = "[red]" + "x" * 150 + ".wav"
    for jobs in (1, 2):
        command = ("render", missing, stem, "-o", f"out{jobs}", "--jobs", jobs, *OPUS)
        code, seen, printed = on_a_terminal(*command, cwd=tmp_path, columns=40)
        assert code == 1
        assert f"codecfx: error: there is no file '{missing}'; check the path\r\n" in seen
        assert printed.splitlines()[-1] == "1 rendered, 1 failed"


# Wrong usage: one line, exit code 2, and nothing is rendered


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-e opsu", "no effect 'opsu'; did you mean 'opus'?"),
        ("-e Compresor:ratio=2", "no effect 'Compresor'; did you mean 'Compressor'?"),
        ("-p hotel-wify", "no preset 'hotel-wify'; did you mean 'hotel-wifi'?"),
        ("-p none.toml", "none.toml: no such preset file; see 'codecfx presets list'"),
        ("-e opus:bitrate=8", "opus: no parameter 'bitrate'; did you mean 'bitrate_kbps'?"),
        ("-e opus:bitrate_kbps=1000", "opus: bitrate_kbps is 1000; it takes 2 to 510 kbps"),
        ("-e opus:frame_ms=7", "opus: frame_ms is 7; it takes 2.5, 5, 10, 20, 40 or 60 ms"),
        ("-e Gain:gain=3", "Gain: no parameter 'gain'; did you mean 'gain_db'?"),
        ("-e Compressor:plugin=x", "Compressor: no parameter 'plugin'; there is: "),
        ("-e chain:plugins=x", "chain: no parameter 'plugins'; there is: "),
        ("-e pcm -e opus:8", "'opus:8': '8' is no setting; write name:parameter=value"),
        ("-e opus:=", "'opus:=': '=' is no setting; "),
        ("-e pcm:bits=8,bits=4", "bits is given twice"),
        ("-e pcm --mix 2", "mix is 2.0; it takes 0 to 1"),
        ("-e pcm --mix nan", "it takes 0 to 1"),
        ("-e pcm --mix much", "Invalid value for '--mix'"),
        ("-e pcm --tail -1", "--tail is -1; it takes 0 to 3600 seconds"),
        ("-e pcm --tail inf", "--tail is inf; it takes 0 to 3600 seconds"),
        ("-e pcm --jobs -1", "Invalid value for '--jobs'"),
        ("-e pcm --jobs few", "Invalid value for '--jobs'"),
        ("-e pcm --seed x", "Invalid value for '--seed'"),
        ("-e pcm --frobnicate", "No such option: --frobnicate"),
        ("-e pcm -o out.wav", "out.wav is one file; give a folder for many (-o rendered/)"),
        ("-e pcm -o out.mp3", "out.mp3: cannot write '.mp3'; use one of .aif, "),
        ("-e", "Option '-e' requires an argument"),
        ("", "no effect given; choose a preset (-p hotel-wifi) or effects (-e opus:bitrate_kbps=8)"),
        ("--mix 0.5", "no effect given; "),
    ],
)
def test_wrong_usage_renders_nothing(tmp_path, stem, options, message):
    write(tmp_path / "b.wav", noise(1, 100))
    done = codecfx("render", "in.wav", "b.wav", "-o", "out", *options.split(), cwd=tmp_path)
    assert message in error_of(done, 2)
    assert tree(tmp_path) == ["b.wav", "in.wav"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("render", "Missing argument 'IN...'"),
        ("render in.wav", "Missing option '--output'"),
        ("render in.wav -e pcm", "Missing option '--output'"),
        ("render -o out.wav -e pcm", "Missing argument 'IN...'"),
        ("render in.wav -o out.xyz -e pcm", "out.xyz: cannot write '.xyz'; use one of .aif, "),
        ("rendr in.wav -o out.wav", "No such command 'rendr'. Did you mean 'render'?"),
        ("--frobnicate", "No such option"),
        ("effects opsu", "no effect 'opsu'; did you mean 'opus'?"),
        ("effects opus pcm", "unexpected extra argument"),
        ("codecs opus pcm", "unexpected extra argument"),
        ("codecs mp33", "no codec 'mp33'; did you mean 'mp3'?"),
        ("doctor --fix", "No such option"),
        ("presets lst", "No such command 'lst'. Did you mean 'list'?"),
        ("presets show", "Missing argument 'PRESET'"),
        ("presets show hotel-wify", "no preset 'hotel-wify'; did you mean 'hotel-wifi'?"),
        ("presets path hotel-wify", "no preset 'hotel-wify'; did you mean 'hotel-wifi'?"),
        ("presets show none.toml", "none.toml: no such preset file"),
    ],
)
def test_wrong_usage_is_said_in_one_line(tmp_path, stem, arguments, message):
    assert message in error_of(codecfx(*arguments.split(), cwd=tmp_path), 2)
    assert tree(tmp_path) == ["in.wav"]


def test_a_broken_preset_names_file_key_and_nearest_name(tmp_path, stem):
    (tmp_path / "bad.toml").write_text('version = 1\n[[chain]]\neffect = "opus"\nbitrate_kps = 8\n')
    done = codecfx("render", "in.wav", "-o", "out.wav", "-p", "bad.toml", cwd=tmp_path)
    assert error_of(done, 2) == (
        "bad.toml: chain[1].bitrate_kps: opus: no parameter 'bitrate_kps'; did you mean 'bitrate_kbps'?"
    )


# Failures: one line, exit code 1, and nothing half


def _text(folder: Path) -> None:
    (folder / "in.wav").write_text("This is no audio.")


def _empty(folder: Path) -> None:
    write(folder / "in.wav", np.zeros((1, 0), np.float32))


def _no_bytes(folder: Path) -> None:
    (folder / "in.wav").touch()


def _nine(folder: Path) -> None:
    write(folder / "in.wav", noise(9, 100))


def _folder(folder: Path) -> None:
    (folder / "in.wav").mkdir()


def _dangling(folder: Path) -> None:
    (folder / "in.wav").symlink_to("nowhere.wav")


def _circle(folder: Path) -> None:
    (folder / "in.wav").symlink_to("in.wav")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "in.wav")


def _cut_short(folder: Path) -> None:
    write(folder / "in.flac", noise(1, 200_000))
    content = (folder / "in.flac").read_bytes()
    (folder / "in.flac").unlink()
    (folder / "in.wav").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "there is no file 'in.wav'; check the path"),
        (_text, "'in.wav' is no audio file, or a damaged one; takes WAV, "),
        (_no_bytes, "'in.wav' is no audio file"),
        (_empty, "'in.wav' holds no samples; give a file with audio"),
        (_nine, "in.wav: the audio has 9 channels; codecfx takes 1 to 8"),
        (_folder, "in.wav: no audio files in this folder"),
        (_dangling, "there is no file 'in.wav'"),
        (_circle, "cannot read 'in.wav': "),
        (_pipe, "'in.wav' is no regular file; give one audio file"),
        (_cut_short, "'in.wav' "),
    ],
)
def test_a_source_that_is_none_is_said_in_one_line(tmp_path, make: Callable[[Path], None], message):
    make(tmp_path)
    there = tree(tmp_path)
    assert message in error_of(codecfx("render", "in.wav", "-o", "out", *OPUS, cwd=tmp_path), 1)
    assert tree(tmp_path) == there


def test_names_too_long_are_said_in_one_line(tmp_path, stem):
    long = "x" * 300 + ".wav"
    assert "name too long" in error_of(codecfx("render", long, "-o", "o.wav", *OPUS, cwd=tmp_path), 1)
    assert "name too long" in error_of(codecfx("render", "in.wav", "-o", long, *OPUS, cwd=tmp_path), 1)
    done = codecfx("render", "in.wav", "-o", f"{'x' * 300}/out.wav", *OPUS, cwd=tmp_path)
    assert "name too long" in error_of(done, 1)


def test_an_output_that_exists_is_kept_unless_it_may_go(tmp_path, stem):
    target = write(tmp_path / "out.wav", noise(1, 100))
    before = target.read_bytes()
    command = ("render", "in.wav", "-o", "out.wav", "-e", "pcm")
    done = codecfx(*command, cwd=tmp_path)
    expected = (
        "cannot write 'out.wav': it exists; give another name, or allow overwriting (--overwrite)"
    )
    assert error_of(done, 1) == expected
    assert target.read_bytes() == before
    output_of(codecfx(*command, "--overwrite", cwd=tmp_path))
    np.testing.assert_array_equal(stored(target), stored(stem))
    (tmp_path / "out.wav").unlink()
    (tmp_path / "out.wav").symlink_to("nowhere.wav")
    assert error_of(codecfx(*command, cwd=tmp_path), 1) == expected


def test_the_input_is_never_the_output(tmp_path, stem):
    before = stem.read_bytes()
    (tmp_path / "link.wav").symlink_to("in.wav")
    os.link(stem, tmp_path / "hard.wav")
    (tmp_path / "sub").mkdir()
    for target in ("in.wav", "link.wav", "hard.wav", "sub/../in.wav", stem, "."):
        done = codecfx("render", "in.wav", "-o", target, "-e", "pcm", "--overwrite", cwd=tmp_path)
        assert "that is the input itself; give another name" in error_of(done, 1)
    done = codecfx("render", "link.wav", "-o", "in.wav", "-e", "pcm", "--overwrite", cwd=tmp_path)
    assert "that is the input itself" in error_of(done, 1)
    assert stem.read_bytes() == before
    assert tree(tmp_path) == ["hard.wav", "in.wav", "link.wav"]


@pytest.mark.parametrize("output", ["file/out.wav", "file/deep/out.wav", "file/deep", "loop/out.wav"])
def test_an_output_folder_that_cannot_be_is_said_in_one_line(tmp_path, stem, output):
    (tmp_path / "file").write_text("Not a folder.")
    (tmp_path / "loop").symlink_to("loop")
    error_of(codecfx("render", "in.wav", "-o", output, *OPUS, cwd=tmp_path), 1)
    assert tree(tmp_path) == ["file", "in.wav", "loop"]
    assert (tmp_path / "file").read_text() == "Not a folder."


NOBODY = """
import os, sys
from codecfx.cli import main, run
run(["render", "in.wav", "-o", "seen.wav", "-q", "-e", "pcm"])  # nobody may not import from everywhere
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.argv[1:] = ["render", *sys.argv[1:], "-e", "pcm"]
main()
"""


def as_nobody(*arguments: str, cwd: Path) -> Done:
    """Run `codecfx render` as a user without rights, beside things that are locked."""
    cwd.chmod(0o755)
    write(cwd / "locked.wav", noise(1, 100)).chmod(0)
    write(cwd / "hidden" / "in.wav", noise(1, 100))
    for folder, mode in (("open", 0o777), ("shut", 0o555), ("hidden", 0)):
        (cwd / folder).mkdir(exist_ok=True)
        (cwd / folder).chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    (cwd / "hidden").chmod(0o755)
    return done


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("locked.wav -o open/out.wav", "cannot read 'locked.wav': Permission denied; "),
        ("in.wav -o shut/out.wav", "cannot write 'shut/out.wav': Permission denied; "),
        ("in.wav -o shut/deep/out.wav", "shut/deep/out.wav: cannot be written (Permission denied)"),
        ("hidden/in.wav -o open/out.wav", "cannot read 'hidden/in.wav': Permission denied; "),
        ("in.wav -o hidden/out.wav", "cannot write 'hidden/out.wav': Permission denied; "),
        ("hidden -o open", "hidden: this folder may not be read"),
    ],
)
def test_what_one_may_not_touch_is_said_in_one_line(tmp_path, stem, arguments, message):
    assert message in error_of(as_nobody(*arguments.split(), cwd=tmp_path), 1)
    assert tree(tmp_path) == ["hidden/in.wav", "in.wav", "locked.wav", "seen.wav"]


def test_what_one_may_not_read_does_not_stop_the_others(tmp_path, stem):
    done = as_nobody("locked.wav", "hidden", "in.wav", "-o", "open", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 2
    assert done.stdout.endswith("1 rendered, 2 failed\n")
    assert tree(tmp_path / "open") == ["in.wav"]


def test_an_engine_that_is_missing_is_said_in_one_line(tmp_path, stem):
    more = {"CODECFX_LIBOPUS": "/none"}
    done = a_process("render", "in.wav", "-o", "out.wav", *OPUS, cwd=tmp_path, **more)
    assert "CODECFX_LIBOPUS is '/none', which is no file; " in error_of(done, 1)
    assert tree(tmp_path) == ["in.wav"]
    listed = output_of(a_process("codecs", "--json", cwd=tmp_path, **more))
    reasons = {one["name"]: one["unavailable"] for one in json.loads(listed)}
    assert reasons["pcm"] == ""
    assert reasons["opus"].startswith("CODECFX_LIBOPUS is '/none', which is no file; ")


# What there is


@pytest.mark.parametrize(
    "command", ["effects", "codecs", "presets list", "models list", "--help", "render --help"]
)
def test_tables_fit_80_columns(tmp_path, command):
    text = output_of(codecfx(*command.split(), cwd=tmp_path))
    assert max(map(len, text.splitlines())) <= 80
    wide = output_of(codecfx(*command.split(), cwd=tmp_path, COLUMNS="140"))
    assert max(map(len, wide.splitlines())) <= 140
    assert len(wide.splitlines()) <= len(text.splitlines())


def names_in(entries: list[dict[str, Any]]) -> list[str]:
    """The names of a JSON list of objects."""
    assert isinstance(entries, list)
    assert all(isinstance(entry, dict) for entry in entries)
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)
    return names


def as_json(*arguments: str, cwd: Path, **more: str) -> Any:
    printed = output_of(codecfx(*arguments, "--json", cwd=cwd, **more))
    return json.loads(printed, parse_constant=_no_json)


@cache
def every_effect() -> Any:
    """What `effects --json` lists: every effect is prepared for it, which takes a while."""
    return as_json("effects", cwd=ROOT)


def test_effects_are_what_can_be_used(tmp_path):
    entries = every_effect()
    expected = {
        "codec": registry.codec_names(),
        "container": ["chain", "mix", "split", "midside", "generations"],
        "pedalboard": registry.native_names(),
    }
    found = {kind: [one["name"] for one in entries if one["kind"] == kind] for kind in expected}
    assert {"pcm", "opus"} <= set(found["codec"])
    assert found["codec"] == [name for name in expected["codec"] if name in found["codec"]]
    assert found["container"] == expected["container"]
    assert found["pedalboard"] == expected["pedalboard"]
    text = output_of(codecfx("effects", cwd=tmp_path))
    for name in names_in(entries):
        assert re.search(rf"^{name}  ", text, re.MULTILINE), name


def test_latencies_are_what_preparing_says():
    for entry in every_effect():
        assert list(entry["latency"]) == ["44100", "48000", "96000"]
        for rate, latency in entry["latency"].items():
            try:
                effect = registry.find(entry["name"])()
                effect(np.zeros((2, 0), np.float32), int(rate))
            except (ConfigurationError, CodecUnavailable):  # needs a file or a library, or other rates
                assert latency is None
                continue
            assert latency["samples"] == effect.latency_samples
            assert latency["ms"] == pytest.approx(1000 * effect.latency_samples / int(rate), abs=5.1e-4)
        slowest = max((one["ms"] for one in entry["latency"].values() if one), default=1000)
        assert entry["live"] == (slowest <= 50)


def test_parameters_are_those_of_the_effects():
    for entry in every_effect():
        declared = registry.find(entry["name"]).parameters
        assert [one["id"] for one in entry["parameters"]] == [one.id for one in declared]
        for told, parameter in zip(entry["parameters"], declared, strict=True):
            assert told["default"] == parameter.default
            assert (told["minimum"], told["maximum"]) == (parameter.minimum, parameter.maximum)
            assert tuple(told["choices"]) == parameter.choices
            assert told["allowed"] == parameter.allowed


def test_one_effect_in_full(tmp_path):
    text = output_of(codecfx("effects", "OPUS", cwd=tmp_path))
    assert text.startswith("opus (codec): ")
    assert "\n  bitrate_kbps = 32\n      2 to 510 kbps; changes: next frame\n" in text
    assert "\n  fec = off\n      on or off; changes: re-prepare\n" in text
    assert "48 kHz 26.5 ms" in text
    (entry,) = as_json("effects", "opus", cwd=tmp_path)
    assert entry == next(one for one in every_effect() if one["name"] == "opus")
    assert names_in(as_json("effects", "compressor", cwd=tmp_path)) == ["Compressor"]
    assert as_json("effects", "chain", cwd=tmp_path)[0]["kind"] == "container"
    unknown = output_of(codecfx("effects", "Convolution", cwd=tmp_path))
    assert "latency: not known before it can be made\n" in unknown


def test_codecs_tell_their_frames(tmp_path):
    entries = {entry["name"]: entry for entry in as_json("codecs", cwd=tmp_path)}
    assert {"pcm", "opus"} <= set(entries)
    opus = entries["opus"]
    assert (opus["sample_rate_hz"], opus["channels"], opus["frame_samples"]) == (48_000, 2, 960)
    assert (opus["frame_ms"], opus["lookahead_samples"]) == (20, 312)
    assert opus["latency"]["48000"]["samples"] == 960 - 1 + 312
    text = output_of(codecfx("codecs", cwd=tmp_path))
    assert re.search(
        r"^opus +8-48 +1-2 2-510 +20 +27\.9 +26\.5 yes +next frame BSD", text, re.MULTILINE
    )
    assert re.search(r"^mp3 +8-48 +1-2 8-320 +24 +77\.3 +71\.0 no +crossfade +LGPL", text, re.MULTILINE)
    families = [line.strip() for line in text.splitlines() if line.isupper()]
    assert families == sorted({entry["family"].upper() for entry in entries.values()})


def test_a_codec_tells_all_about_itself(tmp_path):
    text = output_of(codecfx("codecs", "AMR", cwd=tmp_path))
    for line in (
        "family: mobile; licence: Apache 2.0 (OpenCORE), in PyAV's wheel",
        "sample rates: 8 kHz",
        "channels to one codec: 1",
        "frame: 20 ms at 8 kHz",
        "changes while it runs: next frame",
        "      4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2 or 12.2 kbps; changes: next frame",
    ):
        assert line in text.splitlines()
    assert [one["name"] for one in as_json("codecs", "amr", cwd=tmp_path)] == ["amr"]


def test_without_pyav_everything_else_works(tmp_path, stem):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "av.py").write_text("raise ImportError('no wheel for this machine')")
    more = {"PYTHONPATH": str(tmp_path / "broken")}
    listed = output_of(a_process("codecs", "--json", cwd=tmp_path, **more))
    reasons = {entry["name"]: entry["unavailable"] for entry in json.loads(listed)}
    assert reasons["mp3"] == "PyAV is missing (no wheel for this machine); pip install av"
    assert reasons["pcm"] == ""
    text = output_of(a_process("codecs", cwd=tmp_path, **more))
    assert "missing: mp3, aac, mp2, vorbis, ac3, eac3, wma1, wma2, " in text
    assert "PyAV is missing (no wheel for this machine); pip install av" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    done = a_process("render", "in.wav", "-o", "out.wav", "-e", "mp3", cwd=tmp_path, **more)
    assert "PyAV is missing (no wheel for this machine); pip install av" in error_of(done, 1)
    done = a_process("render", "in.wav", "-o", "out.wav", "-e", "pcm", cwd=tmp_path, **more)
    assert done.returncode == 0


# Presets


def test_presets_are_listed_shown_and_found(tmp_path):
    entries = as_json("presets", "list", cwd=tmp_path)
    assert "hotel-wifi" in names_in(entries)
    text = output_of(codecfx("presets", "list", cwd=tmp_path))
    for entry in entries:
        assert re.search(rf"^{entry['name']}  ", text, re.MULTILINE)
        assert load_preset(entry["path"]).description == entry["description"]
    path = output_of(codecfx("presets", "path", "hotel-wifi", cwd=tmp_path)).strip()
    assert path == next(one["path"] for one in entries if one["name"] == "hotel-wifi")
    shown = output_of(codecfx("presets", "show", "hotel-wifi", cwd=tmp_path))
    assert shown.rstrip() == Path(path).read_text(encoding="utf-8").rstrip()


def test_ones_own_presets_come_first(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "hotel-wifi.toml").write_text(
        'version = 1\ndescription = "Mine"\n[[chain]]\neffect = "pcm"\n'
    )
    (own / "broken.toml").write_text("version = 1\n")
    folders = output_of(codecfx("presets", "path", cwd=tmp_path, CODECFX_PRESETS=str(own)))
    assert folders.splitlines()[0] == str(own)
    assert len(folders.splitlines()) == 3
    listed = as_json("presets", "list", cwd=tmp_path, CODECFX_PRESETS=str(own))
    found = {one["name"]: one["description"] for one in listed}
    assert found["hotel-wifi"] == "Mine"
    assert found["broken"].startswith("unreadable: ")  # and does not hide the others
    assert len(found) == len(as_json("presets", "list", cwd=tmp_path)) + 1


def test_all_presets_are_good(tmp_path):
    text = output_of(codecfx("presets", "validate", cwd=tmp_path))
    count = len(as_json("presets", "list", cwd=tmp_path))
    assert text == f"{count} of {count} presets are good\n"
    text = output_of(codecfx("presets", "validate", "hotel-wifi", "voice-note", cwd=tmp_path))
    assert text == "2 of 2 presets are good\n"


def test_validation_names_file_key_and_nearest_name(tmp_path):
    (tmp_path / "bad.toml").write_text(
        'version = 1\n[[chain]]\neffect = "opsu"\n[[chain]]\neffect = "opus"\nbitrate_kps = 8\n'
        'frame_ms = 7\n[[chain]]\neffect = "mix"\n[[chain.chain]]\neffect = "Gain"\ngain_db = "loud"\n'
    )
    (tmp_path / "typo.toml").write_text('version = 1\nchian = []\n[[chain]]\neffect = "pcm"\n')
    (tmp_path / "prose.toml").write_text("This is no TOML.")
    stems = ("bad.toml", "typo.toml", "prose.toml", "none.toml", "hotel-wify", "hotel-wifi")
    done = codecfx("presets", "validate", *stems, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "bad.toml: chain[1]: no effect 'opsu'; did you mean 'opus'?",
        "bad.toml: chain[2].bitrate_kps: opus: no parameter 'bitrate_kps'; "
        "did you mean 'bitrate_kbps'?",
        "bad.toml: chain[2].frame_ms: opus: frame_ms is 7; it takes 2.5, 5, 10, 20, 40 or 60 ms",
        "bad.toml: chain[3].chain[1].gain_db: Gain: gain_db is loud; it takes -120 to 120 dB",
        "typo.toml: no key 'chian'; did you mean 'chain'?",
        "prose.toml: is no TOML (Expected '=' after a key in a key/value pair (at line 1, column 6))",
    ]
    assert lines[6].startswith("none.toml: no such preset file")
    assert lines[7:] == [
        "no preset 'hotel-wify'; did you mean 'hotel-wifi'?",
        "1 of 6 presets are good",
    ]


# The machine


def test_doctor_names_what_is_used(tmp_path):
    text = output_of(codecfx("doctor", cwd=tmp_path))
    library_ = libopus.load()
    assert re.search(
        rf"^ok +libopus +{re.escape(library_.version)}, {re.escape(library_.path)}$", text, re.MULTILINE
    )
    found = {one["name"]: one for one in as_json("doctor", cwd=tmp_path)}
    assert found["codecfx"]["detail"] == library.__version__
    assert found["python"]["detail"] == sys.version.split()[0]
    for name, one in found.items():
        state = "ok" if one["found"] else "MISSING" if one["needed"] else "absent"
        line = rf"^{state} +{re.escape(name)} +{re.escape(one['detail'])}$"
        assert re.search(line, text, re.MULTILINE), name
        ways = ("pip install", "apt install", "codecfx models pull")
        assert one["found"] or any(way in one["detail"] for way in ways)


@pytest.mark.parametrize("nonsense", ["/nowhere/libopus.so", "text.so", "."])
def test_doctor_says_what_is_wrong_with_libopus(tmp_path, nonsense):
    (tmp_path / "text.so").write_text("This is no library.")
    done = a_process("doctor", cwd=tmp_path, CODECFX_LIBOPUS=nonsense)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("MISSING")]
    assert len(lines) == 1
    assert lines[0].split()[1] == "libopus"
    assert f"'{nonsense}'" in lines[0]
    assert "set CODECFX_LIBOPUS to the path of a libopus" in lines[0]
    if nonsense != ".":
        return
    done = a_process("doctor", "--json", cwd=tmp_path, CODECFX_LIBOPUS=nonsense)
    assert done.returncode == 1
    assert [one["name"] for one in json.loads(done.stdout) if one["needed"] and not one["found"]] == [
        "libopus"
    ]


# Help, versions, pipes


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("--version", 0),
        ("presets list", 0),
        ("effects opus", 0),
        ("codecs amr --json", 0),
        ("doctor --json", 0),
        ("models list", 0),
        ("render in.wav -o out.wav -e pcm -q", 0),
        ("render none.wav -o none.flac -e pcm", 1),
        ("render in.wav -o out.mp3 -e pcm", 2),
        ("effects opsu", 2),
    ],
)
def test_a_process_prints_and_ends_as_its_verb_does(tmp_path, stem, command, exit_code):
    """What stands for one in most other tests."""
    done = a_process(*command.split(), cwd=tmp_path)
    assert done.returncode == exit_code
    (tmp_path / "out.wav").unlink(missing_ok=True)
    again = codecfx(*command.split(), cwd=tmp_path)
    for fact in ("returncode", "stdout", "stderr"):
        assert getattr(done, fact) == getattr(again, fact)
    assert (tmp_path / "out.wav").exists() == ("-q" in command)


def test_help_is_there_unasked(tmp_path):
    help_ = output_of(codecfx("--help", cwd=tmp_path))
    assert output_of(codecfx(cwd=tmp_path)) == help_
    for verb in ("render", "effects", "codecs", "presets", "models", "doctor"):
        assert re.search(rf"^│ {verb}  ", help_, re.MULTILINE)
    presets = output_of(codecfx("presets", cwd=tmp_path))
    assert output_of(codecfx("presets", "--help", cwd=tmp_path)) == presets
    for verb in ("list", "show", "path", "validate"):
        assert re.search(rf"^│ {verb}  ", presets, re.MULTILINE)


def test_the_version_is_the_packages(tmp_path):
    assert output_of(codecfx("--version", cwd=tmp_path)) == f"codecfx {library.__version__}\n"


@pytest.mark.parametrize("command", ["--help", "--version", "", "render --help", "presets path"])
def test_help_loads_no_engine(tmp_path, command):
    """Python itself tells what is imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "codecfx", *command.split()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "codecfx" in loaded
    assert "typer" in loaded
    assert not loaded & {"numpy", "av", "torch", "pedalboard", "soundfile", "opuslib", "onnxruntime"}


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "effects",
        "codecs opus --json",
        "presets validate",
        "doctor",
        "render in.wav -o out.wav -e pcm",
    ],
)
def test_a_reader_that_leaves_is_no_error(tmp_path, stem, command):
    """As `head -1` does, and at the worst moment: before anything was written."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "codecfx", *command.split()],
        cwd=tmp_path,
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    assert (tmp_path / "out.wav").exists() == command.startswith("render")


def test_head_gets_its_line(tmp_path):
    piped = in_a_shell("$codecfx effects --json | head -1", cwd=tmp_path)
    assert (piped.stdout, piped.stderr) == ("[\n", "")


@pytest.mark.parametrize("command", ["effects opus", "presets list", "doctor", "--version"])
def test_output_that_cannot_be_written_is_said_in_one_line(tmp_path, command):
    """No file may grow beyond 0 bytes: a full disk."""
    printed = in_a_shell(f"ulimit -f 0 && exec $codecfx {command} >full", cwd=tmp_path)
    assert error_of(printed, 1) == "output: File too large"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_do_not_matter(tmp_path, stem, closed):
    for command in ("effects opus --json", "render in.wav -o out.wav -e pcm"):
        done = in_a_shell(f"exec $codecfx {command} {closed}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert bool(done.stdout) == (closed == "2>&-")
    np.testing.assert_array_equal(stored(tmp_path / "out.wav"), stored(stem))


@pytest.mark.parametrize(
    ("command", "encoding"),
    [("effects", "ascii"), ("presets list", "latin-1"), ("effects opus --json", "ascii")],
)
def test_any_encoding_will_do(tmp_path, command, encoding):
    done = a_process(*command.split(), cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    if "--json" in command:
        assert "opus" in names_in(json.loads(done.stdout))


def test_ctrl_c_in_a_listing_is_one_line(tmp_path):
    """Python tells when pedalboard is loaded; then it is interrupted."""
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "codecfx", "effects"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == "pedalboard":
                process.send_signal(signal.SIGINT)
                break
        _, rest = process.communicate(timeout=PATIENCE)
    told = [line for line in rest.splitlines() if not line.startswith("import time:")]
    # A shell calls both 130: interrupted in exec, which makes dataclasses, Python ends by the signal
    assert process.returncode in (130, -signal.SIGINT)
    assert told == ["codecfx: error: stopped"]
