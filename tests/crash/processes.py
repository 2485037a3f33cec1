"""Processes that begin as copies of this one: what they own of the world is theirs."""

from __future__ import annotations

import gc
import os
import select
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

CASE_S = 60.0


class Failed(Exception):
    """A process ended badly, or not at all."""


def fork(child: Callable[[], None], log: Path) -> int:
    """Run it in a copy of this process; its output and its traceback go to the log."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        gc.disable()  # it ends soon, and what it does not touch stays shared
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        child()
        status = 0
    except BaseException:  # whatever it was belongs into the log: this process goes no further
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(pid: int) -> int:
    """Its exit code, or minus the signal that ended it. Failed when it does not end."""
    ending = os.pidfd_open(pid)  # readable once it ended
    try:
        ended, _, _ = select.select([ending], [], [], CASE_S)
    finally:
        os.close(ending)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not ended:
        raise Failed(f"process {pid} did not end within {CASE_S:.0f} seconds")
    return os.waitstatus_to_exitcode(status)
