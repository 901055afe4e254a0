"""The authority: the certificate with which an instance signs its files, and who vouches for it.

After C2PA's profile of X.509 (specification 2.1, section 14.5): P-256 with SHA-256; what signs has
the usage digitalSignature, and the purpose emailProtection for want of one that all readers know.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ORGANIZATION = "Darkroom"
# As long as anybody may want to verify a file: there is no time stamp beside the signatures.
_DAYS = 30 * 365
# Machines' clocks differ.
_EARLIER = timedelta(days=1)


class AuthorityUnusable(Exception):
    """What was given as a certificate and a key cannot be used; the text says why."""


class Authority(msgspec.Struct, frozen=True):
    """Certificates in PEM, the one that signs first and the root last, and the key of the first."""

    chain: str
    key: str

    @classmethod
    def make(cls, now: datetime) -> Self:
        """A fresh root, and a certificate that it vouches for; nobody keeps the root's key."""
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("Darkroom root", root_key, None, root_key, now)
        leaf = _certificate("Darkroom", key, root.subject, root_key, now)
        return cls(_pem(leaf) + _pem(root), _key_pem(key))

    @classmethod
    def load(cls, chain: str, key: str) -> Self:
        """An operator's certificates and key; raises `AuthorityUnusable`."""
        try:
            first, *_ = certificates = x509.load_pem_x509_certificates(chain.encode())
        except ValueError as exc:
            raise AuthorityUnusable(f"There is no certificate in PEM: {exc}") from exc
        try:
            private = serialization.load_pem_private_key(key.encode(), password=None)
        except (ValueError, TypeError) as exc:  # TypeError: it wants a password
            raise AuthorityUnusable(f"There is no open private key in PEM: {exc}") from exc
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise AuthorityUnusable("The key is none of P-256.")
        if private.public_key() != first.public_key():
            raise AuthorityUnusable("The key is not that of the first certificate.")
        return cls("".join(map(_pem, certificates)), _key_pem(private))

    @property
    def root(self) -> str:
        """The certificate in PEM that others are to trust."""
        return _pem(self._certificates[-1])

    @property
    def serial(self) -> str:
        """The serial number of the certificate that signs, in decimal digits."""
        return str(self._certificates[0].serial_number)

    @property
    def _certificates(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(self.chain.encode())


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """A certificate of this name; without an issuer one that vouches for others, and itself."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    is_root, public = issuer is None, key.public_key()
    known_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(known_by, critical=False)
        .add_extension(_usage(is_root), critical=True)
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purpose, critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def _usage(is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form, open_text = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, open_text).decode("ascii")
