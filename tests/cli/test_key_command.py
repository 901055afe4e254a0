"""API keys from the command line: made, limited, rotated, revoked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

EMAIL = "ann@example.com"


@pytest.fixture
def keys(darkroom):
    """Runs `darkroom key` with an account that is there."""
    darkroom("account", "create", EMAIL)
    return lambda *arguments: darkroom("key", *arguments)


def _created(row) -> datetime:
    return datetime.fromisoformat(row["created_at"])


def test_key_lives_from_create_to_revoke(keys) -> None:
    made = keys("create", EMAIL, "--name", "ci", "--wire", "reference", "--json").json
    [row] = keys("list", EMAIL, "--json").json
    assert made == {"key": made["key"], **row}
    assert (row["name"], row["wire"], row["revoked_at"]) == ("ci", "reference", None)
    assert made["key"] not in keys("list", EMAIL).out
    assert keys("revoke", row["mask"], "--json").json == {"revoked": [row["key_id"]]}
    assert "No live key is named" in keys("revoke", row["key_id"]).sentence


def test_key_create_prints_the_key_alone(keys) -> None:
    done = keys("create", EMAIL)
    assert done.out.startswith("sk-")
    assert len(done.out.split()) == 1


def test_key_is_made_with_its_rules_and_a_change_leaves_the_others(keys) -> None:
    models = ("--model", "PAINTER", "--model", "FLUX_PRO")
    rules = ("--spend", "12.5", "--per", "month", "--callback-host", "*.example.com", *models)
    row = keys("create", EMAIL, "--days", "30", "--requests", "9", *rules, "--json").json
    rules = {
        "requests_per_minute": 9,
        "spent": 0,
        "spend_limit": 12.5,
        "spend_period": "month",
        "models": ["PAINTER", "FLUX_PRO"],
        "callback_hosts": ["*.example.com"],
    }
    assert {name: row[name] for name in rules} == rules
    assert datetime.fromisoformat(row["expires_at"]) == _created(row) + timedelta(days=30)

    def change(*options: str) -> None:
        [changed] = keys("limit", row["key_id"], *options, "--json").json
        assert {name: changed[name] for name in rules} == rules

    change("--name", "other")
    rules["spend_limit"] = 7
    change("--spend", "7")
    rules["spend_period"] = "total"
    change("--per", "total")
    rules |= {"models": [], "requests_per_minute": 0}
    change("--model", "any", "--requests", "0")
    rules |= {"spend_limit": None, "spend_period": None, "callback_hosts": []}
    change("--spend", "0", "--callback-host", "any")
    [shown] = keys("limit", row["key_id"], "--days", "0", "--json").json
    assert (shown["expires_at"], shown["name"]) == (None, "other")
    assert "other" in keys("list", EMAIL).out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "NOPE"), 'No model is named "NOPE"'),
        (("--callback-host", "https://x.com"), "is no host"),
        (("--days", "4000"), "1 to 3650 days"),
    ],
)
def test_a_rule_that_cannot_be_is_one_sentence(keys, options, said) -> None:
    assert said in keys("create", EMAIL, *options).sentence
    assert keys("list", EMAIL, "--json").json == []


def test_a_key_that_nobody_has_cannot_be_limited_or_rotated(keys) -> None:
    assert "No live key is named" in keys("limit", "x", "--requests", "1").sentence
    assert "No live key is named" in keys("rotate", "x").sentence


def test_a_rotated_key_has_the_same_rules_and_the_old_one_an_end(keys) -> None:
    old = keys("create", EMAIL, "--name", "ci", "--spend", "5", "--wire", "reference", "--json")
    key_id = old.json["key_id"]
    new = keys("rotate", key_id, "--overlap", "2", "--json").json
    assert new["key"] != old.json["key"]
    same = ("name", "wire", "spend_limit", "spend_period", "expires_at", "models")
    assert [new[name] for name in same] == [old.json[name] for name in same]
    [_, row] = keys("list", EMAIL, "--json").json
    ends_after = datetime.fromisoformat(row["expires_at"]) - _created(new)
    assert ends_after == timedelta(hours=2)
    assert "rotate the key that took its place" in keys("rotate", key_id).sentence
