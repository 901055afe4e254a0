"""The desk's catalogue: models made, priced, hidden and given back, now or from an instant on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from console_visitors import Visitor
from desk_stories import deeds, story, submit, succeeded

from darkroom import ids
from ground import Server


def _offer(**more: str) -> dict[str, str]:
    return {
        "name": "House painter",
        "text-to-image.offered": "on",
        "text-to-image.credits": "2",
        "text-to-image.unit": "image",
        "text-to-image.aspect_ratios": "1:1, 16:9",
        "text-to-image.outputs_max": "2",
        "seen": "0",
    } | more


def _model(server: Server, key: str) -> dict[str, Any] | None:
    every = httpx.get(f"{server.url}/v1/models").json()["data"]
    found: dict[str, Any] | None = next((one for one in every if one["model"] == key), None)
    return found


def test_a_model_is_made_priced_hidden_and_offered_again(admin: Visitor, server: Server) -> None:
    key = ids.new("M").upper()
    made = admin.post_form("/admin/catalogue/new", key=key, **_offer())
    assert made.status_code == 303, made.text
    here = f"/admin/catalogue/{key}"
    model = _model(server, key)
    assert model is not None
    offer = model["kinds"]["text-to-image"]
    assert (offer["rate"]["credits"], offer["outputs_max"]) == (2, 2)
    assert offer["aspect_ratios"] == ["1:1", "16:9"]
    caller = server.ground.key(server.ground.account().id)
    first = submit(server, caller, model=key, aspect_ratio="1:1")
    # Whoever saw an older version is told.
    stale = admin.post_form(here, **_offer(name="Other"))
    assert (stale.status_code, "meanwhile" in stale.text) == (422, True)
    dear = _offer(seen="1", note="dearer", prefer="speed") | {"text-to-image.credits": "2.5"}
    assert admin.post_form(here, **dear).status_code == 303
    assert _model(server, key)["kinds"]["text-to-image"]["rate"]["credits"] == 2.5
    page = admin.get(here).text
    assert "text-to-image credits: 2 → 2.5" in page
    assert "<option selected>speed</option>" in page
    assert admin.post_form(f"{here}/hide", seen="2").status_code == 303
    assert _model(server, key) is None
    assert "hidden" in admin.get("/admin/catalogue").text
    # What was submitted at the old price is run and charged at it.
    succeeded(admin, first)
    assert "2 credits" in story(admin, first)
    assert admin.post_form(f"{here}/offer", seen="3").status_code == 303
    assert _model(server, key) is not None
    assert admin.post_form(f"{here}/hide", seen="4").status_code == 303
    verbs = [act.verb for act in deeds(server, subject=key)]
    assert verbs == ["model.hide", "model.set", "model.hide", "model.set", "model.set"]


def test_a_version_to_come_changes_nothing_and_is_taken_back(
    admin: Visitor, server: Server
) -> None:
    key = ids.new("M").upper()
    assert admin.post_form("/admin/catalogue/new", key=key, **_offer()).is_redirect
    here = f"/admin/catalogue/{key}"
    at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    later = _offer(seen="1", effective_at=at) | {"text-to-image.credits": "9"}
    assert admin.post_form(here, **later).status_code == 303
    assert _model(server, key)["kinds"]["text-to-image"]["rate"]["credits"] == 2
    assert "to come" in admin.get(here).text
    assert admin.post_form(f"{here}/withdraw", version="1").status_code == 404
    assert admin.post_form(f"{here}/withdraw", version="2").status_code == 303
    assert "takes back version 2" in admin.get(here).text
    past = _offer(seen="3", effective_at="2020-01-01T00:00")
    assert "has passed" in admin.post_form(here, **past).text


def test_the_file_s_model_comes_back(admin: Visitor, server: Server) -> None:
    here = "/admin/catalogue/QWEN"
    assert admin.post_form(here, **_offer(name="Mine")).status_code == 303
    assert _model(server, "QWEN")["name"] == "Mine"
    assert admin.post_form(f"{here}/reset", seen="1").status_code == 303
    assert _model(server, "QWEN")["name"] == "Qwen Image"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key": "FLUX_PRO"}, "There is a model FLUX_PRO already"),
        ({"key": "a b"}, "letters, digits"),
        ({"key": "OK", "name": ""}, "needs a name"),
        ({"key": "OK", "text-to-image.credits": ""}, "Write a number"),
        ({"key": "OK", "text-to-image.credits": "0.0001"}, "three decimals"),
        ({"key": "OK", "text-to-image.aspect_ratios": "banana"}, "banana"),
        ({"key": "OK", "text-to-image.outputs_max": "65"}, "outputs_max"),
        ({"key": "OK", "effective_at": "soon"}, "is no instant"),
    ],
)
def test_a_model_that_is_none_is_told_and_what_was_written_stays(
    admin: Visitor, server: Server, fields: dict[str, str], said: str
) -> None:
    answer = admin.post_form("/admin/catalogue/new", **(_offer() | fields))
    assert answer.status_code == 422
    assert said in answer.text
    assert _model(server, "OK") is None
