"""Which names a list of patterns means, label by label (abuse IDN-08)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core import policy
from acmeproxy.core.tenant import Names


@pytest.mark.parametrize(
    ("allow", "name"),
    [
        (("a.example",), "a.example"),
        (("*.a.example",), "b.a.example"),
        (("*.a.example",), "c.b.a.example"),
        (("*",), "anything.test"),
        (("x.example", "a.example"), "a.example"),
        # A wildcard is allowed where all that it covers is.
        (("*.a.example",), "*.a.example"),
        (("*.a.example",), "*.b.a.example"),
        (("*",), "*.a.example"),
    ],
)
def test_names_that_are_allowed(allow: tuple[str, ...], name: str) -> None:
    assert policy.allows(Names(allow), name)


@pytest.mark.parametrize(
    ("allow", "name"),
    [
        ((), "a.example"),
        (("a.example",), "b.a.example"),
        (("*.a.example",), "a.example"),
        # Compared label by label (abuse IDN-08).
        (("*.example.com",), "evilexample.com"),
        (("example.com",), "evilexample.com"),
        (("*.example.com",), "example.com.evil.io"),
        (("example.com",), "exampleXcom"),
        (("*.b.example",), "b.example.a.example"),
        # What one name allows, its wildcard does not: that stands for others.
        (("a.example",), "*.a.example"),
        (("b.a.example",), "*.a.example"),
        (("*.b.a.example",), "*.a.example"),
    ],
)
def test_names_that_are_not(allow: tuple[str, ...], name: str) -> None:
    assert not policy.allows(Names(allow), name)


@pytest.mark.parametrize(
    ("deny", "name"),
    [
        ("b.a.example", "b.a.example"),
        ("*.b.a.example", "c.b.a.example"),
        ("*", "a.example"),
        # A wildcard certificate would speak for the denied name.
        ("b.a.example", "*.a.example"),
        ("*.a.example", "*.a.example"),
        ("*.a.example", "*.b.a.example"),
    ],
)
def test_deny_wins(deny: str, name: str) -> None:
    assert not policy.allows(Names(("*",), (deny,)), name)


@pytest.mark.parametrize(
    ("deny", "name"),
    [
        ("b.a.example", "a.example"),
        ("b.a.example", "c.a.example"),
        ("b.a.example", "c.b.a.example"),
        ("a.example", "*.a.example"),
        ("*.b.a.example", "*.a.example"),
        ("b.a.example", "*.b.a.example"),
        ("b.a.example", "*.c.example"),
    ],
)
def test_deny_says_no_more_than_it_names(deny: str, name: str) -> None:
    assert policy.allows(Names(("*",), (deny,)), name)


_LABEL = st.sampled_from(["a", "b", "example", "com", "xa", "a-"])


@given(st.lists(_LABEL, min_size=1, max_size=4), st.lists(_LABEL, min_size=1, max_size=5))
def test_below_a_suffix_is_what_has_its_labels_at_the_end(suffix: list[str], name: list[str]) -> None:
    """Abuse IDN-08: allowed if and only if the last labels are the suffix's and there is one more."""
    below = len(name) > len(suffix) and name[-len(suffix) :] == suffix

    assert policy.allows(Names(("*." + ".".join(suffix),)), ".".join(name)) is below


@given(st.lists(_LABEL, min_size=2, max_size=4), st.lists(_LABEL, min_size=2, max_size=4), _LABEL)
def test_a_wildcard_is_allowed_only_with_all_that_it_covers(
    pattern: list[str], base: list[str], host: str
) -> None:
    rules = Names(("*." + ".".join(pattern),), (".".join([host, *pattern]),))

    if policy.allows(rules, "*." + ".".join(base)):
        assert policy.allows(rules, ".".join([host, *base]))
