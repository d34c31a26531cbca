"""Cipher lists mean what they mean to OpenSSL, among the suites that there are."""

import ssl

import pytest

from sansticket.adapters.ciphers import CIPHERS, select_ciphers

OURS = {cipher.name: suite for suite, cipher in CIPHERS.items() if not cipher.tls13}


def of_openssl(text: str) -> list[str] | None:
    """What the system's OpenSSL selects of what we have; None when it finds nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(text)
    except ssl.SSLError:
        return None
    return [one["name"] for one in context.get_ciphers() if one["name"] in OURS]


def ours(text: str) -> list[str] | None:
    try:
        return [CIPHERS[suite].name for suite in select_ciphers(text)]
    except ssl.SSLError:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "DEFAULT",
        "ALL",
        "HIGH",
        "TLSv1.2",
        "ECDH",
        "ECDHE+AESGCM",
        "kECDHE+aRSA",
        "HIGH:!aRSA",
        "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM",
        "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM",
        "ALL:!ECDSA",
        "ALL:!CHACHA20:CHACHA20",
        "ALL:-CHACHA20:CHACHA20",
        "AES256,AES128",
        "AES+aRSA",
        "NOPE:ECDHE-RSA-AES128-GCM-SHA256",
        "NOPE",
        "ECDHE-ECDSA-AES128-GCM-SHA256:!AES",
        "DEFAULT@SECLEVEL=1",
        "DEFAULT:@SECLEVEL=0",
        "DEFAULT!AES128",
        "DEFAULT+AES",
        "ALL@STRENGTH",
        "ALL;!AES128",
        "AES128:DEFAULT",
        "ALL:!DEFAULT",
        "AES128!aRSA:CHACHA20",
        "NOPE!AES:AES128",
        "FIPS",
        "AES128+NOPE:AES256",
        "ALL:-",
        "ALL:!",
        "ALL:+AES+",
        "ALL:@NOPE",
        "ALL:@SECLEVEL",
        "ALL:{",
        "@SECLEVEL=1:DEFAULT",
        " , :; ",
        "",
    ],
)
def test_what_is_selected(text: str) -> None:
    expected = of_openssl(text)
    assert set(ours(text) or ()) == set(expected or ())
    assert (ours(text) is None) == (expected is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ),
        ("AES128+aECDSA:AES256+aECDSA", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]),
        (
            "AES128+aRSA:AES256+aRSA:+AES128",
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"],
        ),
        (
            "AES128+aRSA:AES256+aRSA:@STRENGTH",
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"],
        ),
    ],
)
def test_in_which_order(text: str, expected: list[str]) -> None:
    assert ours(text) == expected == of_openssl(text)


def test_what_is_said_of_each() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL")
    said = {one["name"]: one for one in context.get_ciphers()}
    for suite, cipher in CIPHERS.items():
        assert cipher.as_dict(suite) == said[cipher.name]
