"""soundfile, opened to be read or written from front to back, and its errors in words."""

import os
from pathlib import Path
from typing import Any

import soundfile

# What soundfile raises. It asserts that everything was written: AssertionError is a full disk.
FILE_TROUBLE = (soundfile.SoundFileError, AssertionError, OSError)


def open_sequential(path: Path, *arguments: Any, **options: Any) -> Any:
    """A `soundfile.SoundFile` that does not seek around each read and write.

    It does so for every block of a file that can be sought, which makes FLAC six times slower,
    makes DWVW impossible, and hides the holes of a damaged Opus file. arguments, options: its own.
    """
    file = soundfile.SoundFile(system_path(path), *arguments, **options)
    file.seekable = lambda: False
    return file


def system_path(path: Path) -> str | bytes:
    """The path as soundfile takes it: encoded here, for it refuses names that are not UTF-8."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def quoted(path: Path) -> str:
    """The path for a message: in quotes, and on one line whatever is in it."""
    return repr(str(path))


def reason(problem: Exception) -> str:
    """Why something failed, in the system's words or libsndfile's, without their trimmings."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    text = str(getattr(problem, "error_string", "") or problem or "not everything was written")
    return " ".join(text.removeprefix("Error : ").split()).rstrip(".")
