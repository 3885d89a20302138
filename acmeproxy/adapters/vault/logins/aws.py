"""AWS IAM: a signed question to AWS, "who am I?", which Vault asks in our place.

botocore finds the credentials of this machine and signs. Nothing is sent to AWS by us but what it takes to
find them: to the instance's metadata service, or to STS for a web identity.
"""

import base64
import json
import logging
from collections.abc import Mapping

from acmeproxy.adapters.vault.connection import AwsLogin, Confidential, UnreadableSecretError
from acmeproxy.adapters.vault.door import Door
from acmeproxy.adapters.vault.lease import Lease
from acmeproxy.adapters.vault.logins.method import Role, lease_of

_QUESTION = "Action=GetCallerIdentity&Version=2011-06-15"
_SECONDS = 3
_REFUSED = {
    400: "the role does not exist or takes another principal, or the request is signed for another STS"
    " endpoint than Vault's own (set region), without the server id that Vault wants (set server_id),"
    " by expired credentials or by a clock that is wrong",
    403: "there is no AWS method at this mount in this namespace, or AWS refused the signature",
}


class AwsMethod(Role):
    """Logs in with the IAM credentials that this machine has now."""

    def __init__(self, login: AwsLogin) -> None:
        self._login = login

    async def log_in(self, door: Door) -> Lease:
        """Log in at the mount. Raises as `Method`."""
        # The signed request is good for fifteen minutes to whoever has it, and so as secret as a token.
        signed = await door.reveal(self._signed)
        body = Confidential(json.loads(signed()))
        answer = await door.ask("post", f"auth/{self._login.mount}/login", body=body)
        return lease_of(answer, _REFUSED.get(answer.status, ""))

    def _signed(self) -> str:
        """Return the body of the login as JSON; called in a thread, since credentials may come from afar."""
        try:
            from botocore import session  # noqa: PLC0415 - an extra that others do without
            from botocore.auth import SigV4Auth  # noqa: PLC0415 - likewise
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - likewise
            from botocore.config import Config  # noqa: PLC0415 - likewise
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - likewise
        except ImportError:
            raise UnreadableSecretError(
                "signing for AWS needs botocore: pip install 'acmeproxy[aws]'"
            ) from None
        # At level debug it writes down what it signs, and a session's token is part of that (INV-13).
        logging.getLogger("botocore").setLevel(logging.INFO)
        # A new one each time: a session does not notice that a file of credentials was replaced.
        here = session.Session()
        here.set_default_client_config(
            Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2})
        )
        try:
            credentials = here.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
        except (BotoCoreError, ClientError) as error:
            raise UnreadableSecretError(
                f"AWS gave no credentials: {type(error).__name__}, see `aws sts get-caller-identity`"
            ) from None
        if frozen is None:
            raise UnreadableSecretError(
                "this machine has no AWS credentials: neither variables, nor a profile, nor a role"
            )
        request = AWSRequest("POST", _endpoint(self._login.region), _headers(self._login), _QUESTION)
        SigV4Auth(frozen, "sts", self._login.region or "us-east-1").add_auth(request)
        return json.dumps(_body(self._login, request.method, request.url, request.headers))


def _endpoint(region: str) -> str:
    """Return the STS endpoint of a region as Vault's own client chooses it; the global one without."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sts.{region}.{domain}/" if region else "https://sts.amazonaws.com/"


def _headers(login: AwsLogin) -> dict[str, str]:
    """Return what is signed beside host and date; the server id binds the request to one Vault."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    if login.server_id:
        headers["X-Vault-AWS-IAM-Server-ID"] = login.server_id
    return headers


def _body(login: AwsLogin, method: str, url: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "iam_http_request_method": method,
        "iam_request_url": _encoded(url),
        "iam_request_headers": _encoded(json.dumps({name: [value] for name, value in headers.items()})),
        "iam_request_body": _encoded(_QUESTION),
        **({"role": login.role} if login.role else {}),
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
