"""`acmeproxy explain`: every reference that a client can be shown is explained."""

import json

import pytest
from typer.testing import CliRunner

from acmeproxy.cli.main import app
from acmeproxy.core.reference import CODES


@pytest.mark.parametrize("code", CODES)
def test_every_reference_is_explained(code: str) -> None:
    result = CliRunner().invoke(app, ["explain", code])
    first, advice = result.stdout.splitlines()
    assert result.exit_code == 0
    assert first.startswith(f"{code}  (")
    assert advice.endswith(".")
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    "spelled", ["EAB-REQUIRED", "eab-required", "[ref EAB-REQUIRED]", "ref EAB-REQUIRED"]
)
def test_a_reference_may_be_pasted_as_it_stands(spelled: str) -> None:
    result = CliRunner().invoke(app, ["explain", spelled])
    assert result.exit_code == 0
    assert result.stdout.startswith("EAB-REQUIRED  (externalAccountRequired, HTTP 403)\n")


def test_it_is_there_for_machines_too() -> None:
    result = CliRunner().invoke(app, ["explain", "--json", "NAME-NOT-ALLOWED"])
    said = json.loads(result.stdout)
    assert said.keys() == {"code", "type", "status", "advice"}
    assert (said["code"], said["type"], said["status"]) == ("NAME-NOT-ALLOWED", "rejectedIdentifier", 400)


def test_what_is_not_there_is_not_found_and_what_is_near_is_told() -> None:
    near = CliRunner().invoke(app, ["explain", "NAME-NOT-ALOWED"])
    assert (near.exit_code, near.stdout) == (3, "")
    assert near.stderr == "There is no reference NAME-NOT-ALOWED. Did you mean NAME-NOT-ALLOWED?\n"
    far = CliRunner().invoke(app, ["explain", "42"])
    assert (far.exit_code, far.stderr) == (3, "There is no reference 42. All codes: docs/errors.md\n")
