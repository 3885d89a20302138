"""What cryptography cannot read is a refusal or a mismatch, whatever it raises (FIN-04, TAL-18, HTTP-16)."""

import pytest
from cryptography import x509

from acmeproxy.core.csr import check, key_thumbprint
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.payload import moment
from acmeproxy.core.problem import AcmeError
from acmeproxy.core.unreadable import UNREADABLE
from tests.support.acme_csr import certificate_key, certificate_request

NAME = Identifier(IdentifierType.DNS, "a.example")
CSR = certificate_request(["a.example"], certificate_key())
#: SEQUENCE { SEQUENCE { INTEGER 0 ...: the version is the first integer.
VERSION = CSR.index(b"\x02\x01\x00") + 2


@pytest.mark.parametrize("version", [1, 2, 127])
def test_a_request_of_another_version(version: int) -> None:
    odd = CSR[:VERSION] + bytes([version]) + CSR[VERSION + 1 :]
    assert key_thumbprint(odd) is None
    with pytest.raises(AcmeError) as refused:
        check(odd, [NAME])
    assert refused.value.problem.type.endswith("badCSR")


def test_two_that_no_common_class_catches_are_among_them() -> None:
    """They derive from Exception itself, so that nothing else would."""
    assert x509.InvalidVersion in UNREADABLE
    assert x509.UnsupportedGeneralNameType in UNREADABLE
    assert not issubclass(x509.InvalidVersion, ValueError)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_date_beyond_the_calendar(text: str) -> None:
    """NOR-05."""
    with pytest.raises(AcmeError) as refused:
        moment(text, "notAfter")
    assert refused.value.problem.type.endswith("malformed")
