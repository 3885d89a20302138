"""One text for one meaning: strict base64url and strict JSON (JWS-07, JWS-08, JWS-09; abuse JWS-09)."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmeproxy.core.encoding import (
    NotCanonicalError,
    b64url_decode,
    b64url_encode,
    json_bytes,
    json_object,
)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"\xfb\xff", "-_8"),
        # RFC 7515 appendix C.
        (bytes([3, 236, 255, 224, 193]), "A-z_4ME"),
    ],
)
def test_base64url_has_no_padding(octets: bytes, text: str) -> None:
    assert b64url_encode(octets) == text
    assert b64url_decode(text) == octets


@given(st.binary(max_size=100))
def test_base64url_gives_back_what_it_took(octets: bytes) -> None:
    assert b64url_decode(b64url_encode(octets)) == octets


@given(st.text(alphabet="AQgwZz019-_+/= \n\0é", max_size=12))
def test_no_two_texts_mean_the_same_octets(text: str) -> None:
    """JWS-08: whatever is accepted is the one encoding of its octets."""
    try:
        octets = b64url_decode(text)
    except NotCanonicalError:
        return
    assert base64.urlsafe_b64encode(octets).decode().rstrip("=") == text


@pytest.mark.parametrize(
    "text",
    [
        "Zg==",  # padding (JWS-07)
        "Zm8=",
        "=",
        "-+8",  # the other alphabet
        "/_8",
        "Zm9v\n",  # a line end, which a $ would overlook
        "Zm 9v",
        "YW!!\n Jj",  # CPython decodes it to abc
        "Zh",  # spare bits (JWS-08)
        "Zm9",
        "Z",  # no octet has six bits
        "Zm9vZ",
        "Zg\0",
        "\uff21\uff21",  # full-width letters
        "é",
        "\ud800",  # a lone surrogate
    ],
)
def test_lax_base64url_is_refused(text: str) -> None:
    with pytest.raises(NotCanonicalError):
        b64url_decode(text)


def test_a_json_object_is_taken_as_it_is() -> None:
    text = '{"a":1,"b":[true,null,-2.5,"ü"],"c":{"ä":""}}'

    value = json_object(text.encode())

    assert value == {"a": 1, "b": [True, None, -2.5, "ü"], "c": {"ä": ""}}
    assert type(value["a"]) is int


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"1",
        b"true",
        b"{",
        b"{}x",
        b"{} {}",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"alg":"ES256","alg":"none"}',  # JWS-09
        b'{"a":{"b":1,"b":1}}',
        b'{"a":[{"b":1,"\\u0062":2}]}',  # the same name, escaped
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"\\ud800":1}',
        b'{"a":"\xff"}',  # HTTP-06
        b'\xef\xbb\xbf{"a":1}',  # a byte order mark
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\n"}',
        # More digits than CPython turns into an int.
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="digits"),
        b'{"a":' + b"[" * 16 + b"]" * 16 + b"}",
        pytest.param(b"[" * 100_000, id="lists"),
        pytest.param(b'{"a":' * 100_000, id="objects"),
    ],
)
def test_anything_but_one_plain_json_object_is_refused(octets: bytes) -> None:
    with pytest.raises(NotCanonicalError):
        json_object(octets)


def test_json_may_be_nested_a_little() -> None:
    assert json_object(b'{"a":' + b"[" * 14 + b"]" * 14 + b"}")["a"] is not None


def test_a_refusal_repeats_nothing_of_what_was_sent() -> None:
    with pytest.raises(NotCanonicalError, match=r"^a JSON member appears twice$"):
        json_object(b'{"secret":1,"secret":2}')


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_written_so_that_it_can_be_read_back(value: object) -> None:
    try:
        octets = json.dumps({"v": value}).encode()
        json_object(octets)
    except NotCanonicalError:
        return
    assert json_object(json_bytes({"v": value})) == {"v": value}


def test_json_is_written_without_spaces_and_escaped_slashes() -> None:
    """DIR-13: acme.sh finds URLs with a regular expression."""
    assert json_bytes({"newNonce": "https://a.example/n", "b": [1, 2]}) == (
        b'{"newNonce":"https://a.example/n","b":[1,2]}'
    )
