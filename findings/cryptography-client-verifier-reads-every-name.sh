#!/usr/bin/env bash
# cryptography 50.0.2, cryptography.x509.verification (Python 3.11 or newer).
#
# A certificate may have names in its subjectAltName that nobody needs for TLS, such as an ediPartyName (RFC 5280 section
# 4.2.1.6).  The verifier of servers passes them over.  The verifier of clients refuses the same leaf from the same
# authority: it hands out the names (`VerifiedClient.subjects`), and can only do so for the kinds that the library reads.
# So a certificate that is good for a server is refused as a client's, although nothing of the name was asked for.
#
# Seen:
#   as a server: accepted, chain of 2
#   as a client: cryptography.x509.general_name.UnsupportedGeneralNameType: x400Address/EDIPartyName are not supported types
#
# Fails if one of the two changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "cryptography==50.0.2"
"$work/venv/bin/python" - <<'END'
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

now = datetime.now(UTC)


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, issuer, key, signer, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


authority_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
usage = dict.fromkeys(
    "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(), False
)
authority = certificate(
    "authority",
    "authority",
    authority_key,
    authority_key,
    [
        (x509.BasicConstraints(True, None), True),
        (x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), False),
        (x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage), True),
    ],
)
party = tlv(0xA5, tlv(0xA1, tlv(0x0C, b"a party")))  # ediPartyName: partyName as a UTF8String
names = tlv(0x30, tlv(0x82, b"host.example") + party)
leaf = certificate(
    "leaf",
    "authority",
    leaf_key,
    authority_key,
    [
        (x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    ],
)
policy = PolicyBuilder().store(Store([authority])).time(now)
chain = policy.build_server_verifier(x509.DNSName("host.example")).verify(leaf, [])
print(f"as a server: accepted, chain of {len(chain)}")
try:
    policy.build_client_verifier().verify(leaf, [])
except Exception as error:
    print(f"as a client: {type(error).__module__}.{type(error).__name__}: {error}")
else:
    raise SystemExit("as a client: accepted; it was refused when this was written")
END
