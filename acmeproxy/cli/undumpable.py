"""What is in the memory of this process is written into no file."""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def leave_no_core_dump() -> None:
    """See that no core dump is made: it would hold tokens and keys (INV-13, LOG-02).

    A limit of nothing is not enough on Linux, where the kernel heeds none when it hands a dump to a program
    such as systemd-coredump. With the second, nobody but root can look at the process or attach to it either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
