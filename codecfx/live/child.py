"""What the host's processes have in common: an order, a JSON object a line, on standard input, and more
of them later; answers in the same way; and an end when the host ends.
"""

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

Say: TypeAlias = Callable[..., None]
"""Tells the host: what it is about, and facts. [any thread]"""

Orders: TypeAlias = "queue.SimpleQueue[dict[str, Any]]"
"""What the host wants, and {"do": "end"} when it is no more."""

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, sys/prctl.h


def answering() -> Say:
    """Begin to be a child: what libraries print goes to standard error, answers to what was standard
    output, and the process ends with the thread that started it, whatever it is doing or waiting for
    (where that is not Linux, with the end of standard input).
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if sys.platform == "linux":
        host = os.getppid()
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != host:
            os._exit(1)
    lock = threading.Lock()

    def say(kind: str, **facts: Any) -> None:
        with lock, suppress(OSError):  # the host has gone; standard input says so too
            print(json.dumps({"say": kind, **facts}), file=answers, flush=True)

    return say


def first_order() -> dict[str, Any]:
    """What the process is to do; it ends where nobody says."""
    line = sys.stdin.readline()
    if not line:
        os._exit(1)
    order: dict[str, Any] = json.loads(line)
    return order


def further_orders() -> Orders:
    """Listen for more."""
    orders: Orders = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            orders.put(json.loads(line))
        orders.put({"do": "end"})

    threading.Thread(target=listen, name="codecfx orders", daemon=True).start()
    return orders


def prefer(priority: int) -> None:
    """Real-time priority for this thread and all that it starts, where it is allowed and
    CODECFX_REAL_TIME is not 0.
    """
    if hasattr(os, "sched_setscheduler") and os.environ.get("CODECFX_REAL_TIME") != "0":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
