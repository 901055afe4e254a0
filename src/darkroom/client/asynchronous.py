"""The client that awaits: `Client` for programs that run on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, cast

import httpx

from darkroom.client import flows, operations, sending, shapes
from darkroom.client.flows import Content, Flow, Progress, Result, Submitted
from darkroom.client.following import Following, Listening, Stream, Told


class AsyncClient:
    """`Client` with every method awaited; close it, or use it in an `async with` block."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        settings = sending.settings(base_url, api_key, timeout_seconds)
        self._http = httpx.AsyncClient(transport=transport, **settings)

    async def submit(
        self,
        kind: str,
        *,
        wait_seconds: int | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> shapes.Submitted:
        """As `Client.submit`."""
        return await self._run(flows.submit(kind, fields, wait_seconds, idempotency_key))

    async def status(self, task_id: str) -> shapes.Task:
        """As `Client.status`."""
        return await self._run(flows.call(operations.status(task_id)))

    async def batch(self, batch_id: int) -> list[shapes.Task]:
        """As `Client.batch`."""
        return await self._run(flows.call(operations.batch(batch_id)))

    async def events(self, task_id: str) -> AsyncIterator[shapes.Task]:
        """As `Client.events`."""
        async with contextlib.aclosing(self._follow(Following(task_id))) as followed:
            async for task in followed:
                yield task

    async def cancel(self, task_id: str) -> shapes.Task:
        """As `Client.cancel`."""
        return await self._run(flows.call(operations.cancel(task_id)))

    async def cancel_batch(self, batch_id: int) -> list[shapes.Task]:
        """As `Client.cancel_batch`."""
        return await self._run(flows.call(operations.cancel_batch(batch_id)))

    async def delete(self, task_id: str) -> shapes.Task:
        """As `Client.delete`."""
        return await self._run(flows.call(operations.delete(task_id)))

    async def wait(
        self,
        submitted: Submitted,
        *,
        timeout_seconds: float = 600.0,
        on_progress: Progress | None = None,
    ) -> list[shapes.Task]:
        """As `Client.wait`."""
        return await self._run(flows.wait(submitted, timeout_seconds, on_progress))

    async def generate(
        self,
        kind: str,
        *,
        timeout_seconds: float = 600.0,
        on_progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> list[shapes.Task]:
        """As `Client.generate`."""
        return await self._run(
            flows.generate(kind, fields, timeout_seconds, on_progress, idempotency_key)
        )

    async def text_to_image(self, prompt: str, model: str, **more: Any) -> list[shapes.Task]:
        """As `Client.text_to_image`."""
        return await self.generate("text-to-image", prompt=prompt, model=model, **more)

    async def image_to_image(
        self, images: list[Content] | Content, prompt: str, model: str, **more: Any
    ) -> list[shapes.Task]:
        """As `Client.image_to_image`."""
        return await self.generate(
            "image-to-image", images=images, prompt=prompt, model=model, **more
        )

    async def text_to_video(
        self, prompt: str, model: str, duration: int, **more: Any
    ) -> list[shapes.Task]:
        """Make clips of so many seconds from words; `more` is what `generate` takes."""
        fields = {"prompt": prompt, "model": model, "duration": duration, **more}
        return await self.generate("text-to-video", **fields)

    async def image_to_video(
        self, image: Content, prompt: str, model: str, duration: int, **more: Any
    ) -> list[shapes.Task]:
        """Make clips of so many seconds from a picture; `more` is what `generate` takes."""
        fields = {"prompt": prompt, "model": model, "duration": duration, **more}
        return await self.generate("image-to-video", image=image, **fields)

    async def download(
        self, wanted: shapes.Task | str, to: str | PathLike[str] = "pictures"
    ) -> list[Path]:
        """As `Client.download`."""
        return await self._run(flows.download(wanted, to))

    async def upload(self, content: Content) -> str:
        """As `Client.upload`."""
        return await self._run(flows.upload(content))

    async def balance(self) -> float:
        """As `Client.balance`."""
        return await self._run(flows.call(operations.balance()))

    async def models(self) -> list[dict[str, Any]]:
        """As `Client.models`."""
        return await self._run(flows.call(operations.models()))

    async def history(self, **filters: str | int | datetime | None) -> shapes.History:
        """As `Client.history`."""
        return await self._run(flows.call(operations.history(filters)))

    async def webhook_endpoints(self) -> list[dict[str, Any]]:
        """As `Client.webhook_endpoints`."""
        return await self._run(flows.call(operations.webhook_endpoints()))

    async def add_webhook_endpoint(
        self, url: str, *, events: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """As `Client.add_webhook_endpoint`."""
        return await self._run(flows.call(operations.add_webhook_endpoint(url, events)))

    async def remove_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """As `Client.remove_webhook_endpoint`."""
        return await self._run(flows.call(operations.remove_webhook_endpoint(endpoint_id)))

    async def enable_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """As `Client.enable_webhook_endpoint`."""
        return await self._run(flows.call(operations.enable_webhook_endpoint(endpoint_id)))

    async def test_webhook_endpoint(self, endpoint_id: str) -> dict[str, Any]:
        """As `Client.test_webhook_endpoint`."""
        return await self._run(flows.call(operations.test_webhook_endpoint(endpoint_id)))

    async def webhook_secret(self) -> dict[str, Any]:
        """As `Client.webhook_secret`."""
        return await self._run(flows.call(operations.webhook_secret()))

    async def rotate_webhook_secret(self, *, overlap_hours: int = 24) -> dict[str, Any]:
        """As `Client.rotate_webhook_secret`."""
        return await self._run(flows.call(operations.rotate_webhook_secret(overlap_hours)))

    async def deliveries(self, **filters: str | int | datetime | None) -> shapes.Deliveries:
        """As `Client.deliveries`."""
        return await self._run(flows.call(operations.deliveries(filters)))

    async def delivery(self, webhook_id: str) -> dict[str, Any]:
        """As `Client.delivery`."""
        return await self._run(flows.call(operations.delivery(webhook_id)))

    async def resend_delivery(self, webhook_id: str) -> dict[str, Any]:
        """As `Client.resend_delivery`."""
        return await self._run(flows.call(operations.resend_delivery(webhook_id)))

    async def resend_deliveries(self, **filters: str | datetime | None) -> int:
        """As `Client.resend_deliveries`."""
        told = await self._run(flows.call(operations.resend_deliveries(filters)))
        return int(told["resent"])

    async def listen(self, events: Sequence[str] = ("ended",)) -> AsyncIterator[shapes.Heard]:
        """As `Client.listen`."""
        async with contextlib.aclosing(self._follow(Listening(events))) as followed:
            async for heard in followed:
                yield heard

    async def close(self) -> None:
        """As `Client.close`."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _follow(self, following: Stream[Told]) -> AsyncGenerator[Told, None]:
        while not following.is_over:
            try:
                response = await self._http.send(following.request(self._http), stream=True)
                try:
                    if following.is_open(response):
                        async for line in response.aiter_lines():
                            if (told := following.read(line)) is not None:
                                yield told
                    else:
                        await response.aread()
                        following.refused(response)
                finally:
                    await response.aclose()
            except httpx.RequestError as exc:
                following.failure = exc
            if not following.is_over:
                await asyncio.sleep(following.pause_seconds())

    async def _run(self, flow: Flow[Result]) -> Result:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except httpx.RequestError as exc:
                    step = flow.throw(exc)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            return cast(Result, stop.value)
        finally:
            flow.close()

    async def _do(self, step: flows.Step) -> httpx.Response | None:
        if isinstance(step, flows.Pause):
            await asyncio.sleep(step.seconds)
            return None
        request = sending.request(self._http, step)
        if isinstance(step, flows.Send):
            return await self._http.send(request)
        response = await self._http.send(request, stream=True, follow_redirects=True)
        try:
            if response.status_code != 200:
                await response.aread()
                return response
            with step.saving.open() as file:
                async for chunk in response.aiter_bytes(sending.CHUNK_BYTES):
                    file.write(chunk)
        finally:
            await response.aclose()
        return response
