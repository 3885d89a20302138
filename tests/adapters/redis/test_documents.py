"""Stores are full of yesterday's documents: they are read today, and written as they were."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from acmeproxy.adapters.redis.documents import decode, encode, revision, stored
from acmeproxy.core.account import Account, AccountStatus
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import Challenge
from acmeproxy.core.eab import EabKey
from acmeproxy.core.job import Job
from acmeproxy.core.order import Abandoned, Intent, Issued, Open, Order, Processing
from acmeproxy.core.provenance import Provenance
from acmeproxy.core.renewal import Campaign
from acmeproxy.core.role import Role
from acmeproxy.services.stores import Undelivered

STORED: Final = Path(__file__).parents[2] / "vectors" / "stored"
SHAPES: Final[dict[str, type[msgspec.Struct]]] = {
    "account": Account,
    "authorization": Authorization,
    "campaign": Campaign,
    "certificate": Certificate,
    "eab-key": EabKey,
    "job": Job,
    "order": Order,
    "role": Role,
    "surplus": Undelivered,
}
NAMES: Final = sorted(path.stem for path in STORED.glob("*.json"))
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


def document(name: str) -> bytes:
    return (STORED / f"{name}.json").read_bytes().removesuffix(b"\n")


def shape_of(name: str) -> type[msgspec.Struct]:
    """Return the shape that the beginning of a document's name stands for."""
    (shape,) = (shape for kind, shape in SHAPES.items() if name in of_kind(kind))
    return shape


def of_kind(kind: str) -> list[str]:
    return [name for name in NAMES if name == kind or name.startswith(f"{kind}-")]


def plain(name: str) -> dict[str, Any]:
    """Return a document as JSON, whatever shape it has."""
    members: dict[str, Any] = msgspec.json.decode(document(name))
    return members


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_document_is_read_and_written_as_it_was(name: str) -> None:
    assert encode(decode(document(name), shape_of(name))) == document(name)


@pytest.mark.parametrize("kind", SHAPES)
def test_there_is_a_document_of_every_kind(kind: str) -> None:
    assert of_kind(kind)


@pytest.mark.parametrize("kind", SHAPES)
def test_every_member_stands_in_a_stored_document(kind: str) -> None:
    """A new member needs a default, and a new file in tests/vectors/stored that has it; old files stay."""
    missing = set(SHAPES[kind].__struct_encode_fields__).difference(*(plain(name) for name in of_kind(kind)))

    assert missing == set()


def test_every_member_of_what_documents_hold_stands_in_one() -> None:
    challenges = [one for name in of_kind("authorization") for one in plain(name)["challenges"]]
    intents = [plain(name)["progress"]["intent"] for name in of_kind("order-processing")]
    (provenance,) = (intent["provenance"] for intent in intents if "provenance" in intent)

    assert set(Challenge.__struct_encode_fields__).difference(*challenges) == set()
    assert set(Intent.__struct_encode_fields__).difference(*intents) == set()
    assert set(Provenance.__struct_encode_fields__).difference(provenance) == set()


def test_an_order_is_read_in_every_progress() -> None:
    progress = {name: decode(document(f"order-{name}"), Order).progress for name in PROGRESS}

    assert {name: type(value) for name, value in progress.items()} == PROGRESS
    processing = progress["processing"]
    assert isinstance(processing, Processing)
    assert (processing.intent.attempts, processing.intent.csr) == (2, b"0\x03\x02\x01\x00")


PROGRESS: Final = {"open": Open, "processing": Processing, "issued": Issued, "abandoned": Abandoned}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("authorization", AuthorizationStatus.PENDING),
        ("authorization-processing", AuthorizationStatus.PENDING),
        ("authorization-valid", AuthorizationStatus.DEACTIVATED),
        ("authorization-invalid", AuthorizationStatus.INVALID),
        ("authorization-invalid-0.1", AuthorizationStatus.INVALID),
        ("authorization-revoked", AuthorizationStatus.REVOKED),
    ],
)
def test_an_authorization_still_means_what_it_meant(name: str, expected: AuthorizationStatus) -> None:
    assert decode(document(name), Authorization).status(NOON) is expected


def test_an_account_and_a_key_still_mean_what_they_meant() -> None:
    account = decode(document("account"), Account)
    key = decode(document("eab-key-narrow"), EabKey)

    assert (account.status, account.closed_at) == (AccountStatus.VALID, None)
    assert key.secret == bytes(range(32))
    assert list(key.accounts.values()) == [account.id]


def test_a_revision_is_the_sha1_that_lua_computes() -> None:
    octets = document("job")

    assert stored(octets, Job).revision == revision(octets)
    assert revision(b"abc") == "a9993e364706816aba3e25717850c26c9cd0d89d"


@pytest.mark.parametrize("octets", [b"", b"{}", b"null", b'{"id":1}', b"\xff"])
def test_what_is_no_document_is_never_taken_for_none(octets: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode(octets, Account)


def test_an_unknown_progress_is_not_taken_for_an_open_order() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(document("order-issued").replace(b'"issued"', b'"paused"'), Order)


def test_members_of_a_later_version_are_passed_over() -> None:
    """Two versions share a store while one is rolled out."""
    later = document("job")[:-1] + b',"priority":1}'

    assert decode(later, Job) == decode(document("job"), Job)
