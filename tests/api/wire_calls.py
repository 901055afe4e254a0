"""What the tests of the wire share: tiny submits, and what every answer must look like."""

from __future__ import annotations

import base64
import io
import itertools
import re
from typing import Any

import httpx
import psycopg
from PIL import Image

from darkroom.api import app
from ground import Server, wait_until

TEXT_TO_IMAGE = "/v1/generation/text-to-image"
IMAGE_TO_IMAGE = "/v1/generation/image-to-image"
# A name that never leads anywhere (RFC 6761): a task that wants a picture from there fails.
NOWHERE = "https://nowhere.invalid/picture.png"
TINY = {"model": "PAINTER", "prompt": "abstract shapes", "resolution": "64x64"}
_shades = itertools.count(1)


def picture(form: str = "PNG") -> bytes:
    """A small picture that no other call of this process answers."""
    shade = next(_shades)
    made = io.BytesIO()
    Image.new("RGB", (64, 64), (shade % 256, shade // 256, 77)).save(made, form)
    return made.getvalue()


def data_url(body: bytes, media_type: str = "image/png") -> str:
    """The bytes as a data: URL."""
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def succeeded(answer: httpx.Response) -> Any:
    """The data of an answer, once its whole envelope is what the contract says."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"status", "desc", "message", "data", "success", "request_id"}
    assert (body["status"], body["desc"], body["message"]) == (0, "success", "success")
    assert body["success"] is True
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body["data"]


def submit(caller: httpx.Client, path: str = TEXT_TO_IMAGE, **changes: Any) -> dict[str, Any]:
    """What a submit of a tiny picture answers."""
    data: dict[str, Any] = succeeded(caller.post(path, json=TINY | changes))
    return data


def refused(
    answer: httpx.Response, status: int, code: int, said: str = "", field: str | None = None
) -> None:
    """Assert that an answer is this refusal, in full, and that its route declares it."""
    assert (answer.status_code, answer.json()["status"]) == (status, code), answer.text
    envelope(answer, said, field)
    if (declared := _declared(answer.request)) is not None:
        assert (status, code) in declared, f"{answer.request.url.path} does not declare {code}"


def envelope(answer: httpx.Response, said: str, field: str | None = None) -> None:
    """Assert the fields that clients read from a refusal, whatever its HTTP status."""
    body = answer.json()
    assert body["success"] is False
    assert body["data"] is None
    assert body["message"] == body["desc"] != ""
    assert said in body["message"]
    assert body.get("field") == field
    assert body["request_id"] == answer.headers["X-Request-Id"]


def _declared(request: httpx.Request) -> set[tuple[int, int]] | None:
    """Status and code of each refusal that the route of a request declares; None: no such route."""
    path = request.url.path.removeprefix(app.MIRROR)
    for route in app.ROUTES:
        if route.method == request.method and re.fullmatch(
            re.sub(r"{\w+}", "[^/]+", route.path), path
        ):
            return {(route.wording.status(one), one.code) for one in route.errors}
    return None


def balance(caller: httpx.Client) -> float:
    """The credits that the caller has to spend."""
    credits_left: float = succeeded(caller.get("/v1/generation/balance"))
    return credits_left


def status(caller: httpx.Client, task_id: str) -> dict[str, Any]:
    """What the status of a task answers."""
    data: dict[str, Any] = succeeded(caller.get(f"/v1/generation/{task_id}/status"))
    return data


def finished(caller: httpx.Client, task_id: str) -> dict[str, Any]:
    """A task when it has ended."""

    def ended() -> dict[str, Any] | None:
        task = status(caller, task_id)
        over = task["task_status"] in {"SUCCESS", "FAILED", "succeed", "failed"}
        return task if over else None

    task: dict[str, Any] = wait_until(ended, seconds_max=100, what=f"the end of {task_id}")
    return task


def rows(server: Server, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query of the server's database answers."""
    with psycopg.connect(server.ground.conninfo) as connection:
        return connection.execute(query, values).fetchall()
