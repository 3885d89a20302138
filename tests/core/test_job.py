"""Jobs are read by workers of the version before and after: their words do not change."""

import msgspec
import pytest

from acmeproxy.core.ids import AccountId, TenantName
from acmeproxy.core.job import Job, JobKind

JOB = Job(JobKind.VALIDATE, TenantName("web"), AccountId("account"), "subject")


def test_a_job_says_what_is_to_be_done_and_whose_it_is() -> None:
    octets = b'{"kind":"validate","tenant":"web","account":"account","subject":"subject"}'

    assert msgspec.json.encode(JOB) == octets
    assert msgspec.json.decode(octets, type=Job) == JOB


@pytest.mark.parametrize("word", ["validate", "issue", "revoke-surplus", "revoke"])
def test_the_kinds_keep_their_words(word: str) -> None:
    assert JobKind(word).value == word


def test_an_unknown_kind_is_not_taken_for_another() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(JOB).replace(b"validate", b"abolish"), type=Job)
