"""Fields of pieces: chips, searched lists, selects and areas, with and without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from console_visitors import Visitor
from playwright.sync_api import Locator, Page, expect

import recordings
from darkroom.console import forms
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS
from ground import wait_until

OFFER = Offer(credits=1)


def _shown(kind: Kind, **given: str) -> dict[str, forms.Field]:
    return {one.name: one for one in forms.fields(kind, OFFER, given)}


@pytest.mark.parametrize(
    ("kind", "name", "control"),
    [
        ("music-generate", "styles", "chips"),
        ("text-to-audio", "voice_id", "pick"),
        ("text-to-audio", "speed", "slider"),
        ("podcast-text", "speakers", "selects"),
        ("podcast-audio", "scripts", "rows"),
        ("effect-template", "template_config_id", "pick"),
        ("effect-template", "prompt_inputs", "words"),
        ("video-subtitle-erase", "rect_vo_list", "rectangles"),
        ("multi-image-to-video", "images", "files"),
    ],
)
def test_a_type_tells_how_it_is_filled_in(kind: str, name: str, control: str) -> None:
    assert _shown(KINDS[kind])[name].control == control


def test_no_kind_is_asked_for_in_json() -> None:
    for kind in KINDS.values():
        fields = [one.name for one in _shown(kind).values() if one.type == "json"]
        # An answer of chat may be asked for in any shape that a JSON schema says.
        assert fields == (["response_format"] if kind.name == "chat" else [])


def test_a_voice_is_shown_with_its_name_language_and_gender() -> None:
    choices = _shown(KINDS["text-to-audio"])["voice_id"].choices
    assert len(choices) == 20
    assert choices[0] == forms.Choice("85", "Captivating Female", "English, female")


def test_what_is_left_empty_is_left_out_and_rows_close_up() -> None:
    kind = KINDS["video-watermark-remove"]
    given = {
        "video_url": "https://example.com/a.mp4",
        "rect_vo_list.0.lt_x": " ",
        "rect_vo_list.10.lt_x": "0.5",
        "rect_vo_list.2.lt_x": "0",
        "rect_vo_list.2.rb_y": "much",
        "rect_vo_list.x.rb_y": "1",
        "rect_vo_list": "[1]",
    }
    made = forms.body(forms.fields(kind, OFFER, given), given)
    assert made["rect_vo_list"] == [{"lt_x": 0, "rb_y": "much"}, {"lt_x": 0.5}]
    rows = _shown(kind, **given)["rect_vo_list"].rows
    assert [row.label for row in rows] == ["Rectangle 1", "Rectangle 2", "Rectangle 3"]
    assert forms.body(forms.fields(kind, OFFER, {}), {}) == {}


def test_no_more_rows_are_shown_than_may_be_sent() -> None:
    given = {f"rect_vo_list.{number}.lt_x": "0.1" for number in range(50)}
    assert len(_shown(KINDS["video-watermark-remove"], **given)["rect_vo_list"].rows) == 20


def test_a_form_without_script_shows_its_request(visitor: Visitor) -> None:
    page = visitor.get(
        "/playground",
        params={
            "kind": "music-generate",
            "description": "x",
            "type": "ONLY_MUSIC",
            "styles.ROCK": "rock",
        },
    ).text
    assert re.search(r'name="styles.ROCK" value="rock" checked', page)
    assert not re.search(r'name="styles.JAZZ" value="jazz" checked', page)
    assert "&#34;ROCK&#34;: &#34;rock&#34;" in page
    assert " style=" not in page


def test_an_unknown_voice_is_refused_at_its_field(visitor: Visitor) -> None:
    answer = visitor.post_form("/playground/quote", kind="text-to-audio", text="x", voice_id="7")
    assert "voice_id" in answer.text


def test_a_task_is_told_by_names() -> None:
    kind = KINDS["text-to-audio"]
    assert forms.told(kind, {"voice_id": 85, "text": "x"})["voice_id"] == "Captivating Female"
    told = forms.told(KINDS["podcast-text"], {"speakers": ["dean-english", "leo-9328b6d2"]})
    assert told == {"speakers": "Dean, Leo"}


def _code(page: Page) -> dict[str, Any]:
    text = page.locator("#code-curl").text_content() or ""
    return dict(json.loads(text[text.index("{") : text.rindex("}") + 1]))


def _shows(page: Page, name: str, value: Any) -> None:
    wait_until(lambda: _code(page).get(name) == value, what=f"{name} {value} in the code")


def test_styles_are_toggled_by_keyboard(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/playground?kind=music-generate&description=x&type=ONLY_MUSIC")
    page.get_by_role("checkbox", name="Jazz").focus()
    page.keyboard.press("Space")
    _shows(page, "styles", {"JAZZ": "jazz"})
    page.get_by_role("checkbox", name="Strings").focus()
    page.keyboard.press("Space")
    _shows(page, "styles", {"JAZZ": "jazz", "STRINGS": "strings"})


def test_a_voice_is_searched_and_chosen_by_keyboard_and_pointer(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/playground?kind=text-to-audio")
    picker = page.locator("fieldset .picker")
    picker.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(picker.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("male chinese")
    expect(picker.locator("li:visible")).to_have_count(5)
    page.keyboard.press("Enter")
    expect(picker).not_to_have_attribute("open", "")
    expect(picker.locator("summary")).to_contain_text("Stubborn Friend")
    expect(picker.locator("summary")).to_be_focused()
    _shows(page, "voice_id", 70)
    picker.locator("summary").click()
    picker.get_by_role("searchbox").fill("chloe")
    picker.get_by_text("Cheerful Chloe").click()
    expect(picker).not_to_have_attribute("open", "")
    _shows(page, "voice_id", 82)


def test_speakers_are_sent_as_a_list(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/playground?kind=podcast-text")
    page.get_by_label("Speakers 2").select_option("")
    _shows(page, "speakers", ["travel-girl-english"])
    _is_sent_as_shown(page)


def test_areas_are_drawn_moved_and_removed(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    path = tmp_path / "clip.mp4"
    path.write_bytes(recordings.clip())
    page.goto("/playground?kind=video-watermark-remove")
    page.locator('[data-of="choose"]').set_input_files(path)
    stage = page.locator(".stage")
    expect(stage.locator("video")).to_have_js_property("videoWidth", 160)
    areas = stage.locator("rect")
    expect(areas).to_have_count(1)
    areas.focus()
    page.keyboard.press("Delete")
    expect(areas).to_have_count(0)
    _shows(page, "rect_vo_list", None)
    _draw(page, stage.locator("svg"), (0.25, 0.25), (0.5, 0.75))
    expect(areas).to_have_count(1)
    _near(page, [0.25, 0.25, 0.5, 0.75])
    _draw(page, stage.locator("svg"), (0.3, 0.3), (0.4, 0.3))
    _near(page, [0.35, 0.25, 0.6, 0.75])
    areas.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    _near(page, [0.35, 0.26, 0.61, 0.76])
    page.get_by_label("Left").first.fill("0.1")
    _near(page, [0.1, 0.26, 0.61, 0.76])
    _is_sent_as_shown(page)


def _is_sent_as_shown(page: Page) -> None:
    with page.expect_request(re.compile("/v1/generation/")) as sent:
        page.get_by_role("button", name="Generate").click()
    assert sent.value.post_data_json == _code(page)


def _draw(page: Page, svg: Locator, begin: tuple[float, float], end: tuple[float, float]) -> None:
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (begin, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    page.mouse.up()


def _near(page: Page, corners: list[float]) -> None:
    """Wait until the code asks for one area, a pixel of the page more or less."""

    def is_there() -> bool:
        areas = _code(page).get("rect_vo_list", [])
        return len(areas) == 1 and [*areas[0].values()] == pytest.approx(corners, abs=0.01)

    wait_until(is_there, what=f"an area at {corners}")
