"""What the wire has and this server has not: said plainly, and free."""

from __future__ import annotations

import httpx
import pytest
from wire_calls import balance, refused

from ground import Server


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/chat/completions", 404),
        ("/v1/generation/deep-research", 400),
        ("/v1/generation/file_search_stores", 400),
    ],
)
def test_what_is_not_offered_is_refused_in_words_and_costs_nothing(
    careful: httpx.Client, path: str, status: int
) -> None:
    answer = careful.post(path, json={"model": "GPT_5", "messages": []})
    refused(answer, status, 1006, "not offered")
    assert balance(careful) == 1000


def test_there_are_no_models_of_chat(server: Server) -> None:
    assert httpx.get(f"{server.url}/v1/chat/models").json() == {"models": []}
