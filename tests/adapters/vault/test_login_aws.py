"""AWS IAM: OpenBao has no such method, so a server of ours checks what a Vault and STS would check."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acmeproxy.adapters.vault.connection import AwsLogin
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.logging_in import entrance, logging_in, put
from tests.support.aws_login import AwsLogins, aws_logins, signature

GLOBAL = "https://sts.amazonaws.com/"
KEYS = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AKIDSECOND": "another-secret-key"}

Profile = Callable[[str], None]


@pytest.fixture(autouse=True)
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Profile:
    """Have the first principal in a file of credentials, and nothing else that botocore looks at."""
    path = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))

    def write(principal: str) -> None:
        put(
            path,
            f"[default]\naws_access_key_id = {principal}\naws_secret_access_key = {KEYS[principal]}\n",
        )

    write("AKIDEXAMPLE")
    return write


async def login(logins: AwsLogins, value: AwsLogin) -> str:
    """Log in, and return where the token was made."""
    async with logging_in(f"http://127.0.0.1:{logins.port}", value, namespace="") as keeper:
        return await entrance(keeper)


def test_the_second_computation_agrees_with_the_vector_of_aws() -> None:
    """`get-vanilla` of the published SigV4 test suite."""
    assert (
        signature(
            "GET",
            "/",
            {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"},
            b"",
            date="20150830T123600Z",
            scope="20150830/us-east-1/service/aws4_request",
            secret_key=KEYS["AKIDEXAMPLE"],
        )
        == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


async def test_the_question_is_signed_for_the_global_endpoint() -> None:
    async with aws_logins(GLOBAL, "", KEYS) as logins:
        assert await login(logins, AwsLogin("acmeproxy")) == "auth/aws/login"
    (sent,) = logins.logins
    assert sent["role"] == "acmeproxy"
    assert sorted(sent) == [
        "iam_http_request_method",
        "iam_request_body",
        "iam_request_headers",
        "iam_request_url",
        "role",
    ]
    (signed,) = logins.signed
    assert signed["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert re.search(r"Credential=AKIDEXAMPLE/\d{8}/us-east-1/sts/aws4_request,", signed["authorization"])


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
    ],
)
async def test_a_region_has_its_own_endpoint(region: str, endpoint: str) -> None:
    async with aws_logins(endpoint, "", KEYS) as logins:
        assert await login(logins, AwsLogin(region=region)) == "auth/aws/login"
    assert "role" not in logins.logins[0]
    assert f"/{region}/sts/aws4_request," in logins.signed[0]["authorization"]


async def test_the_server_id_is_signed() -> None:
    """Without it, whoever sees the request could log in to another Vault with it."""
    async with aws_logins(GLOBAL, "vault.corp.example", KEYS) as logins:
        assert await login(logins, AwsLogin(server_id="vault.corp.example")) == "auth/aws/login"
        for wrong in (AwsLogin(), AwsLogin(server_id="another.example")):
            with pytest.raises(SigningDeferredError, match=r"without the server id .*\(set server_id\)"):
                await login(logins, wrong)


async def test_the_token_of_a_role_session_is_signed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECOND")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["AKIDSECOND"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-a-session")
    async with aws_logins(GLOBAL, "", KEYS) as logins:
        assert await login(logins, AwsLogin()) == "auth/aws/login"
    assert logins.signed[0]["x-amz-security-token"] == "token-of-a-session"
    assert KEYS["AKIDSECOND"] not in str(logins.signed)


async def test_credentials_are_looked_for_at_each_login(profile: Profile) -> None:
    async with aws_logins(GLOBAL, "", KEYS) as logins:
        await login(logins, AwsLogin())
        profile("AKIDSECOND")
        await login(logins, AwsLogin())
    first, second = (signed["authorization"] for signed in logins.signed)
    assert "Credential=AKIDEXAMPLE/" in first
    assert "Credential=AKIDSECOND/" in second


async def test_a_refusal_says_what_it_may_be() -> None:
    async with aws_logins(GLOBAL, "", {"AKIDEXAMPLE": "of-another-principal"}) as logins:
        with pytest.raises(SigningDeferredError) as caught:
            await login(logins, AwsLogin())
    said = str(caught.value)
    assert "Vault answered 400 'error making upstream request: SignatureDoesNotMatch'" in said
    assert "signed for another STS endpoint than Vault's own (set region)" in said
    assert KEYS["AKIDEXAMPLE"] not in said


async def test_a_machine_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "nowhere"))
    async with aws_logins(GLOBAL, "", KEYS) as logins:
        with pytest.raises(SigningDeferredError, match="this machine has no AWS credentials"):
            await login(logins, AwsLogin())
    assert logins.logins == []


async def test_an_installation_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    async with aws_logins(GLOBAL, "", KEYS) as logins:
        with pytest.raises(SigningDeferredError) as caught:
            await login(logins, AwsLogin())
    assert str(caught.value) == (
        "no login without its secret: signing for AWS needs botocore: pip install 'acmeproxy[aws]'"
    )
