"""A reader of Vault's roles that says what it is told to, and counts."""

from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.ports import SigningDeferredError


class ScriptedRoles:
    """Implements `RoleReader`; `answers` are by the role's name, and one that is not there is not read."""

    def __init__(self) -> None:
        self.answers: dict[str, Role | SigningDeferredError | None] = {}
        self.asked: list[VaultPlace] = []

    async def read_role(self, tenant: Tenant) -> Role | None:
        """Read a role."""
        self.asked.append(tenant.vault)
        found = self.answers.get(tenant.vault.role, SigningDeferredError("sealed"))
        if isinstance(found, SigningDeferredError):
            raise found
        return found
