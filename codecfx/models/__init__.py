"""The model files of neural codecs: where they lie, and whether they are the right ones.

Models lie in `folder()`, which `CODECFX_MODELS` moves. `CODECFX_MODEL_<NAME>` names another file, or
the folder of a model's files; whoever names one is trusted, and its checksum is not asked for. Nothing
here fetches: `fetching.pull` does, when somebody asks for it.
"""

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from codecfx.errors import ModelFileError, ModelMissing, UnknownName
from codecfx.models.locking import locked
from codecfx.models.table import MODELS as MODELS
from codecfx.models.table import Model as Model
from codecfx.models.table import ModelFile as ModelFile


class State(StrEnum):
    """Where a model stands."""

    MISSING = "missing"  # a file of it, or what its variable names, is not there
    THERE = "there"
    DAMAGED = "damaged"  # a file has another checksum than the official one
    BY_PATH = "by path"  # its variable names it


def find(model: str | Model) -> Model:
    """The model of a name; a model is itself. Raises UnknownName."""
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise UnknownName("model", model, MODELS)
    return MODELS[model]


def folder() -> Path:
    """Where models lie, and what codecs make of them: `CODECFX_MODELS`, or in the user's cache. It need
    not exist.
    """
    chosen = os.environ.get("CODECFX_MODELS")
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("codecfx") / "models"


def files(model: str | Model) -> dict[str, Path]:
    """A model's files by the names they are published under, each there and right.

    Raises:
        UnknownName: there is no such model.
        ModelMissing: it is not on this machine; says what to type.
        ModelFileError: a file has another checksum or cannot be read, or the model's variable names
            what is not there.
    """
    model = find(model)
    found = _located(model)
    if not is_by_path(model):
        for file in model.files:
            difference = how_it_differs(file, found[file.name])
            if difference:
                raise ModelFileError(_advised(model, found[file.name], difference))
    return found


def verify(model: str | Model) -> list[str]:
    """Everything wrong with a model's files, a line each; empty for a good one. Raises UnknownName."""
    model = find(model)
    try:
        found = _located(model)
    except (ModelMissing, ModelFileError) as error:
        return [str(error)]
    wrong = []
    for file in () if is_by_path(model) else model.files:
        try:
            difference = how_it_differs(file, found[file.name])
            wrong += [_advised(model, found[file.name], difference)] if difference else []
        except ModelFileError as error:
            wrong.append(str(error))
    return wrong


def state(model: str | Model) -> State:
    """Where a model stands. Reads its files, the first time in a process. Raises UnknownName."""
    model = find(model)
    if is_missing(model):
        return State.MISSING
    if is_by_path(model):
        return State.BY_PATH
    return State.DAMAGED if verify(model) else State.THERE


def is_missing(model: str | Model) -> bool:
    """Whether a file of a model is not on this machine. Looks without reading. Raises UnknownName."""
    try:
        _located(find(model))
    except (ModelMissing, ModelFileError):
        return True
    return False


def is_by_path(model: str | Model) -> bool:
    """Whether the model's variable names it. Raises UnknownName."""
    return bool(os.environ.get(find(model).variable))


def remove(model: str | Model) -> list[Path]:
    """Remove a model's files from the folder, and what was made of them, whose names begin with theirs.
    What a variable names stays. Returns what was removed.

    Raises:
        UnknownName: there is no such model.
        ModelFileError: a file cannot be removed, or is being fetched.
    """
    removed = []
    for file in find(model).files:
        beginning_so = [path for path in _listed() if path.name.startswith(file.name)]
        if not beginning_so:
            continue
        try:
            with locked(folder() / f"{file.name}.lock", wait=False):
                for path in beginning_so:
                    if path.suffix != ".lock":
                        path.unlink()
                        removed.append(path)
        except BlockingIOError:
            message = f"{folder() / file.name} is being fetched; stop that, or remove it afterwards"
            raise ModelFileError(message) from None
        except OSError as error:
            reason = f"cannot remove '{error.filename}': {error.strerror}; remove it by hand"
            raise ModelFileError(reason) from None
    return removed


def how_it_differs(file: ModelFile, path: Path) -> str:
    """What makes `path` another file than the official one, in words; '' if nothing does.

    Raises:
        ModelFileError: it cannot be read.
    """
    digest = sha256(path)
    if digest.startswith(file.sha256):
        return ""
    return f"is not the official file (its SHA-256 begins {digest[:8]}, expected {file.sha256[:8]})"


def sha256(path: str | os.PathLike[str]) -> str:
    """A file's SHA-256 in hex, computed once in a process as long as its size and time stay.

    Raises:
        ModelFileError: it cannot be read.
    """
    try:
        seen = os.stat(path)
        return _digest(os.fspath(path), seen.st_size, seen.st_mtime_ns, seen.st_ino)
    except OSError as error:
        raise ModelFileError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from None


@lru_cache(maxsize=64)
def _digest(path: str, size: int, mtime_ns: int, inode: int) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path) -> bool:
    """Whether there is such a file. Raises ModelFileError where one may not look."""
    try:
        return path.is_file()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from None


def megabytes(size_bytes: int) -> str:
    """A size in words: '93 MB', '3.6 MB'."""
    return f"{size_bytes / 1e6:.{0 if size_bytes >= 10e6 else 1}f} MB"


def _located(model: Model) -> dict[str, Path]:
    """Where a model's files are, unread. Raises ModelMissing; ModelFileError for a wrong variable."""
    if is_by_path(model):
        return _by_path(model)
    paths = {file.name: folder() / file.name for file in model.files}
    if not all(is_file(path) for path in paths.values()):
        raise ModelMissing(f"{model.name} needs its model ({megabytes(model.size_bytes)}); {model.how}")
    return paths


def _by_path(model: Model) -> dict[str, Path]:
    chosen = Path(os.environ[model.variable])
    if len(model.files) == 1 and is_file(chosen):
        return {model.files[0].name: chosen}
    paths = {file.name: chosen / file.name for file in model.files}
    for path in paths.values():
        if not is_file(path):
            what = f"no folder with {path.name} in it" if len(paths) > 1 else "no file"
            raise ModelFileError(
                f"{model.variable} is '{chosen}', which is {what}; set it to the right path, "
                f"or unset it and {model.how}"
            )
    return paths


def _advised(model: Model, path: Path, difference: str) -> str:
    what = "it" if len(model.files) == 1 else "its folder"
    return f"{path} {difference}; {model.how}, or name {what} by {model.variable}"


def _listed() -> list[Path]:
    try:
        return sorted(folder().iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelFileError(f"{folder()}: cannot be read ({error.strerror})") from None
