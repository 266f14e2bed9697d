"""JACK's server, watched: whether it still runs, so that nobody touches what died with it.

rtmidi does not say when the server goes, and then all that it has is a trap: sending fills a queue and
waits for ever, closing an output waits a second, both with Python's lock in their hands; and once this
process connects to the next server, libjack has freed what old clients point to. So a client of our own
stands by. It has no ports and takes no part in the graph, which does not miss it when the process ends.

libjack calls back from threads that it kills at will. One that waits for Python's lock at that moment
takes the lock with it, and the process stands still. Everything that libjack calls here is therefore C:
`sem_post` counts the server's death, and `strlen` is what hears messages that nobody wants.

A client that opens while another leaves may miss that (libjack hears of it before it knows its own
name): its process keeps the other's semaphore under a number that the server gives away again, and
whoever gets it waits for the wrong one, and JACK's graph with it, for ever. The server has unlinked
that semaphore, which shows; the client is opened again then.
"""

import ctypes
import os
import threading
import time
from typing import Any

_NAME = b"codecfx-watch"
_NO_START_SERVER = 1  # jack/types.h: JackNoStartServer
_SEMAPHORE_BYTES = 64  # sizeof(sem_t) is 16 to 32
# Where three programs open and close clients without a pause, every fifth opening misses one
_REOPENINGS = 7
_NOTICE_SECONDS = 0.02  # that one leaves is heard so late; what comes later is a needless reopening


class JackServer:
    """The server of JACK_DEFAULT_SERVER, seen from a process, which has one of these. [any thread]"""

    def __init__(self, libjack: str) -> None:
        """`libjack` is the path of the library that rtmidi uses: each has clients of its own.

        Raises:
            OSError: no library of that name.
        """
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        self.lock = threading.RLock()  # held by whoever calls what needs the server
        self.connection = 0  # counts servers: what was opened in one is lost in the next
        self._client = ctypes.c_void_p()
        self._deaths: list[Any] = []  # of every connection: libjack may still write to an old one
        # The first lets other threads run while it waits; the second is for calls that take no time
        self._slow, self._quick = ctypes.CDLL(libjack), ctypes.PyDLL(libjack)
        self._libc: Any = ctypes.PyDLL(None)
        self._slow.jack_client_open.restype = ctypes.c_void_p
        self._slow.jack_get_uuid_for_client_name.restype = ctypes.c_void_p
        self._quick.jack_last_frame_time.restype = ctypes.c_uint32
        silence = ctypes.cast(self._libc.strlen, ctypes.c_void_p)
        self._slow.jack_set_error_function(silence)
        self._slow.jack_set_info_function(silence)

    def reach(self) -> bool:
        """Whether the server answers. Connects to it, or to the one that has come after it, unless that
        is done. Waits while it is busy or just ending, as long as that takes, and other threads go on.
        """
        with self.lock:
            if self.is_alive(self.connection):
                self._ask()
                return self.is_alive(self.connection)
            self.connection += 1  # what was opened before is lost from here on
            self._open()
            reopenings = _REOPENINGS if self._client else 0
            while reopenings and (not self._client or self._has_missed_one()):
                reopenings -= 1
                if self._client:  # only where need be: while others leave, closing may hang
                    self._slow.jack_client_close(self._client)
                self._open()
            return self.is_alive(self.connection)

    def _open(self) -> None:
        client = self._slow.jack_client_open(_NAME, _NO_START_SERVER, None)
        self._client = ctypes.c_void_p(client)
        if client:
            self._deaths.append(ctypes.create_string_buffer(_SEMAPHORE_BYTES))
            self._libc.sem_init(self._deaths[-1], 0, 0)
            tell = ctypes.cast(self._libc.sem_post, ctypes.c_void_p)
            self._slow.jack_on_shutdown(self._client, tell, self._deaths[-1])

    def _has_missed_one(self) -> bool:
        """Whether another has left while the client was opened, and libjack keeps its semaphore."""
        self._ask()  # the server is through with whoever was leaving before it answers
        kept = _left_semaphores()
        if kept:
            time.sleep(_NOTICE_SECONDS)
        return bool(kept & _left_semaphores())

    def _ask(self) -> None:
        """A question of the server's, for it to be through with all that came before."""
        answer = self._slow.jack_get_uuid_for_client_name(self._client, _NAME)
        self._slow.jack_free(ctypes.c_void_p(answer))

    def is_alive(self, connection: int) -> bool:
        """Whether what was opened in this connection may be used: its server has not gone."""
        if connection != self.connection or not self._client:
            return False
        deaths = ctypes.c_int()
        self._libc.sem_getvalue(self._deaths[-1], ctypes.byref(deaths))
        return deaths.value == 0

    @property
    def cycle(self) -> int:
        """At which sample the server's latest cycle began: stands still where it takes nothing. Only
        while it `is_alive`.
        """
        return int(self._quick.jack_last_frame_time(self._client))


def libjack_in_use(of: str) -> str:
    """The path of the libjack that this process has loaded, the one beside `of` first; "" for none."""
    found = [path for path in _mapped() if "libjack" in path]
    return next((path for path in found if of in path), found[0] if found else "")


def _left_semaphores() -> set[str]:
    """What clients that have left waited for, as far as libjack still has it."""
    return {path for path in _mapped() if "/jack_sem." in path and path.endswith(" (deleted)")}


def _mapped() -> list[str]:
    """The files that this process has in its memory."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return [f"/{path}" for line in maps if (path := line.rstrip("\n").partition("/")[2])]
