"""The mount: no lid on lifetimes, a store that is tidied, and addresses that work."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from acmeproxy.adapters.vault.doctor.case import Case
from acmeproxy.adapters.vault.doctor.commands import Commands, hours
from acmeproxy.services.findings import Finding, failed, or_passed, warned

#: What a mount has that nobody tuned: the server's own default of 768 hours.
UNTUNED: Final = timedelta(seconds=2764800)
_URLS: Final = {
    "issuing_certificates": "{{cluster_aia_path}}/issuer/{{issuer_id}}/ca",
    "crl_distribution_points": "{{cluster_aia_path}}/issuer/{{issuer_id}}/crl",
    "ocsp_servers": "{{cluster_aia_path}}/ocsp",
}


async def examine(case: Case) -> Sequence[Finding]:
    """Look at the tenant's mount.

    Raises:
        UnansweredError: There is no answer.
    """
    subject = case.about(f"mount {case.mount}")
    found = [
        *await _lid(case, subject),
        *await _tidy(case, subject),
        *await _addresses(case, subject),
    ]
    return or_passed(found, subject, "its lifetimes, its tidying and its addresses are in order")


async def _lid(case: Case, subject: str) -> Sequence[Finding]:
    """Compare the longest lifetime that the mount signs with what is wanted; any of its tokens sees it."""
    answer = await case.ask("get", f"sys/internal/ui/mounts/{case.mount}")
    longest = longest_of(answer.data)
    if not longest:
        # Zero is the server's default, which only the mount's tuning tells.
        shown = await case.see(f"sys/mounts/{case.mount}/tune")
        longest = (longest_of({"config": shown}) if shown else None) or longest
    if longest is None:
        mend = case.commands.run("read", rest=(f"sys/mounts/{case.mount}/tune",))
        return (warned(subject, "its max_lease_ttl cannot be seen with this token", mend),)
    wanted = max(use.lifetime for use in case.uses)
    mend = case.commands.run("secrets", "tune", rest=(f"-max-lease-ttl={hours(case.lasting)}", case.mount))
    if longest in {UNTUNED, timedelta()}:
        text = "max_lease_ttl is the server's default of 768 h: everything longer is cut off without an error"
        return (failed(subject, text, mend),)
    if longest < wanted:
        text = f"max_lease_ttl is {hours(longest)} and the tenant promises {hours(wanted)}"
        return (failed(subject, text, mend),)
    return ()


async def _tidy(case: Case, subject: str) -> Sequence[Finding]:
    path = f"{case.mount}/config/auto-tidy"
    shown = await case.see(path)
    if shown is None:
        return (unseen(case, subject, "whether it tidies its store", path),)
    return tidied(case.commands, case.mount, subject, shown)


def tidied(commands: Commands, mount: str, subject: str, shown: Mapping[str, Any]) -> Sequence[Finding]:
    """Look at how a mount tidies; the commands are those of its namespace."""
    mend = commands.write(
        f"{mount}/config/auto-tidy", enabled=True, tidy_cert_store=True, tidy_revoked_certs=True
    )
    if shown.get("enabled") is not True:
        text = "auto-tidy is off: its store grows for ever, and a failover takes minutes"
        return (failed(subject, text, mend),)
    if shown.get("tidy_cert_store") is not True or shown.get("tidy_revoked_certs") is not True:
        text = "auto-tidy leaves expired or revoked certificates in the store"
        return (warned(subject, text, mend),)
    return ()


async def _addresses(case: Case, subject: str) -> Sequence[Finding]:
    """Look at what goes into certificates as the places of the CA, the CRL and OCSP."""
    urls = await case.see(f"{case.mount}/config/urls")
    cluster = await case.see(f"{case.mount}/config/cluster")
    if urls is None or cluster is None:
        return ()  # The canary shows them.
    return list(_of_urls(case, subject, urls, cluster))


def _of_urls(
    case: Case, subject: str, urls: Mapping[str, Any], cluster: Mapping[str, Any]
) -> Iterator[Finding]:
    listed = [str(url) for name in _URLS for url in urls.get(name) or ()]
    templates = [url for url in listed if "{{cluster" in url]
    if any(not cluster.get(_part(url)) for url in templates):
        text = "its addresses are made of the cluster's, which is not set: signing fails"
        yield failed(subject, text, cluster_command(case))
    lacking = [name for name in _URLS if not urls.get(name)]
    if lacking:
        yield warned(subject, f"config/urls lacks {', '.join(lacking)}", urls_command(case))


def cluster_command(case: Case) -> str:
    """Return how to tell the mount its own address, and the one for certificates."""
    namespace = f"{case.namespace}/" if case.namespace else ""
    path = f"{case.address.rstrip('/')}/v1/{namespace}{case.mount}"
    aia = f"{case.aia_url}/pki/{case.tenant.name}"
    return case.commands.write(f"{case.mount}/config/cluster", path=path, aia_path=aia)


def urls_command(case: Case) -> str:
    """Return how to have certificates point to acmeproxy's own front."""
    urls = case.commands.write(f"{case.mount}/config/urls", enable_templating=True, **_URLS)
    return f"{cluster_command(case)} && {urls}"


def unseen(case: Case, subject: str, what: str, path: str) -> Finding:
    """Return the finding for what no token at hand may read."""
    doctor = f"acmeproxy doctor --tenant {case.tenant.name}"
    variable = "BAO_TOKEN" if case.commands.program == "bao" else "VAULT_TOKEN"
    mend = f"{variable}=... {doctor}  # a token with the policy acmeproxy-reader, which may read {path}"
    return warned(subject, f"{what} cannot be seen with this token", mend)


def _part(url: str) -> str:
    return "aia_path" if "{{cluster_aia_path}}" in url else "path"


def longest_of(shown: Mapping[str, Any] | None) -> timedelta | None:
    """Return the `max_lease_ttl` of a mount as Vault shows it; zero is the server's default."""
    match shown:
        case {"config": {"max_lease_ttl": int(seconds)}}:
            return timedelta(seconds=seconds)
    return None
