"""C libraries of codecs that a machine may have: found, opened with their functions' types, or how to
get them; and the 16-bit samples that most of them take.

None is a dependency of codecfx. A wheel that ships one is preferred to the system's: everybody who
installs it hears the same codec. `CODECFX_LIB<NAME>` names another (a path).
"""

import ctypes
import ctypes.util
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio
from codecfx.errors import CodecUnavailable

Words = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class NativeLibrary:
    """A library, and how people get it."""

    name: str  # as a linker has it: "codec2" for libcodec2
    debian: str  # package
    homebrew: str  # formula
    functions: Mapping[str, tuple[Any, ...]]  # name -> type of its result, types of its arguments
    wheel: str = ""  # a project on PyPI whose wheel ships it

    @property
    def variable(self) -> str:
        """The environment variable that names another file of it."""
        return f"CODECFX_LIB{self.name.upper().replace('-', '_')}"

    @property
    def how(self) -> str:
        """How to get it, in words."""
        wheel = f", pip install {self.wheel}" if self.wheel else ""
        return (
            f"install it (apt install {self.debian}, brew install {self.homebrew}{wheel}), "
            f"or set {self.variable} to its path"
        )

    def find(self) -> str:
        """The path (or system name) of the library in use.

        Raises:
            CodecUnavailable: there is none; says how to get one.
        """
        chosen = os.environ.get(self.variable)
        if chosen:
            if not Path(chosen).is_file():
                raise CodecUnavailable(f"{self.variable} is '{chosen}', which is no file; {self.how}")
            return chosen
        found = self._in_wheel() or ctypes.util.find_library(self.name)
        if not found:
            raise CodecUnavailable(f"no lib{self.name} on this machine; {self.how}")
        return found

    def _in_wheel(self) -> str | None:
        try:
            files = metadata.files(self.wheel) if self.wheel else None
        except metadata.PackageNotFoundError:
            return None
        for file in files or []:
            if file.name.removeprefix("lib").startswith(self.name) and _is_library(file.name):
                return str(file.locate())
        return None

    def load(self) -> ctypes.CDLL:
        """The library, opened once for each choice of the environment.

        Raises:
            CodecUnavailable: there is none, or it does not load.
        """
        return _opened(self, os.environ.get(self.variable, ""))


def _is_library(file_name: str) -> bool:
    return ".so" in file_name or file_name.endswith((".dylib", ".dll"))


@cache
def _opened(library: NativeLibrary, chosen: str) -> ctypes.CDLL:
    path = library.find()
    try:
        opened = ctypes.CDLL(path)
        for name, (result, *arguments) in library.functions.items():
            function = getattr(opened, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise CodecUnavailable(
            f"'{path}' is no lib{library.name} that works here ({error}); {library.how}"
        ) from None
    return opened


def owned(owner: object, state: int | None, free: Callable[[int], object]) -> int:
    """A state that C has made, given back by `free` when its owner goes. Raises MemoryError."""
    if state is None:
        raise MemoryError("a codec's library has no memory left for another stream")
    weakref.finalize(owner, free, state)
    return state


def words_of(frames: Audio) -> Words:
    """The one channel of float32 (1, n) as 16-bit samples, rounded and clipped: int16 (n)."""
    words: Words = np.clip(np.rint(frames[0] * np.float32(32768)), -32768, 32767).astype(np.int16)
    return words


def audio_of(words: Words) -> Audio:
    """16-bit samples, int16 (n), as float32 (1, n)."""
    return np.multiply(words[np.newaxis], np.float32(1 / 32768), dtype=np.float32)
