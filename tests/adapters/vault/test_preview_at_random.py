"""Roles and names that nobody thought of: the preview refuses exactly what OpenBao refuses."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.core.identifier import dns_name
from tests.adapters.vault.role_operator import Operator, dns, names_in, operating
from tests.support.acme_csr import certificate_key, certificate_request

KEY: Final = certificate_key()
LABELS: Final = st.sampled_from(("a", "b", "aa", "a-a", "localhost", "localdomain", "example"))
HOSTS: Final = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
NAMES: Final = st.one_of(HOSTS, HOSTS.map(lambda host: f"*.{host}"))
PATTERNS: Final = st.lists(
    st.sampled_from(("a", "b", "*", "a*", "*a", "a*a", "example")), min_size=1, max_size=3
)
DOMAINS: Final = st.one_of(NAMES, LABELS, PATTERNS.map(".".join))
FLAGS: Final = (
    "allow_bare_domains",
    "allow_subdomains",
    "allow_glob_domains",
    "allow_wildcard_certificates",
    "allow_localhost",
    "enforce_hostnames",
    "use_csr_sans",
)
ROLES: Final = st.fixed_dictionaries(
    {"allowed_domains": st.lists(DOMAINS, max_size=3), **dict.fromkeys(FLAGS, st.booleans())},
    # Rarely, for it hides everything else.
    optional={"allow_any_name": st.sampled_from((False, False, False, True))},
)


@pytest.fixture(scope="module")
def operator(openbao: OpenBao, hierarchy: Hierarchy) -> Iterator[Operator]:
    assert hierarchy.tenants
    with operating(openbao) as found:
        yield found


def test_a_role_and_some_names(operator: Operator) -> None:
    """NOR-03: of names that an order can have, neither more nor fewer."""

    @settings(max_examples=150)
    @given(role=ROLES, names=st.lists(NAMES, min_size=1, max_size=6, unique=True))
    def hold(role: dict[str, Any], names: list[str]) -> None:
        found = operator.role(**role)
        for name in names:
            assert dns_name(name) == name
            csr = certificate_request([name] if role["use_csr_sans"] else [], KEY)
            signed = operator.signs(csr, **({} if role["use_csr_sans"] else {"alt_names": name}))
            rule = found.refuses(dns(name))
            assert (rule is None) == (names_in(signed) == [name]), (role, name, rule)

    hold()
