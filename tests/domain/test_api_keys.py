"""API keys: their form, their hash, their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import api_keys
from darkroom.domain.api_keys import Rules


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
    [
        ({"wire": "morse"}, "wire"),
        *(({"name": name}, "name") for name in ("", "x" * 101, "a\nb", "a\x00")),
        *(({"days": days}, "days") for days in (0, -1, 3651)),
        *((Rules(spend_mill_max=one, spend_period="total"), "spend_limit") for one in (0, 10**14)),
        *((Rules(spend_mill_max=1, spend_period=one), "spend_period") for one in (None, "week")),
        *((Rules(requests_per_minute=one), "requests_per_minute") for one in (0, 2**31)),
        *(
            (Rules(callback_hosts=[host]), "callback_hosts")
            for host in ("https://x.com", "x.com:80", "x.com/a", "*", "*.", "a*.com", "", "x\n")
        ),
        (Rules(models=["M"] * 201), "models"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_its_field(ground, changes, field):
    account = ground.account()
    given = {"rules": changes} if isinstance(changes, Rules) else changes
    with pytest.raises(errors.BadParameter) as refused:
        _run(ground, api_keys.create, account.id, **given)
    assert refused.value.field == field
    assert _run(ground, api_keys.list_for, account.id) == []


def test_a_key_is_its_account_s_alone(ground):
    mine, other = ground.account(), ground.account()
    _, row = _run(ground, api_keys.create, mine.id)
    assert _run(ground, api_keys.owned, mine.id, row.id) == row
    for account_id, key_id in ((other.id, row.id), (mine.id, "key_none")):
        with pytest.raises(errors.KeyNotFound):
            _run(ground, api_keys.owned, account_id, key_id)


def test_an_expired_key_is_found_as_such(ground):
    key, row = _run(ground, api_keys.create, ground.account().id, days=7)
    assert row.expires_at == row.created_at + timedelta(days=7)
    assert _run(ground, api_keys.find, [key])[key].expired_at is None
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute("UPDATE api_keys SET expires_at = now()")
    assert _run(ground, api_keys.find, [key])[key].expired_at is not None
    assert not _run(ground, api_keys.owned, row.account_id, row.id).is_live
    for days in (None, 1):
        assert _run(ground, api_keys.expire, row, days).is_live


RULES = Rules(5, 100, "month", ["M"], ["*.example.com"])


def test_a_rotation_keeps_name_rules_and_life_and_ends_the_old_key(ground):
    account = ground.account()
    made = {"name": "ci", "wire": "reference", "rules": RULES, "days": 30}
    old_key, old = _run(ground, api_keys.create, account.id, **made)
    new_key, new = _run(ground, api_keys.rotate, old, overlap_hours=24)
    assert (new.name, new.wire, new.rules, new.origin_id) == ("ci", "reference", RULES, old.id)
    assert new.expires_at - new.created_at == timedelta(days=30)
    assert _run(ground, api_keys.find, [old_key, new_key]).keys() == {old_key, new_key}
    [_, ending] = _run(ground, api_keys.list_for, account.id)
    assert ending.expires_at == new.created_at + timedelta(hours=24)


def test_a_rotation_lets_no_key_live_longer_than_it_would_have(ground):
    account = ground.account()
    _, old = _run(ground, api_keys.create, account.id, days=1)
    _run(ground, api_keys.rotate, old, overlap_hours=720)
    assert _run(ground, api_keys.owned, account.id, old.id).expires_at == old.expires_at


def test_a_key_is_rotated_once_and_not_after_its_end(ground):
    account = ground.account()
    first, second = (_run(ground, api_keys.create, account.id)[1] for _ in range(2))
    _run(ground, api_keys.rotate, first, overlap_hours=0)
    _run(ground, api_keys.revoke, second.id)
    for row in (first, second):
        with pytest.raises(errors.BadParameter, match="rotate the key that took its place"):
            _run(ground, api_keys.rotate, row, overlap_hours=1)
    assert len(_run(ground, api_keys.list_for, account.id)) == 3
    with pytest.raises(errors.BadParameter):
        _run(ground, api_keys.rotate, first, overlap_hours=721)


def test_a_change_is_of_all_keys_of_a_rotation_and_of_no_other(ground):
    account = ground.account()
    made = [_run(ground, api_keys.create, account.id)[1] for _ in range(2)]
    _, new = _run(ground, api_keys.rotate, made[0], overlap_hours=1)
    changed = _run(ground, api_keys.change, made[0], name="new", rules=RULES)
    assert (changed.name, changed.rules) == ("new", RULES)
    assert _run(ground, api_keys.owned, account.id, new.id).rules == RULES
    assert _run(ground, api_keys.owned, account.id, made[1].id) == made[1]


def test_the_last_use_never_goes_back(ground):
    account = ground.account()
    _, row = _run(ground, api_keys.create, account.id)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for at in (now, now - timedelta(hours=1)):
        _run(ground, api_keys.touch, {row.id: at, "key_unknown": at})
    assert _run(ground, api_keys.list_for, account.id)[0].last_used_at == now
