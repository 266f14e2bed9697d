"""Models made here, for every test that constructs a neural codec by its name: real ones are large, and
not everybody has them. They are kept in the build folder, under the checksum of what makes them.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

_HERE = Path(__file__).parent


def _folder(*makers: str) -> Path:
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in makers)).hexdigest()
    return _HERE.parent / "build" / "test-models" / digest[:16]


ENCODEC = _folder("encodec_model.py", "signals.py")
LYRA = _folder("lyra_model.py")
RANDOM = ENCODEC / "random-encodec.th"  # of official size
RANDOM_48 = ENCODEC / "random-encodec48.th"


def use_made_models() -> None:
    """Let the environment name them, also for processes that tests start; made where they are not."""
    for folder, make in ((ENCODEC, _make_encodec), (LYRA, _make_lyra)):
        if not folder.is_dir():
            _make(folder, make)
    os.environ["CODECFX_MODEL_ENCODEC"] = str(ENCODEC / "encodec.th")
    os.environ["CODECFX_MODEL_ENCODEC48"] = str(ENCODEC / "encodec48.th")
    os.environ["CODECFX_MODEL_LYRA"] = str(LYRA)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    aside = folder.with_name(f"{folder.name}.{os.getpid()}")
    aside.mkdir(parents=True)
    make(aside)
    try:
        aside.rename(folder)
    except OSError:  # another run of the tests was faster
        shutil.rmtree(aside)


def _make_encodec(folder: Path) -> None:
    from encodec_model import CAUSAL, STEREO, write_random, write_working

    write_working(CAUSAL, folder / "encodec.th")
    write_working(STEREO, folder / "encodec48.th")
    write_random(CAUSAL, folder / RANDOM.name)
    write_random(STEREO, folder / RANDOM_48.name)


def _make_lyra(folder: Path) -> None:
    import lyra_model

    lyra_model.write_model(folder)
