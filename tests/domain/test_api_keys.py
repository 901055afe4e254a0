"""API keys: their form, their hash, their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import api_keys


def test_a_fresh_key_is_well_formed_and_like_no_other():
    made = {api_keys.make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(api_keys.is_well_formed(key) and len(key) == 51 for key in made)


def test_a_key_with_any_digit_wrong_is_not_well_formed():
    key = api_keys.make()
    for place in range(len(key)):
        wrong = "0" if key[place] != "0" else "1"
        assert not api_keys.is_well_formed(key[:place] + wrong + key[place + 1 :])


@pytest.mark.parametrize("spoil", [str.upper, str.strip, "{} ".format, "{}\n".format, "x{}".format])
def test_a_key_is_well_formed_only_to_the_letter(spoil):
    key = api_keys.make()
    assert api_keys.is_well_formed(spoil(key)) is (spoil(key) == key)


def test_a_mask_shows_as_little_as_the_quickstart_s():
    assert api_keys.mask("sk-d77e1" + "0" * 39 + "343e") == "sk-d77e1...343e"


def _run(ground, verb, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given, **named)

    return ground.run(story)


def test_a_key_is_found_until_it_is_revoked(ground):
    account = ground.account()
    key, row = _run(ground, api_keys.create, account.id, name="ci", wire="reference")
    found = _run(ground, api_keys.find, [key, api_keys.make()])
    assert found.keys() == {key}
    told = found[key]
    assert (told.id, told.account_id, told.wire) == (row.id, account.id, "reference")
    [ended] = _run(ground, api_keys.revoke, row.id)
    assert ended.revoked_at is not None
    assert _run(ground, api_keys.find, [key]) == {}


@pytest.mark.parametrize("named", ["id", "mask"])
def test_a_key_is_revoked_once_by_its_id_or_mask(ground, named):
    account = ground.account()
    _, row = _run(ground, api_keys.create, account.id)
    other, _ = _run(ground, api_keys.create, account.id)
    assert len(_run(ground, api_keys.revoke, getattr(row, named))) == 1
    assert _run(ground, api_keys.revoke, getattr(row, named)) == []
    assert _run(ground, api_keys.find, [other]).keys() == {other}


def test_the_database_never_holds_a_key(ground):
    key, _ = _run(ground, api_keys.create, ground.account().id)
    with psycopg.connect(ground.conninfo) as connection:
        kept = str(connection.execute("SELECT * FROM api_keys").fetchall())
    assert key not in kept
    assert key[3:30] not in kept


def test_keys_are_listed_newest_first_revoked_ones_too(ground):
    account, other = ground.account(), ground.account()
    made = [_run(ground, api_keys.create, account.id)[1] for _ in range(3)]
    _run(ground, api_keys.create, other.id)
    _run(ground, api_keys.revoke, made[1].id)
    listed = _run(ground, api_keys.list_for, account.id)
    assert [one.id for one in listed] == [one.id for one in reversed(made)]
    assert [one.revoked_at is None for one in listed] == [True, False, True]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"wire": "morse"}, "wire"), ({"name": ""}, "name"), ({"name": "x" * 101}, "name")],
)
def test_a_key_that_cannot_be_is_refused_with_its_field(ground, changes, field):
    account = ground.account()
    with pytest.raises(errors.BadParameter) as refused:
        _run(ground, api_keys.create, account.id, **changes)
    assert refused.value.field == field


def test_the_last_use_never_goes_back(ground):
    account = ground.account()
    _, row = _run(ground, api_keys.create, account.id)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for at in (now, now - timedelta(hours=1)):
        _run(ground, api_keys.touch, {row.id: at, "key_unknown": at})
    assert _run(ground, api_keys.list_for, account.id)[0].last_used_at == now
