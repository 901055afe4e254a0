"""Accounts, keys, grants and the audit, from the command line over a real database."""

from __future__ import annotations

import psycopg
import pytest

EMAIL = "ann@example.com"


def test_account_create_gives_credits_that_the_audit_proves(darkroom) -> None:
    made = darkroom("account", "create", EMAIL, "--credits", "10.5", "--json").json
    assert made.keys() == {"account_id", "email", "balance"}
    assert (made["email"], made["balance"]) == (EMAIL, 10.5)
    assert darkroom("grant", EMAIL, "1.5", "--json").json == {"balance": 12}
    audit = darkroom("audit", "--json").json
    assert audit["ok"] is True
    assert audit["totals"]["issued_mill"] == 12_000
    assert all(check["ok"] for check in audit["checks"])


def test_account_list_shows_accounts(darkroom) -> None:
    darkroom("account", "create", EMAIL, "--admin")
    [row] = darkroom("account", "list", "--json").json
    assert (row["email"], row["balance"], row["is_admin"]) == (EMAIL, 0, True)
    assert EMAIL in darkroom("account", "list").out


def test_account_create_refuses_a_second_and_a_bad_address(darkroom) -> None:
    assert darkroom("account", "create", EMAIL).code == 0
    assert "has an account already" in darkroom("account", "create", "ANN@example.com").sentence
    assert "is not an e-mail address" in darkroom("account", "create", "ann").sentence


def test_key_lives_from_create_to_revoke(darkroom) -> None:
    darkroom("account", "create", EMAIL)
    made = darkroom("key", "create", EMAIL, "--name", "ci", "--wire", "reference", "--json").json
    assert made.keys() == {"key", "key_id", "wire"}
    [row] = darkroom("key", "list", EMAIL, "--json").json
    assert (row["key_id"], row["name"], row["wire"]) == (made["key_id"], "ci", "reference")
    assert row["revoked_at"] is None
    assert made["key"] not in darkroom("key", "list", EMAIL).out
    assert darkroom("key", "revoke", row["mask"], "--json").json == {"revoked": [row["key_id"]]}
    assert "No live key is named" in darkroom("key", "revoke", row["key_id"]).sentence


def test_key_create_prints_the_key_alone(darkroom) -> None:
    darkroom("account", "create", EMAIL)
    done = darkroom("key", "create", EMAIL)
    assert done.out.startswith("sk-")
    assert len(done.out.split()) == 1


@pytest.mark.parametrize("command", [("key", "create"), ("key", "list"), ("grant",)])
def test_unknown_account_is_one_sentence(darkroom, command: tuple[str, ...]) -> None:
    amount = ["1"] if command == ("grant",) else []
    sentence = darkroom(*command, "nobody@example.com", *amount).sentence
    assert "darkroom account create nobody@example.com" in sentence


@pytest.mark.parametrize("amount", ["x", "1.0001", "NaN"])
def test_amount_that_is_none_is_a_usage_error(bare, amount: str) -> None:
    done = bare("grant", EMAIL, amount)
    assert done.code == 2
    assert "no amount of credits" in done.err


@pytest.mark.parametrize("amount", ["0", "-5", "10000000001"])
def test_grant_out_of_bounds_is_refused(darkroom, amount: str) -> None:
    darkroom("account", "create", EMAIL)
    assert "more than 0" in darkroom("grant", EMAIL, "--", amount).sentence


def test_audit_tells_what_is_wrong(darkroom, database_conninfo: str) -> None:
    darkroom("account", "create", EMAIL, "--credits", "10")
    assert "✓ the sum over all accounts is zero" in darkroom("audit").out
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("UPDATE accounts SET available_mill = available_mill + 1")
    done = darkroom("audit")
    assert done.code == 1
    assert "✗ replaying the entries gives every balance" in done.out
    assert '"ok": false' in darkroom("audit", "--json").out


@pytest.mark.parametrize(
    ("url", "said"),
    [("postgresql://127.0.0.1:1/none", "cannot be reached"), ("nonsense", "no address of a")],
)
def test_database_that_is_not_there_is_one_sentence(bare, url: str, said: str) -> None:
    assert said in bare("audit", "--database-url", url).sentence
