"""Vault Agent and an ACME client on one role of one tenant: two kinds of consumers, one producer."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.support import file_tls, programs
from tests.support.installation import Development, certbot, openssl_verifies
from tests.support.policies import Caller
from tests.support.vault_agent import FILES, PAGE, Host, blocks


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Run a TLS server that reads the files of an agent when it is told to; return its port and its pid."""
    port = programs.steady_port()
    files = (str(tmp_path / "chain.pem"), str(tmp_path / "server.pem"))
    command = [sys.executable, file_tls.__file__, str(port), *files]
    log = tmp_path / "server.log"
    with programs.running(command, log) as server:
        programs.until(lambda: "listens" in log.read_text(), "the server", log)
        yield port, server.pid


def test_the_page_shows_the_files_that_are_shipped() -> None:
    shown = [block.strip() for block in re.findall(r"```\w*\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    shipped = sorted(FILES.iterdir())
    assert [path.name for path in shipped] == ["agent.hcl", "bao-agent.service", "nginx.conf", "server.tmpl"]
    assert [path.name for path in shipped if path.read_text().strip() not in shown] == []


def test_the_page_shows_the_policy_that_is_shipped() -> None:
    policy = (FILES.parent / "policies" / "vault-agent.hcl").read_text()
    assert any(policy.endswith(block) for block in blocks("hcl"))


def test_an_agent_renews_for_a_server_beside_an_acme_client_on_the_same_role(
    installation: Development, served: tuple[int, int], tmp_path: Path
) -> None:
    port, pid = served
    host = Host(
        *(tmp_path, installation.ready["vault"], "agent.team-a.test"),
        lifetime="10s",
        reload=("/bin/kill", "-HUP", str(pid)),
    )
    host.prepare(installation.root)
    host.has_typed(blocks("sh")[1])
    seen: set[int] = set()

    def a_second_one_is_served() -> bool:
        leaf, body = programs.fetched(port, "agent.team-a.test", installation.root)
        assert body == b"served"
        seen.add(x509.load_der_x509_certificate(leaf).serial_number)
        return len(seen) == 2

    with host.agent():
        host.until_it_has_a_certificate()
        said = certbot(
            tmp_path / "certbot", installation, "acme.team-a.test", "--server", installation.directory()
        )
        assert said.startswith("0 "), said
        programs.until(a_second_one_is_served, "a renewed certificate", host.log)
        # The agent writes the file anew with each certificate, and may be at that.
        programs.until(lambda: host.chain.read_bytes().count(b"BEGIN CERT") > 1, "a whole chain", host.log)
        whole = host.chain.read_bytes()

    by_agent = x509.load_pem_x509_certificates(whole)
    fullchain = (tmp_path / "certbot" / "live" / "acme.team-a.test" / "fullchain.pem").read_bytes()
    by_acme = x509.load_pem_x509_certificates(fullchain)
    assert [names(chain[0]) for chain in (by_agent, by_acme)] == [["agent.team-a.test"], ["acme.team-a.test"]]
    assert by_agent[1] == by_acme[1]
    assert permitted(by_agent[1]) == ["corp.example", "team-a.test"]
    assert [ocsp(chain[0]) for chain in (by_agent, by_acme)] == ["http://acme.example/pki/team-a/ocsp"] * 2
    assert openssl_verifies(installation.root, fullchain).endswith("OK")
    assert openssl_verifies(installation.root, host.chain.read_bytes()).endswith("OK")
    assert host.chain.stat().st_mode & 0o777 == 0o644
    assert host.key.stat().st_mode & 0o777 == 0o600


def test_a_restarted_agent_keeps_its_certificate_and_a_rotated_issuer_does_not_break_its_chain(
    installation: Development, tmp_path: Path
) -> None:
    host = Host(tmp_path, installation.ready["vault"], "rotated.team-a.test")
    host.prepare(installation.root)
    with host.agent():
        first = host.until_it_has_a_certificate()
    chain = host.chain.read_bytes()
    rotate(installation)
    host.chain.unlink()
    with host.agent():
        # Written twice after the rotation: the first time may have been on its way.
        programs.until(host.chain.exists, "the chain", host.log)
        host.chain.unlink()
        programs.until(lambda: host.chain.read_bytes() == chain, "the same chain again", host.log)
        assert host.serial == first
    assert len(installation.certificates("rotated.team-a.test")) == 1
    assert openssl_verifies(installation.root, chain).endswith("OK")


def test_a_template_that_asks_for_the_chain_as_other_agents_have_it_fails_and_issues_all_the_same(
    installation: Development, tmp_path: Path
) -> None:
    host = Host(tmp_path, installation.ready["vault"], "failing.team-a.test")
    host.prepare(installation.root)
    template = tmp_path / "server.tmpl"
    template.write_text(template.read_text().replace("{{ .CA }}", "{{ range .CAChain }}{{ . }}{{ end }}"))

    with host.agent():
        programs.until(
            lambda: len(installation.certificates("failing.team-a.test")) > 1, "a second try", host.log
        )

    assert "can't evaluate field CAChain" in host.log.read_text()
    assert not host.key.exists()


def rotate(installation: Development) -> None:
    """Give the tenant a new issuing CA, as `acmeproxy vault rotate` does it."""
    vault = installation.ready["vault"]
    tenant = Caller(vault["addr"], vault["namespaces"]["team-a"], vault["token"])
    new = {"common_name": "the next", "key_type": "ec", "key_bits": 384}
    csr = tenant.does("POST", "pki/intermediate/generate/internal", new)["csr"]
    limits = {"ttl": "8760h", "max_path_length": 0, "permitted_dns_domains": "team-a.test"}
    wanted = {"csr": csr, "common_name": "the next", **limits}
    issued = tenant.does("POST", "pki/root/sign-intermediate", wanted, "admin")
    chain = {"certificate": "\n".join(issued["ca_chain"])}
    imported = tenant.does("POST", "pki/intermediate/set-signed", chain)
    [ours] = [issuer for issuer, key in imported["mapping"].items() if key]
    tenant.does("POST", "pki/config/issuers", {"default": ours})


def names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def ocsp(certificate: x509.Certificate) -> str:
    found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    [place] = [one for one in found if one.access_method == AuthorityInformationAccessOID.OCSP]
    return str(place.access_location.value)


def permitted(authority: x509.Certificate) -> list[str]:
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    return sorted(str(name.value) for name in constraints.permitted_subtrees or ())
