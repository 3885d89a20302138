"""How fast what is public is answered from the cache: `python -m benchmarks.publication`.

One server process, one core of it at most; the clients are in this process and keep their connections. The
figure to compare is answers a second of the server's own CPU time, since clients share the machine.
"""

import argparse
import asyncio
import base64
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
import uvloop
from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from benchmarks import measurements, report
from benchmarks.keepalive import Answerer, Load, Question, load
from benchmarks.stack import running
from tests.support.http01_responder import Http01Responder

_TENANT = "team-a"


async def measure(connections: int, seconds: float) -> dict[str, Load]:
    """Load one fresh stack with each kind of request."""
    async with Http01Responder() as responder, running(responder.port) as stack, ClientSession() as http:
        directory = stack.ready.tenants[_TENANT].directory
        client = await measurements.registered(http, directory)
        issued = await client.obtain([f"host.{_TENANT}.test"], responder)
        origin = urlsplit(directory)
        [pid] = stack.ready.pids.acmeproxy
        async with http.get(f"{origin.scheme}://{origin.netloc}/pki/{_TENANT}/crl") as answer:
            etag = answer.headers["ETag"]
        found = {}
        server = Answerer(origin.port or 80, pid)
        for name, question in _questions(issued.chain, etag).items():
            await load(server, question, connections, 0.5)  # caches fill
            found[name] = await load(server, question, connections, seconds)
        return found


def rows(found: dict[str, Load]) -> dict[str, str]:
    """Name the figures for the table."""
    return {name: f"{one.per_core:,.0f} ({one.per_second:,.0f})" for name, one in found.items()}


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publication", description=__doc__)
    parser.add_argument("--connections", type=int, default=16, help="connections at the same time (16)")
    parser.add_argument("--seconds", type=float, default=5, help="of each load (5)")
    parser.add_argument("--json", action="store_true", help="print JSON: answers, seconds, CPU seconds")
    parser.add_argument("--write", type=Path, help="put the table between the markers of this page")
    asked = parser.parse_args()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(asked.connections, asked.seconds))

    text = report.table(rows(found))
    print(msgspec.json.encode(found).decode() if asked.json else text)
    if asked.write:
        report.write(asked.write, text, "publication")


def _questions(chain: bytes, etag: str) -> dict[str, Question]:
    """Write a request of each kind, with the status of its answers."""
    leaf, issuer = x509.load_pem_x509_certificates(chain)[:2]
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1())  # noqa: S303 - as clients
    der = builder.build().public_bytes(Encoding.DER)
    encoded = quote(base64.b64encode(der).decode(), safe="")
    crl, post = f"GET /pki/{_TENANT}/crl", f"POST /pki/{_TENANT}/ocsp"
    length = f"Content-Type: application/ocsp-request\r\nContent-Length: {len(der)}"
    return {
        "CRL, answers a second of CPU (by the clock)": Question(_request(crl), 200),
        "CRL that the client has (304)": Question(_request(crl, f"If-None-Match: {etag}"), 304),
        "OCSP by GET": Question(_request(f"GET /pki/{_TENANT}/ocsp/{encoded}"), 200),
        "OCSP by POST": Question(_request(post, length) + der, 200),
    }


def _request(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"{target} HTTP/1.1", "Host: acme.example", *fields, "", ""]).encode()


if __name__ == "__main__":
    main()
