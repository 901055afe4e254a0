"""Random histories of a key's spend limit against a model of a page: months, ends, rotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spending import Till, run

from darkroom.domain.tasks import Batch
from ground import Ground

# Small, so that a limit is often just reached, or passed by one.
MILLS = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("submit"), MILLS, st.integers(1, 2)),
    st.tuples(st.just("submit"), MILLS, st.integers(1, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 3)),
    st.tuples(st.sampled_from(("succeed", "pass_month", "rotate"))),
    st.tuples(
        st.just("limit"),
        st.one_of(st.none(), st.integers(1, 9)),
        st.sampled_from(("total", "month")),
    ),
)


@dataclass
class Hold:
    """One task's credits as they should count; `month` is how many have passed since."""

    task_id: str
    mill: int
    counts: bool
    month: int = 0
    is_open: bool = True


@dataclass
class Model:
    """What a key may spend, and has."""

    limit: int | None = 5
    period: str = "total"
    holds: list[Hold] = field(default_factory=list)

    def spent(self) -> int:
        """What is used of the limit in its period."""
        return sum(
            one.mill
            for one in self.holds
            if one.counts and (self.period == "total" or one.month == 0)
        )

    def takes(self, mill: int) -> bool:
        """Whether that much may be spent."""
        return self.limit is None or mill <= max(0, self.limit - self.spent())


async def compare(till: Till, steps: list[tuple[Any, ...]]) -> None:
    """Take the steps on both sides; they agree on each answer and on what is spent."""
    model = Model()
    key = await till.key(model.limit)
    for verb, *what in steps:
        if verb == "submit":
            mill, count = what
            [made] = await till.submit(till.asked(key, mill, count))
            assert isinstance(made, Batch) is model.takes(mill * count)
            counts = model.limit is not None
            if isinstance(made, Batch):
                model.holds += [Hold(one, mill, counts) for one in made.task_ids]
        elif verb == "cancel" and what[0] < len(model.holds):
            one = model.holds[what[0]]
            assert await till.cancel(one.task_id) is one.is_open
            if one.is_open:
                one.is_open, one.mill = False, 0
        elif verb == "succeed":
            ended = await till.succeed()
            for one in model.holds:
                one.is_open = one.is_open and one.task_id != ended
        elif verb == "pass_month":
            await till.pass_month()
            for one in model.holds:
                one.month += 1
        elif verb == "rotate":
            key = await till.rotate(key)
        elif verb == "limit":
            model.limit, model.period = what[0], what[1] if what[0] else "total"
            key = await till.limit(key, model.limit, model.period)
        assert await till.spent(key) == model.spent(), (verb, what)


@settings(max_examples=40, suppress_health_check=[*HealthCheck])
@given(steps=st.lists(STEPS, min_size=4, max_size=24))
def test_any_history_of_a_spend_limit_is_what_the_model_says(ground: Ground, steps) -> None:
    async def story(till: Till) -> None:
        await compare(till, steps)

    run(ground, story)
    assert ground.audit() == []
