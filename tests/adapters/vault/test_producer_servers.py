"""Servers that are not OpenBao: what they lack is not waited for, and what only they have is asked for.

HashiCorp Vault was not run. Here OpenBao answers as Vault's documentation has it.
"""

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret
from acmeproxy.adapters.vault.producer.producer import Producer
from acmeproxy.adapters.vault.producer.root_outside import RootOutside
from acmeproxy.adapters.vault.producer.step import Change, Step
from acmeproxy.settings import load
from acmeproxy.wiring.producing import blueprint
from tests.support.producing import settings_file


class Vault(requests.Session):
    """Reads roles as Vault shows them: without what OpenBao has added, and with what Enterprise has."""

    def __init__(self, *, helpful: bool, metadata: bool | None) -> None:
        super().__init__()
        self.trust_env = False
        self.written: list[dict[str, Any]] = []
        self._helpful = helpful
        self._metadata = metadata

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        role = "/roles/" in str(request.url)
        if role and request.method in {"POST", "PATCH"}:
            self.written.append(json.loads(request.body or b"{}"))
        response = super().send(request, **options)
        if not role or request.method != "GET" or not response.ok:
            return response
        answer = response.json()
        if "help=1" in str(request.url):
            schemas = answer["openapi"]["components"]["schemas"] if self._helpful else {}
            answer["openapi"]["components"]["schemas"] = {
                name: {"properties": self._as_vault(schema["properties"])} for name, schema in schemas.items()
            }
        else:
            answer["data"] = self._as_vault(answer["data"])
        shown = requests.Response()
        shown.status_code, shown.headers = response.status_code, response.headers
        shown.raw = io.BytesIO(json.dumps(answer).encode())
        return shown

    def _as_vault(self, fields: dict[str, Any]) -> dict[str, Any]:
        ours = {
            name: value
            for name, value in fields.items()
            if name not in {"not_after_bound", "not_before_bound", "not_before", "allowed_ip_sans_cidr"}
        }
        return ours if self._metadata is None else {**ours, "no_store_metadata": self._metadata}


@pytest.fixture
def file(openbao: OpenBao, tmp_path: Path) -> Path:
    return settings_file(tmp_path, openbao.address, vault=f'namespace = "n{uuid.uuid4().hex}"')


def producer(file: Path, openbao: OpenBao, server: Vault) -> Producer:
    made = blueprint(load(file, {}, awaiting=True), file.parent / "pki")
    outside = RootOutside(file.parent / "pki", local=True)
    return Producer(made, openbao.address, Secret(openbao.root_token), server, outside)


def left(made: Producer) -> list[Step]:
    return [step for step in made.plan() if step.change is not Change.NOTHING]


@pytest.mark.parametrize("helpful", [True, False])
def test_what_a_server_has_no_field_for_is_not_waited_for(
    helpful: bool,  # noqa: FBT001 - a parameter of the test
    file: Path,
    openbao: OpenBao,
) -> None:
    """Also where it does not say what a path takes: a written role shows it."""
    with Vault(helpful=helpful, metadata=None) as server:
        producer(file, openbao, server).apply(lambda _: None)
        assert left(producer(file, openbao, server)) == []
    asked = {"not_after_bound", "allowed_ip_sans_cidr", "no_store_metadata"}
    assert [set(role) & asked for role in server.written] == [set() if helpful else asked] * 2


def test_enterprise_is_asked_to_keep_metadata(file: Path, openbao: OpenBao) -> None:
    """A role with `no_store_metadata` refuses whoever sends some."""
    with Vault(helpful=True, metadata=True) as server:
        producer(file, openbao, server).apply(lambda _: None)
        assert [role["no_store_metadata"] for role in server.written] == [False, False]
        [first, _] = left(producer(file, openbao, server))
        assert [(one.field, one.was, one.becomes) for one in first.fields] == [
            ("no_store_metadata", "true", "false")
        ]
