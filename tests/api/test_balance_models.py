"""Balance and models: what there is to spend, and what it buys."""

from __future__ import annotations

import httpx
import pytest
from wire_calls import IMAGE_TO_IMAGE, TEXT_TO_IMAGE, TINY, balance, data_url, picture, succeeded

from darkroom.domain.kinds.table import KINDS


def test_balance_is_a_bare_number(callers):
    assert balance(callers(credits_given=0)) == 0
    caller = callers(credits_given=7)
    assert caller.get("/v1/generation/balance").json()["data"] == 7
    succeeded(caller.post(TEXT_TO_IMAGE, json=TINY))
    assert balance(caller) == 6.5


def test_balance_takes_junk_in_the_query(caller):
    assert succeeded(caller.get("/v1/generation/balance?t=1712000000123")) == 1000


@pytest.fixture(scope="module")
def models(server):
    """What GET /v1/models answers, by key."""
    answer = httpx.get(f"{server.url}/v1/models").json()
    assert (answer["status"], answer["success"]) == (0, True)
    return {one["model"]: one for one in answer["data"]}


def test_models_need_no_key_and_name_the_quickstart_s(models):
    assert models["FLUX_PRO"]["kinds"]["text-to-image"]["rate"]["credits"] == 4


def test_every_model_shows_bounds_rate_and_who_serves_it(models):
    for one in models.values():
        assert one["name"]
        for kind, offer in one["kinds"].items():
            assert offer["served_by"] == KINDS[kind].built_in  # the sandbox says so
            assert offer["rate"]["mill"] == offer["rate"]["credits"] * 1000 >= 0
            assert offer["rate"]["unit"] in KINDS[kind].units
            assert (offer["images_max"] > 0) is ("images" in KINDS[kind].files)
            assert min(offer["outputs_max"], offer["prompt_chars_max"]) >= 1


def test_every_kind_that_the_sandbox_does_has_a_model(models):
    offered = {kind for one in models.values() for kind in one["kinds"]}
    assert offered == {kind.name for kind in KINDS.values() if kind.built_in}


def test_the_rate_that_is_shown_is_the_rate_that_is_taken(caller, models):
    offer = models["WERYAI_IMAGE_1_0"]["kinds"]["image-to-image"]
    asked = TINY | {"model": "WERYAI_IMAGE_1_0", "aspect_ratio": "1:1", "image_number": 2}
    asked |= {"images": [data_url(picture())]}
    assert (
        succeeded(caller.post(IMAGE_TO_IMAGE, json=asked))["cost"] == 2 * offer["rate"]["credits"]
    )
    assert balance(caller) == 1000 - 2 * offer["rate"]["credits"]


def test_every_listed_ratio_is_taken(caller, models):
    asked = TINY | {"model": "WERYAI_IMAGE_2_0", "resolution": "100p"}
    for ratio in models["WERYAI_IMAGE_2_0"]["kinds"]["text-to-image"]["aspect_ratios"]:
        answer = caller.post(TEXT_TO_IMAGE, json=asked | {"aspect_ratio": ratio})
        assert succeeded(answer)["task_ids"]


@pytest.mark.parametrize("prefix", ["", "/growthai"])
def test_registries_list_the_models_by_mode(caller, prefix):
    video = succeeded(caller.get(f"{prefix}/v1/video/models"))
    assert {"text_to_video", "image_to_video", "multi_image_to_video"} <= video.keys()
    [veo] = [one for one in video["image_to_video"] if one["model_key"] == "VEO_3_1"]
    assert (veo["title"], veo["durations"]) == ("Veo 3.1", [8])
    assert veo["aspect_ratios"] == ["9:16", "16:9"]
    assert (veo["support_first_last_frame"], veo["upload_image_limit"]) == (True, 1)
    image = succeeded(caller.get(f"{prefix}/v1/image/models"))
    assert image.keys() == {"text_to_image", "image_to_image"}
    assert all(one["prompt_length_limit"] == 2000 for one in image["text_to_image"])
