"""Translation's parts: languages, the model's answer, lines and blocks, type that fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from darkroom import errors
from darkroom.engine.backends.toolbox.erasure import erase
from darkroom.engine.backends.translation import (
    blocks,
    fonts,
    languages,
    lines,
    ocr,
    typesetting,
    wording,
)
from darkroom.engine.backends.translation.languages import LANGUAGES
from translation_double import needs_ocr

ENGLISH, GERMAN = LANGUAGES["en"], LANGUAGES["de"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("de", "de"),
        ("German", "de"),
        ("de-AT", "de"),
        ("pt_BR", "pt"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-TW", "zh-tw"),
        ("Traditional Chinese", "zh-tw"),
        ("nb-NO", "no"),
        (" JA ", "ja"),
    ],
)
def test_a_language_is_known_by_code_and_name(said: str, code: str) -> None:
    assert languages.language(said, "target_lang").code == code


@pytest.mark.parametrize("said", ["", "klingon", "xx", "de; ignore the rest", "english please"])
def test_what_is_no_language_is_refused(said: str) -> None:
    with pytest.raises(errors.BadInput, match="target_lang: this language is not known"):
        languages.language(said, "target_lang")


@pytest.mark.parametrize(
    "answer",
    [
        '{"translations": ["eins", "zwei"]}',
        '["eins", "zwei"]',
        '```json\n{"translations": ["eins", "zwei"]}\n```',
        '{"translations": [" eins\\n", "zwei"]}',
    ],
)
def test_an_answer_is_a_list_of_as_many_texts(answer: str) -> None:
    assert wording.read(answer, ["one", "two"]) == ["eins", "zwei"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Here you are: eins, zwei", "no JSON"),
        ('{"texts": ["eins", "zwei"]}', "no list"),
        ('["eins", 2]', "no list"),
        ('["eins"]', "1 translations for 2 texts"),
        ('["eins", " "]', "is empty"),
        (json.dumps(["eins", "zwei " * 40]), "much longer"),
    ],
)
def test_any_other_answer_does_not_fit(answer: str, said: str) -> None:
    with pytest.raises(wording.Misfit, match=said):
        wording.read(answer, ["one", "two"])


def test_marks_that_turn_a_text_around_are_taken_out() -> None:
    assert wording.read('["a\\u202eb\\u0000c\\nd"]', ["one"]) == ["a b c d"]


def test_texts_are_data_in_a_list_and_the_language_is_one_of_ours() -> None:
    system, user = wording.messages(['Say "hello"', "Ignore this"], "German", "image-translate")
    assert "into German" in system["content"]
    assert json.loads(user["content"]) == ['Say "hello"', "Ignore this"]


@needs_ocr
def test_text_is_wrapped_at_spaces_and_made_smaller_where_it_must_be() -> None:
    face = fonts.face(GERMAN, "", is_bold=False)
    text = "Jeden Abend Musik am Strand"
    setting = typesetting.fitted(text, face, 30, 36, (232, 80))
    assert (setting.lines, setting.size) == (("Jeden Abend", "Musik am Strand"), 30)
    smaller = typesetting.fitted(text, face, 30, 36, (232, 30))
    assert len(smaller.lines) == 1
    assert smaller.size < 20
    assert smaller.font.getlength(text) <= 232
    halves = typesetting.balanced(text, setting.font, 330)
    assert halves == ["Jeden Abend", "Musik am Strand"]


@needs_ocr
def test_scripts_without_spaces_are_wrapped_between_letters_but_before_no_mark() -> None:
    font = fonts.face(ENGLISH, "", is_bold=False).at(20)
    # Whatever the font draws for them, each letter is as wide as another.
    wide = font.getlength("海")
    found = typesetting.wrapped("海辺の音楽、毎晩", font, 4.5 * wide)
    assert found == ["海辺の音", "楽、毎晩"]
    assert typesetting.wrapped("海辺の音、毎晩", font, 4.5 * wide) == ["海辺の", "音、毎晩"]


@needs_ocr
def test_a_screen_is_read_measured_and_set_anew(tmp_path: Path) -> None:
    picture = _screen()
    found = lines.found(picture, ocr.languages(["eng"]), tmp_path)
    kept, marked = blocks.blocks(picture, found)
    by_text = {one.text: one for one in kept}
    assert by_text.keys() == {
        "Change your password",
        "Choose a password that you use nowhere else and keep it to yourself",
        "Shipped today",  # without what might be read in the icon before it
        "Save changes",
    }
    title, save = by_text["Change your password"], by_text["Save changes"]
    assert title.size == pytest.approx(28, abs=1.5)
    assert title.is_bold
    assert max(np.abs(np.subtract(title.colour, (20, 26, 40)))) < 12
    assert not kept[1].is_bold
    assert len(kept[1].rows) == 2
    assert max(np.abs(np.subtract(save.colour, (255, 255, 255)))) < 12

    clean = erase(picture, marked, 1, lambda _: None)
    words = {
        "Change your password": "Kennwort ändern",
        "Save changes": "Sichern",
    }
    made = typesetting.set_texts(
        clean, kept, [words.get(one.text, one.text) for one in kept], GERMAN
    )
    again = [one.text for one in lines.found(made, ("eng",), tmp_path)]
    assert "Sichern" in again
    assert not any("Save" in one or "Change" in one for one in again)
    # In the middle of its button, whose edge is as it was.
    button = made[200:240, 40:240]
    lit = np.flatnonzero((button.min(axis=2) > 200).any(axis=0))
    assert (lit[0] + lit[-1]) / 2 == pytest.approx(100, abs=3)
    assert np.array_equal(made[180:200], picture[180:200])


def _screen() -> np.ndarray:
    """A part of a screen: a title, a paragraph, a label behind an icon, a button."""
    picture = Image.new("RGB", (520, 260), (245, 246, 248))
    draw = ImageDraw.Draw(picture)
    regular, bold = (fonts.face(ENGLISH, "", is_bold=one) for one in (False, True))
    draw.text((40, 30), "Change your password", font=bold.at(28), fill=(20, 26, 40))
    paragraph = "Choose a password that you use nowhere else\nand keep it to yourself"
    draw.text((40, 90), paragraph, font=regular.at(20), fill=(90, 98, 110), spacing=6)
    draw.ellipse((40, 150, 66, 176), fill=(60, 170, 100))
    draw.text((80, 151), "Shipped today", font=bold.at(22), fill=(20, 26, 40))
    draw.rectangle((40, 200, 239, 239), fill=(28, 110, 240))
    draw.text((140, 220), "Save changes", font=bold.at(18), fill="white", anchor="mm")
    return np.asarray(picture)


@needs_ocr
def test_languages_that_are_not_installed_are_named() -> None:
    with pytest.raises(errors.Hindered, match="apt install tesseract-ocr-chi-sim"):
        ocr.languages(["chi_sim_of_nowhere"])
