"""Edits: models changed over the catalogue's files, in versions, each from its instant on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import edits, entries
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.edits import FILE, HIDE, SET, Asked
from darkroom.engine import renew
from ground import wait_until

FILES = entries.parse(
    """
[M]
name = "Mine"
backends = ["painter"]
[M.options.painter]
address = "http://10.0.0.5"
[M.kinds.text-to-image]
credits = 4
""",
    "test.toml",
)
KEY = ("M", "text-to-image")


def _document(credits_asked="5", **more):
    return {"name": "Edited", "kinds": {"text-to-image": {"credits": credits_asked}}} | more


def _served():
    return Catalogue(dict(FILES), {}, frozenset({"painter"}), sandbox=True, files=FILES)


async def _make(database, effect=SET, document=None, *, seen=0, model="M", **more):
    asked = Asked(model, effect, document, seen, **more)
    async with database.transaction() as tx:
        return await edits.make(tx, asked, "boss@example.com", FILES)


async def _apply(database):
    served = _served()
    async with database.transaction() as tx:
        await edits.publish(tx, served)
        at_start = served.rates
        await edits.apply(tx, served)
    assert served.rates == at_start
    return served


def _now(ground):
    with psycopg.connect(ground.conninfo) as connection:
        [[now]] = connection.execute("SELECT now()").fetchall()
    return now


def test_an_edit_stands_over_the_file_with_its_price(ground):
    async def story(database):
        before = await _apply(database)
        assert await _make(database, document=_document("5.5")) == 1
        return before, await _apply(database)

    before, after = ground.run(story)
    assert (before.models["M"].name, before.rates[KEY].mill) == ("Mine", 4000)
    assert (after.models["M"].name, after.rates[KEY].mill) == ("Edited", 5500)


def test_what_backends_are_told_stays_the_file_s(ground):
    """It names the workers' addresses and keys, which whoever signs in as an admin may not say."""

    async def story(database):
        told = {"painter": {"address": "http://evil.example"}}
        await _make(database, document=_document(options=told, prefer="cost"))
        await _make(database, document=_document(options=told), model="NEW")
        served = await _apply(database)
        assert served.models["M"].options == {"painter": {"address": "http://10.0.0.5"}}
        assert served.models["M"].prefer == "cost"
        assert served.models["NEW"].options == {}

    ground.run(story)


def test_a_new_model_is_offered_and_a_hidden_one_is_only_run_to_its_end(ground):
    async def story(database):
        await _make(database, document=_document("1"), model="N")
        await _make(database, HIDE, _document("4"))
        return await _apply(database)

    served = ground.run(story)
    assert set(served.models) == {"N"}
    assert set(served.served()) == {"M", "N"}
    assert served.rates["N", "text-to-image"].mill == 1000


def test_the_file_says_it_again_when_an_edit_wants_it(ground):
    async def story(database):
        await _make(database, document=_document("9"))
        await _make(database, FILE, seen=1)
        served = await _apply(database)
        with pytest.raises(errors.BadParameter, match="No catalogue file"):
            await _make(database, FILE, model="N")
        return served

    served = ground.run(story)
    assert (served.models["M"].name, served.rates[KEY].mill) == ("Mine", 4000)


def test_an_edit_to_come_changes_nothing_before_its_instant(ground):
    at = _now(ground) + timedelta(hours=1)

    async def story(database):
        await _make(database, document=_document("9"), effective_at=at)
        served = await _apply(database)
        async with database.statement() as tx:
            return served, await edits.read(tx), await edits.list_all(tx)

    served, reading, [edit] = ground.run(story)
    assert (served.models["M"].name, served.rates[KEY].mill) == ("Mine", 4000)
    assert reading.next_seconds == pytest.approx(3600, abs=60)
    assert (edit.is_to_come, edit.is_in_force) == (True, False)


def test_the_last_by_instant_holds_and_by_version_where_that_is_the_same(ground):
    at = _now(ground) + timedelta(seconds=1.5)

    async def story(database):
        await _make(database, document=_document("9"), effective_at=at)
        await _make(database, document=_document("7"), seen=1, effective_at=at)
        await _make(database, document=_document("5"), seen=2)
        assert (await _apply(database)).rates[KEY].mill == 5000
        while _now(ground) <= at:
            pass
        served = await _apply(database)
        async with database.statement() as tx:
            return served, await edits.history(tx, "M")

    served, history = ground.run(story)
    assert served.rates[KEY].mill == 7000
    assert [(one.version, one.is_in_force) for one in history] == [
        *((3, False), (2, True), (1, False))
    ]


def test_an_instant_that_has_passed_is_refused(ground):
    at = _now(ground) - timedelta(seconds=1)
    with pytest.raises(errors.BadParameter) as refused:
        ground.run(lambda database: _make(database, document=_document(), effective_at=at))
    assert refused.value.field == "effective_at"


def test_of_two_who_edit_what_they_saw_one_is_told(ground):
    async def story(database):
        made = await asyncio.gather(
            *(_make(database, document=_document(str(n))) for n in range(1, 4)),
            return_exceptions=True,
        )
        return made, await _apply(database)

    made, served = ground.run(story)
    assert made.count(1) == 1
    assert sum(isinstance(one, errors.BadParameter) for one in made) == 2
    assert served.rates[KEY].mill == 1000 * (made.index(1) + 1)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (_document("-1"), "text-to-image"),
        (_document("0.0001"), "text-to-image"),
        (_document(colour="red"), None),
        (_document(name=" "), "name"),
        ({"name": "Edited", "kinds": {}}, "name"),
        ({"name": "Edited", "kinds": {"text-to-nothing": {"credits": "1"}}}, "text-to-nothing"),
        (_document(seconds_max=0), None),
    ],
)
def test_an_edit_is_checked_as_the_file_is(ground, document, field):
    with pytest.raises(errors.BadParameter) as refused:
        ground.run(lambda database: _make(database, document=document))
    assert refused.value.field == field
    assert ground.run(_apply).models["M"].name == "Mine"


@pytest.mark.parametrize("key", ["", "a b", "a/b", "x" * 101])
def test_a_key_that_is_none_is_refused(ground, key):
    with pytest.raises(errors.BadParameter) as refused:
        ground.run(lambda database: _make(database, document=_document(), model=key))
    assert refused.value.field == "key"


def test_a_version_never_changes(ground):
    ground.run(lambda database: _make(database, document=_document()))
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="append-only"),
    ):
        connection.execute("UPDATE catalogue_edits SET author = 'x'")


def test_an_edit_that_cannot_be_read_any_more_leaves_the_file_s_model(ground):
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO catalogue_edits (model, version, effect, document, effective_at, author)"
            " VALUES ('M', 1, 'set', '{\"name\": 1}', now(), 'an old release')"
        )
    assert ground.run(_apply).models["M"].name == "Mine"


def test_a_process_takes_up_an_edit_and_one_to_come_at_its_instant(ground):
    async def story(database):
        served, stop = _served(), asyncio.Event()
        running = asyncio.create_task(renew.run(database, served, stop))
        try:
            await _make(database, document=_document("5"))
            await asyncio.to_thread(
                wait_until, lambda: KEY in served.rates and served.rates[KEY].mill == 5000
            )
            at = _now(ground) + timedelta(seconds=0.5)
            await _make(database, document=_document("6"), seen=1, effective_at=at)
            assert served.rates[KEY].mill == 5000
            await asyncio.to_thread(wait_until, lambda: served.rates[KEY].mill == 6000)
            assert _now(ground) >= at
        finally:
            stop.set()
            await running

    ground.run(story)
