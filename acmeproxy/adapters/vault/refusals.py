"""What a client is told when Vault refused its names, its key or its CSR: never in Vault's own words.

The texts are those of OpenBao 2.7, seen live; one that is not known is nobody's to see but the operator's.
"""

import re
from collections.abc import Sequence
from typing import Final

from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.problem import Problem, problem
from acmeproxy.core.reference import Reference

_NAME: Final = re.compile(r"(?:subject alternate name|common name) (.+) not allowed by this role")
_ADDRESS: Final = re.compile(r"the IP address \"?([^\" ]+)\"? is not allowed in this role")
_NO_ADDRESSES: Final = "IP Subject Alternative Names are not allowed"
_KEY: Final = re.compile(
    r"role requires keys of type [a-z0-9]+|role requires a minimum of a [0-9]+-bit key"
    r"|RSA keys < [0-9]+ bits are unsafe"
)
_CSR: Final = re.compile(
    r"URI Subject Alternative Names are not allowed|other SAN OID .* not allowed"
    r"|could not parse requested other SAN"
    r"|serial_number .* not allowed|user_id .* is not allowed|email address .* not allowed"
    r"|certificate request could not be parsed|csr contains no data|\"csr\" is empty"
    r"|request signature invalid|Refusing to sign CSR with empty PublicKey"
)
_END: Final = re.compile(r"not_after_bound is set|cannot satisfy request, as TTL")


def problem_of(text: str, names: Sequence[Identifier]) -> Problem | None:
    """Return what the client is told of a refusal, or `None` where it can do nothing about it."""
    if (found := _NAME.search(text)) or (found := _ADDRESS.search(text)):
        # Vault's spelling may be the CSR's; ours is the order's, and nothing else is repeated.
        refused = [name for name in names if name.value == found[1].lower()]
        return _refused_names(refused)
    if _NO_ADDRESSES in text:
        return _refused_names([name for name in names if name.type is IdentifierType.IP])
    if _KEY.search(text):
        return problem(
            Reference.ROLE_KEY,
            "the vault role does not sign the CSR's key: order again with a key of another type or size",
        )
    if _CSR.search(text):
        return problem(
            Reference.ROLE_CSR,
            "the vault role does not sign this CSR: order again with a CSR that has the ordered names only",
        )
    if _END.search(text):
        return problem(
            Reference.ROLE_LIFETIME,
            "the CA has no certificate that ends at notAfter: order again with an earlier one, or none",
        )
    return None


def _refused_names(refused: Sequence[Identifier]) -> Problem:
    """Name each in a subproblem of its own (RFC 8555 §6.7.1)."""
    each = tuple(
        problem(
            Reference.ROLE_NAME,
            f"{name.value} is not allowed by the vault role: ask the PKI team, or order again without it",
            identifier=name.subject,
        )
        for name in refused
    )
    listed = ", ".join(name.value for name in refused) or "one of the names"
    text = f"{listed} is not allowed by the vault role: ask the PKI team, or order again without it"
    return problem(Reference.ROLE_NAME, text, subproblems=each)
