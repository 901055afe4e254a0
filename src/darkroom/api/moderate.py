"""The verdict on what callers write: the policy first, then a moderation endpoint if one is set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self

import httpx
import msgspec
from msgspec.structs import replace

from darkroom.domain.moderation import Match, Policy

ANSWER_BYTES_MAX = 1 << 20
CONNECTIONS_MAX = 32
RULE_CHARACTERS_MAX = 64


class Endpoint(msgspec.Struct, frozen=True):
    """An OpenAI-compatible moderation endpoint: `url` is the base that /moderations follows.

    It is the operator's own choice, so its address is not guarded, and proxies of the environment
    are used. `on_error` is the verdict when it cannot be asked.
    """

    url: str
    key: str | None = None
    model: str | None = None
    timeout_seconds: float = 5.0
    on_error: Literal["allow", "refuse"] = "allow"


class Decision(msgspec.Struct, frozen=True):
    """What was decided, by what, and under which policy; `error` where the endpoint failed.

    A flagged text is refused in mode "enforce" and only recorded in mode "shadow".
    """

    verdict: Literal["pass", "flagged"]
    mode: Literal["enforce", "shadow", "off"]
    rule: str | None = None
    source: Literal["policy", "endpoint"] | None = None
    field: str | None = None
    policy_version: str | None = None
    error: str | None = None

    @property
    def refuses(self) -> bool:
        return self.verdict == "flagged" and self.mode == "enforce"


class _Failed(Exception):
    """The endpoint gave no usable answer; the text says why."""


class _Result(msgspec.Struct):
    flagged: bool
    categories: dict[str, bool | None] = {}


class _Answer(msgspec.Struct):
    results: list[_Result]


class Moderator:
    """Checks texts; one per process, used as `async with`.

    `mode` "off" passes everything unread; "shadow" decides and refuses nothing.
    """

    def __init__(
        self,
        policy: Policy | None,
        mode: Literal["enforce", "shadow", "off"],
        endpoint: Endpoint | None = None,
    ) -> None:
        self._policy = policy
        self._mode: Literal["enforce", "shadow", "off"] = mode
        self._endpoint = endpoint
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        if self._endpoint is not None and self._mode != "off":
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._endpoint.key:
                headers["Authorization"] = f"Bearer {self._endpoint.key}"
            self._client = httpx.AsyncClient(
                headers=headers,
                limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
                timeout=self._endpoint.timeout_seconds,
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self, texts: Mapping[str, str]) -> Decision:
        """Returns the decision on `texts`, from field names to what the caller wrote there.

        An enforced rule of the policy decides at once; else the endpoint is asked; else a shadow
        rule's match stands. Never raises for what the endpoint does.
        """
        texts = {field: text for field, text in texts.items() if text.strip()}
        if self._mode == "off" or not texts:
            return Decision("pass", self._mode)
        match = self._policy.check(texts) if self._policy is not None else None
        by_policy = self._by_policy(match)
        if self._endpoint is None or by_policy.refuses:
            return by_policy
        try:
            async with asyncio.timeout(self._endpoint.timeout_seconds):
                results = await self._ask(self._endpoint, list(texts.values()))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, _Failed) as error:
            return self._on_error(by_policy, str(error) or type(error).__name__)
        for field, result in zip(texts, results, strict=True):
            if result.flagged:
                named = sorted(name for name, hit in result.categories.items() if hit)
                rule = (named[0] if named else "flagged")[:RULE_CHARACTERS_MAX]
                return self._flagged(rule, field)
        return by_policy

    def _by_policy(self, match: Match | None) -> Decision:
        version = self._policy.version if self._policy is not None else None
        if match is None:
            return Decision("pass", self._mode, policy_version=version)
        mode = match.mode if self._mode == "enforce" else self._mode
        return Decision("flagged", mode, match.rule, "policy", match.field, version)

    def _flagged(self, rule: str, field: str | None) -> Decision:
        version = self._policy.version if self._policy is not None else None
        return Decision("flagged", self._mode, rule, "endpoint", field, version)

    def _on_error(self, by_policy: Decision, error: str) -> Decision:
        assert self._endpoint is not None
        if self._endpoint.on_error == "refuse":
            return replace(self._flagged("moderation-unavailable", None), error=error)
        return replace(by_policy, error=error)

    async def _ask(self, endpoint: Endpoint, texts: list[str]) -> list[_Result]:
        """Returns one result for each text, in order.

        The format: https://platform.openai.com/docs/api-reference/moderations/create.
        """
        assert self._client is not None, "Moderator is used as `async with Moderator(…)`"
        body: dict[str, object] = {"input": texts}
        if endpoint.model:
            body["model"] = endpoint.model
        url = endpoint.url.rstrip("/") + "/moderations"
        async with self._client.stream("POST", url, content=json.dumps(body)) as response:
            if response.status_code != 200:
                raise _Failed(f"the moderation endpoint answered HTTP {response.status_code}")
            answer = bytearray()
            async for chunk in response.aiter_raw(65536):
                answer += chunk
                if len(answer) > ANSWER_BYTES_MAX:
                    raise _Failed(f"its answer is larger than {ANSWER_BYTES_MAX} bytes")
        try:
            results = msgspec.json.decode(answer, type=_Answer).results
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _Failed(f"its answer is malformed: {error}") from None
        if len(results) != len(texts):
            raise _Failed(f"it answered {len(results)} results for {len(texts)} texts")
        return results
