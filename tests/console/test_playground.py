"""The playground: a form from the kind table, a price before sending, code that really runs."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from darkroom.console import forms, snippets
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Files, Kind, Submit
from darkroom.domain.kinds.table import KINDS
from ground import Server, wait_until

TINY = {"kind": "text-to-image", "model": "PAINTER", "resolution": "64x64", "aspect_ratio": ""}


class _Odd(Submit, kw_only=True):
    """What kinds of films and sounds will have."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=5000, description="What to say.")]
    voice: Annotated[str, msgspec.Meta(max_length=20)]
    strength: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    steps: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    is_loud: bool = False
    mood: str = "calm"
    first_frame: str = ""


ODD = Kind(
    name="text-to-odd",
    summary="Make something odd.",
    input=_Odd,
    outputs="images",
    count_field="steps",
    units=("image",),
    built_in="painter",
    texts=("text",),
    example={"text": "Hello"},
    files={"first_frame": Files(1, "picture")},
)


def _offer(**more: Any) -> Offer:
    return Offer(credits=Decimal(1), **more)


def _by_name(kind: Kind, offer: Offer, **given: str) -> dict[str, forms.Field]:
    return {one.name: one for one in forms.fields(kind, offer, given)}


def test_every_field_of_every_kind_has_a_control() -> None:
    programs = {"model", "webhook_url", "webhook_events", "caller_id"}
    for kind in KINDS.values():
        shown = _by_name(kind, _offer())
        assert shown.keys() == set(kind.input.__struct_fields__) - programs


def test_a_kind_that_nobody_thought_of_gets_its_controls() -> None:
    shown = _by_name(ODD, _offer())
    controls = {name: one.control for name, one in shown.items()}
    assert controls == {
        "text": "area",
        "first_frame": "files",
        "voice": "text",
        "strength": "slider",
        "steps": "slider",
        "is_loud": "switch",
        "mood": "text",
        "seed": "number",
        "deadline_seconds": "number",
        "priority": "slider",
    }
    assert (shown["strength"].low, shown["strength"].high, shown["strength"].value) == (0, 1, "0.5")
    assert (shown["first_frame"].type, shown["first_frame"].files_max) == ("text", 1)
    assert next(iter(shown)) == "text"


def test_a_form_is_bounded_by_what_the_model_offers() -> None:
    kind = KINDS["image-to-image"]
    offer = _offer(
        aspect_ratios=("9:16", "1:1"),
        resolutions=("1k", "2k"),
        outputs_max=4,
        images_max=2,
        prompt_chars_max=300,
    )
    shown = _by_name(kind, offer, aspect_ratio="16:9", resolution="2k")
    assert [one.value for one in shown["aspect_ratio"].choices] == ["9:16", "1:1"]
    assert shown["aspect_ratio"].value == "9:16"
    assert shown["resolution"].value == "2k"
    assert shown["image_number"].high == 4
    assert shown["prompt"].chars_max == 300
    assert shown["images"].files_max == 2
    tall, square = shown["aspect_ratio"].choices
    assert tall.width * 16 // 9 == pytest.approx(tall.height, abs=2)
    assert square.width == square.height


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_request_survives_its_form(kind: Kind) -> None:
    asked = {**kind.example, "seed": 0, "priority": 3, "negative_prompt": "it's\nwet"}
    body = {name: asked[name] for name in kind.input.__struct_fields__ if name in asked}
    body.pop("model", None)
    if body.get("generate_audio") == "true":
        body["generate_audio"] = True
    texts = forms.filled(kind, body)
    assert forms.body(forms.fields(kind, _offer(), texts), texts) == body


def test_the_price_is_the_servers_own(visitor: Visitor) -> None:
    answer = visitor.post_form("/playground/quote", **TINY, prompt="x", image_number=3)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))
    assert "1.5 credits for 3 of 64 × 64 998.5 remain" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"resolution": "wide"}, "is not understood"),
        ({"image_number": "99"}, "makes at most"),
        ({"seed": "many"}, "seed: Expected"),
        ({"prompt": "x" * 2001}, "length &lt;= 2000"),
    ],
)
def test_a_wrong_form_is_told_before_it_is_sent(
    visitor: Visitor, fields: dict[str, str], said: str
) -> None:
    answer = visitor.post_form("/playground/quote", **{"prompt": "x"} | TINY | fields)
    assert answer.status_code == 200
    assert said in answer.text


def test_a_form_in_progress_is_priced(visitor: Visitor) -> None:
    answer = visitor.post_form("/playground/quote", kind="image-to-image", prompt="")
    assert "3 credits" in answer.text


def test_the_address_fills_the_form_in(visitor: Visitor) -> None:
    page = visitor.get("/playground", params={**TINY, "prompt": 'a "<b>" & c', "seed": "5"}).text
    assert ">a &#34;&lt;b&gt;&#34; &amp; c</textarea>" in page
    assert re.search(r'name="seed"[^>]*value="5"', page)
    assert "Darkroom Painter" in page
    first = visitor.get("/playground").text
    assert KINDS["text-to-image"].example["prompt"] in first


def test_another_kind_keeps_what_was_typed(visitor: Visitor) -> None:
    typed = {"kind": "image-to-image", "model": "FLUX_PRO", "prompt": "my words"}
    answer = visitor.post_form("/playground/form", **typed)
    assert "my words</textarea>" in answer.text
    assert 'name="images"' in answer.text
    # FLUX_PRO does only text-to-image here.
    assert answer.headers["HX-Push-Url"] == "/playground?kind=image-to-image&model=WERYAI_IMAGE_2_0"


def test_an_account_without_credits_is_told_where_they_are(visitors: Any) -> None:
    page = visitors(credits_given=0).get("/playground").text
    assert "You have no credits to spend." in page
    assert 'href="/api/pricing"' in page


def test_another_accounts_task_fills_nothing_in(visitors: Any) -> None:
    mine, other = visitors(), visitors()
    task_id = _made(mine)
    assert "those words" in mine.get("/playground", params={"from": task_id}).text
    assert other.get("/playground", params={"from": task_id}).status_code == 404


def _made(visitor: Visitor) -> str:
    answer = visitor.post(
        "/v1/generation/text-to-image",
        json={"model": "PAINTER", "prompt": "those words", "resolution": "64x64"},
        headers={"X-CSRF-Token": visitor.form_token()},
    )
    return str(answer.json()["data"]["task_id"])


def _shown_code(visitor: Visitor, name: str, **fields: str) -> str:
    page = visitor.post_form("/playground/quote", **TINY, **fields).text
    found = re.search(rf'<code id="code-{name}">(.*?)</code>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("name", ["curl", "python"])
def test_the_code_beside_the_form_runs(server: Server, visitor: Visitor, name: str) -> None:
    prompt = 'it\'s "quoted" $HOME `x` \\ ü'
    text = _shown_code(visitor, name, prompt=prompt)
    command = ["sh", "-c", text] if name == "curl" else [sys.executable, "-c", text]
    environment = {**os.environ, "DARKROOM_API_KEY": server.ground.key(visitor.account_id)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    if name == "curl":
        assert json.loads(done.stdout)["success"], done.stdout
    else:
        assert "/files/" in done.stdout
    page = visitor.get("/gallery").text
    assert html.escape(prompt).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page


def test_the_code_for_node_says_the_request() -> None:
    text = snippets.javascript(
        "http://a", KINDS["text-to-image"], {"prompt": 'a "b" `${c}`', "seed": 1}
    )
    said = re.search(r"JSON.stringify\((.*?)\),\n}", text, re.DOTALL)
    assert said
    assert json.loads(said[1]) == {"prompt": 'a "b" `${c}`', "seed": 1}


def test_what_is_typed_is_priced_sent_shown_kept_and_deleted(
    signed_in_page: Page, server: Server
) -> None:
    page = signed_in_page
    page.goto("/playground?model=PAINTER")
    page.get_by_label("Prompt", exact=True).fill("A red kite over dunes")
    page.get_by_text("Auto", exact=True).click()
    page.get_by_label("Resolution").fill("64x64")
    expect(page.locator("#quote")).to_contain_text("0.5 credits for 1 of 64 × 64")
    expect(page.locator("#quote")).to_contain_text("999.5 remain")
    expect(page.locator("#code-curl")).to_contain_text("A red kite over dunes")
    page.get_by_role("button", name="Generate").click()
    picture = page.locator("#runs img")
    expect(picture).to_be_visible(timeout=60_000)
    address = f"{server.url}{picture.get_attribute('src')}"
    expect(page.locator(".balance")).to_contain_text("999.5")
    expect(page.locator("#runs")).to_contain_text("by painter")
    record = page.get_by_role("link", name="Call record").get_attribute("href")
    assert re.fullmatch(r"/api/history/req_\w+", record or "")
    page.get_by_role("link", name="Gallery").first.click()
    tile = page.get_by_role("link", name="A red kite over dunes")
    expect(tile.locator("img")).to_be_visible()
    expect(tile.locator("img")).to_have_js_property("naturalWidth", 64)
    tile.click()
    expect(page.get_by_text("Provenance")).to_be_visible()
    assert httpx.get(address).status_code == 200
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted. Its files are gone")).to_be_visible()
    expect(tile).to_have_count(0)
    wait_until(lambda: httpx.get(address).status_code == 410)


def test_a_dropped_file_becomes_an_input(signed_in_page: Page, tmp_path: Any) -> None:
    from PIL import Image

    page = signed_in_page
    path = tmp_path / "mine.png"
    Image.new("RGB", (32, 32), "red").save(path)
    page.goto("/playground?kind=image-to-image&model=PAINTER")
    page.locator('[data-of="choose"]').set_input_files(path)
    expect(page.locator(".file img")).to_be_visible()
    assert page.locator(".file img").evaluate("one => one.decode().then(() => one.width)") == 44
    expect(page.locator("#code-curl")).to_contain_text("/uploads/")
    page.get_by_text("Auto", exact=True).click()
    page.get_by_label("Resolution").fill("64x64")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#runs img")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name=re.compile("Remove")).click()
    expect(page.locator(".file")).to_have_count(0)


def test_a_model_is_found_by_its_words_and_chosen(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/playground")
    page.get_by_label("Prompt", exact=True).fill("Keep me")
    page.locator("#picker summary").click()
    page.get_by_label("Search models").fill("weryai 1.0")
    page.get_by_label("Search models").press("Enter")
    expect(page.locator("#model-chosen")).to_contain_text("WERYAI_IMAGE_1_0")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("Keep me")
    expect(page.locator("#code-curl")).to_contain_text("WERYAI_IMAGE_1_0")
    expect(page).to_have_url(re.compile("model=WERYAI_IMAGE_1_0"))
