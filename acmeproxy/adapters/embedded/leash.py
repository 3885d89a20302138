"""Run a program that ends with its parent: `python -I -S leash.py PARENT PROGRAM ARGUMENT...`.

A program of its own and not a `preexec_fn`: no Python may run between the fork and the exec of threads.
Linux sends the signal when the *thread* that started the child ends, so servers are started from a thread
that stays, as the one of the main event loop does. Other systems have no such signal: there it only runs.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Ask for the signal, see that the parent is still there, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent ended first")
    os.execv(program, sys.argv[2:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
