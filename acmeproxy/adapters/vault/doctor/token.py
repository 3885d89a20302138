"""What the tenant logs in with: that it works, lasts, and is nobody's master key."""

import shlex
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec

from acmeproxy.adapters.vault.connection import AppRoleLogin, SecretFile, TokenLogin
from acmeproxy.adapters.vault.doctor.case import Case, UnansweredError, asked
from acmeproxy.services.findings import Finding, failed, or_passed, warned

#: A token that nobody thought about lives for the server's default of 32 days.
_LONG: Final = timedelta(days=31)


class Token(msgspec.Struct, frozen=True):
    """What a token tells of itself; `namespace` is its own, `mount` and `role` where the login was."""

    policies: tuple[str, ...]
    namespace: str
    mount: str = ""
    role: str = ""
    root: bool = False


async def examine(case: Case) -> tuple[Token | None, Sequence[Finding]]:
    """Log in and look the token up.

    Raises:
        UnansweredError: The login does not work, or there is no answer.
    """
    subject = case.about("login")
    answer = await case.ask("get", "auth/token/lookup-self")
    if answer.status != HTTPStatus.OK or answer.data is None:
        mend = _recreated(case)
        return None, (failed(subject, f"its token does not work: {answer.reason}", mend),)
    data = answer.data
    token = _token(data)
    ttl, renewable = _whole(data.get("ttl")), data.get("renewable") is True
    found = [
        *_of_root(case, subject, token),
        *_uses(case, subject, token, _whole(data.get("num_uses"))),
        *([] if token.root else _lifetime(case, subject, token, ttl, renewable=renewable)),
    ]
    kept = f"renewable, ttl {timedelta(seconds=ttl)}" if renewable else f"ttl {timedelta(seconds=ttl)}"
    policies = ", ".join(token.policies)
    return token, or_passed(found, subject, f"it works: {kept}, policies {policies}")


async def reader(case: Case) -> Sequence[Finding]:
    """See that who shall read the configuration can: else what is told as unseen would mislead."""
    if case.reader is None:
        return ()
    try:
        answer = await asked(case.reader, "get", "auth/token/lookup-self")
    except UnansweredError as error:
        reason = str(error)
    else:
        if answer.status == HTTPStatus.OK:
            return ()
        reason = answer.reason
    text = f"vault.login, which should read the configuration, does not work: {reason}"
    if isinstance(case.reader_entrance, AppRoleLogin):
        mend = "acmeproxy vault apply"
    else:
        above = case.commands.at(case.signing.namespace)
        mend = above.run("token", "create", rest=("-policy=acmeproxy-reader",))
    return (warned(case.about("reader"), text, mend),)


def _token(data: dict[str, Any]) -> Token:
    policies = {*_strings(data.get("policies")), *_strings(data.get("identity_policies"))}
    own = data.get("namespace_path")
    meta = data.get("meta")
    path = str(data.get("path") or "")
    login = path.startswith("auth/") and path.endswith("/login")
    return Token(
        policies=tuple(sorted(policies)),
        # Without one, the server has no namespaces, or it is a token of the topmost.
        namespace=own.strip("/") if isinstance(own, str) else "",
        mount=path.removeprefix("auth/").removesuffix("/login") if login else "",
        role=str(meta.get("role_name") or "") if isinstance(meta, dict) else "",
        root="root" in policies,
    )


def _of_root(case: Case, subject: str, token: Token) -> Sequence[Finding]:
    if not token.root:
        return ()
    return (failed(subject, "it is a root token, which may do everything (INV-14)", _recreated(case)),)


def _uses(case: Case, subject: str, token: Token, uses: int) -> Sequence[Finding]:
    if not uses:
        return ()
    text = f"its token dies after {uses} more calls (num_uses): every sign counts as one"
    if token.mount and token.role:
        path = f"auth/{token.mount}/role/{token.role}"
        return (failed(subject, text, case.commands.at(token.namespace).write(path, token_num_uses=0)),)
    return (failed(subject, text, _recreated(case)),)


def _lifetime(case: Case, subject: str, token: Token, seconds: int, *, renewable: bool) -> Sequence[Finding]:
    ttl = timedelta(seconds=seconds)
    if not seconds:
        text = "its token never ends: who steals it has it for ever"
        return (warned(subject, text, _recreated(case)),)
    if not renewable and not token.mount:
        text = f"its token ends in {ttl} and cannot be renewed"
        return (failed(subject, text, _recreated(case)),)
    if ttl > _LONG:
        text = f"its token lives for {ttl}: an hour and renewal would do"
        return (warned(subject, text, _recreated(case)),)
    return ()


def admitted(case: Case) -> str:
    """Return how a login that Vault refuses is made to work."""
    match case.entrance:
        case AppRoleLogin(wrapped=False):
            return "acmeproxy vault apply"
        case AppRoleLogin():
            text = "# put a new wrapped secret id into the file of its secret_id (docs/vault-logins.md)"
            return f"acmeproxy vault apply  {text}"
        case TokenLogin():
            return _recreated(case)
    return "acmeproxy doctor  # once it can log in (docs/vault-logins.md)"


def _recreated(case: Case) -> str:
    """Return how to get a token that is no more than it must be, into its file if it has one."""
    create = ("-period=1h", "-orphan", "-field=token")
    command = case.commands.run("token", "create", rest=(f"-policy={case.policy}", *create))
    match case.entrance:
        case TokenLogin(token=SecretFile(path=path)):
            return f"{command} > {shlex.quote(str(path))}"
    return command


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _strings(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
