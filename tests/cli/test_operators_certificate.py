"""The operator's certificate: used where it can sign, refused in a sentence where it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from darkroom import config, errors
from darkroom.authority import Authority
from darkroom.cli import house

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = ("DARKROOM_PROVENANCE_CERTIFICATE", "DARKROOM_PROVENANCE_KEY")


def _read(folder: Path, chain: str, key: str) -> Authority | None:
    """What the settings that name these two texts lead to."""
    paths = [folder / "chain.pem", folder / "key.pem"]
    for path, text in zip(paths, (chain, key), strict=True):
        path.write_text(text)
    named = dict(zip(SETTINGS, map(str, paths), strict=True))
    return house.read_authority(config.load({}, named))


def test_a_certificate_that_can_sign_is_taken(tmp_path: Path) -> None:
    own = Authority.make(NOW)
    assert _read(tmp_path, own.chain, own.key) == own
    assert house.read_authority(config.load({}, {})) is None


def test_one_that_cannot_is_refused_with_the_reason(tmp_path: Path) -> None:
    own, other = Authority.make(NOW), Authority.make(NOW)
    end = "-----END CERTIFICATE-----\n"
    leaf = own.chain.partition(end)[0]
    late = Authority.make(datetime(2090, 1, 1, tzinfo=UTC))
    for chain, key in (
        (own.chain, other.key),
        (own.chain, "nonsense"),
        (late.chain, late.key),
        # The root that others are to trust is not among them.
        (leaf + end, own.key),
    ):
        with pytest.raises(errors.ConfigInvalid, match="PROVENANCE_KEY cannot be used: "):
            _read(tmp_path, chain, key)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    named = dict.fromkeys(SETTINGS, str(tmp_path / "none.pem"))
    with pytest.raises(errors.ConfigInvalid, match=r"PROVENANCE_CERTIFICATE names .*none\.pem"):
        house.read_authority(config.load({}, named))
