"""What is asked of Vault is counted by operation and outcome."""

import pytest

from acmeproxy.adapters.vault.door import LostLoginError
from acmeproxy.core.order import Intent, Processing
from acmeproxy.services.ports import (
    Signed,
    SigningDeferredError,
    SigningRefusedError,
    SigningUncertainError,
)
from acmeproxy.telemetry import metrics
from acmeproxy.worker.measured import MeasuredSigner
from tests.support.stored import TENANT
from tests.support.workshop import Workshop


async def test_every_outcome_is_counted_and_timed(workshop: Workshop) -> None:
    counted = metrics("test")
    signer = MeasuredSigner(workshop.signer, counted)
    owner, order = await workshop.finalized(("www.alpha.example",))
    progress = (await workshop.order(owner, order)).progress.__class__
    assert progress is Processing
    tenant = workshop.tenants[TENANT]
    marked = order.attempt(workshop.clock())
    assert isinstance(marked.progress, Processing)
    intent = marked.progress.intent

    signed = await signer.sign(tenant, intent)
    await signer.find(tenant, intent)
    await signer.revoke(tenant, signed.leaf)
    for deed, error in (
        (workshop.signer.defers(), SigningDeferredError),
        (workshop.signer.loses(signed=False), SigningUncertainError),
        (workshop.signer.refuses(), SigningRefusedError),
    ):
        workshop.signer.script.append(deed)
        with pytest.raises(error):
            await signer.sign(tenant, intent)

    text = counted.render().decode()
    for code in ("ok", "deferred", "uncertain", "refused"):
        assert f'acmeproxy_vault_requests_total{{code="{code}",op="sign"}} 1.0' in text
    assert 'acmeproxy_vault_requests_total{code="ok",op="revoke"} 1.0' in text
    assert 'acmeproxy_vault_request_duration_seconds_count{op="sign"} 4.0' in text
    assert 'acmeproxy_vault_request_duration_seconds_count{op="find"} 1.0' in text


async def test_a_login_whose_answer_was_lost_is_one_more_reason_to_wait(workshop: Workshop) -> None:
    """FIN-22: it was counted as nothing, and the job ended as a fault of ours."""

    async def loses_the_login(_: Intent) -> Signed:
        raise LostLoginError("no answer to the login: ReadTimeout")

    counted = metrics("test")
    owner, order = await workshop.finalized()
    marked = order.attempt(workshop.clock())
    assert isinstance(marked.progress, Processing)
    workshop.signer.script.append(loses_the_login)
    with pytest.raises(LostLoginError):
        await MeasuredSigner(workshop.signer, counted).sign(workshop.tenants[TENANT], marked.progress.intent)
    assert 'requests_total{code="deferred",op="sign"} 1.0' in counted.render().decode()
    assert owner.tenant == TENANT
