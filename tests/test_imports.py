"""Imports run one way, outside libraries have one home each, `import codecfx` loads next to nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "codecfx"

# From the bottom up: a part imports from the lines above its own, and from itself
LAYERS = (
    {"errors", "audio"},
    {"control", "models", "audio_file"},
    {"codecs"},
    {"stream"},
    {"effects"},
    {"preset_tables"},
    {"presets"},
    {"recipe"},
    {"performance"},
    {"rendering"},
    {"takes"},
    {"live"},
    {"batch", "diagnosis", "costing"},
    {"cli"},
    {"__main__"},
)

# Who may import what is not ours. A * means inside functions only: not before somebody needs it
HOMES = {
    "pedalboard": {
        "effects/native.py",
        "effects/native_effect.py",
        "*effects/board.py",
        "*preset_tables.py",
    },
    "opuslib": {"*codecs/libopus.py"},
    "av": {"*codecs/ffmpeg.py"},
    "soundfile": {"audio_file/", "*codecs/sndfile.py", "*diagnosis.py"},
    "typer": {"cli/"},
    "rich": {"cli/"},
    "textual": {"cli/"},
    "sounddevice": {"*live/devices/portaudio.py", "*live/devices/portaudio_answers.py"},
    "rtmidi": {"*control/midi_client.py"},
    "tomli_w": {"*presets.py", "*takes/writer.py"},
    "platformdirs": {"*presets.py", "*models/__init__.py", "*live/round_trips.py"},
    "torch": {"codecs/encodec/"},
    "encodec": {"codecs/encodec/"},
    "onnxruntime": {"codecs/encodec/", "codecs/lyra/"},
    "onnx": {"codecs/encodec/"},
    "ai_edge_litert": {"*codecs/lyra/litert.py"},
    "numpy": {""},
}


class Import(NamedTuple):
    file: str  # seen from the package
    line: int
    module: str
    lazy: bool  # inside a function, or for type checkers only


def imports_of(path: Path) -> Iterator[Import]:
    file = path.relative_to(PACKAGE).as_posix()

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(file, node.lineno, name.name, lazy)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: say from where, in full"
            for name in node.names:  # `from codecfx import codecs` imports a module
                whole = f"{node.module}.{name.name}"
                inner = PACKAGE.parent / whole.replace(".", "/")
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield Import(file, node.lineno, whole if is_module else str(node.module), lazy)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checkers = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, lazy or function or checkers)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False)


EVERY = [one for path in sorted(PACKAGE.rglob("*.py")) for one in imports_of(path)]
OURS = [one for one in EVERY if one.module.split(".")[0] == "codecfx"]


def part_of(name: str) -> str:
    """The part of codecfx that a file or module belongs to; "" is the package itself."""
    parts = name.removesuffix(".py").replace("/", ".").removeprefix("codecfx").strip(".").split(".")
    return "" if parts[0] == "__init__" else parts[0]


def height(part: str) -> int:
    for above_ground, parts in enumerate(LAYERS):
        if part in parts:
            return above_ground
    raise AssertionError(f"codecfx.{part} has no place in the layers of tests/test_imports.py")


def test_there_is_something_to_walk():
    assert len(OURS) > 50
    natives = {(one.module, one.lazy) for one in EVERY if one.file == "effects/native.py"}
    assert ("pedalboard", False) in natives
    boards = {(one.module, one.lazy) for one in EVERY if one.file == "effects/board.py"}
    assert ("codecfx.effects.native", True) in boards


def test_imports_run_one_way():
    wrong = [
        f"{one.file}:{one.line} imports {one.module}"
        for one in OURS
        if part_of(one.file)
        and part_of(one.module) != part_of(one.file)
        and part_of(one.module)
        and height(part_of(one.module)) >= height(part_of(one.file))
    ]
    assert wrong == []


def test_every_part_has_its_place():
    for path in sorted(PACKAGE.rglob("*.py")):
        part = part_of(path.relative_to(PACKAGE).as_posix())
        assert not part or height(part) >= 0


def test_control_never_imports_what_it_controls():
    below = {"errors", "audio", "control"}
    for one in OURS:
        if part_of(one.file) == "control":
            assert part_of(one.module) in below, f"{one.file}:{one.line} imports {one.module}"


def test_codecs_know_nothing_of_streams_and_effects():
    known = {"errors", "audio", "control", "models", "codecs"}
    for one in OURS:
        if part_of(one.file) == "codecs":
            assert part_of(one.module) in known, f"{one.file}:{one.line} imports {one.module}"


def test_every_outside_library_has_its_home():
    strangers = []
    for one in EVERY:
        library = one.module.split(".")[0]
        if library == "codecfx" or library in sys.stdlib_module_names:
            continue
        homes = HOMES.get(library, set())
        at_home = any(one.file.startswith(home) for home in homes if not home.startswith("*"))
        visiting = one.lazy and any(one.file == home[1:] for home in homes if home.startswith("*"))
        if not at_home and not visiting:
            strangers.append(f"{one.file}:{one.line} imports {one.module}")
    assert strangers == []


def test_a_codec_is_imported_by_nobody_who_does_not_ask_for_it():
    # the registry names modules; an import would load every engine for one
    engines = {"codecfx.codecs.opus", "codecfx.codecs.pcm", "codecfx.codecs.libopus"}
    for one in OURS:
        if part_of(one.file) != "codecs" and one.module in engines:
            assert one.lazy, f"{one.file}:{one.line} imports {one.module}"


def loaded_by(code: str) -> set[str]:
    """The outermost modules that a fresh Python has loaded after `code`."""
    show = "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + show],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(done.stdout.split())


HEAVY = {"torch", "onnxruntime", "av", "pedalboard", "numpy", "soundfile", "opuslib", "rich", "typer"}


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        ("import codecfx", set()),
        ("import codecfx; dir(codecfx)", {"numpy"}),
        ("import codecfx.errors, codecfx.codecs, codecfx.control.parameters", {"numpy"}),
        ("import codecfx; codecfx.PCM", {"numpy"}),
        ("import codecfx; codecfx.Opus(), codecfx.MP3(), codecfx.GSM()", {"numpy"}),
        ("import codecfx; codecfx.Pedalboard([codecfx.PCM()])", {"numpy"}),
        ("import codecfx; import numpy; codecfx.PCM()(numpy.zeros((2, 64), 'f4'), 8000)", {"numpy"}),
        (
            "import codecfx; import numpy; codecfx.Opus()(numpy.zeros((2, 64), 'f4'), 8000)",
            {"numpy", "opuslib"},  # and not av, whose libopus it is
        ),
        ("import codecfx; codecfx.native('Gain')", {"numpy", "pedalboard"}),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(code, needs):
    assert loaded_by(code) & HEAVY == needs
