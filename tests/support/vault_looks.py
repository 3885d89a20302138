"""What Vault says of a certificate: in its store and by OCSP, as relying parties ask."""

import asyncio
from http import HTTPStatus

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from acmeproxy.adapters.embedded.openbao import OpenBao

_DEADLINE = 60


async def revoked_in_store(server: OpenBao, mount: str, leaf: bytes) -> bool:
    """Ask for `cert/<serial>`: `mount` with its namespace before it."""
    number = x509.load_der_x509_certificate(leaf).serial_number
    serial = number.to_bytes((number.bit_length() + 7) // 8).hex(":")
    answer = await asyncio.to_thread(
        requests.get, f"{server.address}/v1/{mount}/cert/{serial}", timeout=_DEADLINE
    )
    assert answer.status_code == HTTPStatus.OK, answer.text
    return bool(answer.json()["data"]["revocation_time"])


async def status_by_ocsp(server: OpenBao, mount: str, chain: list[bytes]) -> ocsp.OCSPCertStatus:
    """Ask the responder of a mount about the first certificate of a chain."""
    leaf, issuer = (x509.load_der_x509_certificate(der) for der in chain[:2])
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).build()
    answer = await asyncio.to_thread(
        requests.post,
        f"{server.address}/v1/{mount}/ocsp",
        data=request.public_bytes(Encoding.DER),
        headers={"Content-Type": "application/ocsp-request"},
        timeout=_DEADLINE,
    )
    return ocsp.load_der_ocsp_response(answer.content).certificate_status
