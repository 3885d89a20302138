"""The catalogue of error references: every code a client can be shown, and what to do about it.

`acmeproxy explain CODE` prints it; docs/errors.md is written from it.
"""

import enum
from typing import Final


class Reference(enum.Enum):
    """A code, its ACME error type and HTTP status (conformance table 0.3), and advice for people."""

    def __init__(self, type_: str, status: int, advice: str) -> None:
        self.type = type_
        self.status = status
        self.advice = advice

    @property
    def code(self) -> str:
        """The code as it is written in a detail: `NAME-NOT-ALLOWED`."""
        return self.name.replace("_", "-")

    # The envelope (RFC 8555 §6)
    MEDIA_TYPE = ("malformed", 415, "Send Content-Type: application/jose+json and no Content-Encoding.")
    BODY_SIZE = ("malformed", 413, "Requests end at 64 KiB. An ACME request is a few kilobytes.")
    JWS_SHAPE = ("malformed", 400, "Send one flattened JWS: protected, payload, signature, all base64url.")
    JWS_HEADER = ("malformed", 400, "The protected header needs alg, nonce, url and one of jwk or kid.")
    JWS_ALGORITHM = ("badSignatureAlgorithm", 400, "Sign with one of the algorithms in the problem.")
    JWS_SIGNATURE = ("malformed", 400, "The signature is not the named key's over this request.")
    JWS_URL = (
        "unauthorized",
        403,
        "The url header must equal the URL posted to, to the byte. Look for a proxy that rewrites.",
    )
    JWS_PAYLOAD = ("malformed", 400, "Send the JSON object that this resource asks for.")
    NOT_EMPTY = ("malformed", 400, "This resource is only read: POST-as-GET has an empty payload.")
    KEY_REFUSED = (
        "badPublicKey",
        400,
        "Use RSA of 2048 to 8192 bits with e=65537, P-256, P-384, P-521 or Ed25519.",
    )
    NONCE = (
        "badNonce",
        400,
        "Repeat the request with the nonce of this answer; clients do so by themselves.",
    )
    NOT_FOUND = ("malformed", 404, "No such resource here, or it belongs to another account.")
    METHOD = (
        "malformed",
        405,
        "ACME resources take POST; only directory, newNonce and renewalInfo take GET.",
    )

    # Accounts (RFC 8555 §7.3)
    ACCOUNT_UNKNOWN = (
        "accountDoesNotExist",
        400,
        "Delete the client's account for this directory and register again.",
    )
    ACCOUNT_CLOSED = (
        "unauthorized",
        401,
        "The account was deactivated or revoked for good: register with a new key.",
    )
    ACCOUNT_KEY_CERTIFIED = (
        "badPublicKey",
        400,
        "An account key must not be the key of a certificate: make a new one.",
    )
    ACCOUNT_TERMS = (
        "userActionRequired",
        403,
        "Agree to the terms of service: the client has an option for it.",
    )
    CONTACT_SCHEME = ("unsupportedContact", 400, "Only mailto: contacts are taken.")
    CONTACT = ("invalidContact", 400, "Give at most 10 contacts, each mailto: with one plain address.")
    KEY_CHANGE = (
        "malformed",
        400,
        "The payload is a JWS by the new key over account and oldKey, url as outside.",
    )
    KEY_TAKEN = (
        "malformed",
        409,
        "One key names one account: make a new key, or use the account in Location.",
    )
    EAB_REQUIRED = (
        "externalAccountRequired",
        403,
        "Ask the PKI team for an EAB key (acmeproxy eab create TENANT) and give it to the client.",
    )
    EAB_SHAPE = (
        "malformed",
        400,
        "externalAccountBinding is a flattened JWS with a MAC over the account's jwk.",
    )
    EAB_REFUSED = (
        "unauthorized",
        403,
        "The EAB key is unknown, used up or revoked, or the hmac key is not its own.",
    )

    # Orders and names (RFC 8555 §7.4)
    ORDER_SHAPE = ("malformed", 400, "identifiers is a list of objects with type and value.")
    ORDER_SIZE = ("malformed", 400, "Ask for at most 100 names in one order.")
    ORDER_DATES = (
        "malformed",
        400,
        "Leave notBefore and notAfter away, or keep them inside the tenant's longest lifetime.",
    )
    NAME_SHAPE = ("malformed", 400, "Names are host names in A-label form: letters, digits, hyphens, dots.")
    NAME_TYPE = (
        "unsupportedIdentifier",
        400,
        "This tenant takes identifiers of type dns (and ip where it lists ranges).",
    )
    NAME_NOT_ALLOWED = (
        "rejectedIdentifier",
        400,
        "names.allow lacks the name, or names.deny has it: take the right directory or ask the PKI team.",
    )
    NAME_WILDCARD = (
        "rejectedIdentifier",
        400,
        "This tenant has no wildcards, or no DNS challenge to prove one.",
    )
    ROLE_NAME = ("rejectedIdentifier", 400, "Have the PKI team widen the Vault role, or leave the name out.")
    ROLE_LIFETIME = ("malformed", 400, "Leave notAfter away, or ask for an end that the Vault role has.")
    NAMES_REFUSED = ("rejectedIdentifier", 400, "Several names were refused: each subproblem says why.")
    PROFILE = (
        "invalidProfile",
        400,
        "Ask for a profile of the directory's meta.profiles that your EAB key allows.",
    )
    ORDER_NOT_READY = (
        "orderNotReady",
        403,
        "Finalize once the order is ready; read the order for what is missing.",
    )
    CURSOR = ("malformed", 404, "Follow the next link as it was given.")

    # Challenges (RFC 8555 §7.5, §8)
    AUTHORIZATION_UPDATE = ("malformed", 400, "The only change an authorization takes is status deactivated.")
    AUTHORIZATION_CLOSED = ("malformed", 400, "The authorization is final: place a new order.")
    DNS_FAILED = ("dns", 400, "Make the name resolve in the DNS that this CA asks, then order again.")
    EGRESS_DENIED = (
        "connection",
        400,
        "The name leads to an address that this CA never connects to: see validation.egress.",
    )
    CONNECTION_FAILED = (
        "connection",
        400,
        "Open the port to this CA's addresses and let the client listen on it.",
    )
    REDIRECT_REFUSED = (
        "connection",
        400,
        "Redirect at most 10 times, to http port 80 or https port 443, never in a loop.",
    )
    TLS_FAILED = ("tls", 400, "The TLS handshake failed: offer TLS 1.2 or later.")
    HTTP01_STATUS = (
        "incorrectResponse",
        403,
        "Route /.well-known/acme-challenge/ to the ACME client, on every host behind the name.",
    )
    HTTP01_CONTENT = (
        "incorrectResponse",
        403,
        "Something else answers for the token: an old file, another client, or another account's key.",
    )
    DNS_TXT_MISSING = ("incorrectResponse", 403, "Let the client create the record where this CA asks.")
    DNS_TXT_CONTENT = ("incorrectResponse", 403, "Other records are there: old ones, or another account's.")
    DNS_PERSIST_RECORD = ("malformed", 400, "Write: ca.example; accounturi=URL; policy=wildcard.")
    DNS_PERSIST_REFUSED = ("unauthorized", 403, "Name this CA and this account's URL, not expired.")
    TLS_ALPN01_PROTOCOL = ("incorrectResponse", 403, "Pass ALPN acme-tls/1 through to the client.")
    TLS_ALPN01_CERTIFICATE = ("incorrectResponse", 403, "Serve the client's own certificate of now.")
    CAA_FORBIDDEN = ("caa", 403, "Add an issue record with a name of this directory's caaIdentities.")
    CAA_UNKNOWN = ("dns", 400, "Have the zone's servers answer CAA questions, if only with nothing.")
    VALIDATION_ABANDONED = ("serverInternal", 500, "The CA failed at validating, not you: order again.")

    # Finalize and certificates (RFC 8555 §7.4)
    CSR_SHAPE = ("malformed", 400, "csr is the DER of a PKCS#10 request in unpadded base64url.")
    CSR_REFUSED = ("badCSR", 400, "Make a CSR with a sound key and SHA-256 or better, signed by that key.")
    CSR_NAMES = ("badCSR", 400, "Put exactly the ordered names into the CSR, no more and no fewer.")
    CSR_EXTENSION = ("badCSR", 400, "Ask for nothing but names, key usage and server authentication.")
    CSR_KEY = (
        "badCSR",
        400,
        "Use a fresh key: not an account's, not a weak one, of a type that the tenant takes.",
    )
    ROLE_KEY = ("badCSR", 400, "Make a key of the type and size that the problem names.")
    ROLE_CSR = ("badCSR", 400, "Make a CSR with the ordered names, in lower case, and nothing else.")
    SIGNING_REFUSED = (
        "serverInternal",
        500,
        "The CA refused what the order promised: the PKI team finds the reason in the log under this order.",
    )
    SIGNING_ABANDONED = (
        "serverInternal",
        500,
        "The CA could not be reached in time; nothing is wrong with the request: order again.",
    )
    CERTIFICATE_MISMATCH = (
        "serverInternal",
        500,
        "The CA signed something else than was ordered. It was not delivered; the PKI team was alarmed.",
    )

    # Revocation (RFC 8555 §7.6)
    REVOCATION_SHAPE = (
        "malformed",
        400,
        "certificate is the DER of one certificate in unpadded base64url; reason is an integer, or left out.",
    )
    REVOCATION_UNKNOWN = (
        "malformed",
        404,
        "Revoke at the directory that issued the certificate, with the certificate as it was delivered.",
    )
    REVOCATION_FORBIDDEN = (
        "unauthorized",
        403,
        "Sign with the account that ordered it, with the certificate's key, or prove all its names first.",
    )
    REVOCATION_REASON = (
        "badRevocationReason",
        400,
        "Leave the reason out, or use 0, 1 (the key is compromised), 3, 4 (superseded), 5 or 9.",
    )
    REVOCATION_EXPIRED = ("unauthorized", 403, "An expired certificate need not be revoked.")
    REVOCATION_PENDING = (
        "serverInternal",
        503,
        "The revocation is kept and carried out as soon as the CA answers; asking again shows whether it is.",
    )
    ALREADY_REVOKED = ("alreadyRevoked", 400, "Nothing is left to do.")

    # Renewal (RFC 9773)
    RENEWAL_NAME = (
        "malformed",
        400,
        "Name the certificate by authority key identifier and serial, both base64url, joined by a dot.",
    )
    RENEWAL_UNKNOWN = ("malformed", 404, "Ask at the directory that issued the certificate.")
    REPLACES = (
        "malformed",
        400,
        "replaces names a certificate with a name in common; leave it out for a first certificate.",
    )
    REPLACES_UNKNOWN = (
        "malformed",
        404,
        "Leave replaces out: this directory did not issue that certificate.",
    )
    REPLACES_FOREIGN = (
        "unauthorized",
        403,
        "Order with the account that has the certificate, or leave replaces out.",
    )
    ALREADY_REPLACED = (
        "alreadyReplaced",
        409,
        "Go on with the order that replaces it, or leave replaces out.",
    )

    # Limits (RFC 8555 §6.6)
    RATE_LIMITED = (
        "rateLimited",
        429,
        "Come back at the time given; renewals that say what they replace (ARI) are not counted.",
    )
    PAUSED = (
        "rateLimited",
        429,
        "Repair what the last failed validation named, order again at the time given: one success ends it.",
    )
    BUSY = ("rateLimited", 503, "The server has its hands full: try again after the time given.")

    # Ours (RFC 9110 §15.6)
    INTERNAL = (
        "serverInternal",
        500,
        "The fault is here, not in the request: try again, then ask with the request id.",
    )
    STATE_AWAY = ("serverInternal", 503, "The state store does not answer: try again after the time given.")
    ROLE_AWAY = (
        "serverInternal",
        503,
        "The Vault role refused this a while ago and cannot be read now: try again after the time given.",
    )
    PUBLISHED_AWAY = (
        "serverInternal",
        503,
        "Vault does not answer, and what was kept of it is no longer true: try again after the time given.",
    )


CODES: Final = {reference.code: reference for reference in Reference}
