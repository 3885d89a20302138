"""A Vault that hangs for one tenant: what was found is kept, and the others are looked at meanwhile."""

import asyncio
from datetime import timedelta

from acmeproxy.adapters.vault.doctor import examination
from acmeproxy.services.findings import Finding, Level
from tests.support.cutting_proxy import cutting_proxy
from tests.support.ward import Ward

_FOR_EVER = 3600


async def test_what_was_found_before_the_deadline_is_kept(ward: Ward) -> None:
    async with cutting_proxy(ward.server.port) as proxy:
        proxy.delay(b"capabilities-self", _FOR_EVER)
        async with ward.case(address=f"http://127.0.0.1:{proxy.port}") as case:
            found = await examination.examine(case, (), lambda _: None, within=timedelta(seconds=3))
    assert [(one.level, one.subject) for one in found] == [
        (Level.PASS, f"tenant {ward.name}: login"),
        (Level.FAIL, f"tenant {ward.name}: vault"),
    ]
    assert found[1].text == "Vault did not answer everything within 3 s"
    assert found[1].mend == "acmeproxy doctor  # once Vault answers in time"


async def test_the_others_are_examined_while_one_hangs(ward: Ward) -> None:
    async with cutting_proxy(ward.server.port) as proxy:
        proxy.delay(b"capabilities-self", _FOR_EVER)
        async with ward.case(address=f"http://127.0.0.1:{proxy.port}") as case:
            hanging = asyncio.create_task(examination.examine(case, (), lambda _: None))
            await proxy.until(b"capabilities-self")
            assert await ward.faults() == []
            assert not hanging.done()
            hanging.cancel()
            await asyncio.wait([hanging])


async def test_no_answer_at_all_is_one_finding(ward: Ward) -> None:
    [found] = await ward.examined(address="http://127.0.0.1:9")
    assert found == Finding(
        Level.FAIL,
        f"tenant {ward.name}: login",
        "no answer to the login: ConnectionError",
        "acmeproxy doctor  # once it can log in",
    )
