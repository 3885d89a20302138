"""What we had revoked ourselves is good to nobody, whatever Vault says and whoever missed the news (A6)."""

import msgspec
from cryptography import x509

from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.adapters.redis.ledger import RedisLedger
from acmeproxy.core import ocsp, renewal
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.ocsp import CertId, Request, Response
from acmeproxy.services.recalling import Recalling
from acmeproxy.services.statuses import Statuses
from tests.support.publishing import Record
from tests.support.scripted_authority import ScriptedAuthority
from tests.support.stored import PATIENCE, START, TENANT, SetClock
from tests.support.workshop import Workshop


class Asking:
    """Who asks a responder about one certificate; it began after everything had happened."""

    def __init__(
        self, statuses: Statuses, authority: ScriptedAuthority, record: Record, certificate: Certificate
    ) -> None:
        self.statuses = statuses
        self.serial = int(certificate.serial.replace(":", ""), 16)
        self.asked = Request(CertId(ocsp.issuer_hashes(authority.certificate)[0], self.serial))
        record.by_serial[self.serial] = certificate

    async def said(self) -> str:
        answer = await self.statuses.answer(self.asked)
        return answer.status.name if isinstance(answer, Response) else answer.name


async def issued(workshop: Workshop) -> Certificate:
    owner, order = await workshop.finalized()
    assert (await workshop.issue(owner, order)).outcome == "issued"
    return await workshop.certificate(owner, order)


async def test_a_node_that_lags_does_not_make_it_good_again(
    workshop: Workshop, authority: ScriptedAuthority, statuses: Statuses, record: Record, told: list[str]
) -> None:
    """Nor does a Vault that was restored from a backup: there is no way back."""
    revoked = (await issued(workshop)).revoke(4, START).confirm_revoked(START)
    asking = Asking(statuses, authority, record, revoked)
    assert [await asking.said() for _ in range(2)] == ["TRY_LATER"] * 2
    assert told == [f"good, of {revoked.serial}, which it has revoked before"]
    authority.revoked = {asking.serial}
    assert await asking.said() == "REVOKED"


async def test_what_is_to_be_revoked_is_asked_about_each_time(
    workshop: Workshop, authority: ScriptedAuthority, statuses: Statuses, record: Record
) -> None:
    revoking = (await issued(workshop)).revoke(4, START)
    asking = Asking(statuses, authority, record, revoking)
    assert [await asking.said() for _ in range(3)] == ["GOOD"] * 3
    assert authority.asked[asking.serial] == 3


async def test_our_record_is_found_by_what_an_ocsp_request_says(workshop: Workshop) -> None:
    """The issuer's key and the number; at any of the tenants that share the mount."""
    certificate = await issued(workshop)
    issuer = x509.load_der_x509_certificate(certificate.chain[1])
    serial = int(certificate.serial.replace(":", ""), 16)
    recalling = Recalling(RedisLedger(workshop.state, workshop.clock))
    name = renewal.name_under(issuer, serial)
    assert name == renewal.name_of(x509.load_der_x509_certificate(certificate.chain[0]))
    assert name is not None
    assert await recalling(["another", TENANT], name) == certificate
    assert await recalling(["another"], name) is None
    assert await recalling([TENANT], msgspec.structs.replace(name, serial=serial + 1)) is None
    for number in (0, -5):
        assert renewal.name_under(issuer, number) is None


async def test_without_the_store_vault_has_the_word(clock: SetClock) -> None:
    async with connect("redis://127.0.0.1:1/0", None, PATIENCE, Durability.AUTO) as nowhere:
        recalling = Recalling(RedisLedger(nowhere, clock))
        assert await recalling([TENANT], renewal.CertId(b"key", 5)) is None
