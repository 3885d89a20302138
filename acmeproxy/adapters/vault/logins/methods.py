"""Which method a login's value asks for."""

from acmeproxy.adapters.vault.connection import (
    AgentLogin,
    AppRoleLogin,
    AwsLogin,
    CertificateLogin,
    JwtLogin,
    KubernetesLogin,
    LoginMethod,
    TokenLogin,
)
from acmeproxy.adapters.vault.logins.agent import AgentMethod
from acmeproxy.adapters.vault.logins.approle import AppRoleMethod
from acmeproxy.adapters.vault.logins.aws import AwsMethod
from acmeproxy.adapters.vault.logins.certificate import CertificateMethod
from acmeproxy.adapters.vault.logins.jwt import JwtMethod
from acmeproxy.adapters.vault.logins.kubernetes import KubernetesMethod
from acmeproxy.adapters.vault.logins.method import Method
from acmeproxy.adapters.vault.logins.token import TokenMethod


def method(login: LoginMethod) -> Method:  # noqa: PLR0911 - one line a method
    """Return how to log in."""
    match login:
        case TokenLogin():
            return TokenMethod(login)
        case AppRoleLogin():
            return AppRoleMethod(login)
        case KubernetesLogin():
            return KubernetesMethod(login)
        case JwtLogin():
            return JwtMethod(login)
        case CertificateLogin():
            return CertificateMethod(login)
        case AwsLogin():
            return AwsMethod(login)
        case AgentLogin():
            return AgentMethod()
