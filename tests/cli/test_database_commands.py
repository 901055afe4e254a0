"""Accounts, keys, grants and the audit, from the command line over a real database."""

from __future__ import annotations

import psycopg
import pytest

from ground import wait_until

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


def test_an_account_may_be_without_provenance(darkroom) -> None:
    darkroom("account", "create", EMAIL)
    account_id = darkroom("account", "list", "--json").json[0]["account_id"]
    off = darkroom("account", "provenance", EMAIL, "--off", "--json").json
    assert off == {"account_id": account_id, "has_provenance": False}
    assert darkroom("account", "list", "--json").json[0]["has_provenance"] is False
    assert "are signed" in darkroom("account", "provenance", EMAIL).out
    assert darkroom("account", "list", "--json").json[0]["has_provenance"] is True


def test_account_create_refuses_a_second_and_a_bad_address(darkroom) -> None:
    assert darkroom("account", "create", EMAIL).code == 0
    assert "has an account already" in darkroom("account", "create", "ANN@example.com").sentence
    assert "is not an e-mail address" in darkroom("account", "create", "ann").sentence


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


def test_account_limit_sets_what_is_named_and_keeps_the_rest(darkroom) -> None:
    darkroom("account", "create", EMAIL)
    said = darkroom("account", "limit", EMAIL, "--weight", "2", "--running", "3", "--json").json
    assert said == {
        "weight": 2,
        "running_max": 3,
        "waiting_max": 10_000,
        "requests_per_minute": 0,
    }
    darkroom("account", "limit", EMAIL, "--requests", "60")
    [row] = darkroom("account", "list", "--json").json
    assert (row["running_max"], row["requests_per_minute"]) == (3, 60)
    assert "requests_per_minute" in darkroom("account", "limit", EMAIL, "--requests", "0").out
    assert darkroom("account", "limit", EMAIL, "--running", "0").code == 2


def test_a_new_account_has_the_limits_of_the_settings(darkroom) -> None:
    darkroom.environment["DARKROOM_ACCOUNT_RUNNING_MAX"] = "5"
    darkroom.environment["DARKROOM_ACCOUNT_REQUESTS_PER_MINUTE"] = "100"
    darkroom("account", "create", EMAIL)
    [row] = darkroom("account", "list", "--json").json
    assert (row["running_max"], row["waiting_max"], row["requests_per_minute"]) == (5, 10_000, 100)


def test_workers_are_listed_while_they_live_and_after(darkroom) -> None:
    assert darkroom("workers", "--json").json == []
    with darkroom.running("work", "--workers", "3") as worker:
        assert worker.stdout.readline() == "Darkroom works.\n"
        [row] = wait_until(lambda: darkroom("workers", "--json").json)
        assert (row["state"], row["slots"], row["running"]) == ("alive", 3, 0)
        assert row["worker_id"] in darkroom("workers").out
    assert [one["state"] for one in darkroom("workers", "--json").json] == ["ended"]


def test_an_account_is_suspended_and_resumed(darkroom) -> None:
    darkroom("account", "create", "ada@example.com")
    command = ("account", "suspend", "ada@example.com", "--reason", "unpaid", "--cancel", "--json")
    suspended = darkroom(*command).json
    assert suspended["suspended_at"]
    assert suspended["reason"] == "unpaid"
    resumed = darkroom("account", "resume", "ada@example.com", "--json").json
    assert resumed["suspended_at"] is None


def test_an_account_is_deleted_by_who_means_it(darkroom) -> None:
    darkroom("account", "create", "ada@example.com", "--credits", "5")
    asked = darkroom("account", "delete", "ada@example.com")
    assert (asked.code, "for good?" in asked.out + asked.err) == (1, True)
    gone = darkroom("account", "delete", "ada@example.com", "--yes", "--json").json
    assert gone["balance"] == 5
    [kept] = darkroom("account", "list", "--json").json
    assert (kept["account_id"], "ada" in kept["email"]) == (gone["account_id"], False)
    assert "deleted" in darkroom("account", "resume", kept["email"]).sentence


def test_rights_of_an_admin_are_given_and_the_last_keeps_them(darkroom) -> None:
    darkroom("account", "create", "ada@example.com")
    assert darkroom("account", "admin", "ada@example.com", "--json").json["is_admin"] is True
    refused = darkroom("account", "admin", "ada@example.com", "--remove")
    assert "last admin" in refused.sentence


def test_what_the_command_line_does_is_written_down(darkroom, database_conninfo: str) -> None:
    darkroom("account", "create", "ada@example.com", "--credits", "5")
    darkroom("grant", "ada@example.com", "1")
    darkroom("account", "limit", "ada@example.com", "--running", "3")
    key = darkroom("key", "create", "ada@example.com", "--json").json
    darkroom("key", "revoke", key["key_id"])
    with psycopg.connect(database_conninfo) as connection:
        written = connection.execute("SELECT actor, verb FROM acts ORDER BY id").fetchall()
    verbs = ("account.create", "account.grant", "account.grant", "account.limit", "key.revoke")
    assert written == [("cli", verb) for verb in verbs]


def test_settings_tell_their_source(darkroom) -> None:
    told = {one["name"]: one for one in darkroom("settings", "--json").json}
    assert told["DARKROOM_DATABASE_URL"]["source"] == "DARKROOM_DATABASE_URL"
    assert told["DARKROOM_PORT"] | {"description": ""} == {
        "name": "DARKROOM_PORT",
        "value": "8080",
        "source": "default",
        "description": "",
    }
    assert "DARKROOM_PORT" in darkroom("settings").out


def test_an_invitation_is_a_link_for_who_has_no_account(darkroom) -> None:
    made = darkroom("account", "invite", EMAIL, "--json").json
    assert made["link"].startswith("http://127.0.0.1:8080/link/")
    assert (made["email"], made["letter"]) == (EMAIL, False)
    assert darkroom("letters", "--all", "--json").json == []
    darkroom("account", "create", EMAIL)
    assert "has an account already" in darkroom("account", "invite", EMAIL).sentence
    assert "is not an e-mail address" in darkroom("account", "invite", "ann").sentence


def test_an_invitation_is_sent_where_there_is_a_mail_server(darkroom) -> None:
    darkroom.environment["DARKROOM_SMTP_URL"] = "smtp://127.0.0.1:1"
    darkroom.environment["DARKROOM_MAIL_FROM"] = "post@darkroom.example"
    darkroom.environment["DARKROOM_PUBLIC_URL"] = "https://darkroom.example/"
    made = darkroom("account", "invite", EMAIL, "--json").json
    assert made["letter"] is True
    assert made["link"].startswith("https://darkroom.example/link/")
    [row] = darkroom("letters", "--json").json
    assert (row["kind"], row["recipient"], row["status"]) == ("invite", EMAIL, "PENDING")
    assert row["link"] == made["link"]
    assert made["link"] in darkroom("letters").out


def test_a_link_and_the_end_of_a_second_factor_are_written_down(
    darkroom, database_conninfo: str
) -> None:
    darkroom("account", "create", EMAIL)
    assert "/link/" in darkroom("account", "link", EMAIL).out
    assert "no second factor." in darkroom("account", "reset-totp", EMAIL).out
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(
            "INSERT INTO second_factors (account_id, secret, confirmed_at) "
            "SELECT id, 'A', now() FROM accounts"
        )
    assert darkroom("account", "reset-totp", EMAIL, "--json").json["removed"] is True
    with psycopg.connect(database_conninfo) as connection:
        verbs = connection.execute("SELECT verb FROM acts ORDER BY id").fetchall()
    assert [verb for [verb] in verbs if verb != "account.create"] == [
        "account.link",
        "account.reset_totp",
    ]
