"""OCSP responses that come with a certificate (RFC 6960): what a client believes, and what a server can staple.

A response counts if the issuer of the certificate has signed it, or somebody to whom that issuer has given a
certificate for the purpose (RFC 6960 section 4.2.2.2); if it is about this certificate; if it is good at this time.
Nothing is fetched, and nobody is asked whether the certificate of a responder is revoked: it is taken as one with
id-pkix-ocsp-nocheck, which is what responders have.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature

from sansticket.crypto.der import public_key_info_of
from sansticket.crypto.inspection import (
    extension_of,
    load,
    may_sign,
    parse_errors,
    public_key_of,
    require_strength,
    signed_with,
)
from sansticket.crypto.paths.diagnosis import all_valid
from sansticket.crypto.signatures import schemes_of, verify
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.text import quoted

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import ocsp

MAX_RESPONSE: Final = 65_527
"""Bytes: what a CertificateEntry of TLS 1.3 has room for (RFC 9846 section 4.5.1)."""

SKEW: Final = timedelta(minutes=5)
"""By which a responder's clock may be ahead, or ours: that of ``openssl ocsp`` (its -validity_period)."""

WITHOUT_NEXT_UPDATE: Final = timedelta(days=1)
"""For how long a response is good that does not say it, since its thisUpdate: as in Firefox."""

MAX_RESPONDERS: Final = 4
"""Certificates in a response that are looked at.  One is what there is; each costs two signatures."""


def verify_staple(
    response: bytes, path: "Sequence[x509.Certificate]", now: datetime, min_rsa_bits: int
) -> None:
    """Check that an OCSP response (DER) says of the first certificate of a verified path that it is good.

    ``path`` leads to the anchor; a certificate that is the anchor itself has to be its own issuer.  Fault
    CERTIFICATE_REVOKED if it says otherwise, BAD_CERTIFICATE_STATUS if it cannot be relied on.
    """
    from cryptography.x509 import ocsp

    leaf, issuer = path[0], path[min(1, len(path) - 1)]
    try:
        parsed = _successful(response)
        if not _is_authentic(parsed, leaf, issuer, now, min_rsa_bits):
            raise _bad("neither the issuer has signed it, nor anybody whom the issuer has authorized")
        about = _about(parsed, leaf, issuer)
        if about is None:
            raise _bad("it is about another certificate")
        _refuse_critical(parsed)
        if about.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            raise Fault(Reason.CERTIFICATE_REVOKED, f"on {about.revocation_time_utc:%Y-%m-%d}")
        if about.certificate_status is not ocsp.OCSPCertStatus.GOOD:
            raise _bad("its responder does not know the certificate")
        _check_time(about, now)
    except parse_errors() as error:
        raise _bad(str(error)) from None


def must_staple(der: bytes) -> bool:
    """Whether a certificate (DER) is good only with an OCSP response (RFC 7633 section 4.2.3.1)."""
    from cryptography import x509

    try:
        features = extension_of(load(der), x509.TLSFeature)
    except parse_errors() as error:
        raise Fault(Reason.CERTIFICATE_MALFORMED, str(error)) from None
    return features is not None and x509.TLSFeatureType.status_request in features


def end_of_staple(response: object, chain: tuple[bytes, ...]) -> float:
    """The last second in which a server staples this response, since the epoch; infinity if it does not say.

    ConfigError ``ocsp_response`` for what is none, or about another certificate than the first of ``chain``.
    """
    if type(response) is not bytes or not 1 <= len(response) <= MAX_RESPONSE:
        raise ConfigError("ocsp_response", f"{quoted(response)}; expected 1 to {MAX_RESPONSE} bytes, or None")
    leaf = load(chain[0])
    issuer = next((each for each in map(load, chain[1:]) if each.subject == leaf.issuer), None)
    try:
        about = _about(_successful(response), leaf, issuer)
        end = about.next_update_utc if about is not None else None
    except parse_errors(Fault) as error:
        raise ConfigError("ocsp_response", str(error)) from None
    if about is None:
        raise ConfigError("ocsp_response", "it is about another certificate than the first of the chain")
    return end.timestamp() if end is not None else float("inf")


def _bad(detail: str) -> Fault:
    return Fault(Reason.BAD_CERTIFICATE_STATUS, detail)


def _successful(response: bytes) -> "ocsp.OCSPResponse":
    from cryptography.x509 import ocsp

    parsed = ocsp.load_der_ocsp_response(response)
    if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _bad(f"its responder says {parsed.response_status.name.lower()}")
    return parsed


def _about(
    parsed: "ocsp.OCSPResponse", leaf: "x509.Certificate", issuer: "x509.Certificate | None"
) -> "ocsp.OCSPSingleResponse | None":
    """What is said of the certificate: by its serial number, and the hashes of its issuer's name and key.

    Without an issuer the number alone has to do.  Where more is said than one thing, that it is revoked counts, and
    else the first.
    """
    from cryptography.x509 import ocsp

    said = [single for single in parsed.responses if _is_for(single, leaf, issuer)]
    revoked = [single for single in said if single.certificate_status is ocsp.OCSPCertStatus.REVOKED]
    return next(iter(revoked or said), None)


def _is_for(
    single: "ocsp.OCSPSingleResponse", leaf: "x509.Certificate", issuer: "x509.Certificate | None"
) -> bool:
    from cryptography.x509 import ocsp

    if single.serial_number != leaf.serial_number:
        return False
    if issuer is None:
        return True
    # What a client would ask is what the answer has to repeat.
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, single.hash_algorithm).build()
    same_name = single.issuer_name_hash == asked.issuer_name_hash
    same_key = single.issuer_key_hash == asked.issuer_key_hash
    return same_name and same_key


def _refuse_critical(parsed: "ocsp.OCSPResponse") -> None:
    """No extension means anything here; one that is critical has to (RFC 6960 section 4.4).

    Those about a single certificate the library reads only where there is one.
    """
    alone = len(list(parsed.responses)) == 1
    for extension in (*parsed.extensions, *(parsed.single_extensions if alone else ())):
        if extension.critical:
            raise _bad(f"a critical extension, {extension.oid.dotted_string}")


def _check_time(about: "ocsp.OCSPSingleResponse", now: datetime) -> None:
    """RFC 6960 section 4.2.2.1."""
    begin, end = about.this_update_utc, about.next_update_utc
    if now + SKEW < begin:
        raise _bad(f"it is for after {begin:%Y-%m-%d %H:%M:%S}")
    if now - SKEW > (end if end is not None else begin + WITHOUT_NEXT_UPDATE):
        raise _bad(f"it has ended, and is of {begin:%Y-%m-%d %H:%M:%S}")


def _is_authentic(
    parsed: "ocsp.OCSPResponse",
    leaf: "x509.Certificate",
    issuer: "x509.Certificate",
    now: datetime,
    min_rsa_bits: int,
) -> bool:
    """The issuer has signed it, or somebody for the issuer.

    Never the certificate that it is about, whatever that is for: whoever has stolen its key would say that it is good.
    """
    return _is_signed_by(parsed, issuer, min_rsa_bits) or any(
        _is_authorized(each, issuer, now)
        and not _have_one_key(each, leaf)
        and _is_signed_by(parsed, each, min_rsa_bits)
        for each in parsed.certificates[:MAX_RESPONDERS]
    )


def _is_authorized(responder: "x509.Certificate", issuer: "x509.Certificate", now: datetime) -> bool:
    """By a certificate from the same issuer, with id-kp-OCSPSigning (RFC 6960 section 4.2.2.2)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    purposes = extension_of(responder, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes or not may_sign(responder):
        return False
    if not all_valid([responder], now):
        return False
    try:
        responder.verify_directly_issued_by(issuer)
    except parse_errors(InvalidSignature):  # where the hash is broken, too
        return False
    return True


def _have_one_key(one: "x509.Certificate", other: "x509.Certificate") -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding

    keys = {public_key_info_of(each.public_bytes(Encoding.DER)) for each in (one, other)}
    return len(keys) == 1


def _is_signed_by(parsed: "ocsp.OCSPResponse", signer: "x509.Certificate", min_rsa_bits: int) -> bool:
    """With one of the schemes that there are for its key, which none is that has a broken hash."""
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        key = public_key_of(signer.public_bytes(Encoding.DER))
        require_strength(key, min_rsa_bits)
        for scheme in signed_with(parsed):
            tls13 = scheme in schemes_of(key, tls13=True)
            if tls13 or scheme in schemes_of(key, tls13=False):
                verify(key, scheme, parsed.tbs_response_bytes, parsed.signature, tls13)
                return True
    except Fault:
        pass
    return False
