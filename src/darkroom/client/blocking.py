"""The client that blocks: each method waits for its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, cast

import httpx

from darkroom.client import flows, operations, sending, shapes
from darkroom.client.flows import Content, Flow, Progress, Result, Submitted
from darkroom.client.following import Following, Listening, Stream, Told


class Client:
    """A connection to a Darkroom; close it, or use it in a `with` block.

    - `base_url`: the server's address; else DARKROOM_BASE_URL, else http://127.0.0.1:8080.
    - `api_key`: `sk-…`; else DARKROOM_API_KEY.
    - `timeout_seconds`: how long the server may be silent within one request.
    - `transport`: an httpx transport to send through instead of the network.

    Requests that read, and submits, which carry an idempotency key, are repeated up to twice after
    a failed connection and HTTP 429, 502, 503 and 504, as late as Retry-After asks (within 30 s).
    An upload is repeated only if the connection was refused, since otherwise it may have arrived.
    Every error is a `DarkroomError`; see `darkroom.client.errors`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        settings = sending.settings(base_url, api_key, timeout_seconds)
        self._http = httpx.Client(transport=transport, **settings)

    def submit(
        self,
        kind: str,
        *,
        wait_seconds: int | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> shapes.Submitted:
        """Submit one request of a kind, such as "text-to-image", without waiting for its tasks.

        - `model`: a key that `models()` lists. `prompt`: what to show, 1 to 2000 characters.
        - `aspect_ratio`: width to height, such as "16:9"; some models need one.
        - `resolution`: "1080p" (the shorter side), "2k", or "1280x720".
        - `image_number`, `video_number`: how many results; each is a task of its own.
        - `images`, `image`, `img_url`, `video_url`, `audio_url` and alike, as the kind has them:
          addresses, data: URLs, or local files (paths, bytes, open files), which are uploaded.
        - `duration`: seconds of a clip; `generate_audio`: whether it gets sound.
        - `negative_prompt`: what not to show. `seed`: same seed, same result.
        - `caller_id`: a number of yours that the status repeats.
        - `deadline_seconds`: a task that has not begun after so long ends FAILED, for free.
        - `priority`: 0 to 9; of your own waiting tasks the highest begin first.
        - `webhook_url`: where the server POSTs the result of each task; `webhook_events`: more than
          its end, of "ended", "started", "progress" and "output".
        - `idempotency_key`: your name for this request, else a new one; within 24 hours the same
          name and fields answer the same tasks, free. A local file is uploaded anew each time and
          so makes other fields: give the address that `upload` answered.
        - `wait_seconds`: 1 to 60: the server answers when the tasks have ended, at most so much
          later; then `tasks` of the answer are they, else none.

        Fields that are None are left out; any other field that the server knows may be given.
        """
        return self._run(flows.submit(kind, fields, wait_seconds, idempotency_key))

    def status(self, task_id: str) -> shapes.Task:
        """The state of one task, with its files once it is SUCCESS."""
        return self._run(flows.call(operations.status(task_id)))

    def batch(self, batch_id: int) -> list[shapes.Task]:
        """The state of every task of a batch, in order."""
        return self._run(flows.call(operations.batch(batch_id)))

    def events(self, task_id: str) -> Iterator[shapes.Task]:
        """The task as it is now and at each change, until it has ended; asks without polling.

        A stream that breaks off is opened again where it was; an outage of half a minute is
        outlived. A task that FAILED is the last one given, not raised.
        """
        return self._follow(Following(task_id))

    def cancel(self, task_id: str) -> shapes.Task:
        """End a waiting task, or ask for the stop of a running one; refunded if it stops.

        `data["cancel"]["effect"]` tells which: "ended", "asked", or "already finished".
        """
        return self._run(flows.call(operations.cancel(task_id)))

    def cancel_batch(self, batch_id: int) -> list[shapes.Task]:
        """Cancel every task of a batch, in order."""
        return self._run(flows.call(operations.cancel_batch(batch_id)))

    def delete(self, task_id: str) -> shapes.Task:
        """Delete the files of a task that has ended; its status goes on to tell what it cost."""
        return self._run(flows.call(operations.delete(task_id)))

    def wait(
        self,
        submitted: Submitted,
        *,
        timeout_seconds: float = 600.0,
        on_progress: Progress | None = None,
    ) -> list[shapes.Task]:
        """Wait until all tasks have ended, and answer them.

        - `submitted`: what `submit` answered, a batch id, a task id or a list of task ids.
        - `timeout_seconds`: when to give up with `WaitTimeout`; the tasks go on.
        - `on_progress`: called with all tasks each time they were asked for.

        Raises `TaskFailed` once all have ended and one is FAILED. Asks every 0.1 s at first and
        every 2 s later, one request for a whole batch, and outlives an outage of half a minute.
        """
        return self._run(flows.wait(submitted, timeout_seconds, on_progress))

    def generate(
        self,
        kind: str,
        *,
        timeout_seconds: float = 600.0,
        on_progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> list[shapes.Task]:
        """Submit and wait; takes what `submit` and `wait` take."""
        return self._run(
            flows.generate(kind, fields, timeout_seconds, on_progress, idempotency_key)
        )

    def text_to_image(self, prompt: str, model: str, **more: Any) -> list[shapes.Task]:
        """Make pictures from words; `more` is what `generate` takes."""
        return self.generate("text-to-image", prompt=prompt, model=model, **more)

    def image_to_image(
        self, images: list[Content] | Content, prompt: str, model: str, **more: Any
    ) -> list[shapes.Task]:
        """Make pictures from pictures and words; `more` is what `generate` takes."""
        return self.generate("image-to-image", images=images, prompt=prompt, model=model, **more)

    def text_to_video(
        self, prompt: str, model: str, duration: int, **more: Any
    ) -> list[shapes.Task]:
        """Make clips of so many seconds from words; `more` is what `generate` takes."""
        fields = {"prompt": prompt, "model": model, "duration": duration, **more}
        return self.generate("text-to-video", **fields)

    def image_to_video(
        self, image: Content, prompt: str, model: str, duration: int, **more: Any
    ) -> list[shapes.Task]:
        """Make clips of so many seconds from a picture; `more` is what `generate` takes."""
        fields = {"prompt": prompt, "model": model, "duration": duration, **more}
        return self.generate("image-to-video", image=image, **fields)

    def download(
        self, wanted: shapes.Task | str, to: str | PathLike[str] = "pictures"
    ) -> list[Path]:
        """Save all files of a finished task, or one address, and answer the paths.

        `to` is a folder, made if need be, or a file if it has a suffix. A file that exists is never
        written over: FileExistsError. What breaks off leaves no file behind.
        """
        return self._run(flows.download(wanted, to))

    def upload(self, content: Content) -> str:
        """Store a picture (a path, bytes or an open file); answers the address that names it."""
        return self._run(flows.upload(content))

    def balance(self) -> float:
        """The credits that the account has to spend."""
        return self._run(flows.call(operations.balance()))

    def models(self) -> list[dict[str, Any]]:
        """Every model that the server serves: `model`, `name`, `served_by`, `kinds` with rates."""
        return self._run(flows.call(operations.models()))

    def history(self, **filters: str | int | datetime | None) -> shapes.History:
        """One page of the account's requests, newest first.

        `request_id` finds one request; `method`, `path` (a prefix), `status`, `since` and `until`
        narrow; `limit` (at most 200) and `before` (the `next` of the page before) page.
        """
        return self._run(flows.call(operations.history(filters)))

    def webhook_endpoints(self) -> list[dict[str, Any]]:
        """The account's webhook endpoints, each of which hears of all its tasks."""
        return self._run(flows.call(operations.webhook_endpoints()))

    def add_webhook_endpoint(
        self, url: str, *, events: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Have an address told of every task of the account from now on.

        `events`: "ended", which is the default, "started", "progress", "output".
        """
        return self._run(flows.call(operations.add_webhook_endpoint(url, events)))

    def remove_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """Tell an endpoint nothing any more."""
        return self._run(flows.call(operations.remove_webhook_endpoint(endpoint_id)))

    def enable_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """Have an endpoint told again that was disabled since nothing arrived there."""
        return self._run(flows.call(operations.enable_webhook_endpoint(endpoint_id)))

    def test_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """Send an endpoint a delivery of the type `webhook.test`, and answer the delivery."""
        return self._run(flows.call(operations.test_webhook_endpoint(endpoint_id)))

    def webhook_secret(self) -> dict[str, Any]:
        """The `secret` that signs webhooks, all live `secrets`, and the server's `public_key`."""
        return self._run(flows.call(operations.webhook_secret()))

    def rotate_webhook_secret(self, *, overlap_hours: int = 24) -> dict[str, Any]:
        """Make a new secret; the one before it signs as well for `overlap_hours`."""
        return self._run(flows.call(operations.rotate_webhook_secret(overlap_hours)))

    def deliveries(self, **filters: str | int | datetime | None) -> shapes.Deliveries:
        """One page of the account's webhook deliveries, newest first.

        `status` (PENDING, DELIVERED, FAILED), `type`, `endpoint_id`, `task_id`, `since` and `until`
        narrow; `limit` (at most 200) and `before` (the `next` of the page before) page.
        """
        return self._run(flows.call(operations.deliveries(filters)))

    def delivery(self, webhook_id: str) -> dict[str, Any]:
        """One webhook delivery; its `log` has what each attempt sent and what came back."""
        return self._run(flows.call(operations.delivery(webhook_id)))

    def resend_delivery(self, webhook_id: str) -> dict[str, Any]:
        """Send one delivery again at once, under the same id."""
        return self._run(flows.call(operations.resend_delivery(webhook_id)))

    def resend_deliveries(self, **filters: str | datetime | None) -> int:
        """Send many deliveries again, those that FAILED or of another `status`; answers how many.

        `type`, `endpoint_id`, `task_id`, `since` and `until` narrow. At most 10,000 at a time.
        """
        told = self._run(flows.call(operations.resend_deliveries(filters)))
        return int(told["resent"])

    def listen(self, events: Sequence[str] = ("ended",)) -> Iterator[shapes.Heard]:
        """The account's webhooks from now on, for development: nobody need reach this machine.

        Each comes with the headers and the body with which it would be POSTed. A stream that breaks
        off is opened again where it was. Leave it with `break`, or `close` what it answers.
        """
        return self._follow(Listening(events))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _follow(self, following: Stream[Told]) -> Iterator[Told]:
        while not following.is_over:
            try:
                response = self._http.send(following.request(self._http), stream=True)
                try:
                    if following.is_open(response):
                        for line in response.iter_lines():
                            if (told := following.read(line)) is not None:
                                yield told
                    else:
                        response.read()
                        following.refused(response)
                finally:
                    response.close()
            except httpx.RequestError as exc:
                following.failure = exc
            if not following.is_over:
                time.sleep(following.pause_seconds())

    def _run(self, flow: Flow[Result]) -> Result:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except httpx.RequestError as exc:
                    step = flow.throw(exc)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            return cast(Result, stop.value)
        finally:
            flow.close()

    def _do(self, step: flows.Step) -> httpx.Response | None:
        if isinstance(step, flows.Pause):
            time.sleep(step.seconds)
            return None
        request = sending.request(self._http, step)
        if isinstance(step, flows.Send):
            return self._http.send(request)
        response = self._http.send(request, stream=True, follow_redirects=True)
        try:
            if response.status_code != 200:
                response.read()
                return response
            with step.saving.open() as file:
                for chunk in response.iter_bytes(sending.CHUNK_BYTES):
                    file.write(chunk)
        finally:
            response.close()
        return response
