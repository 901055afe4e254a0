"""A podcast: written, then spoken, under one task id."""

from __future__ import annotations

import os
import shutil

import httpx
import pytest
from wire_calls import balance, finished, refused, succeeded

from darkroom.domain.kinds.podcast import PODCAST_AUDIO, PODCAST_TEXT
from darkroom.domain.kinds.table import KINDS
from ground import wait_until

SPEAKERS = "/v1/generation/podcast/speakers/list"
SPOKEN = [{"speaker_id": "leo-9328b6d2", "content": "Hello there."}]


def _write(caller: httpx.Client) -> str:
    """The id of a task whose script is written."""
    task_id = succeeded(caller.post(PODCAST_TEXT.route, json=dict(PODCAST_TEXT.example)))["task_id"]
    assert finished(caller, task_id)["content_status"] == "text-success"
    return str(task_id)


def _speak(caller: httpx.Client, task_id: str, **fields: object) -> httpx.Response:
    return caller.post(PODCAST_AUDIO.route.format(task_id=task_id), json=fields)


def test_a_script_is_written_by_its_speakers(caller: httpx.Client) -> None:
    task = finished(caller, _write(caller))
    assert {one["speaker_name"] for one in task["scripts"]} == {"Mia", "Leo"}
    assert 6 <= len(task["scripts"]) <= 8
    assert httpx.get(task["texts"][0]).json() == task["scripts"]


def test_the_script_is_spoken_under_the_same_id_and_paid(caller: httpx.Client) -> None:
    if shutil.which("espeak-ng") is None:
        assert "DARKROOM_TEST_SPEECH" not in os.environ, "install espeak-ng: it speaks podcasts"
        pytest.skip("espeak-ng is not installed")
    task_id = _write(caller)
    before = balance(caller)
    answer = succeeded(_speak(caller, task_id, scripts=SPOKEN))
    assert (answer["task_id"], answer["task_ids"]) == (task_id, [task_id])

    def spoken() -> dict[str, object] | None:
        task = succeeded(caller.get(f"/v1/generation/{task_id}/status"))
        assert task["task_id"] == task_id
        assert task["scripts"]
        is_done = task["content_status"] == "audio-success"
        assert is_done or task["task_status"] in ("PENDING", "PROCESSING")
        return task if is_done else None

    task = wait_until(spoken, what="the podcast")
    assert httpx.get(task["audios"][0]).headers["Content-Type"] == "audio/mpeg"
    assert balance(caller) == before - answer["cost"]


def test_what_is_no_written_script_is_not_spoken(caller: httpx.Client, callers) -> None:
    refused(_speak(caller, "task_none"), 404, 1003)
    task_id = _write(caller)
    refused(_speak(callers(), task_id), 404, 1003)
    unknown = [{"speaker_id": "nobody", "content": "Hello."}]
    refused(_speak(caller, task_id, scripts=unknown), 400, 1002, "nobody is not known", "speakers")


@pytest.mark.parametrize(
    ("changes", "said", "field"),
    [
        ({"query": ""}, "query cannot be empty", "query"),
        ({"speakers": []}, "speakers cannot be empty", "speakers"),
        ({"speakers": ["nobody"]}, "nobody is not known", "speakers"),
        ({"mode": "debate", "speakers": ["leo-9328b6d2"]}, "exactly two", "speakers"),
        ({"mode": "long"}, "mode long is not supported", "mode"),
        ({"language": None}, "language cannot be empty", "language"),
    ],
)
def test_a_script_that_cannot_be_is_refused(careful: httpx.Client, changes, said, field) -> None:
    asked = dict(KINDS["podcast-text"].example) | changes
    refused(careful.post(PODCAST_TEXT.route, json=asked), 400, 1002, said, field)


def test_speakers_are_listed_by_language(caller: httpx.Client) -> None:
    every = succeeded(caller.get(SPEAKERS))["speakers"]
    chinese = succeeded(caller.get(f"{SPEAKERS}?language=zh"))["speakers"]
    assert {one["language"] for one in chinese} == {"zh"}
    assert {one["language"] for one in every} == {"en", "zh"}
    assert every[0].keys() == {"speaker_id", "name", "gender", "language", "demo_audio_url"}
