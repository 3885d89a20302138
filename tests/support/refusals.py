"""What a refusal must be like, whatever it refuses (RFC 8555 §6.7, PRB-01..12)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from acmeproxy.core.problem import AcmeError, Problem


class Refusal:
    """What was refused, once the block is left."""

    error: AcmeError

    @property
    def problem(self) -> Problem:
        """What the client would read."""
        return self.error.problem

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return self.error.problem.detail


@contextmanager
def refused(type_: str, code: str, status: int = 400) -> Iterator[Refusal]:
    """Expect an `AcmeError` of this ACME type, reference code and HTTP status, told as the contract wants."""
    refusal = Refusal()
    with pytest.raises(AcmeError) as caught:
        yield refusal
    refusal.error = caught.value
    problem = refusal.problem
    expected = (f"urn:ietf:params:acme:error:{type_}", status, f"[ref {code}]")
    assert (problem.type, problem.status, f"[ref {problem.detail.rpartition('[ref ')[2]}") == expected
    assert problem.detail.isascii()
    assert problem.detail.isprintable()
    assert '"' not in problem.detail
    assert len(problem.detail) < 500
