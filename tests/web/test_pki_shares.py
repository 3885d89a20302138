"""What one CA has us ask of Vault in vain is no other CA's affair."""

import asyncio
from dataclasses import replace

from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.core import ocsp
from acmeproxy.core.ocsp import CertId
from acmeproxy.wiring.serving import Role
from tests.support.faulty_vault import faulty_vault, hangs
from tests.support.proxies import Launch
from tests.support.proxy import Plan, Vault
from tests.support.relying_party import RelyingParty

OF_BETA = ("/pki/ocsp", "admin/beta")


async def test_a_ca_whose_mount_hangs_holds_up_no_other_one(
    launch: Launch, issuing_plan: Plan, openbao: OpenBao
) -> None:
    """INV-9, TEN-06: statuses that never come take neither all places nor everybody's breaker."""
    async with faulty_vault(openbao.port) as vault:
        brief = {**issuing_plan.more, "vault": "timeout = 2\n"}
        address = Vault(f"http://127.0.0.1:{vault.port}")
        async with launch(replace(issuing_plan, role=Role.WEB, vault=address, more=brief)) as running:
            alpha, beta = (RelyingParty(running.http, running.origin, name) for name in ("alpha", "beta"))
            issuer = x509.load_der_x509_certificate((await beta.get("ca")).body)
            hashes = ocsp.issuer_hashes(issuer)[0]
            requests = [ocsp.encode_request(CertId(hashes, serial)) for serial in range(1, 9)]
            vault.spoil(hangs(), *OF_BETA)
            asking = [asyncio.create_task(beta.post(request)) for request in requests]
            await vault.until(*OF_BETA, times=2)
            assert (await alpha.get("ca")).status == 200
            said = {answer.body for answer in await asyncio.gather(*asking)}
            assert said == {bytes.fromhex("30030a0103")}
            # By now beta's breaker is open: three in a row.
            assert (await alpha.get("crl")).status == 200
