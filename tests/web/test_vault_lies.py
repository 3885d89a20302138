"""A Vault that signs something else than was ordered: nobody gets it (FIN-19, VLT-15, abuse CSR-06).

Every lie is a real one: OpenBao's operator has it signed by the tenant's own authority.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_keys import PrivateKey
from tests.support.eventually import eventually
from tests.support.faulty_vault import FaultyVault, alters
from tests.support.openbao import as_root
from tests.support.proxy import Proxy
from tests.support.spoilt import SIGN
from tests.support.vault_looks import revoked_in_store
from tests.support.waiting import ready, serves

NAME = "lied.alpha.example"


def pem(key: PrivateKey, *names: str) -> str:
    csr = x509.load_der_x509_csr(certificate_request(names, key))
    return csr.public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True)
class Lie:
    """What the operator has signed, where, and why it is not delivered."""

    path: str
    body: dict[str, Any]
    reason: str
    namespace: str = "admin/alpha"


def another_key(_: PrivateKey) -> Lie:
    """Have the right name signed for a key that is not the client's."""
    return Lie("pki/sign/acme", {"csr": pem(certificate_key(), NAME), "alt_names": NAME}, "key")


def an_extra_name(key: PrivateKey) -> Lie:
    """Have one name more signed than was ordered."""
    return Lie("pki/sign-verbatim", {"csr": pem(key, NAME, "x.alpha.example")}, "names")


def another_name(key: PrivateKey) -> Lie:
    """Have another name signed than was ordered."""
    return Lie("pki/sign-verbatim", {"csr": pem(key, "x.alpha.example")}, "names")


def a_ca(key: PrivateKey) -> Lie:
    """Have a CA certificate signed for the client's key and name, by the authority that may sign such."""
    body = {"csr": pem(key, NAME), "common_name": NAME, "alt_names": NAME}
    return Lie("pki/root/sign-intermediate", body, "may sign certificates", "admin")


@pytest.mark.parametrize("lie", [another_key, an_extra_name, another_name, a_ca])
async def test_what_was_not_ordered_is_revoked_and_nobody_gets_it(
    lie: Callable[[PrivateKey], Lie],
    spoilt: Proxy,
    faulty: FaultyVault,
    openbao: OpenBao,
    log: structlog.testing.LogCapture,
) -> None:
    """The order ends, as the CA's fault; the certificate is revoked; the alarm is in the log."""
    wanted = await ready(spoilt, NAME)
    told = lie(wanted.key)
    lies: list[bytes] = []

    async def change(honest: dict[str, Any]) -> dict[str, Any]:
        body = {**told.body, "ttl": 3600}
        data = (await as_root(openbao, "POST", told.path, told.namespace, body))["data"]
        lies.append(x509.load_pem_x509_certificate(data["certificate"].encode()).public_bytes(Encoding.DER))
        chain = [pem for pem in data["ca_chain"] if pem != data["certificate"]]
        return {**honest, "certificate": data["certificate"], "ca_chain": chain}

    faulty.spoil(alters(change), *SIGN)
    try:
        finalized = await wanted.client.finalize(wanted.order.json()["finalize"], wanted.csr)
    finally:
        faulty.mend()
    done = await wanted.client.settled(wanted.order.location, finalized)

    assert (done.status, done.json()["status"]) == (200, "invalid")
    assert done.json()["error"]["type"] == "urn:ietf:params:acme:error:serverInternal"
    assert "[ref CERTIFICATE-MISMATCH]" in done.json()["error"]["detail"]
    assert "certificate" not in done.json()
    alarm = [entry for entry in log.entries if entry["event"] == "job.mismatch"][-1]
    assert alarm["log_level"] == "error"
    assert told.reason in alarm["reason"], alarm

    async def put_right() -> bool:
        done = [entry for entry in log.entries if entry["event"].startswith("job.")]
        return (done[-1]["event"], done[-1]["kind"]) == ("job.revoked", "revoke-surplus")

    await eventually(put_right)
    assert await revoked_in_store(openbao, "admin/alpha/pki", lies[0])
    await serves(spoilt, "www.beta.example")
    assert len(lies) == 1
