"""When the server starts and while it runs: what is found is told once, and counted (TEN-08)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from acmeproxy.services.findings import Diagnosis, failed, passed, warned
from acmeproxy.services.proving import Proving, UnprovenError
from tests.support.eventually import eventually
from tests.support.log_capture import captured

WIDE = failed("tenant a: policy", "its token may do too much", "acmeproxy vault apply")
SILENT = failed("tenant b: vault", "no answer from Vault: ConnectTimeout")
AWAY = Diagnosis((SILENT,), away=True, silent=(SILENT,))
SOUND = Diagnosis((passed("tenant a: policy", "nothing else"), warned("tenant a: login", "long", "shorten")))


class Looks:
    """What is found, look after look; the last one again and again."""

    def __init__(self, *found: Diagnosis) -> None:
        self._found: Sequence[Diagnosis] = found
        self.number = 0

    async def __call__(self) -> Diagnosis:
        self.number += 1
        return self._found[min(self.number, len(self._found)) - 1]


async def test_a_start_is_refused_for_a_failure_with_what_mends_it() -> None:
    counted: list[int] = []
    with pytest.raises(UnprovenError) as refused:
        await Proving(Looks(Diagnosis((WIDE, *SOUND.findings))), counted.append).require()
    assert str(refused.value).splitlines() == [
        'vault.unsafe = "refuse", and it is not safe to serve:',
        "FAIL  tenant a: policy  its token may do too much",
        "      mend: acmeproxy vault apply",
    ]
    assert not refused.value.away
    assert counted == [1]


async def test_a_start_is_refused_where_nothing_can_be_told() -> None:
    with pytest.raises(UnprovenError, match="no answer from Vault") as refused:
        await Proving(Looks(Diagnosis((SILENT,), away=True, silent=(SILENT,))), lambda _: None).require()
    assert refused.value.away


async def test_what_is_only_worth_knowing_refuses_nothing() -> None:
    await Proving(Looks(SOUND), lambda _: None).require()


async def test_a_failure_is_told_once_until_it_is_gone() -> None:
    found = Diagnosis((WIDE,))
    looks, counted = Looks(found, found, SOUND, found, found), list[int]()
    proving = Proving(looks, counted.append, timedelta(milliseconds=1))

    async def looked() -> bool:
        return looks.number > 5

    with captured() as log:
        looking = asyncio.create_task(proving.keep_looking())
        await eventually(looked)
        looking.cancel()
    assert counted[:5] == [1, 1, 0, 1, 1]
    told = {"event": "vault.unsafe", "log_level": "warning", "subject": WIDE.subject, "why": WIDE.text}
    assert log.entries == [{**told, "mend": WIDE.mend}] * 2


async def test_an_outage_is_no_news_about_what_may_be_done() -> None:
    counted: list[int] = []
    proving = Proving(Looks(Diagnosis((WIDE,)), AWAY), counted.append)
    with captured() as log:
        for _ in range(2):
            with pytest.raises(UnprovenError):
                await proving.require()
    assert counted == [1]
    assert [entry["why"] for entry in log.entries] == [WIDE.text]


async def test_one_that_is_silent_hides_nothing_of_the_others() -> None:
    counted: list[int] = []
    one_away = Diagnosis((WIDE, SILENT), away=True, silent=(SILENT,))
    proving = Proving(Looks(one_away, AWAY), counted.append)
    with captured() as log:
        for _ in range(2):
            with pytest.raises(UnprovenError):
                await proving.require()
    assert counted == [1]
    assert [entry["why"] for entry in log.entries] == [WIDE.text]


async def test_a_look_that_breaks_ends_nothing() -> None:
    """What a server answers is its own affair; what serves goes on, and it is looked at again."""
    looks = Looks(SOUND)

    async def breaks_first() -> Diagnosis:
        found = await looks()
        if looks.number == 1:
            raise TypeError("unhashable type: 'dict'")
        return found

    counted: list[int] = []
    proving = Proving(breaks_first, counted.append, timedelta(milliseconds=1))

    async def looked() -> bool:
        return bool(counted)

    with captured() as log:
        looking = asyncio.create_task(proving.keep_looking())
        await eventually(looked)
        looking.cancel()
    assert [entry["event"] for entry in log.entries] == ["vault.unproven"]
