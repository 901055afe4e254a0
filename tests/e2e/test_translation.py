"""Translation: what is written in a picture or a clip comes back in another language."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status
from PIL import Image, ImageDraw

from darkroom.engine.backends.translation import fonts
from darkroom.engine.backends.translation.languages import LANGUAGES
from ground import wait_until
from translation_double import Translator
from wire_double import KEY

pytestmark = pytest.mark.skipif(
    not shutil.which("tesseract") and "DARKROOM_TEST_OCR" not in os.environ,
    reason="no Tesseract on this machine: pictures with text are not translated",
)
_CATALOGUE = """
[TOOLBOX.kinds.image-translate]
credits = 6
backends = ["translation"]
[TOOLBOX.kinds.video-subtitle-translate]
credits = 20
backends = ["translation"]
[TOOLBOX.options.translation]
model = "house-chat"
address = "{url}"
key = "TRANSLATION_KEY"
token_cost = {{ text_input = 1.0, output = 4.0 }}
reads = ["eng"]
"""
_TEXTS = (("SUMMER", 50, 60), ("FESTIVAL", 50, 118), ("Free entry for children", 24, 210))


@pytest.fixture
def wire(house: House) -> Iterator[Translator]:
    """A language model, and a house whose operator has put it behind the toolbox's kinds."""
    house.environment["TRANSLATION_KEY"] = KEY
    house.environment["DARKROOM_WORKERS"] = "1"
    with Translator() as one:
        path = house.folder / "catalogue.toml"
        path.write_text(path.read_text() + _CATALOGUE.format(url=one.url))
        yield one


def _poster() -> bytes:
    """A small poster: a title on two lines, and a line below it."""
    picture = Image.new("RGB", (480, 260), (28, 60, 96))
    draw = ImageDraw.Draw(picture)
    for text, size, middle in _TEXTS:
        font = fonts.face(LANGUAGES["en"], text, is_bold=size > 30).at(size)
        draw.text((240, middle), text, font=font, fill=(255, 232, 160), anchor="mm")
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _uploaded(client: httpx.Client, content: bytes, name: str, media_type: str) -> str:
    answer = client.post("/v1/generation/upload-file", files={"file": (name, content, media_type)})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["data"]["object_url_list"][0]
    return url


def _submitted(client: httpx.Client, kind: str, **fields: Any) -> list[str]:
    answer = client.post(f"/v1/generation/{kind}", json=fields)
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["data"]["task_ids"]
    return ids


def _read(picture: bytes, folder: Path) -> str:
    """What Tesseract reads in a picture."""
    path = folder / "read.png"
    path.write_bytes(picture)
    command = ["tesseract", str(path), "stdout", "-l", "eng", "--psm", "11"]
    return " ".join(subprocess.run(command, capture_output=True, text=True).stdout.split())


def _calls(house: House) -> list[tuple[Any, ...]]:
    with psycopg.connect(house.ground.conninfo) as connection:
        found = connection.execute("SELECT state, is_billed, cost_micro FROM upstream_calls")
        return found.fetchall()


def _balance_mill(client: httpx.Client) -> int:
    return round(client.get("/v1/generation/balance").json()["data"] * 1000)


def test_a_picture_comes_back_in_another_language(house: House, wire: Translator) -> None:
    house.start("serve")
    client = house.client()
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task] = ended(client, _submitted(client, "image-translate", img_url=url, target_lang="de"))
    assert task["task_status"] == "SUCCESS", task
    assert (task["served_by"], task["cost_mill"]) == ("translation", 6000)
    made = httpx.get(task["images"][0]).content
    assert Image.open(io.BytesIO(made)).size == (480, 260)
    said = _read(made, house.folder)
    assert "SOMMERFEST" in said
    assert "freien Eintritt" in said
    assert "SUMMER" not in said and "children" not in said, said
    assert task["notes"]["translations"] == [
        {"text": "SUMMER FESTIVAL", "translation": "SOMMERFEST"},
        {"text": "Free entry for children", "translation": "Kinder haben freien Eintritt"},
    ]
    assert _calls(house) == [("delivered", True, 100 + 4 * 20)]
    assert len(wire.billed) == 1


def test_what_cannot_be_translated_costs_its_caller_nothing(
    house: House, wire: Translator
) -> None:
    house.start("serve")
    client = house.client()
    url = _uploaded(client, _poster(), "poster.png", "image/png")

    def failed(said: str, img_url: str = url, target_lang: str = "de") -> None:
        before = _balance_mill(client)
        ids = _submitted(client, "image-translate", img_url=img_url, target_lang=target_lang)
        [task] = ended(client, ids)
        assert task["task_status"] == "FAILED"
        assert said in task["msg"], task["msg"]
        assert _balance_mill(client) == before

    failed("this language is not known here", target_lang="tlhIngan Hol")
    blank = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(blank, "PNG")
    empty = _uploaded(client, blank.getvalue(), "blank.png", "image/png")
    failed("No text was found", img_url=empty)
    assert wire.billed == []
    wire.slips += ['{"translations": ["one"]}', "I would rather not."]
    failed("cannot be used: it is no JSON")
    assert len(wire.billed) == 2
    wire.faults.append("policy")
    failed("The double was told: policy")
    wire.faults.append("lost")
    failed("its answer was lost")
    assert sorted(_calls(house), key=str) == [
        ("failed", True, 2 * (100 + 4 * 20)),
        ("refused", False, None),
        ("unknown", None, None),
    ]


def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    house: House, wire: Translator
) -> None:
    house.start("serve")
    client = house.client()
    wire.slips.append('["only one"]')
    wire.knows_schemas = False
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task] = ended(client, _submitted(client, "image-translate", img_url=url, target_lang="de"))
    assert task["task_status"] == "SUCCESS", task
    assert "exactly 2 translations" in wire.billed[-1]
    assert _calls(house) == [("delivered", True, 2 * (100 + 4 * 20))]
