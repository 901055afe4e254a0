"""Translation: what is written in a picture or a clip comes back in another language."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from e2e_house import House, ended, status
from PIL import Image, ImageDraw

from darkroom.engine.backends import clips, sounds
from darkroom.engine.backends.translation import fonts
from darkroom.engine.backends.translation.languages import LANGUAGES
from ground import wait_until
from translation_double import Translator, needs_ocr
from wire_double import KEY

pytestmark = needs_ocr
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
_SECONDS_MAX = 110  # reading takes the processor, which others may have
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
        found = connection.execute(
            "SELECT state, is_billed, cost_micro FROM upstream_calls ORDER BY id"
        )
        return found.fetchall()


def _balance_mill(client: httpx.Client) -> int:
    return round(client.get("/v1/generation/balance").json()["data"] * 1000)


def test_a_picture_comes_back_in_another_language(house: House, wire: Translator) -> None:
    house.start("serve")
    client = house.client()
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task] = ended(
        client, _submitted(client, "image-translate", img_url=url, target_lang="de"), _SECONDS_MAX
    )
    assert task["task_status"] == "SUCCESS", task
    assert (task["served_by"], task["cost_mill"]) == ("translation", 6000)
    made = httpx.get(task["images"][0]).content
    assert Image.open(io.BytesIO(made)).size == (480, 260)
    said = _read(made, house.folder)
    assert "SOMMERFEST" in said
    assert "freien Eintritt" in said
    assert not any(one in said for one in ("SUMMER", "FESTIVAL", "children")), said
    assert task["notes"]["translations"] == [
        {"text": "SUMMER FESTIVAL", "translation": "SOMMERFEST"},
        {"text": "Free entry for children", "translation": "Kinder haben freien Eintritt"},
    ]
    assert _calls(house) == [("delivered", True, 100 + 4 * 20)]
    assert len(wire.billed) == 1


_FPS, _FRAMES = 12.0, 32
# From which frame until which, as a clip shows them.
_SUBTITLES = ((3, 15, "Good morning everybody"), (17, 29, "The train leaves at seven"))


def _clip(path: Path) -> bytes:
    """A clip of a moving scene with subtitles and a hum."""
    rng = np.random.default_rng(5)
    scene = np.asarray(rng.integers(40, 120, (8, 16, 3)), np.uint8)
    wide = Image.fromarray(scene).resize((700, 240), Image.Resampling.BICUBIC)
    at = np.arange(round(_FRAMES / _FPS * sounds.RATE)) / sounds.RATE
    hum = np.repeat(0.2 * np.sin(880 * np.pi * at)[:, None], 2, axis=1).astype(np.float32)
    face = fonts.face(LANGUAGES["en"], "", is_bold=False)
    with clips.Writer(path, (426, 240), fps=_FPS, sound=hum) as writer:
        for number in range(_FRAMES):
            frame = wide.crop((3 * number, 0, 3 * number + 426, 240))
            for start, end, text in _SUBTITLES:
                if start <= number < end:
                    ImageDraw.Draw(frame).text(
                        (213, 222),
                        text,
                        font=face.at(22),
                        fill="white",
                        anchor="ms",
                        stroke_width=1,
                        stroke_fill="black",
                    )
            writer.add(np.asarray(frame))
    return path.read_bytes()


def test_a_clip_speaks_another_language_at_the_same_times(house: House, wire: Translator) -> None:
    house.start("serve")
    client = house.client()
    content = _clip(house.folder / "clip.mp4")
    url = _uploaded(client, content, "clip.mp4", "video/mp4")
    fields = {"video_url": url, "target_language": "German"}
    [task] = ended(client, _submitted(client, "video-subtitle-translate", **fields), _SECONDS_MAX)
    assert task["task_status"] == "SUCCESS", task
    assert (task["served_by"], task["cost_mill"]) == ("translation", 20_000)
    assert [one["text"] for one in task["notes"]["translations"]] == [
        text for _, _, text in _SUBTITLES
    ]
    assert len(wire.billed) == 1
    path = house.folder / "made.mp4"
    path.write_bytes(httpx.get(task["videos"][0]).content)
    made = clips.probe(path)
    assert (made.width, made.height, made.fps, made.has_sound) == (426, 240, _FPS, True)
    assert made.seconds == pytest.approx(_FRAMES / _FPS, abs=0.05)
    assert sounds.loudness(sounds.read(path)) == pytest.approx(
        sounds.loudness(sounds.read(house.folder / "clip.mp4")), abs=0.5
    )
    frames = list(clips.frames(path, fps=_FPS))
    said = {at: _band(frames[at], house.folder) for at in (1, 3, 14, 17, 28, 30)}
    first, second = "guten Morgen", "Zug geht um sieben"
    assert all(first in said[at] for at in (3, 14)), said
    assert all(second in said[at] for at in (17, 28)), said
    assert not any(word in said[1] + said[30] for word in ("Morgen", "Zug", "train", "Good")), said
    assert not any("everybody" in one or "leaves" in one for one in said.values()), said


def _band(frame: np.ndarray, folder: Path) -> str:
    """What Tesseract reads in the lower part of a frame: what is bright, black on white."""
    bright = frame[190:].min(axis=2) > 170
    large = Image.fromarray(np.asarray(~bright * np.uint8(255))).resize((1704, 200))
    written = io.BytesIO()
    large.save(written, "PNG")
    return _read(written.getvalue(), folder)


def test_a_machine_without_its_programs_says_what_to_install(
    house: House, wire: Translator, tmp_path: Path
) -> None:
    kept = tmp_path / "bin"
    kept.mkdir()
    for name in ("fc-match", "sh", "uname"):
        (kept / name).symlink_to(shutil.which(name))
    house.environment["PATH"] = str(kept)
    house.start("serve")
    client = house.client()
    blank = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(blank, "PNG")
    url = _uploaded(client, blank.getvalue(), "blank.png", "image/png")
    fields = {"img_url": url, "target_lang": "de"}
    answer = client.post("/v1/generation/image-translate", json=fields)
    assert answer.status_code == 503
    assert "apt install tesseract-ocr" in answer.json()["message"]
    assert "Nothing was charged." in answer.json()["message"]
    (kept / "tesseract").symlink_to(shutil.which("tesseract"))

    def taken() -> list[str] | None:
        answer = client.post("/v1/generation/image-translate", json=fields)
        return answer.json()["data"]["task_ids"] if answer.status_code == 200 else None

    task_ids = wait_until(taken, what="a server that knows what was installed")
    [task] = ended(client, task_ids, _SECONDS_MAX)
    assert (task["task_status"], task["msg"]) == (
        "FAILED",
        "No text was found that could be translated.",
    )
    assert (_balance_mill(client), wire.requests) == (1_000_000, [])


def test_letters_that_no_font_has_are_not_paid_for(
    house: House, wire: Translator, tmp_path: Path
) -> None:
    latin = tmp_path / "fonts.conf"
    folder = Path(fonts.face(LANGUAGES["en"], "", is_bold=False).path).parent
    latin.write_text(f"<fontconfig><dir>{folder}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    house.environment["FONTCONFIG_FILE"] = str(latin)
    house.start("serve")
    client = house.client()
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task] = ended(
        client, _submitted(client, "image-translate", img_url=url, target_lang="ja"), _SECONDS_MAX
    )
    assert task["task_status"] == "FAILED"
    assert "apt install fonts-noto-cjk" in task["msg"]
    fields = {"img_url": url, "target_lang": "tlhIngan Hol"}
    [task] = ended(client, _submitted(client, "image-translate", **fields), _SECONDS_MAX)
    assert "this language is not known here" in task["msg"]
    assert wire.requests == []


def test_a_worker_that_is_killed_pays_nothing_twice(house: House, wire: Translator) -> None:
    house.start("serve", "--workers", "0")
    first = house.start("work")
    client = house.client()
    wire.gates["taken"] = threading.Event()
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task_id] = _submitted(client, "image-translate", img_url=url, target_lang="de")
    wait_until(lambda: "taken" in wire.reached, seconds_max=_SECONDS_MAX, what="a call")
    house.kill(first)
    wire.gates["taken"].set()
    house.start("work")
    [task] = ended(client, [task_id], _SECONDS_MAX)
    assert task["task_status"] == "FAILED"
    assert "not paid for twice" in task["msg"]
    assert len(wire.billed) == 1
    assert _calls(house) == [("unknown", None, None)]


def test_a_cancel_ends_the_reading_and_nothing_is_asked(house: House, wire: Translator) -> None:
    house.start("serve")
    client = house.client()
    url = _uploaded(client, _poster(), "poster.png", "image/png")
    [task_id] = _submitted(client, "image-translate", img_url=url, target_lang="de")
    wait_until(lambda: status(client, task_id)["task_status"] == "PROCESSING")
    assert client.post(f"/v1/generation/{task_id}/cancel").status_code == 200
    [task] = ended(client, [task_id])
    assert (task["task_status"], task["msg"]) == ("FAILED", "The task was canceled.")
    assert (_calls(house), wire.requests) == ([], [])
