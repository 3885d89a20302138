"""One tenant under examination: what it is configured to be, and with what Vault is asked about it."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec

from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import LoginMethod
from acmeproxy.adapters.vault.doctor.bare import BareClient, Heard
from acmeproxy.adapters.vault.doctor.commands import Commands
from acmeproxy.adapters.vault.login import Abroad, Login, LoginRefusedError
from acmeproxy.adapters.vault.transport import LostError, UnsentError
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import Clock, SigningDeferredError


class UnansweredError(Exception):
    """Vault gave no answer to a question; the text is for people and holds no secret."""


class RefusedError(UnansweredError):
    """Vault answered that it knows no such login."""


class Use(msgspec.Struct, frozen=True):
    """A role that a tenant, or one of its profiles, has certificates signed with.

    `lifetime` is the longest that is asked of it; `keys` are the kinds that the profile names, none of them
    all; `store` tells whether certificates must be found in Vault's store again.
    """

    place: VaultPlace
    lifetime: timedelta
    keys: tuple[str, ...] = ()
    store: bool = True


class Case(msgspec.Struct, frozen=True):
    """Everything that the checks of one tenant share.

    `strangers` are the places of tenants that log in as somebody else. `own` is the tenant's login, and
    `elsewhere` the same in another namespace; `reader` is the login that may read the mounts' configuration,
    where there is one, and `above` the same at `signing`, the place of the signing CA. `anchors` are DER;
    `address` is Vault's, and `aia_url` that of acmeproxy's PKI front. `lasting` and `signing_lasting` are how
    long the issuing CA and the signing CA shall last, and so the lifetimes that their mounts must allow.
    `policy` is the tenant's, as `acmeproxy vault apply` names it, and `entrance` how it logs in, as
    `reader_entrance` is of the reader.
    `fellows` are the places of the tenants that log in as this one does: its token signs for them too.
    """

    tenant: Tenant
    uses: tuple[Use, ...]
    strangers: tuple[VaultPlace, ...]
    own: Login
    elsewhere: Callable[[str], Abroad]
    reader: Login | None
    above: Login | None
    bare: BareClient
    commands: Commands
    anchors: tuple[bytes, ...]
    address: str
    aia_url: str
    signing: VaultPlace
    clock: Clock
    lasting: timedelta = timedelta(days=1095)
    signing_lasting: timedelta = timedelta(days=2190)
    policy: str = "acmeproxy"
    entrance: LoginMethod | None = None
    reader_entrance: LoginMethod | None = None
    fellows: tuple[VaultPlace, ...] = ()

    @property
    def mount(self) -> str:
        """The mount that the tenant's certificates come from."""
        return self.tenant.vault.mount

    @property
    def beside(self) -> tuple[VaultPlace, ...]:
        """The places in that mount of the tenants that log in as this one does."""
        at = (self.namespace, self.mount)
        return tuple(place for place in self.fellows if (place.namespace, place.mount) == at)

    @property
    def namespace(self) -> str:
        """The namespace of that mount."""
        return self.tenant.vault.namespace

    def about(self, what: str) -> str:
        """Return the subject of a finding."""
        return f"tenant {self.tenant.name}: {what}"

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Ask with the tenant's own token.

        Raises:
            UnansweredError: There is no answer, or no token.
        """
        return await asked(self.own, method, path, body)

    async def see(self, path: str, method: str = "get") -> dict[str, Any] | None:
        """Return what whoever may read it sees at a path, the reader first; `None` if neither may.

        Raises:
            UnansweredError: There is no answer.
        """
        for login in (self.reader, self.own):
            if login is None:
                continue
            try:
                answer = await asked(login, method, path)
            except UnansweredError:
                if login is self.own:
                    raise
                continue
            if answer.status == HTTPStatus.OK:
                return answer.data or {}
        return None

    async def openly(self, path: str, namespace: str | None = None) -> Heard:
        """Ask without a token, in the tenant's namespace or another.

        Raises:
            UnansweredError: There is no answer.
        """
        try:
            return await self.bare.ask(path, self.namespace if namespace is None else namespace)
        except (UnsentError, LostError) as error:
            raise UnansweredError(f"no answer from Vault: {error}") from None


async def asked(
    login: Login | Abroad, method: str, path: str, body: Mapping[str, Any] | None = None
) -> Answer:
    """Ask with a login.

    Raises:
        UnansweredError: There is no answer, or no token; `RefusedError` where the login is to blame.
    """
    try:
        return await login.ask(method, path, **({} if body is None else {"body": body}))
    except (UnsentError, LostError) as error:
        raise UnansweredError(f"no answer from Vault: {error}") from None
    except LoginRefusedError as error:
        raise RefusedError(str(error)) from None
    except SigningDeferredError as error:
        raise UnansweredError(str(error)) from None
