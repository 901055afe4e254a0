"""Certificates: made once, whoever asks first, and fit to sign."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from darkroom import credentials
from darkroom.authority import Authority, AuthorityUnusable
from darkroom.domain import certificates
from darkroom.storage.database import Database
from ground import Ground


def _ours(ground: Ground, at_once: int = 1) -> list[Authority]:
    async def ask(conninfo: str) -> Authority:
        database = Database(conninfo)
        await database.open()
        try:
            async with database.transaction() as tx:
                return await certificates.ours(tx)
        finally:
            await database.close()

    async def story(_: Database) -> list[Authority]:
        return await asyncio.gather(*(ask(ground.conninfo) for _ in range(at_once)))

    answer: list[Authority] = ground.run(story)
    return answer


def test_all_who_ask_at_once_end_with_one(ground: Ground) -> None:
    made = _ours(ground, at_once=6)
    assert len({(one.chain, one.key) for one in made}) == 1
    assert _ours(ground) == made[:1]


def test_nobody_has_one_before_it_is_asked_for(ground: Ground) -> None:
    async def story(database: Database) -> Authority | None:
        async with database.statement() as tx:
            return await certificates.find(tx)

    assert ground.run(story) is None
    made = _ours(ground)
    assert [ground.run(story)] == made


def test_what_is_made_can_sign(ground: Ground, tmp_path: Path) -> None:
    [made] = _ours(ground)
    credentials.check(made, tmp_path)
    leaf, root = x509.load_pem_x509_certificates(made.chain.encode())
    assert made.root.encode() == root.public_bytes(serialization.Encoding.PEM)
    leaf.verify_directly_issued_by(root)
    assert made.serial == str(leaf.serial_number)
    # Read again as an operator's would be, it is the same.
    assert Authority.load(made.chain, made.key) == made


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> str:
    closed = serialization.BestAvailableEncryption(password) if password else None
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        closed or serialization.NoEncryption(),
    ).decode()


def test_what_cannot_be_used_is_refused_with_the_reason(ground: Ground) -> None:
    [made] = _ours(ground)
    other = ec.generate_private_key(ec.SECP256R1())
    for chain, key, said in (
        ("", made.key, "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", made.key, "in PEM"),
        (made.chain, "", "no open private key"),
        (made.chain, _pem(other, b"secret"), "no open private key"),
        (made.chain, _pem(rsa.generate_private_key(65537, 2048)), "none of P-256"),
        (made.chain, _pem(ec.generate_private_key(ec.SECP384R1())), "none of P-256"),
        (made.chain, _pem(other), "not that of the first certificate"),
    ):
        with pytest.raises(AuthorityUnusable, match=said):
            Authority.load(chain, key)
