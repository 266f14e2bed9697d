"""Models: fetched when asked, whole and right or not at all, resumed when cut; found, checked, removed.

A real server on this machine, real processes, real signals, and small made-up models; Lyra's own files
beside them where the machine has them. Nobody's cache is touched.
"""

import hashlib
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from file_server import FileServer

from codecfx import models
from codecfx.errors import CodecUnavailable, ModelFileError, ModelMissing, UnknownName
from codecfx.models import Model, ModelFile, State
from codecfx.models.fetching import pull
from codecfx.models.locking import locked

ROOT = Path(__file__).parents[1]
REAL_LYRA = ROOT.parent / "shared" / "models" / "lyra"  # beside the repository, on some machines
KINDS = ["pair", *(["lyra"] if REAL_LYRA.is_dir() else [])]
PATIENCE = 60  # seconds; only a failure takes so long

TINY_BYTES = random.Random(1).randbytes(300_007)
TWO_BYTES = {"one.bin": random.Random(2).randbytes(65_537), "two.bin": random.Random(3).randbytes(1)}

Done = subprocess.CompletedProcess[str]


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def published(name: str, content: bytes, base: str, digits: int = 64) -> ModelFile:
    return ModelFile(name, len(content), digest_of(content)[:digits], f"{base}/{name}")


def tiny_model(base: str = "http://127.0.0.1:9") -> Model:
    """One file, of whose checksum eight digits are known, as EnCodec's."""
    file = published("tiny.bin", TINY_BYTES, base, digits=8)
    return Model("tiny", "Tiny", "A made-up model", (file,), "none", "nowhere.invalid")


def pair_model(base: str = "http://127.0.0.1:9") -> Model:
    """Two files, as Lyra's three."""
    files = tuple(published(name, content, base) for name, content in TWO_BYTES.items())
    return Model("pair", "Pair", "Two made-up files", files, "none", "nowhere.invalid")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty place for models, not yet made, and an environment without any other."""
    for variable in list(os.environ):
        if variable.startswith("CODECFX_MODEL"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("CODECFX_MODELS", str(tmp_path / "cache" / "models"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def server() -> Iterator[FileServer]:
    real = {path.name: path.read_bytes() for path in REAL_LYRA.glob("*.tflite")}
    with FileServer({"tiny.bin": TINY_BYTES} | TWO_BYTES | real) as running:
        yield running


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def stored(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def refused(*arguments: Any) -> str:
    """What pulling says that does not work: one line, about model files."""
    with pytest.raises(ModelFileError) as refusal:
        pull(*arguments)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# What there is


def test_three_models_are_known():
    assert list(models.MODELS) == ["encodec", "encodec48", "lyra"]
    names = []
    for name, model in models.MODELS.items():
        assert model.name == name
        assert model.variable == f"CODECFX_MODEL_{name.upper()}"
        for file in model.files:
            names.append(file.name)
            assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", file.sha256)
            assert file.url.startswith("https://")
            assert file.url.endswith(f"/{file.name}")
            if len(file.sha256) == 8:  # as Meta's own loader reads it
                assert file.sha256 in file.name
    assert len(set(names)) == len(names) == 5
    for name in names:  # what is made of a file begins with its name, and is removed with it
        assert not any(other.startswith(name) for other in names if other != name)


def test_lyras_table_is_that_of_the_real_files():
    """Where they are; that the table has all of them is known everywhere."""
    files = {file.name: file for file in models.MODELS["lyra"].files}
    assert set(files) == {"soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite"}
    for path in REAL_LYRA.glob("*.tflite"):
        assert files[path.name].size_bytes == path.stat().st_size
        assert files[path.name].sha256 == digest_of(path.read_bytes())


def test_a_wrong_name_gets_the_nearest():
    for ask in (models.files, models.state, models.verify, models.remove, models.is_missing, pull):
        with pytest.raises(UnknownName, match=r"no model 'encodek'; did you mean 'encodec'\?"):
            ask("encodek")


def test_models_lie_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CODECFX_MODELS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models.folder().is_relative_to(tmp_path)
    assert models.folder().parts[-2:] == ("codecfx", "models")
    assert not models.folder().exists()
    monkeypatch.setenv("CODECFX_MODELS", str(tmp_path / "elsewhere"))
    assert models.folder() == tmp_path / "elsewhere"


def test_sizes_in_words():
    assert [models.megabytes(size) for size in (1, 3_583_372, 93_000_000)] == [
        "0.0 MB",
        "3.6 MB",
        "93 MB",
    ]


# Whether a model is there, and right


def test_a_model_that_is_not_here_says_what_to_type(cache):
    with pytest.raises(ModelMissing) as missing:
        models.files("encodec")
    assert str(missing.value) == "encodec needs its model (93 MB); type: codecfx models pull encodec"
    assert isinstance(missing.value, CodecUnavailable)
    assert models.state("encodec") is State.MISSING
    assert models.is_missing("encodec")
    assert not cache.exists()


def test_a_model_is_there_when_all_its_files_are(cache):
    model = pair_model()
    stored(cache, "one.bin", TWO_BYTES["one.bin"])
    with pytest.raises(ModelMissing, match=r"pair needs its model \(0.1 MB\)"):
        models.files(model)
    assert models.state(model) is State.MISSING
    stored(cache, "two.bin", TWO_BYTES["two.bin"])
    assert models.files(model) == {name: cache / name for name in TWO_BYTES}
    assert models.state(model) is State.THERE
    assert models.verify(model) == []
    assert not models.is_missing(model)


def test_another_file_is_not_the_model(cache):
    other = b"another"
    path = stored(cache, "tiny.bin", other)
    message = (
        f"{path} is not the official file (its SHA-256 begins {digest_of(other)[:8]}, expected "
        f"{digest_of(TINY_BYTES)[:8]}); type: codecfx models pull tiny, or name it by "
        "CODECFX_MODEL_TINY"
    )
    with pytest.raises(ModelFileError) as refusal:
        models.files(tiny_model())
    assert str(refusal.value) == message
    assert models.verify(tiny_model()) == [message]
    assert models.state(tiny_model()) is State.DAMAGED
    assert not models.is_missing(tiny_model())


def test_verify_names_every_file_that_is_wrong(cache):
    for name, content in TWO_BYTES.items():
        stored(cache, name, content[:-1] + b"x")
    wrong = models.verify(pair_model())
    assert [line.split(" ")[0] for line in wrong] == [str(cache / name) for name in TWO_BYTES]
    assert wrong[0].endswith("or name its folder by CODECFX_MODEL_PAIR")
    stored(cache, "one.bin", TWO_BYTES["one.bin"])
    assert len(models.verify(pair_model())) == 1
    with pytest.raises(ModelFileError, match=r"two\.bin is not the official file"):
        models.files(pair_model())


def test_what_is_named_by_path_is_not_checked(tmp_path, monkeypatch, cache):
    mine = stored(tmp_path, "mine.bin", b"trained at home")
    monkeypatch.setenv("CODECFX_MODEL_TINY", str(mine))
    assert models.files(tiny_model()) == {"tiny.bin": mine}
    assert models.state(tiny_model()) is State.BY_PATH
    assert models.verify(tiny_model()) == []
    monkeypatch.setenv("CODECFX_MODEL_PAIR", str(tmp_path / "ours"))
    for name in TWO_BYTES:
        stored(tmp_path / "ours", name, b"trained at home")
    assert models.files(pair_model()) == {name: tmp_path / "ours" / name for name in TWO_BYTES}
    assert models.state(pair_model()) is State.BY_PATH
    assert not cache.exists()


def test_a_folder_may_be_named_for_one_file_too(tmp_path, monkeypatch):
    path = stored(tmp_path / "ours", "tiny.bin", b"trained at home")
    monkeypatch.setenv("CODECFX_MODEL_TINY", str(path.parent))
    assert models.files(tiny_model()) == {"tiny.bin": path}


@pytest.mark.parametrize(
    ("model", "path", "what"),
    [
        (tiny_model(), "nowhere", "no file"),
        (tiny_model(), ".", "no file"),
        (pair_model(), "nowhere", "no folder with one.bin in it"),
        (pair_model(), "cache/models/one.bin", "no folder with one.bin in it"),
    ],
)
def test_a_path_that_leads_nowhere_names_it(tmp_path, monkeypatch, cache, model, path, what):
    for name, content in TWO_BYTES.items():
        stored(cache, name, content)  # which is not taken instead
    stored(cache, "tiny.bin", TINY_BYTES)
    monkeypatch.setenv(model.variable, str(tmp_path / path))
    with pytest.raises(ModelFileError) as refusal:
        models.files(model)
    assert str(refusal.value) == (
        f"{model.variable} is '{tmp_path / path}', which is {what}; set it to the right path, "
        f"or unset it and type: codecfx models pull {model.name}"
    )
    assert models.verify(model) == [str(refusal.value)]
    assert models.state(model) is State.MISSING


def test_checksums_are_those_of_the_content_now(tmp_path):
    path = stored(tmp_path, "a", b"one")
    assert models.sha256(path) == models.sha256(str(path)) == digest_of(b"one")
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert models.sha256(path) == digest_of(b"two")
    path.write_bytes(b"six")  # as long and as old as before: a file is read once
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert models.sha256(path) == digest_of(b"two")
    path.unlink()
    with pytest.raises(ModelFileError, match=r"a: cannot be read \(No such file or directory\)"):
        models.sha256(path)
    with pytest.raises(ModelFileError, match=r": cannot be read \(Is a directory\)"):
        models.sha256(tmp_path)


# Fetching


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_model_is_fetched_whole_and_once(cache, server, framing):
    server.framing = framing
    model = tiny_model(server.url)
    seen = []
    assert pull(model, progress=seen.append) == [cache / "tiny.bin"]
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert models.state(model) is State.THERE
    assert listed(cache) == ["tiny.bin"]
    assert {one.doing for one in seen} == {"fetching"}
    assert seen[0].done_bytes == 0
    assert seen[-1].done_bytes == seen[-1].total_bytes == len(TINY_BYTES)
    assert pull(model) == []
    assert server.asked == [("tiny.bin", None)]


def test_only_what_is_missing_or_wrong_is_fetched(cache, server):
    model = pair_model(server.url)
    assert pull(model) == [cache / name for name in TWO_BYTES]
    stored(cache, "two.bin", b"x")
    assert models.state(model) is State.DAMAGED
    assert pull(model) == [cache / "two.bin"]
    assert models.state(model) is State.THERE
    assert [name for name, _ in server.asked] == ["one.bin", "two.bin", "two.bin"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("cut", [0, 1, 100_003, 300_006])
def test_a_cut_download_is_resumed(cache, server, framing, cut):
    model = tiny_model(server.url)
    server.framing, server.cut_after = framing, cut
    message = refused(model)
    assert message.startswith(f"{server.url}/tiny.bin: the connection broke after 0.")
    assert message.endswith("; to go on from there, type: codecfx models pull tiny")
    assert listed(cache) == ["tiny.bin.part"]
    assert (cache / "tiny.bin.part").read_bytes() == TINY_BYTES[:cut]
    with pytest.raises(ModelMissing):  # a part is no model
        models.files(model)
    server.cut_after = None
    seen = []
    pull(model, progress=seen.append)
    assert server.asked == [("tiny.bin", None), ("tiny.bin", f"bytes={cut}-" if cut else None)]
    assert server.sent == [cut, len(TINY_BYTES) - cut]
    assert {one.doing for one in seen} == {"resuming" if cut else "fetching"}
    assert seen[0].done_bytes == cut
    assert {one.total_bytes for one in seen} == {len(TINY_BYTES)}
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert listed(cache) == ["tiny.bin"]


@pytest.mark.parametrize("part_bytes", [1, 100_003])
def test_a_server_that_knows_no_ranges_sends_all_again(cache, server, part_bytes):
    stored(cache, "tiny.bin.part", TINY_BYTES[:part_bytes])
    server.takes_ranges = False
    seen = []
    pull(tiny_model(server.url), progress=seen.append)
    assert server.asked == [("tiny.bin", f"bytes={part_bytes}-")]
    assert server.sent == [len(TINY_BYTES)]
    assert {one.doing for one in seen} == {"fetching"}
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES


@pytest.mark.parametrize("more", [b"x", b"x" * 70_000])
def test_a_part_longer_than_the_file_is_begun_again(cache, server, more):
    stored(cache, "tiny.bin.part", TINY_BYTES + more)
    pull(tiny_model(server.url))
    assert server.asked == [("tiny.bin", f"bytes={len(TINY_BYTES + more)}-"), ("tiny.bin", None)]
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert listed(cache) == ["tiny.bin"]


def test_a_whole_part_needs_no_server(cache, server):
    """As of a process killed between the last byte and the name."""
    stored(cache, "tiny.bin.part", TINY_BYTES)
    assert pull(tiny_model(server.url)) == [cache / "tiny.bin"]
    assert server.asked == []
    assert listed(cache) == ["tiny.bin"]


def test_a_part_of_another_file_is_refused_and_removed(cache, server):
    stored(cache, "tiny.bin.part", b"x" * 1000)
    assert "is not the official file (its SHA-256 begins " in refused(tiny_model(server.url))
    assert listed(cache) == []
    pull(tiny_model(server.url))
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES


def test_a_server_that_goes_on_elsewhere_is_refused(cache, server):
    stored(cache, "tiny.bin.part", TINY_BYTES[:1000])
    server.shift = 7
    assert "tiny.bin sends byte 1007 for 1000; " in refused(tiny_model(server.url))
    assert (cache / "tiny.bin.part").read_bytes() == TINY_BYTES[:1000]


def test_wrong_content_never_gets_the_name(cache, server):
    page = b"<html>Welcome to Hotel Wi-Fi! Please log in.</html>"
    server.files["tiny.bin"] = page
    message = refused(tiny_model(server.url))
    assert message.startswith(
        f"what {server.url}/tiny.bin sent is not the official file (its SHA-256 begins "
        f"{digest_of(page)[:8]}, expected {digest_of(TINY_BYTES)[:8]}) and is removed; "
    )
    assert message.endswith("codecfx models pull tiny --from FILE")
    assert listed(cache) == []


def test_a_wrong_file_stays_until_the_right_one_is_here(cache, server):
    stored(cache, "tiny.bin", b"old")
    server.cut_after = 1000
    refused(tiny_model(server.url))
    assert (cache / "tiny.bin").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("status", "words"), [(404, "404 Not Found"), (503, "503 Service Unavailable")]
)
def test_a_server_that_refuses_is_said_in_one_line(cache, server, status, words):
    server.status = status
    for had in (b"", TINY_BYTES[:1000]):
        if had:
            stored(cache, "tiny.bin.part", had)
        message = refused(tiny_model(server.url))
        assert message == (
            f"cannot fetch {server.url}/tiny.bin: the server says {words}; try later, set "
            "CODECFX_MODELS_URL to a mirror, or get it by other means and type: "
            "codecfx models pull tiny --from FILE"
        )
        assert listed(cache) == ["tiny.bin.part"] * bool(had)


def test_no_server_is_said_in_one_line(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        message = refused(tiny_model(address))
    assert message.startswith(f"cannot fetch {address}/tiny.bin: Connection refused; try later, ")
    assert "nobody.invalid/tiny.bin: " in refused(tiny_model("http://nobody.invalid"))
    assert listed(cache) == []


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_server_of_something_else_is_said_in_one_line(answer):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(65_536)
                caller.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        message = refused(tiny_model(f"http://127.0.0.1:{listening.getsockname()[1]}"))
        thread.join()
    assert "http://127.0.0.1:" in message
    assert models.state(tiny_model()) is State.MISSING


def test_a_mirror_serves_files_by_their_names(cache, server, monkeypatch):
    for mirror in (server.url, f"{server.url}/"):
        monkeypatch.setenv("CODECFX_MODELS_URL", mirror)
        pull(pair_model("http://nobody.invalid/original"))
        models.remove(pair_model())
    assert server.asked == [(name, None) for name in TWO_BYTES] * 2
    monkeypatch.setenv("CODECFX_MODELS_URL", str(cache))
    assert refused(tiny_model()) == (
        f"CODECFX_MODELS_URL is '{cache}'; it takes an address that begins with https:// or http://"
    )


# From files


@pytest.mark.parametrize("name", ["tiny.bin", "renamed.th"])
def test_a_file_is_copied_and_checked(cache, tmp_path, name):
    source = stored(tmp_path / "usb", name, TINY_BYTES)
    part = stored(cache, "tiny.bin.part", TINY_BYTES[:1000])
    seen = []
    assert pull(tiny_model(), source, seen.append) == [cache / "tiny.bin"]
    assert (cache / "tiny.bin").read_bytes() == source.read_bytes() == TINY_BYTES
    assert {one.doing for one in seen} == {"copying"}
    assert seen[-1].done_bytes == seen[-1].total_bytes == len(TINY_BYTES)
    assert listed(cache) == ["tiny.bin", part.name]  # another's download, perhaps


def test_a_folder_is_copied_from(cache, tmp_path):
    for name, content in TWO_BYTES.items():
        stored(tmp_path / "usb", name, content)
    stored(tmp_path / "usb", "readme.txt", b"hello")
    assert pull(pair_model(), tmp_path / "usb") == [cache / name for name in TWO_BYTES]
    assert models.state(pair_model()) is State.THERE
    assert listed(cache) == sorted(TWO_BYTES)
    assert pull(pair_model(), tmp_path / "usb") == []


def test_a_finished_part_may_be_named_itself(cache):
    part = stored(cache, "tiny.bin.part", TINY_BYTES)
    pull(tiny_model(), part)
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES


def test_a_wrong_source_changes_nothing(cache, tmp_path):
    stored(tmp_path / "usb", "one.bin", TWO_BYTES["one.bin"])
    usb = tmp_path / "usb"
    assert refused(pair_model(), usb) == (
        f"there is no {usb / 'two.bin'}; name a folder with two.bin in it"
    )
    wrong = stored(usb, "two.bin", b"x")
    assert refused(pair_model(), usb) == (
        f"{wrong} is not the official file (its SHA-256 begins {digest_of(b'x')[:8]}, expected "
        f"{digest_of(TWO_BYTES['two.bin'])[:8]}); to use its folder all the same, set "
        "CODECFX_MODEL_PAIR"
    )
    assert refused(pair_model(), wrong) == (
        f"{wrong} is one file; pair takes a folder with one.bin, two.bin"
    )
    assert "to use it all the same, set CODECFX_MODEL_TINY" in refused(tiny_model(), wrong)
    assert f"there is no {usb / 'none' / 'tiny.bin'}; " in refused(tiny_model(), usb / "none")
    assert not cache.exists()


# Removing


def test_removing_takes_what_was_made_of_it_too(cache, tmp_path, monkeypatch):
    made = ("tiny.bin.0a1b2c.onnx", "tiny.bin.part", "tiny.bin.copy.part", "tiny.bin.lock")
    for name in ("tiny.bin", *made, "two.bin", "tin.bin", "my.tiny.bin"):
        stored(cache, name, b"")
    mine = stored(tmp_path, "mine.bin", b"trained at home")
    monkeypatch.setenv("CODECFX_MODEL_TINY", str(mine))
    removed = models.remove(tiny_model())
    assert removed == sorted(cache / name for name in ("tiny.bin", *made[:3]))
    assert listed(cache) == ["my.tiny.bin", "tin.bin", "two.bin"]
    assert mine.exists()
    assert models.remove(tiny_model()) == []
    shutil.rmtree(cache)
    assert models.remove(tiny_model()) == []
    assert not cache.exists()


def test_what_is_being_fetched_is_not_removed(cache, server):
    server.pause_s = 0.02
    with threads(lambda: pull(tiny_model(server.url))):
        wait_for(lambda: (cache / "tiny.bin.part").exists())
        with pytest.raises(ModelFileError, match=r"tiny\.bin is being fetched; stop that, or "):
            models.remove(tiny_model())
    assert models.state(tiny_model()) is State.THERE
    assert listed(cache) == ["tiny.bin"]


# Several at once


class threads:  # noqa: N801
    """Calls that run in threads of their own while the block does; what they raise is raised."""

    def __init__(self, *calls: Any) -> None:
        self._errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(call,)) for call in calls]

    def _run(self, call: Any) -> None:
        try:
            call()
        except Exception as error:
            self._errors.append(error)

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *error: Any) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        for one in self._errors:
            raise one


def wait_for(condition: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_lock_is_one_holders_also_while_it_is_removed(tmp_path):
    """Whoever lets go removes the file; who had it open by then holds the lock of nothing."""
    inside: list[int] = []
    seen = []

    def come_and_go() -> None:
        for _ in range(300):
            with suppress(BlockingIOError), locked(tmp_path / "lock", wait=False):
                inside.append(1)
                time.sleep(0.0005)
                seen.append(len(inside))
                inside.pop()

    with threads(*[come_and_go] * 8):
        pass
    assert set(seen) == {1}
    assert listed(tmp_path) == []


def test_two_pulls_in_one_process_fetch_once(cache, server):
    server.pause_s = 0.01
    seen: list[Any] = []
    with threads(*[lambda: pull(tiny_model(server.url), None, seen.append)] * 3):
        pass
    assert server.asked == [("tiny.bin", None)]
    assert "waiting" in {one.doing for one in seen}
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert listed(cache) == ["tiny.bin"]


def test_who_waits_goes_on_where_the_first_was_cut(cache, server):
    server.pause_s, server.cut_after = 0.01, 200_000
    seen: list[Any] = []

    def second() -> None:
        wait_for(lambda: (cache / "tiny.bin.part").exists())
        pull(tiny_model(server.url), None, watch)

    def watch(at: Any) -> None:
        seen.append(at.doing)
        server.cut_after = None  # the first answer has begun; it keeps what it was told

    with threads(second):
        refused(tiny_model(server.url))
    assert "waiting" in seen
    assert server.sent == [200_000, len(TINY_BYTES) - 200_000]
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES


# The command line, which knows the made-up models too, and a codec that needs one
PREPARED = f"""
from codecfx import models
from codecfx.models.table import Model, ModelFile
models.MODELS.update(tiny={tiny_model()!r}, pair={pair_model()!r})
"""
COMMAND = f"{PREPARED}\nfrom codecfx.cli import main\nmain()"
A_CODEC = """
from codecfx import codecs
from codecfx.codecs.pcm import PCM
@codecs.register
class Dreamt(PCM):
    name, title, description, model = "dreamt", "Dreamt", "A codec with a model", "tiny"
    def __init__(self, *arguments):
        models.files(self.model)
        super().__init__(*arguments)
"""
WITH_A_CODEC = f"{PREPARED}{A_CODEC}\nfrom codecfx.cli import main\nmain()"


def environment(**more: str) -> dict[str, str]:
    """This machine's and the fixtures', without what would change the output."""
    private = ("XDG_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTHON", "TTY_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(private)}
    return kept | {"PYTHONPATH": str(ROOT), "HOME": os.devnull, "PYTHONIOENCODING": "utf-8"} | more


def codecfx(*arguments: object, code: str = COMMAND, cwd: Path = ROOT, **more: str) -> Done:
    """Run the command line to its end; warnings are errors. more: environment variables."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def output_of(done: Done) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def error_of(done: Done, exit_code: int = 1) -> str:
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("codecfx: error: ")
    return done.stderr.removeprefix("codecfx: error: ").rstrip("\n")


@pytest.fixture
def mirror(server, monkeypatch) -> FileServer:
    """The server, as the place that everything would be fetched from."""
    monkeypatch.setenv("CODECFX_MODELS_URL", server.url)
    return server


@pytest.mark.parametrize("kind", KINDS)
def test_the_life_of_a_model(cache, mirror, kind):
    names = [file.name for file in (models.MODELS | {"pair": pair_model()})[kind].files]
    assert re.match(f"{kind} needs its model ", error_of(codecfx("models", "path", kind)))
    sizes = [models.megabytes(len(mirror.files[name])) for name in names]
    fetched = output_of(codecfx("models", "pull", kind.upper()))
    assert fetched == "".join(f"{cache / n}: {s}\n" for n, s in zip(names, sizes, strict=True))
    assert output_of(codecfx("models", "pull", kind)) == f"{kind} is there, in {cache}\n"
    assert mirror.asked == [(name, None) for name in names]
    assert output_of(codecfx("models", "path", kind)).split() == [str(cache / name) for name in names]
    assert output_of(codecfx("models", "path")) == f"{cache}\n"
    assert output_of(codecfx("models", "verify", kind)) == f"{kind}: good\n"
    assert re.search(rf"^{kind} +there ", output_of(codecfx("models", "list")), re.MULTILINE)
    stored(cache, names[1], b"x")
    done = codecfx("models", "verify", kind)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"{kind}: {cache / names[1]} is not the official file (its SHA-256 ")
    listing = output_of(codecfx("models", "list"))
    assert re.search(rf"^{kind} +damaged ", listing, re.MULTILINE)
    assert f"\n{cache / names[1]} is not the official file" in listing
    removed = output_of(codecfx("models", "remove", kind))
    assert removed == "".join(f"removed {cache / name}\n" for name in names)
    assert output_of(codecfx("models", "remove", kind)) == f"nothing of {kind} in {cache}\n"
    assert listed(cache) == []


def test_models_are_listed(cache, tmp_path, monkeypatch):
    stored(cache, "tiny.bin", TINY_BYTES)
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC48", str(stored(tmp_path, "mine.th", b"x")))
    text = output_of(codecfx("models", "list"))
    assert max(map(len, text.splitlines()[:-3])) <= 80  # what follows has paths in it
    for line in (
        r"encodec +missing +93 MB +unclear \(code MIT\) +github.com/facebookresearch/encodec",
        r"encodec48 +by path +76 MB +unclear \(code MIT\) +github.com/facebookresearch/encodec",
        r"lyra +missing +3.6 MB +Apache-2.0 +github.com/google/lyra",
        r"tiny +there +0.3 MB +none +nowhere.invalid",
        r"lyragan.tflite +lyra +50e7839cda4f3059",
        r"encodec_24khz-d7cc33bc.th +encodec +d7cc33bc",
        "encodec48 is what CODECFX_MODEL_ENCODEC48 names",
    ):
        assert re.search(rf"^{line} *$", text, re.MULTILINE), line
    entries = {one["name"]: one for one in json.loads(output_of(codecfx("models", "list", "--json")))}
    assert [one["state"] for one in entries.values()] == [
        *("missing", "by path", "missing"),
        *("there", "missing"),
    ]
    (file,) = entries["tiny"]["files"]
    assert file["path"] == str(cache / "tiny.bin")
    assert file["sha256"] == digest_of(TINY_BYTES)[:8]
    assert entries["lyra"]["files"][2]["path"] is None
    assert entries["lyra"]["size_bytes"] == 3_583_372
    assert entries["lyra"]["variable"] == "CODECFX_MODEL_LYRA"


def test_verify_without_a_name_minds_only_what_is_here(cache):
    stored(cache, "tiny.bin", TINY_BYTES)
    assert output_of(codecfx("models", "verify")).splitlines() == [
        "encodec: not here",
        "encodec48: not here",
        "lyra: not here",
        "tiny: good",
        "pair: not here",
    ]
    done = codecfx("models", "verify", "lyra")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "lyra: lyra needs its model (3.6 MB); type: codecfx models pull lyra\n"
    done = codecfx("models", "verify", CODECFX_MODEL_TINY="/none")
    assert done.returncode == 1
    assert "tiny: CODECFX_MODEL_TINY is '/none', which is no file; " in done.stdout


def test_a_path_is_said_where_it_matters(cache, mirror, tmp_path):
    mine = stored(tmp_path, "mine.bin", b"trained at home")
    path = {"CODECFX_MODEL_TINY": str(mine)}
    assert output_of(codecfx("models", "path", "tiny", **path)) == f"{mine}\n"
    assert (
        output_of(codecfx("models", "verify", "tiny", **path)) == "tiny: named by path, not checked\n"
    )
    assert output_of(codecfx("models", "pull", "tiny", **path)).splitlines() == [
        f"{cache / 'tiny.bin'}: 0.3 MB",
        "CODECFX_MODEL_TINY is set: what it names is used instead",
    ]


@pytest.mark.parametrize("verb", ["pull", "verify", "path", "remove"])
def test_a_wrong_name_is_wrong_usage(mirror, verb):
    message = error_of(codecfx("models", verb, "encodek"), 2)
    assert message == "no model 'encodek'; did you mean 'encodec'?"


def test_copying_on_the_command_line(cache, tmp_path):
    source = stored(tmp_path, "renamed", TINY_BYTES)
    assert output_of(codecfx("models", "pull", "tiny", "--from", source)) == (
        f"{cache / 'tiny.bin'}: 0.3 MB\n"
    )
    assert "there is no /none/one.bin; " in error_of(
        codecfx("models", "pull", "pair", "--from", "/none")
    )


def test_lyra_from_a_folder(cache, tmp_path):
    source = REAL_LYRA if REAL_LYRA.is_dir() else tmp_path
    if source == REAL_LYRA:
        output_of(codecfx("models", "pull", "lyra", "--from", source))
        assert models.state("lyra") is State.THERE
        assert models.files("lyra")["quantizer.tflite"].stat().st_size == 329_012
    message = error_of(codecfx("models", "pull", "tiny", "--from", source))
    assert message.startswith(f"there is no {source / 'tiny.bin'}; ")


def test_models_alone_prints_help():
    help_ = output_of(codecfx("models"))
    assert output_of(codecfx("models", "--help")) == help_
    for verb in ("list", "pull", "verify", "path", "remove"):
        assert re.search(rf"^│ {verb}  ", help_, re.MULTILINE)


def test_nothing_is_fetched_unasked(cache, mirror, tmp_path):
    (tmp_path / "mine.toml").write_text('version = 1\n[[chain]]\neffect = "dreamt"\n')
    for command in (
        *("models list", "models verify", "models path", "models remove tiny", "doctor"),
        *("codecs", "effects dreamt", "presets list", "presets validate"),
    ):
        done = codecfx(*command.split(), code=WITH_A_CODEC, CODECFX_PRESETS=str(tmp_path))
        assert done.stderr == ""
    with pytest.raises(ModelMissing):
        models.files("lyra")
    done = codecfx("render", "in.wav", "-o", "out.wav", "-e", "dreamt", code=WITH_A_CODEC, cwd=tmp_path)
    assert done.returncode == 1
    assert mirror.asked == []
    assert not cache.exists()


# What can go wrong on the way


def started(*arguments: object, **pipes: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=environment(TERM="xterm-256color"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        **({"stderr": subprocess.PIPE} | pipes),
    )


@pytest.mark.parametrize(
    ("stop", "exit_code", "said"),
    [
        (signal.SIGINT, 130, "codecfx: error: stopped\n"),
        (signal.SIGTERM, 130, "codecfx: error: stopped\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_what_was_stopped_goes_on_from_there(cache, mirror, stop, exit_code, said):
    mirror.pause_s = 0.05
    part = cache / "tiny.bin.part"
    with started("models", "pull", "tiny") as process:
        wait_for(lambda: part.exists() and part.stat().st_size > 50_000)
        process.send_signal(stop)
        printed, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed, error) == (exit_code, "", said)
    came = part.stat().st_size
    assert 50_000 < came < len(TINY_BYTES)
    assert part.read_bytes() == TINY_BYTES[:came]
    mirror.pause_s = 0
    done = codecfx("models", "pull", "tiny")
    assert done.stderr == f"resuming tiny.bin after {models.megabytes(came)}\n"
    assert done.stdout == f"{cache / 'tiny.bin'}: 0.3 MB\n"
    assert mirror.asked == [("tiny.bin", None), ("tiny.bin", f"bytes={came}-")]
    assert mirror.sent[1] == len(TINY_BYTES) - came
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert listed(cache) == ["tiny.bin"]


@pytest.mark.parametrize("kill_the_first", [False, True])
def test_two_pulls_at_once_make_one_file(cache, mirror, kill_the_first):
    mirror.pause_s = 0.5
    with started("models", "pull", "tiny") as first:
        wait_for(lambda: (cache / "tiny.bin.part").exists())
        with started("models", "pull", "tiny") as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "waiting for another codecfx, which fetches tiny.bin\n"
            mirror.pause_s = 0
            if kill_the_first:
                first.kill()
            else:
                assert first.wait(PATIENCE) == 0
            assert second.wait(PATIENCE) == 0
    assert len(mirror.asked) == (2 if kill_the_first else 1)
    assert (cache / "tiny.bin").read_bytes() == TINY_BYTES
    assert listed(cache) == ["tiny.bin"]


def with_limit(kilobytes: int, *arguments: object) -> Done:
    """The command where no file may grow beyond that: a full disk."""
    limited = ("bash", "-c", f'ulimit -f {kilobytes} && exec "$@"', "bash")
    return subprocess.run(
        [*limited, sys.executable, "-c", COMMAND, *map(str, arguments)],
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def test_a_full_disk_is_said_in_one_line_and_gone_on_from(cache, mirror, tmp_path):
    message = error_of(with_limit(100, "models", "pull", "tiny"))
    assert message == (
        f"cannot write '{cache / 'tiny.bin'}': File too large; make room or get the right to write "
        "there, or set CODECFX_MODELS to another folder"
    )
    assert listed(cache) == ["tiny.bin.part"]
    came = (cache / "tiny.bin.part").read_bytes()
    assert came == TINY_BYTES[: len(came)]
    assert 0 < len(came) <= 102_400
    codecfx("models", "pull", "tiny")
    assert mirror.asked[1:] == [("tiny.bin", f"bytes={len(came)}-")]
    assert models.state(tiny_model()) is State.THERE
    models.remove(tiny_model())
    source = stored(tmp_path, "tiny.bin", TINY_BYTES)
    assert "File too large; make room" in error_of(
        with_limit(100, "models", "pull", "tiny", "--from", source)
    )
    assert listed(cache) == []


NOBODY = f"""
import os, platformdirs
import codecfx.cli.app, codecfx.cli.output, codecfx.models.fetching, hashlib  # while one may
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
{COMMAND}
"""


def test_what_one_may_not_touch_is_said_in_one_line(mirror, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("no folder")
    stored(tmp_path / "full", "tiny.bin", TINY_BYTES).chmod(0o444)
    stored(tmp_path / "locked", "tiny.bin", TINY_BYTES).chmod(0)
    stored(tmp_path / "hidden", "tiny.bin", TINY_BYTES)
    for folder, mode in (("shut", 0o555), ("full", 0o555), ("locked", 0o555), ("hidden", 0)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder).chmod(mode)

    def run(where: str, *arguments: str) -> Done:
        return codecfx("models", *arguments, code=NOBODY, cwd=tmp_path, CODECFX_MODELS=where)

    for where in ("shut", "shut/deep"):
        message = error_of(run(where, "pull", "tiny"))
        assert message.startswith(
            f"cannot write '{where}/tiny.bin': Permission denied; make room or get"
        )
    assert "'file/tiny.bin': File exists; " in error_of(run("file", "pull", "tiny"))
    assert mirror.asked == []
    output_of(run("full", "pull", "tiny"))  # somebody else's folder, and all is in it
    output_of(run("full", "path", "tiny"))
    assert "cannot remove 'full/tiny.bin.lock': Permission" in error_of(run("full", "remove", "tiny"))
    for verb in ("pull", "path"):
        assert error_of(run("locked", verb, "tiny")) == (
            "locked/tiny.bin: cannot be read (Permission denied)"
        )
    for verb, what in (("pull", "hidden/tiny.bin"), ("path", "hidden/tiny.bin"), ("remove", "hidden")):
        assert error_of(run("hidden", verb, "tiny")) == f"{what}: cannot be read (Permission denied)"
    (tmp_path / "hidden").chmod(0o755)
    assert listed(tmp_path / "shut") == []


def test_a_terminal_sees_a_bar(cache, mirror):
    mirror.pause_s = 0.1
    stored(cache, "tiny.bin.part", TINY_BYTES[:100_000])
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with started("models", "pull", "tiny", stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux says so when nobody holds the other end
                break
            seen += piece
        printed, _ = process.communicate(timeout=PATIENCE)
    os.close(ours)
    assert process.returncode == 0
    assert printed == f"{cache / 'tiny.bin'}: 0.3 MB\n"
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "resuming tiny.bin after 0.1 MB" in text
    shares = [int(done) for done in re.findall(r"tiny\.bin [━╸╺ ]+ (\d+)(?:\.\d)?/300\.0 kB", text)]
    assert len(set(shares)) > 2
    assert shares == sorted(shares)
    assert shares[0] >= 100


# What the other verbs say of models


def test_a_codec_without_its_model_needs_it(cache, tmp_path):
    text = output_of(codecfx("codecs", code=WITH_A_CODEC))
    assert max(map(len, text.splitlines())) <= 80
    row, below = re.findall(r"^dreamt .*\n.*$", text, re.MULTILINE)[0].splitlines()
    assert row.split()[-1] == "needs"
    assert below.split() == ["model"]
    assert (
        "needs model: dreamt: tiny needs its model (0.3 MB); type: codecfx models pull tiny"
        in " ".join(text.split())
    )
    entries = json.loads(
        output_of(codecfx("codecs", "--json", code=WITH_A_CODEC, **{"CODECFX_LIBOPUS": "/none"}))
    )
    needs = {one["name"]: (one["needs_model"], bool(one["unavailable"])) for one in entries}
    assert needs["dreamt"] == (True, True)
    assert needs["opus"] == (False, True)  # a library, and no model, is missing
    assert needs["pcm"] == (False, False)
    stored(cache, "tiny.bin", TINY_BYTES)
    (entry,) = json.loads(output_of(codecfx("codecs", "dreamt", "--json", code=WITH_A_CODEC)))
    assert (entry["needs_model"], entry["unavailable"]) == (False, "")
    stored(cache, "tiny.bin", b"x")
    (entry,) = json.loads(output_of(codecfx("codecs", "dreamt", "--json", code=WITH_A_CODEC)))
    assert entry["needs_model"] is False
    assert "is not the official file" in entry["unavailable"]


def test_presets_that_need_a_model_are_marked(cache, tmp_path):
    chains = {
        "dream": '[[chain]]\neffect = "Dreamt"\n',
        "nested": '[[chain]]\neffect = "mix"\n[[chain.chain]]\neffect = "chain"\n'
        '[[chain.chain.chain]]\neffect = "dreamt"\n',
        "awake": '[[chain]]\neffect = "pcm"\n[[chain]]\neffect = "Gain"\n',
        "odd": '[[chain]]\neffect = 3\nchain = "no tables"\n[[chain]]\n',
    }
    for name, chain in chains.items():
        (tmp_path / f"{name}.toml").write_text(f'version = 1\ndescription = "Zzz {name}"\n{chain}')
    more = {"code": WITH_A_CODEC, "CODECFX_PRESETS": str(tmp_path)}

    def marked() -> set[str]:
        entries = json.loads(output_of(codecfx("presets", "list", "--json", **more)))
        return {one["name"] for one in entries if one["needs_model"] and one["name"] in chains}

    assert marked() == {"dream", "nested"}
    text = output_of(codecfx("presets", "list", **more))
    for name in chains:
        mark = r" \(needs model\)" if name in ("dream", "nested") else ""
        assert re.search(rf"^{name} +Zzz {name}{mark} *$", text, re.MULTILINE)
    assert "'codecfx models list'" in text
    stored(cache, "tiny.bin", TINY_BYTES)
    assert marked() == set()


def test_doctor_tells_of_every_model(cache):
    stored(cache, "tiny.bin", TINY_BYTES)
    for name, content in TWO_BYTES.items():
        stored(cache, name, content)
    text = output_of(codecfx("doctor"))
    for line in (
        f"ok       tiny model  +{cache / 'tiny.bin'}",
        f"ok       pair model  +{cache}",
        r"absent   lyra model  +lyra needs its model \(3.6 MB\); type: codecfx models pull lyra",
    ):
        assert re.search(rf"^{line}$", text, re.MULTILINE), line
    stored(cache, "tiny.bin", b"x")
    text = output_of(codecfx("doctor"))
    assert re.search(r"^absent   tiny model .* is not the official file", text, re.MULTILINE)
    for library in ("onnx", "ai-edge-litert"):
        assert re.search(rf"^(ok|absent) +{library}  ", text, re.MULTILINE)


def test_looking_for_models_loads_next_to_nothing():
    code = "from codecfx import models; models.state('lyra'); import sys; print(*sys.modules)"
    loaded = set(output_of(codecfx(code=code)).split())
    assert "codecfx.models" in loaded
    assert not loaded & {
        "numpy",
        "torch",
        "onnxruntime",
        "urllib.request",
        "http.client",
        "ssl",
        "rich",
    }
    help_ = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", COMMAND, "models", "list"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=True,
    ).stderr
    loaded = {line.rpartition("|")[2].strip() for line in help_.splitlines()}
    assert "codecfx.models" in loaded
    assert not loaded & {"torch", "av", "pedalboard", "onnxruntime", "urllib.request"}
