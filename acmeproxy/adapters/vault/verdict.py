"""What an answer to a sign means for the order; the texts are those of OpenBao 2.7, seen live."""

from http import HTTPStatus
from typing import Final

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.refusals import problem_of
from acmeproxy.core.order import Intent
from acmeproxy.services.ports import SigningDeferredError, SigningRefusedError, SigningUncertainError

# A 400 that a change of configuration cures: the order waits for it.
_OURS: Final = (
    "unknown role",
    "the common_name field is required",
    "Field validation failed",
    "failed to decode JSON",
    "Either ttl or not_after",
    "parsing time",
    "missing client token",
    "no_store_metadata",
)
# Likewise, unless it was the client who chose the end.
_OURS_UNLESS_CHOSEN: Final = ("not_after_bound is set", "cannot satisfy request, as TTL")
# A 5xx that Vault gives before it signs: sealed, no leader, or an issuer that cannot.
_BEFORE_SIGNING: Final = (
    "Vault is sealed",
    "namespace is sealed",
    "API access to this namespace has been locked",
    "local node not active",
    "could not fetch the CA certificate",
    "unable to find PKI issuer",
    "unable to fetch corresponding key",
    "requested usage issuing-certificates",
    "unable to parse AIA URL",
    "unable to fetch AIA URL information",
)


def verdict(
    answer: Answer, intent: Intent
) -> SigningDeferredError | SigningRefusedError | SigningUncertainError:
    """Return the error to raise for any answer to a sign but a certificate."""
    ours = _OURS if intent.not_after else (*_OURS, *_OURS_UNLESS_CHOSEN)
    if answer.status == HTTPStatus.BAD_REQUEST and answer.errors and not _says(answer, ours):
        return SigningRefusedError(answer.reason, problem_of(answer.errors[0], intent.names))
    # A gateway's 502 or 504, and a 500 of unknown cause, may have come after the certificate was stored.
    after = answer.ok or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if after and answer.status != HTTPStatus.NOT_IMPLEMENTED and not _says(answer, _BEFORE_SIGNING):
        return SigningUncertainError(answer.reason)
    return SigningDeferredError(answer.reason, answer.retry_after)


def _says(answer: Answer, texts: tuple[str, ...]) -> bool:
    return any(text in error for error in answer.errors for text in texts)
