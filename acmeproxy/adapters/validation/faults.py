"""Whose fault a failed connection is."""

import errno
from typing import Final

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def is_ours(error: OSError) -> bool:
    """Whether this process or host ran out of something: no client shall read that as a failed challenge."""
    return error.errno in _EXHAUSTED
