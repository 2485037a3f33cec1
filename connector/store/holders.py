"""Who holds a lease: a process, by a name under which those beside it can see whether it still lives."""

from __future__ import annotations

import os
import socket

_here: set[str] = set()  # held by this process: what bears our process id and is not here is a dead namesake's


def process() -> str:
    """This process among all that may share the store: host, process namespace (a container has its own), process id."""
    return f"{_place()}:{os.getpid()}"


def note(holder: str) -> None:
    """This process holds something under a name of its own: `process()`, a space, and anything."""
    _here.add(holder)


def forget(holder: str) -> None:
    _here.discard(holder)


def is_dead(holder: str) -> bool:
    """Whether it was a process beside us that is no more (killed); it cannot give back what it holds."""
    place, _, rest = holder.rpartition(":")
    pid = rest.split(" ")[0]
    if place != _place() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid() and holder not in _here


def _place() -> str:
    try:
        namespace = f".{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}{namespace}"
