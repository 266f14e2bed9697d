"""Fetching a model: over the network or from a file, checked, and under its name only when it is whole.

A download is written to `<name>.part`. One that was cut short is resumed where the server can, also
after a kill. `CODECFX_MODELS_URL` names a mirror: an address to which a file's name is added.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from codecfx import models
from codecfx.errors import ModelFileError
from codecfx.models.locking import locked
from codecfx.models.table import Model, ModelFile

_CHUNK_BYTES = 1 << 16
_PATIENCE_S = 30.0  # without a byte

FETCHING, RESUMING, COPYING, WAITING = "fetching", "resuming", "copying", "waiting"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is."""

    file: ModelFile
    doing: str  # one of the four above; "waiting" for another process that fetches the same file
    done_bytes: int = 0
    total_bytes: int = 0  # as the server says, else about


Report = Callable[[Progress], object]


def _unwatched(progress: Progress) -> None:
    pass


def pull(
    model: str | Model, source: str | os.PathLike[str] | None = None, progress: Report = _unwatched
) -> list[Path]:
    """Fetch what is missing or wrong of a model into `models.folder()`, and return what that was. With
    `source`, a file or a folder with the files in it, from there.

    Raises:
        UnknownName: there is no such model.
        ModelFileError: a file cannot be fetched or stored, or is not the official one. What a cut
            download has brought stays, and the next one goes on from there.
    """
    model = models.find(model)
    sources = _sources(model, Path(source)) if source is not None else {}
    fetched = []
    for file in model.files:
        path = models.folder() / file.name
        if _is_right(file, path):
            continue
        with _storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f"{file.name}.lock")
            with locked(lock, waiting=partial(progress, Progress(file, WAITING))):
                if _is_right(file, path):  # since another process had the lock
                    continue
                if sources:
                    _copy(model, file, sources[file.name], path, progress)
                else:
                    _download(model, file, path, progress)
        fetched.append(path)
    return fetched


def _is_right(file: ModelFile, path: Path) -> bool:
    return models.is_file(path) and not models.how_it_differs(file, path)


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelFileError(
            f"cannot write '{path}': {error.strerror or error}; make room or get the right to write "
            "there, or set CODECFX_MODELS to another folder"
        ) from None


def _publish(part: Path, path: Path) -> None:
    """Give a file its name when its content is on the disk."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    with suppress(OSError):  # not every system syncs a folder, and the file is whole either way
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# From files


def _sources(model: Model, source: Path) -> dict[str, Path]:
    """Where in `source` each file is that is not there yet; all are looked at before any is copied."""
    if models.is_file(source):
        if len(model.files) > 1:
            names = ", ".join(file.name for file in model.files)
            raise ModelFileError(f"{source} is one file; {model.name} takes a folder with {names}")
        found = {model.files[0].name: source}
    else:
        found = {file.name: source / file.name for file in model.files}
    for file in model.files:
        if _is_right(file, models.folder() / file.name):
            continue
        path = found[file.name]
        if not models.is_file(path):
            raise ModelFileError(f"there is no {path}; name a folder with {file.name} in it")
        difference = models.how_it_differs(file, path)
        if difference:
            what = "use it" if len(model.files) == 1 else "use its folder"
            raise ModelFileError(f"{path} {difference}; to {what} all the same, set {model.variable}")
    return found


def _copy(model: Model, file: ModelFile, source: Path, path: Path, progress: Report) -> None:
    aside = path.with_name(f"{file.name}.copy.part")  # a download's part is left for its resumption
    try:
        with source.open("rb") as original, aside.open("wb") as copy:
            size = os.fstat(original.fileno()).st_size
            while chunk := original.read(_CHUNK_BYTES):
                copy.write(chunk)
                progress(Progress(file, COPYING, copy.tell(), size))
        difference = models.how_it_differs(file, aside)
        if difference:
            raise ModelFileError(f"the copy of {source} {difference}; {model.how} again")
        _publish(aside, path)
    finally:
        aside.unlink(missing_ok=True)


# Over the network


def _download(model: Model, file: ModelFile, path: Path, progress: Report) -> None:
    part = path.with_name(f"{file.name}.part")
    if not _is_right(file, part):  # whole, had nobody stopped us before it got its name
        _receive(model, file, part, progress)
    difference = models.how_it_differs(file, part)
    if difference:
        part.unlink()
        raise ModelFileError(f"what {_url(file)} sent {difference} and is removed; {_otherwise(model)}")
    _publish(part, path)


def _receive(model: Model, file: ModelFile, part: Path, progress: Report) -> None:
    """All of the file that `part` lacks. Raises ModelFileError, and leaves what came, if it is cut."""
    had = part.stat().st_size if part.exists() else 0
    response = _response(model, file, had)
    if response is None:  # the part is no beginning of the file: longer, or of another
        part.unlink()
        _receive(model, file, part, progress)
        return
    with response:
        begin, size = _extent(response)
        if begin not in (0, had):
            raise ModelFileError(f"{response.url} sends byte {begin} for {had}; {_otherwise(model)}")
        doing = RESUMING if begin else FETCHING
        with part.open("ab" if begin else "wb") as stream:
            done = begin
            progress(Progress(file, doing, done, size or file.size_bytes))
            while chunk := _chunk(model, response, done, size):
                stream.write(chunk)
                done += len(chunk)
                progress(Progress(file, doing, done, size or file.size_bytes))


def _response(model: Model, file: ModelFile, had: int) -> HTTPResponse | None:
    """The server's answer, from byte `had` on where it can; None if it has no such bytes."""
    import codecfx

    url = _url(file)
    headers = {"User-Agent": f"codecfx/{codecfx.__version__}"}
    if had:
        headers["Range"] = f"bytes={had}-"
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=_PATIENCE_S)
    except HTTPError as error:
        error.close()
        if had and error.code == 416:  # Range Not Satisfiable
            return None
        reason = f"the server says {error.code} {error.reason}"
    except URLError as error:
        reason = _in_words(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        reason = _in_words(error)
    else:
        return response
    raise ModelFileError(f"cannot fetch {url}: {reason}; {_otherwise(model)}")


def _extent(response: HTTPResponse) -> tuple[int, int]:
    """The first byte that the answer has, and the size of the whole file; 0 if it does not say."""
    if response.status == 206:
        said = re.match(r"bytes (\d+)-\d+/(\d+)?", response.headers.get("Content-Range", ""))
        return (int(said[1]), int(said[2] or 0)) if said else (-1, 0)
    return 0, int(response.headers.get("Content-Length") or 0)


def _chunk(model: Model, response: HTTPResponse, done: int, size: int) -> bytes:
    """What has come; empty at the end of the file. Raises ModelFileError where that comes too early."""
    try:
        chunk = response.read1(_CHUNK_BYTES)
        if chunk or done >= size:
            return chunk
        reason = "the server closed it"
    except (OSError, HTTPException) as error:
        reason = _in_words(error)
    so_far = f"{models.megabytes(done)} of {models.megabytes(size)}" if size else models.megabytes(done)
    raise ModelFileError(
        f"{response.url}: the connection broke after {so_far} ({reason}); "
        f"to go on from there, {model.how}"
    )


def _url(file: ModelFile) -> str:
    mirror = os.environ.get("CODECFX_MODELS_URL", "")
    if mirror and not mirror.startswith(("http://", "https://")):
        raise ModelFileError(
            f"CODECFX_MODELS_URL is '{mirror}'; it takes an address that begins with https:// or http://"
        )
    return f"{mirror.rstrip('/')}/{file.name}" if mirror else file.url


def _in_words(error: object) -> str:
    words = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(words.split())


def _otherwise(model: Model) -> str:
    where = "FILE" if len(model.files) == 1 else "FOLDER"
    return (
        "try later, set CODECFX_MODELS_URL to a mirror, or get it by other means and type: "
        f"codecfx models pull {model.name} --from {where}"
    )
