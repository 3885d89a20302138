"""No command leaves its memory in a core dump (INV-13, LOG-02)."""

import sys

from tests.support import programs

LOOK = """
import atexit, ctypes, sys
from resource import RLIMIT_CORE, getrlimit
PR_GET_DUMPABLE = 3
atexit.register(lambda: print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE), getrlimit(RLIMIT_CORE)))
sys.argv = ["acmeproxy", "--version"]
from acmeproxy.cli.main import run
run()
"""


def test_a_command_can_be_dumped_neither_into_a_file_nor_into_a_program() -> None:
    """The kernel gives a dump to systemd-coredump and its like whatever the limit is."""
    assert programs.run([sys.executable, "-c", LOOK]).splitlines()[-1] == "0 (0, 0)"
