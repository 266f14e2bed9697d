"""Meta's `encodec` package, which our networks are held to by tests and benchmarks. The codecs here do
without it: it is large, and its release on PyPI is CC-BY-NC.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from codecfx.errors import CodecUnavailable


def load() -> Any:
    """The package, imported.

    It imports torchaudio, which it needs for files only and which fails to load beside a torch without
    CUDA (an OSError). An empty module stands in for it then.

    Raises:
        CodecUnavailable: it, or torch, is not installed.
    """
    try:
        import_module("torchaudio")
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]  # half loaded
        empty = ModuleType("torchaudio", "An empty module instead of one that does not load.")
        empty.__spec__ = ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = empty
    try:
        return import_module("encodec")
    except ImportError as error:
        if not hasattr(sys.modules.get("torchaudio"), "__file__"):
            sys.modules.pop("torchaudio", None)
        raise CodecUnavailable(
            f"the encodec package does not load ({error}): pip install 'codecfx[neural]'"
        ) from None
