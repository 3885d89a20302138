"""The policies of `deploy/vault/policies`, in a real server, and what a token with one is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import requests

from acmeproxy.adapters.embedded.openbao import OpenBao
from tests.support import programs

POLICIES: Final = Path(__file__).parents[2] / "deploy" / "vault" / "policies"
_DEADLINE: Final = 60


def text(name: str) -> str:
    """Return a policy as it is in its file."""
    return (POLICIES / f"{name}.hcl").read_text("utf-8")


def without_namespaces(name: str, prefix: str) -> str:
    """Return a policy for mounts below a prefix, as deploy/vault/README.md says to make it."""
    script = POLICIES / "without-namespaces.sed"
    made = programs.run(["sed", "-E", "-f", str(script), str(POLICIES / f"{name}.hcl")])
    return made.replace("PREFIX", prefix)


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, in a namespace (in none, for an empty one)."""

    address: str
    namespace: str
    token: str = field(repr=False)

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, namespace: str | None = None
    ) -> requests.Response:
        """Return the answer to a call, in the caller's own namespace unless another is named."""
        where = self.namespace if namespace is None else namespace
        headers = {"X-Vault-Token": self.token, "X-Vault-Namespace": where}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return requests.request(
            method, f"{self.address}/v1/{path}", headers=headers, json=body, timeout=_DEADLINE
        )

    def does(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, namespace: str | None = None
    ) -> dict[str, Any]:
        """Return the data of an answer.

        Raises:
            AssertionError: It was refused.
        """
        answer = self.ask(method, path, body, namespace)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        data = answer.json().get("data") if answer.content else None
        return data if isinstance(data, dict) else {}


def ruler(server: OpenBao, namespace: str = "") -> Caller:
    """Return who may do everything."""
    return Caller(server.address, namespace, server.root_token)


def holder(above: Caller, name: str, policy: str) -> Caller:
    """Write a policy where `above` is, and return somebody with a token for it, and for `default`."""
    above.does("POST", f"sys/policies/acl/{name}", {"policy": policy})
    made = above.ask("POST", "auth/token/create", {"policies": [name], "ttl": "1h"})
    assert made.ok, made.text
    return replace(above, token=made.json()["auth"]["client_token"])
