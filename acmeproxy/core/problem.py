"""Problem documents: what a client is told when something went wrong (RFC 8555 §6.7, RFC 9457)."""

from collections.abc import Collection
from typing import Final

import msgspec

from acmeproxy.core.reference import Reference

ERROR_NAMESPACE: Final = "urn:ietf:params:acme:error:"
MEDIA_TYPE: Final = "application/problem+json"


class Subject(msgspec.Struct, frozen=True):
    """The identifier that a subproblem is about, as the client wrote it (RFC 8555 §6.7.1)."""

    type: str
    value: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem document; also what challenges and orders keep as their `error` (RFC 8555 §6.7).

    `status` is always written, `type` is the full URN, `detail` is ASCII without double quotes and ends in
    `[ref CODE]`, which `acmeproxy explain CODE` knows.
    """

    type: str
    detail: str
    status: int
    identifier: Subject | None = None
    subproblems: tuple["Problem", ...] = ()
    algorithms: tuple[str, ...] = ()
    instance: str | None = None


class AcmeError(Exception):
    """The one exception that becomes an answer: a problem and the headers that go with it.

    Args:
        problem: What the client reads.
        retry_after: Whole seconds for `Retry-After`, at least 1.
        location: URL for `Location` (RFC 8555 §7.3.5).
        allow: Methods for `Allow` (RFC 9110 §15.5.6).
        link: Extra `(url, rel)` pairs, each sent as its own header line.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        retry_after: int | None = None,
        location: str | None = None,
        allow: tuple[str, ...] = (),
        link: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after = retry_after
        self.location = location
        self.allow = allow
        self.link = link


def problem(  # noqa: PLR0913 - the members of RFC 8555 §6.7, each optional and by keyword
    reference: Reference,
    text: str,
    *,
    status: int | None = None,
    identifier: Subject | None = None,
    subproblems: tuple[Problem, ...] = (),
    algorithms: tuple[str, ...] = (),
    instance: str | None = None,
) -> Problem:
    """Build a problem from its reference and one sentence for people.

    The sentence keeps the error-text contract: it is made ASCII, double quotes become single ones, and the
    reference is put at its end. Text that a stranger chose must be cleaned by the caller first.
    """
    return Problem(
        type=ERROR_NAMESPACE + reference.type,
        detail=f"{plain(text)} [ref {reference.code}]",
        status=status or reference.status,
        identifier=identifier,
        subproblems=subproblems,
        algorithms=algorithms,
        instance=instance,
    )


def refers_to(problem: Problem, references: Collection[Reference]) -> bool:
    """Tell whether one of some references is among the reasons, also of a single identifier."""
    ends = tuple(f"[ref {reference.code}]" for reference in references)
    return any(one.detail.endswith(ends) for one in (problem, *problem.subproblems))


def refuse(  # noqa: PLR0913 - a problem and the headers of its answer
    reference: Reference,
    text: str,
    *,
    status: int | None = None,
    subproblems: tuple[Problem, ...] = (),
    algorithms: tuple[str, ...] = (),
    retry_after: int | None = None,
) -> AcmeError:
    """Build the exception for a problem, to be raised where the fault is seen."""
    return AcmeError(
        problem(reference, text, status=status, subproblems=subproblems, algorithms=algorithms),
        retry_after=retry_after,
    )


def plain(text: str, limit: int = 400) -> str:
    """Return `text` as printable ASCII without double quotes, at most `limit` characters.

    acme.sh cuts a detail at its first double quote and certbot escapes what is not ASCII.
    """
    ascii_only = text.encode("ascii", "backslashreplace").decode("ascii").replace('"', "'")
    return "".join(c if c.isprintable() else " " for c in ascii_only)[:limit]
