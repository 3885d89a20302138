"""What is not there, and what is somebody else's: the same answer to the byte (D4, INV-3)."""

from typing import TypeVar

from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference

T = TypeVar("T")


def present(found: T | None) -> T:
    """Return what was found.

    Raises:
        AcmeError: `malformed` with status 404.
    """
    if found is None:
        raise refuse(Reference.NOT_FOUND, "there is no such resource for this account")
    return found
