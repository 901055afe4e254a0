"""Second factors: a code works once, in its time, and a recovery code once, in a race too."""

from __future__ import annotations

import asyncio

import psycopg
import pyotp
import pytest

from darkroom import errors
from darkroom.domain import second_factors


def run(ground, verb, *given):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given)

    return ground.run(story)


def code(ground, account_id: str, steps: int = 0) -> str:
    """The code that the app shows, so many steps from now."""
    factor = run(ground, second_factors.get, account_id)
    return pyotp.TOTP(factor.secret).generate_otp(factor.step + steps)


@pytest.fixture
def account_id(ground) -> str:
    """An account whose second factor waits for its first code."""
    one = ground.account().id
    run(ground, second_factors.begin, one)
    return one


@pytest.fixture
def codes(ground, account_id: str) -> list[str]:
    """The recovery codes of the account, whose second factor is on, as if for long."""
    made = run(ground, second_factors.confirm, account_id, code(ground, account_id))
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute("UPDATE second_factors SET last_step = 0")
    return made


def is_let_in(ground, account_id: str, given: str) -> bool:
    try:
        run(ground, second_factors.use, account_id, given)
    except errors.BadParameter:
        return False
    return True


def test_a_code_puts_it_in_force(ground, account_id: str) -> None:
    assert run(ground, second_factors.get, account_id).confirmed_at is None
    with pytest.raises(errors.BadParameter, match="wrong or was used"):
        run(ground, second_factors.confirm, account_id, "000 00")
    made = run(ground, second_factors.confirm, account_id, code(ground, account_id))
    assert len({*made}) == 10
    assert run(ground, second_factors.get, account_id).codes_left == 10


def test_a_code_works_once(ground, account_id: str, codes: list[str]) -> None:
    now = code(ground, account_id)
    assert is_let_in(ground, account_id, f" {now[:3]} {now[3:]} ")
    assert not is_let_in(ground, account_id, now)
    assert not is_let_in(ground, account_id, code(ground, account_id, -1))


def test_a_code_works_once_however_many_come_together(
    ground, account_id: str, codes: list[str]
) -> None:
    async def use(database, given):
        try:
            async with database.transaction() as tx:
                await second_factors.use(tx, account_id, given)
        except errors.BadParameter:
            return False
        return True

    async def story(database):
        given = [code_now] * 10 + [codes[0]] * 10
        return await asyncio.gather(*(use(database, one) for one in given))

    code_now = code(ground, account_id)
    assert sum(ground.run(story)) == 2


@pytest.mark.parametrize(("steps", "is_good"), [(-3, False), (1, True), (3, False)])
def test_a_code_works_in_its_time(
    ground, account_id: str, codes: list[str], steps: int, is_good: bool
) -> None:
    assert is_let_in(ground, account_id, code(ground, account_id, steps)) is is_good


@pytest.mark.parametrize("given", ["", "12345", "1234567", "١٢٣٤٥٦", "x" * 100_000, "-", "0" * 16])
def test_what_is_no_code_is_refused(ground, account_id: str, codes: list[str], given: str) -> None:
    assert not is_let_in(ground, account_id, given)


def test_a_recovery_code_works_once_and_only_its_hash_is_kept(
    ground, account_id: str, codes: list[str]
) -> None:
    with psycopg.connect(ground.conninfo) as connection:
        rows = connection.execute("SELECT recovery_codes::text FROM recovery_codes").fetchall()
    assert not any(one in str(rows) or one.replace("-", "") in str(rows) for one in codes)
    assert is_let_in(ground, account_id, codes[3].upper())
    assert not is_let_in(ground, account_id, codes[3])
    assert run(ground, second_factors.get, account_id).codes_left == 9
    other = ground.account().id
    run(ground, second_factors.begin, other)
    run(ground, second_factors.confirm, other, code(ground, other))
    assert not is_let_in(ground, other, codes[4])


def test_one_in_force_is_not_replaced(ground, account_id: str, codes: list[str]) -> None:
    before = run(ground, second_factors.get, account_id).secret
    run(ground, second_factors.begin, account_id)
    assert run(ground, second_factors.get, account_id).secret == before
    with pytest.raises(errors.BadParameter, match="set up already"):
        run(ground, second_factors.confirm, account_id, code(ground, account_id, 1))


def test_removed_means_not_asked_for(ground, account_id: str, codes: list[str]) -> None:
    assert run(ground, second_factors.remove, account_id)
    assert not run(ground, second_factors.remove, account_id)
    assert is_let_in(ground, account_id, "anything")
    with psycopg.connect(ground.conninfo) as connection:
        assert connection.execute("SELECT * FROM recovery_codes").fetchall() == []
