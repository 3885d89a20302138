"""Least privilege, proven: what the tenant's token can do is what it must, and nothing else (INV-14)."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Final

import msgspec

from acmeproxy.adapters.vault.doctor import grants
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError, asked
from acmeproxy.adapters.vault.doctor.grants import READING
from acmeproxy.adapters.vault.doctor.token import Token
from acmeproxy.adapters.vault.login import Abroad, Login
from acmeproxy.adapters.vault.place import sign_path
from acmeproxy.services.findings import Finding, failed, or_passed, warned

_PROBE: Final = "acmeproxy-doctor"
_NOTHING: Final = frozenset({"deny"})
_MOST_SHOWN: Final = 6


class _Probe(msgspec.Struct, frozen=True):
    """A path, what nobody minds there, and what the rest would amount to."""

    path: str
    may: frozenset[str]
    what: str


class Rights(msgspec.Struct, frozen=True):
    """What a token may do at the paths of its tenant, and what is wrong with that.

    `granted` are capabilities by path, seen from the token's namespace; `prefix` leads to the mount's.
    """

    findings: Sequence[Finding] = ()
    granted: Mapping[str, set[str]] = msgspec.field(default_factory=dict)
    prefix: str = ""
    all: bool = False

    def may(self, capability: str, path: str) -> bool:
        """Tell whether it has a capability at a path of the tenant's namespace, of those that were asked."""
        return self.all or capability in self.granted.get(f"{self.prefix}{path}", ())


async def examine(case: Case, token: Token) -> Rights:
    """Ask which capabilities the token has.

    Raises:
        UnansweredError: There is no answer.
    """
    subject = case.about("policy")
    if token.root:
        # Told by the token's own check; every single path would be found.
        return Rights(all=True)
    needed = _needed(case)
    probes = [*_of_mount(case), *_of_system(token), *await _of_others(case, token)]
    prefix = _prefix(case.namespace, token.namespace)
    paths = [f"{prefix}{path}" for path in needed] + [_placed(prefix, probe.path) for probe in probes]
    granted = await _capabilities(case, token.namespace, tuple(dict.fromkeys(paths)))
    if granted is None:
        text = "what its token may do cannot be asked: it lacks the policy default"
        return Rights((warned(subject, text, _read_policy(case, token)),))
    lacking = [
        f"{want} {path}" for path, want in needed.items() if want not in granted.get(f"{prefix}{path}", set())
    ]
    excess: list[tuple[_Probe, AbstractSet[str]]] = [
        (probe, extra)
        for probe in probes
        if (extra := granted.get(_placed(prefix, probe.path), set()) - probe.may)
    ]
    told = [_placed(prefix, probe.path) for probe, _ in excess]
    excess += await _listed(case, token, prefix, needed, told)
    found = [*_lacking(subject, token, lacking), *_excess(case, subject, token, excess)]
    text = f"it can sign, revoke and look up what was signed, and nothing else ({len(paths)} paths asked)"
    return Rights(or_passed(found, subject, text), granted, prefix)


def sharing(case: Case, neighbours: Sequence[str]) -> Sequence[Finding]:
    """Tell what a tenant shares with others: a login, or a mount and so the right to revoke (VLT-16)."""
    name = case.tenant.name
    found = []
    if neighbours:
        text = f"{', '.join(neighbours)} log in with the same: who steals one token signs for all of them"
        found.append(
            warned(case.about("login"), text, f"set tenants.{name}.vault.login to an AppRole of its own")
        )
    places = {(use.place.namespace, use.place.mount) for use in case.uses}
    if any((place.namespace, place.mount) in places for place in case.strangers):
        text = "another tenant has the same mount, and a revocation right is mount-wide"
        found.append(warned(case.about("policy"), text, f"set tenants.{name}.vault.mount to one of its own"))
    return found


def _needed(case: Case) -> Mapping[str, str]:
    mount = case.mount
    return {
        **{sign_path(use.place): "update" for use in case.uses},
        f"{mount}/revoke": "update",
        **{f"{mount}/roles/{use.place.role}": "read" for use in case.uses},
        **{f"{mount}/issuer/{use.place.issuer or 'default'}": "read" for use in case.uses},
        f"{mount}/issuers": "list",
        f"{mount}/certs": "list",
        f"{mount}/certs/detailed": "list",
        f"{mount}/cert/{_PROBE}": "read",
    }


def _of_mount(case: Case) -> list[_Probe]:
    """List what a token that signs has no business with, mount's part."""
    mount = case.mount
    roles = dict.fromkeys(use.place.role for use in case.uses)
    wanted = {sign_path(use.place) for use in case.uses}
    writes = {
        "write roles": [f"roles/{role}" for role in (*roles, _PROBE)],
        "change issuers": ["issuer/default", f"issuer/{_PROBE}", "issuer/default/revoke"],
        "change the configuration": [
            f"config/{name}"
            for name in ("ca", "issuers", "keys", "urls", "crl", "cluster", "auto-tidy", "acme")
        ],
        "delete keys": ["key/default", f"key/{_PROBE}"],
    }
    acts = {
        "sign for other roles": [f"sign/{_PROBE}", f"issuer/{_PROBE}/sign/{next(iter(roles))}"]
        + [f"issuer/default/sign/{role}" for role in roles],
        "issue with keys made by Vault": [
            *(f"issue/{role}" for role in (*roles, _PROBE)),
            *(f"issuer/default/issue/{role}" for role in roles),
        ],
        "sign whatever a request says": [
            "sign-verbatim",
            *(f"sign-verbatim/{role}" for role in (*roles, _PROBE)),
            "issuer/default/sign-verbatim",
        ],
        "make or sign authorities": [
            *(f"root/{name}" for name in ("generate/internal", "sign-intermediate", "sign-self-issued")),
            *("root/rotate/internal", "root/replace", "issuer/default/sign-intermediate"),
            *(f"intermediate/{name}" for name in ("generate/internal", "set-signed", "cross-sign")),
            *("issuers/import/cert", "issuers/import/bundle", "issuers/generate/root/internal"),
            "issuers/generate/intermediate/internal",
        ],
        "make or import keys": ["keys/generate/internal", "keys/generate/exported", "keys/import"],
        "tidy the store": ["tidy", "tidy-cancel"],
        "sign CRLs": ["issuer/default/sign-revocation-list", "issuer/default/resign-crls"],
    }
    return [
        *(_Probe(f"{mount}/{path}", READING, what) for what, paths in writes.items() for path in paths),
        # Generating a root is a POST; what Vault lets one read there tells nothing of worth.
        *(
            _Probe(f"{mount}/{path}", _NOTHING, what)
            for what, paths in acts.items()
            for path in paths
            if f"{mount}/{path}" not in wanted
        ),
        _Probe(f"{mount}/root", READING, "delete the root"),
    ]


def _of_system(token: Token) -> list[_Probe]:
    """List what it has no business with outside of the mount, where it lives and where the mount is.

    A leading slash means the token's own namespace.
    """
    mount, role = token.mount or "approle", token.role or "acmeproxy"
    paths = {
        "write policies": [f"sys/policies/acl/{_PROBE}", *(f"sys/policies/acl/{p}" for p in token.policies)],
        "change mounts": [f"sys/mounts/{_PROBE}", f"sys/mounts/{_PROBE}/tune", f"sys/remount/{_PROBE}"],
        "change logins": [
            *(f"sys/auth/{_PROBE}", f"auth/{mount}/role/{role}", f"auth/{mount}/role/{_PROBE}"),
            *(f"auth/{mount}/role/{role}/secret-id", f"auth/token/roles/{_PROBE}"),
        ],
        "make tokens": ["auth/token/create", "auth/token/create-orphan"],
        "change identities": [
            *("identity/entity", f"identity/entity/id/{_PROBE}", "identity/entity-alias"),
            "identity/group",
        ],
        "make namespaces": [f"sys/namespaces/{_PROBE}"],
        "seal or read raw storage": ["sys/seal", f"sys/raw/{_PROBE}", f"sys/audit/{_PROBE}"],
    }
    return [
        _Probe(f"{where}{path}", READING, what)
        for what, listed in paths.items()
        for path in listed
        for where in ("/", "")
    ]


async def _of_others(case: Case, token: Token) -> list[_Probe]:
    """List the other roles of the mount, where the reader sees them, and other tenants' within reach."""
    # An order that was placed before the tenant had profiles is signed with the tenant's own role.
    places = (case.tenant.vault, *(use.place for use in case.uses), *case.beside)
    own = {place.role for place in places}
    listed = await case.see(f"{case.mount}/roles", "list") or {}
    roles = [role for role in listed.get("keys") or () if isinstance(role, str) and role not in own]
    probes = [_Probe(f"{case.mount}/sign/{role}", _NOTHING, "sign for other roles") for role in roles[:50]]
    probes += [_Probe(f"{case.mount}/roles/{role}", READING, "write roles") for role in roles[:50]]
    probes += [_Probe(f"{case.mount}/roles/{one.role}", READING, "write roles") for one in case.beside]
    wanted = {(use.place.namespace, sign_path(use.place)) for use in case.uses}
    for place in case.strangers:
        home = token.namespace
        within = not home or place.namespace == home or place.namespace.startswith(f"{home}/")
        if within and (place.namespace, sign_path(place)) not in wanted:
            path = f"/{_prefix(place.namespace, home)}{sign_path(place)}"
            probes.append(_Probe(path, _NOTHING, "sign for other tenants"))
    return probes


async def _listed(
    case: Case, token: Token, prefix: str, needed: Mapping[str, str], told: Sequence[str]
) -> list[tuple[_Probe, frozenset[str]]]:
    """List what its policies name beside what was asked, such as a role that is not there yet."""
    acting = {path for path, want in needed.items() if want == "update"}
    acting |= {sign_path(place) for place in (case.tenant.vault, *case.beside)}
    found = await grants.excess(
        _at_home(case, token.namespace),
        token.namespace,
        f"{prefix}{case.mount}",
        {f"{prefix}{path}" for path in acting},
    )
    return [
        (_Probe(f"/{path}", READING, what), extra)
        for path, extra, what in found
        if not any(fnmatchcase(one, path) for one in told)
    ]


def _at_home(case: Case, home: str) -> Login | Abroad:
    return case.own if home == case.namespace else case.elsewhere(home)


async def _capabilities(case: Case, home: str, paths: Sequence[str]) -> Mapping[str, set[str]] | None:
    answer = await asked(_at_home(case, home), "post", "sys/capabilities-self", {"paths": list(paths)})
    if answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return None
    if answer.status != HTTPStatus.OK or answer.data is None:
        raise UnansweredError(f"its capabilities cannot be asked: {answer.reason}")
    return {path: set(found) for path, found in answer.data.items() if isinstance(found, list)}


def _lacking(subject: str, token: Token, lacking: Sequence[str]) -> Sequence[Finding]:
    if not lacking:
        return ()
    text = f"its token lacks what acmeproxy needs: {', '.join(lacking)}"
    return (failed(subject, text, f"acmeproxy vault apply  # writes {_policies(token)}"),)


def _excess(
    case: Case, subject: str, token: Token, excess: Sequence[tuple[_Probe, AbstractSet[str]]]
) -> Sequence[Finding]:
    if not excess:
        return ()
    shown: dict[str, str] = {}
    for probe, extra in excess:
        shown.setdefault(probe.what, f"{probe.what} ({probe.path.lstrip('/')}: {', '.join(sorted(extra))})")
    listed = list(shown.values())
    more = f"; and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    text = f"its token may do too much: {'; '.join(listed[:_MOST_SHOWN])}{more}"
    first = excess[0][0].path.lstrip("/")
    remove = f"or remove what grants {first} from {_policies(token)}: {_read_policy(case, token)}"
    return (failed(subject, text, f"acmeproxy vault apply  # {remove}"),)


def _policies(token: Token) -> str:
    names = [name for name in token.policies if name != "default"] or ["acmeproxy"]
    where = f" in namespace {token.namespace}" if token.namespace else ""
    return f"policy {', '.join(names)}{where}"


def _read_policy(case: Case, token: Token) -> str:
    names = [name for name in token.policies if name != "default"] or ["acmeproxy"]
    # What is too much is more likely in one that somebody added than in ours.
    added = [name for name in names if not name.startswith("acmeproxy")] or names
    return case.commands.at(token.namespace).run("policy", "read", rest=(added[0],))


def _prefix(namespace: str, home: str) -> str:
    """Return what leads from a token's own namespace to one below it, with a slash at its end."""
    below = namespace.removeprefix(home).strip("/") if namespace.startswith(home) else ""
    return f"{below}/" if below else ""


def _placed(prefix: str, path: str) -> str:
    return path[1:] if path.startswith("/") else f"{prefix}{path}"
