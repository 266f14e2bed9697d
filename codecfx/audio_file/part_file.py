"""A file that is written aside and gets its name when it is whole.

Whatever happens before `publish` (an exception, Ctrl-C, a kill, a power cut), nothing half written
ever stands under the final name, and what stood there before still does.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

# The names of this process's part files, to tell them from those a dead process of the same pid
# left: in containers every render may have the same pid.
_live_parts: set[str] = set()


class PartFile:
    """An empty hidden file beside `final`, named `.<final>.<random>.<pid>.part`."""

    def __init__(self, final: Path) -> None:
        """Create the file, and remove those that dead processes left of `final`. Raises OSError."""
        self.final = final
        # A file name may have 255 bytes; this leaves room for the rest of ours.
        prefix = "." + os.fsdecode(os.fsencode(final.name)[:200]) + "."
        _remove_stale(final.parent, prefix)
        self.path = final.with_name(f"{prefix}{os.urandom(4).hex()}.{os.getpid()}.part")
        _live_parts.add(self.path.name)
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except BaseException:
            self.discard()
            raise

    def publish(self, *, overwrite: bool) -> None:
        """Give the file its final name, in one step, after everything is on the disk.

        Raises FileExistsError where the name is taken and `overwrite` is off; other OSErrors where
        the system refuses.
        """
        _sync(self.path, os.O_RDWR)
        if overwrite:
            os.replace(self.path, self.final)
        else:
            self._link()
        # Not every system can sync a folder, and the file is whole either way.
        with suppress(OSError):
            _sync(self.final.parent, os.O_RDONLY)
        self.discard()

    def discard(self) -> None:
        """Remove the hidden file if it is still there. Never raises; may be called twice."""
        with suppress(OSError):
            self.path.unlink()
        _live_parts.discard(self.path.name)

    def _link(self) -> None:
        try:
            # Fails if the name is taken, also since a moment ago, which a rename would not.
            os.link(self.path, self.final)
        except FileExistsError:
            raise
        except OSError:
            # FAT and some network drives have no links: there, look first.
            if os.path.lexists(self.final):
                raise FileExistsError(f"{self.final} exists") from None
            os.replace(self.path, self.final)

    def write_error(self) -> str:
        """What the system says to writing to this file; '' if it does not mind.

        libsndfile keeps the reasons for its failures to itself. Spoils the file.
        """
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.seek(0, os.SEEK_END)
                # Twice: on a nearly full disk the first may be written in part.
                file.write(bytes(65_536))
                file.write(bytes(65_536))
        except FileNotFoundError:
            return "its folder has vanished"
        except OSError as reason:
            return reason.strerror or str(reason)
        return ""


def _remove_stale(folder: Path, prefix: str) -> None:
    stale_name = re.compile(re.escape(prefix) + r"[0-9a-f]{8}\.([1-9][0-9]*)\.part")
    with suppress(OSError):
        for part in list(folder.iterdir()):
            named = stale_name.fullmatch(part.name)
            if named and part.name not in _live_parts and not _is_another_alive(int(named[1])):
                with suppress(OSError):
                    part.unlink()


def _is_another_alive(pid: int) -> bool:
    """Whether a process of that id runs that is not this one."""
    # Where signal 0 is not a question but an end (Windows), open files cannot be removed anyway.
    if pid == os.getpid() or os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync(path: Path, flags: int) -> None:
    """Have a file's content, or a folder's names, on the disk before going on."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
