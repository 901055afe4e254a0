"""Random histories of the ledger against a model of ten lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom import errors, ids
from darkroom.domain import accounts, ledger
from darkroom.storage.database import Database
from ground import Ground

# Small, so that a settle often asks for just what is held, or one more.
AMOUNTS = st.integers(1, 3)
# A hold is named by a number that may be too high: then there is no such hold.
STEPS = st.one_of(
    st.tuples(st.just("grant"), AMOUNTS, st.just(0)),
    st.tuples(st.just("hold"), AMOUNTS, st.just(0)),
    st.tuples(st.just("settle"), AMOUNTS, st.integers(0, 2)),
    st.tuples(st.just("refund"), st.just(0), st.integers(0, 2)),
)


@dataclass
class Model:
    """What the ledger should say."""

    available: int = 0
    earned: int = 0
    open: dict[str, int] = field(default_factory=dict)

    def step(self, verb: str, mill: int, hold: str) -> bool:
        """Take a step if it is allowed; whether it is."""
        held = self.open.get(hold, -1)
        if verb == "grant":
            self.available += mill
        elif verb == "hold" and mill <= self.available:
            self.available -= mill
            self.open[hold] = mill
        elif verb in ("settle", "refund") and mill <= held:
            self.available += self.open.pop(hold) - mill
            self.earned += mill
        else:
            return False
        return True


async def real_step(database: Database, account_id: str, verb: str, mill: int, hold: str) -> bool:
    """The same step on the ledger; whether it was allowed."""
    try:
        async with database.transaction() as tx:
            if verb == "grant":
                await ledger.grant(tx, account_id, mill, None)
            elif verb == "hold":
                await ledger.hold(tx, [ledger.Hold(hold, account_id, mill)])
            elif verb == "settle":
                await ledger.settle(tx, hold, mill)
            else:
                await ledger.refund(tx, hold)
    except (errors.HoldNotOpen, errors.StatementRefused):
        return False
    return True


async def compare(database: Database, account_id: str, steps: list[tuple[str, int, int]]) -> None:
    """Take the steps on both sides; they agree on each and on every balance."""
    model, names = Model(), [ids.new("task")]
    for verb, mill, number in steps:
        hold = names[-1] if verb == "hold" else names[number % len(names)]
        assert await real_step(database, account_id, verb, mill, hold) == model.step(
            verb, mill, hold
        )
        if verb == "hold" and hold in model.open:
            names.append(ids.new("task"))
        async with database.statement() as tx:
            account = await accounts.get(tx, account_id)
        assert (account.available_mill, account.held_mill) == (
            model.available,
            sum(model.open.values()),
        )


@settings(max_examples=40, suppress_health_check=[*HealthCheck])
@given(steps=st.lists(STEPS, min_size=10, max_size=30))
def test_any_history_is_what_the_model_says(ground: Ground, steps) -> None:
    account = ground.account(credits_given=0)
    ground.run(lambda database: compare(database, account.id, steps))
