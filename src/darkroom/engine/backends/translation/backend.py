"""Translation as a remote: text is found and set here, and translated by a language model.

Finding and setting are done by `Press` in a child process of their own, one before the model is
asked and one after: neither can hold the worker's loop up, and each can be ended at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from darkroom import errors
from darkroom.engine import protocol
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import completions, core, openai
from darkroom.engine.backends.remote.line import Line, Lost, read
from darkroom.engine.backends.remote.openai import OpenAI, OpenAIOptions
from darkroom.engine.backends.remote.upstream import Result, Seen
from darkroom.engine.backends.translation import languages, programs, wording
from darkroom.engine.process import Process

_MEMORY_MB_MAX = 4096
_LISTEN_SECONDS = 0.5
# How much of the way reading takes, and until where the model is waited for.
_READ, _TRANSLATED = 0.4, 0.5
FIELDS = {
    "image-translate": ("img_url", "target_lang"),
    "video-subtitle-translate": ("video_url", "target_language"),
}


class TranslationOptions(OpenAIOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a catalogue entry tells beside what it tells of a chat of OpenAI's wire.

    `reads` are the languages that text is read in, by Tesseract's names; none: those installed.
    """

    reads: tuple[str, ...] = ()


class Translation(OpenAI):
    """Pictures and clips with their text in another language, by a model of OpenAI's wire."""

    name = "translation"
    kinds = programs.KINDS
    options = TranslationOptions

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Read, have translated, set; nothing is asked, and paid, where nothing can be set."""
        line = core.line_to(self, options, errand)
        assert isinstance(line.options, TranslationOptions)
        field, language_field = FIELDS[given.kind]
        language = languages.language(given.fields[language_field], language_field)
        asked = protocol.Run(
            backend=self.name,
            model=given.model,
            kind=given.kind,
            fields={"language": language.code},
            files={field: [str(path) for path in given.files[field]]},
            folder=str(errand.folder),
            seed=errand.seed,
            options={"reads": line.options.reads},
        )
        texts: list[str] = []
        async with contextlib.aclosing(self._pressed(asked, errand)) as steps:
            async for told in steps:
                if isinstance(told, protocol.Made):
                    texts = told.notes["texts"]
                elif isinstance(told, protocol.Progress):
                    yield told.fraction * _READ
        said = replace(given, fields={"texts": texts, "language": language.name})
        call, seen = await core.begin(self, said, line)
        assert isinstance(seen, Seen)
        cost_micro = core.cost_micro_of(seen, line.options)
        await errand.close(call, "delivered", is_billed=True, cost_micro=cost_micro)
        yield _TRANSLATED
        translated = msgspec.json.decode(seen.results[0].data, type=list[str])
        asked = msgspec.structs.replace(asked, fields=asked.fields | {"texts": translated})
        notes = {"language": language.code, "translations": _told(texts, translated)}
        async with contextlib.aclosing(self._pressed(asked, errand)) as steps:
            async for told in steps:
                if isinstance(told, protocol.Made):
                    yield _output(told, notes)
                    notes = {}
                elif isinstance(told, protocol.Preview):
                    yield Preview(told.picture)
                else:
                    yield _TRANSLATED + told.fraction * (1 - _TRANSLATED)

    async def _pressed(self, asked: protocol.Run, errand: Errand) -> AsyncGenerator[protocol.News]:
        """What a child of its own tells of a step; it is ended with the task."""
        while self._turns.locked():
            await errand.pause(_LISTEN_SECONDS)
        async with self._turns:
            process = await Process.start(memory_mb=_MEMORY_MB_MAX)
            going: asyncio.Future[protocol.News | None] | None = None
            try:
                steps = aiter(process.run(asked))
                while True:
                    going = going or asyncio.ensure_future(_next(steps))
                    done, _ = await asyncio.wait([going], timeout=_LISTEN_SECONDS)
                    await errand.pause(0)
                    if not done:
                        continue
                    told, going = going.result(), None
                    if told is None:
                        return
                    yield told
            finally:
                await process.kill()
                if going is not None:
                    # What it still tells is of a process that was ended.
                    await asyncio.wait([going])

    async def submit(self, given: Input, line: Line, call: Call) -> Seen:
        """The translations as a JSON list, asked for once, and once more where it is none."""
        texts: list[str] = given.fields["texts"]
        said = wording.messages(texts, given.fields["language"], given.kind)
        answer, cost_micro = await self._ask(given, said, line)
        try:
            return _seen(answer, texts, cost_micro)
        except wording.Misfit as misfit:
            said += wording.again(answer.choices[0].message.content or "", misfit, len(texts))
        # The first answer was paid for, whatever becomes of the second.
        try:
            answer, more_micro = await self._ask(given, said, line)
            total_micro = None if cost_micro is None else cost_micro + (more_micro or 0)
            return _seen(answer, texts, total_micro)
        except wording.Misfit as misfit:
            fault = f"The model's answer cannot be used: {misfit}."
        except (Lost, errors.TaskError) as error:
            total_micro = cost_micro
            fault = f"The model did not answer once more: {str(error) or 'its answer was lost.'}"
        return Seen(error=errors.BackendFailed(fault), is_billed=True, cost_micro=total_micro)

    async def _ask(
        self, given: Input, said: list[dict[str, Any]], line: Line
    ) -> tuple[completions.Completion, int | None]:
        """An answer, and what it cost; a service that knows no schema is asked without."""
        told = line.options
        assert isinstance(told, TranslationOptions)
        body = {
            "model": told.model_of(given.kind),
            told.tokens_field: wording.tokens_max(given.fields["texts"]),
            "messages": said,
            "response_format": wording.FORMAT,
            **told.extra,
        }
        try:
            answer = await self._completed(body, line)
        except errors.BadInput:
            answer = await self._completed(
                {name: value for name, value in body.items() if name != "response_format"}, line
            )
        return answer, openai.chat_cost_micro(answer.usage, told)

    async def _completed(self, body: dict[str, Any], line: Line) -> completions.Completion:
        return read(
            await line.send(
                "POST",
                openai.at(line, "/chat/completions"),
                json=body,
                seconds_max=completions.SECONDS_MAX,
            ),
            completions.Completion,
        )


async def _next(
    steps: AsyncIterator[protocol.News],
) -> protocol.News | None:
    return await anext(steps, None)


def _seen(answer: completions.Completion, texts: list[str], cost_micro: int | None) -> Seen:
    """What an answer says; raises `Misfit`."""
    choice = answer.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        said = choice.message.refusal or "its content filter ended the answer."
        error = errors.ContentBlocked(f"The model refused to translate: {said[:300]}")
        return Seen(error=error, is_billed=True, cost_micro=cost_micro)
    found = wording.read(choice.message.content or "", texts)
    return Seen(results=(Result(data=msgspec.json.encode(found)),), cost_micro=cost_micro)


def _told(texts: list[str], translated: list[str]) -> list[dict[str, str]]:
    return [{"text": text, "translation": one} for text, one in zip(texts, translated, strict=True)]


def _output(made: protocol.Made, notes: Mapping[str, Any]) -> Output:
    told = {**made.notes, **notes}
    path = Path(made.path)
    return Output(path, made.media_type, made.width, made.height, told, made.likeness)
