"""A lock that processes hold on a file: one at a time, and none that a dead one left."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PAUSE_S = 0.1


@contextmanager
def locked(
    path: Path, *, wait: bool = True, waiting: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold the lock of `path`, a file made for it. `waiting` is called while another process (or
    thread) holds it. The system lets go of a lock when its process ends, however that ends.

    Raises:
        BlockingIOError: another holds it, and `wait` is off.
        OSError: the file cannot be made, or its drive has no locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _acquired(descriptor) and _is_still(path, descriptor):
                try:
                    yield
                finally:
                    with suppress(OSError):  # Windows removes no open file
                        path.unlink()
                return
        finally:
            os.close(descriptor)
        if not wait:
            raise BlockingIOError(f"{path} is locked")
        waiting()
        time.sleep(_PAUSE_S)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether nobody removed the file between our opening and our locking it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False


if sys.platform == "win32":
    import msvcrt

    def _acquired(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _acquired(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
