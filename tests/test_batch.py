"""Many renders: which file becomes which, and what is left when one fails, or all are stopped.

What happens to processes is tried on real ones, each the leader of a session of its own, and waits for
what can be seen from outside: a finished file, a hidden file that grows, a line on standard error. A
process is gone when it has let go of that pipe, which all it started hold too.
"""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
from signals import noise, tones

from codecfx.batch import Job, Order, Outcome, plan, run
from codecfx.errors import AudioFileError, CodecFxError, ConfigurationError
from codecfx.recipe import Recipe
from codecfx.rendering import RenderReport

ROOT = Path(__file__).parents[1]
QUICK = ("-e", "opus:bitrate_kbps=8")
SLOW = ("-e", "opus") * 6  # seconds of work on the slow stem; what it is interrupted in never ends
STOPPED = "codecfx: error: stopped\n"
PATIENCE = 60  # seconds; only a failure takes so long


def stem(path: Path, samples: int = 24_000, seed: int = 0, rate: int = 48_000) -> Path:
    """A mono stem of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(1, samples, seed=seed).T, rate, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def slow_stem(tmp_path_factory) -> Path:
    """Five minutes in a small file."""
    path = tmp_path_factory.mktemp("slow") / "slow.wav"
    soundfile.write(path, noise(1, 300 * 8000).T, 8000, subtype="PCM_U8")
    return path


def tree(folder: Path) -> list[str]:
    """Every file in a folder and below it, hidden or not."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CODECFX_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def codecfx(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; warnings are errors, in workers too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "codecfx", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def running(
    *arguments: object, cwd: Path, options: tuple[str, ...] = ("-W", "error")
) -> Iterator[subprocess.Popen[str]]:
    """The command line while it runs, in a session of its own that does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, *options, "-m", "codecfx", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


def wait_until(seen: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Look until `seen` says so; fail where the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def growing(folder: Path, *stems: str) -> bool:
    """Whether a hidden file of every one of `stems` has some audio in it already."""
    return all(any(part.stat().st_size > 1000 for part in parts(folder, name)) for name in stems)


def parts(folder: Path, name: str) -> list[Path]:
    return [path for path in folder.glob(f".{name}.*.part") if path.exists()]


# Which file becomes which


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(inputs: list[str], output: str) -> dict[str, str]:
    """Source -> target of every job, as they were named; all of them good."""
    jobs = plan(map(Path, inputs), Path(output))
    assert [job.problem for job in jobs if job.problem] == []
    return {job.source.as_posix(): job.target.as_posix() for job in jobs}


def test_one_file_becomes_a_file_or_goes_into_a_folder(here):
    stem(here / "a.wav")
    stem(here / "there" / "b.wav")
    assert planned(["a.wav"], "out.flac") == {"a.wav": "out.flac"}
    assert planned(["a.wav"], "new/out.OGG") == {"a.wav": "new/out.OGG"}
    assert planned(["a.wav"], "new") == {"a.wav": "new/a.wav"}
    assert planned(["a.wav"], "there") == {"a.wav": "there/a.wav"}
    assert planned(["there/b.wav"], "new") == {"there/b.wav": "new/b.wav"}
    (here / "folder.wav").mkdir()
    assert planned(["a.wav"], "folder.wav") == {"a.wav": "folder.wav/a.wav"}
    assert planned(["nowhere.wav"], "out.wav") == {"nowhere.wav": "out.wav"}  # the render will tell


def test_folders_are_mirrored(here):
    for name in ("drums/kick.wav", "drums/room/left.flac", "vox.aiff", "deep/er/and/deeper.WAV"):
        stem(here / "stems" / name)
    (here / "stems" / "notes.txt").write_text("Take 3.")
    (here / "stems" / "empty").mkdir()
    (here / "stems" / "folder.wav").mkdir()
    stem(here / "bass.wav")
    assert planned(["stems", "bass.wav"], "out") == {
        "stems/deep/er/and/deeper.WAV": "out/deep/er/and/deeper.WAV",
        "stems/drums/kick.wav": "out/drums/kick.wav",
        "stems/drums/room/left.flac": "out/drums/room/left.flac",
        "stems/vox.aiff": "out/vox.aiff",
        "bass.wav": "out/bass.wav",
    }


def test_what_cannot_be_written_becomes_wav(here):
    for name in ("a.mp3", "b.opus", "c.aifc", "take.1.mp3", "d.ogg"):
        (here / name).touch()
    assert planned(["."], "out") == {
        "a.mp3": "out/a.wav",
        "b.opus": "out/b.wav",
        "c.aifc": "out/c.wav",
        "d.ogg": "out/d.ogg",
        "take.1.mp3": "out/take.1.wav",
    }


def test_hidden_files_and_folders_are_left_alone(here):
    for name in ("a.wav", ".b.wav", "._a.wav", ".cache/c.wav", "sub/.d/e.wav", "sub/f.wav"):
        stem(here / "stems" / name)
    assert planned(["stems"], "out") == {"stems/a.wav": "out/a.wav", "stems/sub/f.wav": "out/sub/f.wav"}
    assert planned(["stems/.b.wav"], "out.wav") == {"stems/.b.wav": "out.wav"}  # unless it is named
    assert planned(["stems/.cache"], "out") == {"stems/.cache/c.wav": "out/c.wav"}


def test_outputs_below_the_inputs_are_no_inputs(here):
    for name in ("a.wav", "b.wav", "out/a.wav", "sub/out/a.wav"):
        stem(here / "stems" / name)
    for output in ("stems/out", "stems/sub/../out", str(here / "stems" / "out")):
        assert list(planned(["stems"], output)) == ["stems/a.wav", "stems/b.wav", "stems/sub/out/a.wav"]
    (here / "link").symlink_to("stems/out")
    assert list(planned(["stems"], "link")) == ["stems/a.wav", "stems/b.wav", "stems/sub/out/a.wav"]


def test_an_output_folder_around_the_inputs_is_fine(here):
    stem(here / "stems" / "a.wav")
    stem(here / "stems" / "b" / "c.wav")
    assert planned(["stems"], ".") == {"stems/a.wav": "a.wav", "stems/b/c.wav": "b/c.wav"}
    assert planned(["stems/b"], "stems") == {"stems/b/c.wav": "stems/c.wav"}


def problems(inputs: list[str], output: str) -> dict[str, str]:
    return {job.source.as_posix(): job.problem for job in plan(map(Path, inputs), Path(output))}


def test_two_files_never_become_one(here):
    for name in ("one/a.wav", "two/a.wav", "two/b.wav", "two/b.mp3"):
        stem(here / name.replace(".mp3", ".wav"))
    (here / "two" / "b.mp3").touch()
    found = problems(["one", "two"], "out")
    assert found == {
        "one/a.wav": "",
        "two/a.wav": "two/a.wav: one/a.wav becomes out/a.wav too; render one of them elsewhere",
        "two/b.mp3": "",
        "two/b.wav": "two/b.wav: two/b.mp3 becomes out/b.wav too; render one of them elsewhere",
    }
    assert problems(["one/a.wav", "two/a.wav"], "out")["two/a.wav"]


def test_no_render_replaces_the_source_of_another(here):
    """--overwrite allows to replace results, never one input by another's."""
    stem(here / "a.wav", seed=1)
    stem(here / "sub" / "b.wav", seed=2)
    stem(here / "b.wav", seed=3)
    found = problems(["a.wav", "b.wav", "sub/b.wav"], "sub")
    assert found["a.wav"] == ""
    assert found["b.wav"] == "b.wav: becomes sub/b.wav, an input too; render elsewhere"
    before = (here / "sub" / "b.wav").read_bytes()
    stems = ("a.wav", "b.wav", "sub/b.wav")
    done = codecfx("render", *stems, "-o", "sub", "--overwrite", *QUICK, cwd=here)
    assert done.returncode == 1
    assert (here / "sub" / "b.wav").read_bytes() == before
    assert tree(here) == ["a.wav", "b.wav", "sub/a.wav", "sub/b.wav"]


def test_a_folder_without_audio_is_told(here):
    (here / "empty").mkdir()
    stem(here / "a.wav")
    assert problems(["empty", "a.wav"], "out") == {
        "empty": "empty: no audio files in this folder",
        "a.wav": "",
    }


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["a.wav", "b.wav"], "out.wav", "out.wav is one file; give a folder for many"),
        (["stems"], "out.flac", "out.flac is one file; give a folder for many"),
        (["a.wav"], "out.mp3", "out.mp3: cannot write '.mp3'; use one of .aif, .aiff, "),
        (["a.wav"], "out.xyz", "out.xyz: cannot write '.xyz'; use one of "),
        (["a.wav", "b.wav"], "out.mp3", "out.mp3: cannot write '.mp3'"),  # no folder of that name
        (["stems"], "out.opus", "out.opus: cannot write '.opus'"),
    ],
)
def test_outputs_that_cannot_be(here, inputs, output, message):
    for name in ("a.wav", "b.wav", "stems/c.wav"):
        stem(here / name)
    with pytest.raises(ConfigurationError) as raised:
        plan(map(Path, inputs), Path(output))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_folder_may_have_a_dot_in_its_name(here):
    stem(here / "stems" / "a.wav")
    assert planned(["stems"], "mix 1.2") == {"stems/a.wav": "mix 1.2/a.wav"}


def test_names_that_the_system_refuses_are_left_to_the_render(here):
    stem(here / "stems" / "a.wav")
    long = "x" * 300 + ".wav"
    (here / "loop").symlink_to("loop")
    assert planned([long], "out.wav") == {long: "out.wav"}
    assert planned(["stems/a.wav"], long) == {"stems/a.wav": long}
    assert planned(["stems"], "loop") == {"stems/a.wav": "loop/a.wav"}


def test_links_to_files_are_followed_and_links_in_circles_are_not(here):
    stem(here / "stems" / "a.wav")
    (here / "stems" / "b.wav").symlink_to("a.wav")
    (here / "stems" / "gone.wav").symlink_to("nowhere.wav")
    (here / "stems" / "again").symlink_to(here / "stems")
    assert list(planned(["stems"], "out")) == ["stems/a.wav", "stems/b.wav"]


# Every job has an outcome


class Log:
    """What `run` says, in its order."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.progress: dict[str, list[float]] = {}

    def on_progress(self, job: Job, done: float) -> None:
        assert job.source.name not in self.outcomes
        self.progress.setdefault(job.source.name, []).append(done)

    def on_outcome(self, job: Job, outcome: Outcome) -> None:
        assert job.source.name not in self.outcomes
        self.outcomes[job.source.name] = outcome


def test_one_bad_stem_does_not_stop_the_others(here):
    stem(here / "a.wav")
    (here / "b.wav").write_text("This is no audio.")
    soundfile.write(here / "c.wav", noise(9, 100).T, 48_000)
    stem(here / "d.wav")
    (here / "out" / "d.wav").mkdir(parents=True)
    stem(here / "e.wav")
    for workers in (1, 2):
        log = Log()
        order = Order(Recipe(effects=("opus",)), overwrite=True)
        run(plan([Path(f"{one}.wav") for one in "abcdef"], Path("out")), order, workers, *_of(log))
        good = [name for name, one in log.outcomes.items() if isinstance(one, RenderReport)]
        bad = {name: str(one) for name, one in log.outcomes.items() if name not in good}
        assert sorted(good) == ["a.wav", "e.wav"]
        assert sorted(bad) == ["b.wav", "c.wav", "d.wav", "f.wav"]
        assert "'b.wav' is no audio file" in bad["b.wav"]
        assert bad["c.wav"] == "c.wav: the audio has 9 channels; codecfx takes 1 to 8"  # which one
        assert "that is a folder" in bad["d.wav"]
        assert "there is no file 'f.wav'" in bad["f.wav"]
        assert all(isinstance(log.outcomes[name], CodecFxError) for name in bad)
        assert tree(here / "out") == ["a.wav", "e.wav"]
        assert sorted(log.progress) == ["a.wav", "e.wav"]
        assert all(done[-1] == 1 for done in log.progress.values())


def _of(log: Log) -> tuple[Callable[[Job, float], None], Callable[[Job, Outcome], None]]:
    return log.on_progress, log.on_outcome


def test_problems_are_told_first_and_nothing_is_rendered_for_them(here):
    stem(here / "a.wav")
    log = Log()
    jobs = [Job(Path("a.wav"), Path("out/a.wav")), Job(Path("x"), Path("x"), "x: no audio")]
    run(jobs, Order(Recipe(effects=("pcm",))), 1, *_of(log))
    assert list(log.outcomes) == ["x", "a.wav"]
    assert isinstance(log.outcomes["x"], AudioFileError)
    assert str(log.outcomes["x"]) == "x: no audio"
    assert tree(here / "out") == ["a.wav"]


def test_an_output_folder_that_cannot_be_is_one_line_for_each(here):
    (here / "file").write_text("Not a folder.")
    stem(here / "a.wav")
    log = Log()
    jobs = [Job(Path("a.wav"), Path("file/deep/a.wav")), Job(Path("b.wav"), Path("file/b.wav"))]
    run(jobs, Order(Recipe(effects=("pcm",))), 1, *_of(log))
    for outcome in log.outcomes.values():
        assert isinstance(outcome, AudioFileError)
        assert "cannot be written (" in str(outcome)
        assert "\n" not in str(outcome)


def test_a_dead_crew_is_replaced(here):
    """All workers die the moment the first job is done: the one that waits for its next job, too."""
    stem(here / "1.wav", 100)
    for number in range(2, 6):
        stem(here / f"{number}.wav", 480_000, seed=number)
    jobs = [Job(Path(f"{number}.wav"), Path(f"out/{number}.wav")) for number in range(1, 6)]
    log = Log()
    killed: list[int] = []

    def on_outcome(job: Job, outcome: Outcome) -> None:
        log.on_outcome(job, outcome)
        for worker in [] if killed else multiprocessing.active_children():
            worker.kill()
            worker.join()
            killed.append(1)

    run(jobs, Order(Recipe(effects=("opus",) * 3)), 2, log.on_progress, on_outcome)
    assert len(killed) == 2
    assert sorted(log.outcomes) == [f"{n}.wav" for n in range(1, 6)]
    bad = {name: str(one) for name, one in log.outcomes.items() if isinstance(one, Exception)}
    died = "its process was killed before it was done; render it again"
    assert bad == {"2.wav": f"2.wav: {died}", "3.wav": f"3.wav: {died}"}
    assert tree(here / "out")[-3:] == ["1.wav", "4.wav", "5.wav"]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_from_the_screen_leaves_nothing_behind(here, workers):
    jobs = [Job(stem(here / f"{n}.wav", 480_000), here / "out" / f"{n}.wav") for n in range(4)]

    def on_progress(job: Job, done: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(jobs, Order(Recipe(effects=("opus",))), workers, on_progress, Log().on_outcome)
    assert tree(here / "out") == []
    assert multiprocessing.active_children() == []


# Real processes


def test_parallel_renders_are_the_same_bytes(tmp_path):
    for number, name in enumerate(("a.wav", "sub/b.flac", "sub/deep/c.aiff")):
        stem(tmp_path / "stems" / name, 70_001 + number, seed=number, rate=44_100)
    soundfile.write(tmp_path / "stems" / "d.mp3", tones(48_000, 30_000, 2).T, 48_000)
    soundfile.write(tmp_path / "stems" / "e.ogg", tones(48_000, 30_000, 2).T, 48_000)
    wav, flac = ["a.wav", "d.wav", "sub/deep/c.aiff"], ["sub/b.flac"]
    for jobs in (1, 2, 8):
        done = codecfx("render", "stems", "-o", f"out{jobs}", "--jobs", jobs, *QUICK, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "5 rendered, 0 failed"
        assert tree(tmp_path / f"out{jobs}") == sorted([*wav, *flac, "e.ogg"])
        for name in wav + flac:
            one, other = (tmp_path / folder / name for folder in ("out1", f"out{jobs}"))
            assert one.read_bytes() == other.read_bytes()


def test_more_workers_than_stems_and_more_stems_than_workers(tmp_path):
    for number in range(7):
        stem(tmp_path / "stems" / f"{number}.wav", 1 + 1000 * number, seed=number)
    for jobs in (3, 64):
        done = codecfx(
            "render", "stems", "-o", f"out{jobs}", "-j", jobs, "--json", *QUICK, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert [one["name"] for one in told] == [f"{number}.wav" for number in range(7)]
        assert [one["samples"] for one in told] == [1 + 1000 * number for number in range(7)]
        assert tree(tmp_path / f"out{jobs}") == [f"{number}.wav" for number in range(7)]


def test_rendering_a_folder_again_takes_the_same_stems(tmp_path):
    stem(tmp_path / "stems" / "a.wav")
    stem(tmp_path / "stems" / "b.wav")
    for options in ((), ("--overwrite",)):
        done = codecfx("render", "stems", "-o", "stems/out", *QUICK, *options, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert tree(tmp_path) == [f"stems/{name}.wav" for name in ("a", "b", "out/a", "out/b")]
    done = codecfx("render", "stems", "-o", "stems", *QUICK, "--overwrite", cwd=tmp_path)
    assert done.returncode == 1  # onto itself
    assert done.stderr.count("that is the input itself") == 4
    assert tree(tmp_path) == [f"stems/{name}.wav" for name in ("a", "b", "out/a", "out/b")]


def quick_and_slow(folder: Path, slow_stem: Path, slow: int) -> dict[str, bytes]:
    """Two quick stems and some slow ones in `folder`; the bytes that the quick ones become."""
    quick = quick_stems(folder / "stems")
    for number in range(slow):
        os.link(slow_stem, folder / "stems" / f"slow{number}.wav")
    beside = slow_stem.parent / "reference"
    if not beside.exists():  # rendered once for all tests
        done = codecfx("render", *quick, "-o", beside, "--jobs", 1, *SLOW, cwd=folder)
        assert done.returncode == 0, done.stderr
    whole = contents(beside)
    assert sorted(whole) == [path.name for path in quick]
    return whole


def quick_stems(folder: Path) -> list[Path]:
    return [stem(folder / f"quick{number}.wav", 5000, seed=number) for number in range(2)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_leaves_the_finished_stems_and_nothing_else(tmp_path, slow_stem, jobs, presses):
    whole = quick_and_slow(tmp_path, slow_stem, 3)
    out = tmp_path / "out"
    begun = [f"slow{number}.wav" for number in range(jobs)]
    with running("render", "stems", "-o", "out", "--jobs", jobs, *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(out, *begun), process)
        for _ in range(presses):  # some are impatient
            os.killpg(process.pid, signal.SIGINT)
        printed, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (130, STOPPED)
    assert contents(out) == whole
    if presses == 1:
        lines = printed.splitlines()
        done = sorted(line.split(":")[0] for line in lines[:2])
        assert done == ["out/quick0.wav", "out/quick1.wav"]
        assert lines[2:] == ["2 rendered, 0 failed, 3 not begun or stopped"]


def test_ctrl_c_in_json(tmp_path, slow_stem):
    whole = quick_and_slow(tmp_path, slow_stem, 2)
    with running("render", "stems", "-o", "out", "-j", 2, "--json", *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(tmp_path / "out", "slow0.wav", "slow1.wav"), process)
        os.killpg(process.pid, signal.SIGINT)
        printed, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (130, STOPPED)
    assert [(one["name"], one["ok"], one["error"]) for one in json.loads(printed)] == [
        ("quick0.wav", True, None),
        ("quick1.wav", True, None),
        ("slow0.wav", False, "stopped"),
        ("slow1.wav", False, "stopped"),
    ]
    assert contents(tmp_path / "out") == whole


def test_ctrl_c_in_one_render_keeps_what_it_would_replace(tmp_path, slow_stem):
    target = stem(tmp_path / "out.wav", 500)
    before = target.read_bytes()
    with running("render", slow_stem, "-o", "out.wav", "--overwrite", *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(tmp_path, "out.wav"), process)
        process.send_signal(signal.SIGINT)  # to it alone
        printed, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed, told) == (130, "", STOPPED)
    assert contents(tmp_path) == {"out.wav": before}


@pytest.mark.parametrize(
    ("module", "times"),
    [
        ("typer", 1),  # the command line begins
        ("numpy", 1),  # the engines begin
        ("codecfx.recipe", 1),
        ("codecfx", 2),  # the first worker begins
        ("numpy", 2),
        ("codecfx.batch", 3),  # the second one is there
    ],
)
def test_ctrl_c_while_everything_starts(tmp_path, module, times):
    """Python tells each import as it is over, the workers' on the same pipe: a clock of events."""
    for number in range(4):
        stem(tmp_path / "stems" / f"{number}.wav", 480_000)
    command = ("render", "stems", "-o", "out", "-j", 2, *SLOW)
    with running(*command, cwd=tmp_path, options=("-X", "importtime")) as process:
        assert process.stderr is not None
        left = times
        for line in process.stderr:
            left -= line.rpartition("|")[2].strip() == module
            if not left:
                break
        else:
            pytest.fail(f"{module} was not imported {times} times")
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=PATIENCE)
    told = [line for line in rest.splitlines(keepends=True) if not line.startswith("import time:")]
    # Python calls one that comes while it runs made code, a dataclass, unhandled, though it was
    assert process.returncode in (130, -signal.SIGINT)
    assert told == [STOPPED]
    assert not (tmp_path / "out").exists() or tree(tmp_path / "out") == []


def test_workers_of_a_killed_parent_clean_up_and_go(tmp_path, slow_stem):
    whole = quick_and_slow(tmp_path, slow_stem, 3)
    out = tmp_path / "out"
    with running("render", "stems", "-o", "out", "--jobs", 2, *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(out, "slow0.wav", "slow1.wav"), process)
        process.kill()
        printed, told = process.communicate(timeout=PATIENCE)  # until the last of them is gone
    assert (process.returncode, printed, told) == (-signal.SIGKILL, "", "")
    assert contents(out) == whole


def test_a_killed_render_is_no_half_file_and_the_next_one_tidies_up(tmp_path, slow_stem):
    with running("render", slow_stem, "-o", "out.wav", *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(tmp_path, "out.wav"), process)
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert all(name.endswith(".part") for name in tree(tmp_path))
    short = stem(tmp_path / "short.wav")
    assert codecfx("render", short, "-o", "out.wav", *QUICK, cwd=tmp_path).returncode == 0
    assert tree(tmp_path) == ["out.wav", "short.wav"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_worker_costs_its_stem_alone(tmp_path, slow_stem, number):
    os.link(slow_stem, stem(tmp_path / "stems" / "b.wav").with_name("a.wav"))  # the first to begin
    for name in "cdef":
        stem(tmp_path / "stems" / f"{name}.wav")
    out = tmp_path / "out"
    with running("render", "stems", "-o", "out", "--jobs", 2, *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(out, "a.wav"), process)
        (part,) = parts(out, "a.wav")
        os.kill(int(part.name.split(".")[-2]), number)  # the process that writes it
        printed, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert told == (
        "codecfx: error: stems/a.wav: its process was killed before it was done; render it again\n"
    )
    assert printed.splitlines()[-1] == "5 rendered, 1 failed"
    finished = [f"{name}.wav" for name in "bcdef"]
    assert [name for name in tree(out) if not name.endswith(".part")] == finished
    if number == signal.SIGTERM:  # which a process hears, and cleans up
        assert tree(out) == finished
    for name in finished:
        assert soundfile.info(out / name).frames == 24_000


def test_a_folder_that_vanishes_in_mid_render(tmp_path, slow_stem):
    source = stem(tmp_path / "stem.wav", 1_500_000)
    with running("render", source, "-o", "out/deep", *SLOW, cwd=tmp_path) as process:
        wait_until(lambda: growing(tmp_path / "out" / "deep", "stem.wav"), process)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert not (tmp_path / "out" / "deep" / "stem.wav").exists()  # stopped in time
        shutil.rmtree(tmp_path / "out")
        process.send_signal(signal.SIGCONT)
        printed, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed) == (1, "")
    assert told.count("\n") == 1
    assert told.startswith("codecfx: error: cannot write 'out/deep/stem.wav': ")
    assert "vanished" in told
    assert tree(tmp_path) == ["stem.wav"]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_full_disk_in_mid_render(tmp_path, jobs, suffix):
    """No file may grow beyond 100 KB; the second stem would."""
    for name, samples in (("a", 5000), ("b", 400_000), ("c", 5000)):
        audio = noise(1, samples, seed=1)
        soundfile.write(tmp_path / f"{name}{suffix}", audio.T, 48_000)
    command = (sys.executable, "-W", "error", "-m", "codecfx", "render", "-o", "out", "-e", "pcm")
    stems = [f"{name}{suffix}" for name in "abc"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 200 && exec "$@"', "sh", *command, *stems, "--jobs", str(jobs)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"codecfx: error: cannot write 'out/b{suffix}': File too large; make room or write elsewhere\n"
    )
    assert done.stdout.splitlines()[-1] == "2 rendered, 1 failed"
    assert tree(tmp_path / "out") == [f"a{suffix}", f"c{suffix}"]
    for name in tree(tmp_path / "out"):
        assert soundfile.info(tmp_path / "out" / name).frames == 5000


def test_pipes_and_doubles(tmp_path):
    """'-' is refused; a stem named twice is one job."""
    for inputs, output in (([Path("-")], tmp_path), ([tmp_path / "a.wav"], Path("-"))):
        with pytest.raises(ConfigurationError, match="not through pipes"):
            plan(inputs, output)
    assert len(plan([tmp_path / "a.wav", tmp_path / "a.wav"], tmp_path / "out")) == 1
