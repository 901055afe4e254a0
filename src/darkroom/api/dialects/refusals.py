"""Refusals in the words of other wires, whose clients know them by these."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from darkroom import errors
from darkroom.api import wire
from darkroom.api.problems import Wording
from darkroom.api.trace import Trace

# OpenAI's `type` by the HTTP status, and its `code` by what is wrong.
_TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error"}
_TYPES |= {404: "not_found_error", 429: "rate_limit_error"}
_CODES: dict[type[errors.Refusal], str] = {
    errors.Unauthenticated: "invalid_api_key",
    errors.InsufficientCredits: "insufficient_quota",
    errors.UnknownModel: "model_not_found",
    errors.NotOffered: "model_not_found",
    errors.ContentRefused: "content_policy_violation",
    errors.RateLimited: "rate_limit_exceeded",
    errors.QueueFull: "queue_full",
    errors.NotFound: "not_found",
}


def _say_openai(refused: errors.Refusal, trace: Trace) -> Response:
    """OpenAI's error object, beside the envelope: a client of either wire reads its own."""
    status = OPENAI.status(type(refused))
    usual = "server_error" if status >= 500 else "invalid_request_error"
    codes = (code for known, code in _CODES.items() if isinstance(refused, known))
    error = {
        "message": refused.message,
        "type": _TYPES.get(status, usual),
        "param": refused.field,
        "code": next(codes, None),
    }
    return wire.refusal(refused, "quickstart", trace.request_id, {"error": error}, status)


def _say_fal(refused: errors.Refusal, trace: Trace) -> Response:
    """fal's `detail`: a list of faults where its models refuse what was asked, else a text."""
    status = FAL.status(type(refused))
    detail: Any = refused.message
    if status == 422:
        blocked = isinstance(refused, errors.ContentRefused)
        fault = "content_policy_violation" if blocked else "value_error"
        where = ["body", refused.field] if refused.field else ["body"]
        detail = [{"loc": where, "msg": refused.message, "type": fault}]
    return wire.refusal(refused, "quickstart", trace.request_id, {"detail": detail}, status)


def _say_replicate(refused: errors.Refusal, trace: Trace) -> Response:
    """Replicate's problem (RFC 7807): a title, and the text in `detail`."""
    problem = {"title": _title(type(refused).__name__), "detail": refused.message}
    status = REPLICATE.status(type(refused))
    return wire.refusal(refused, "quickstart", trace.request_id, problem, status)


def _title(name: str) -> str:
    """`InsufficientCredits` as people write it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


# Its clients look for what the content policy refuses, and for bad pictures, among HTTP 400.
OPENAI = Wording(
    _say_openai,
    {
        errors.UnknownModel: 404,
        errors.NotOffered: 404,
        errors.ContentRefused: 400,
        errors.InputRefused: 400,
        errors.UnsupportedFormat: 400,
        errors.TaskUnfinished: 400,
    },
)
FAL = Wording(
    _say_fal,
    {
        errors.BadParameter: 422,
        errors.UnknownModel: 404,
        errors.NotOffered: 404,
        errors.UnsupportedFormat: 422,
        errors.TaskUnfinished: 400,
    },
)
REPLICATE = Wording(
    _say_replicate,
    {
        errors.BadParameter: 422,
        errors.UnknownModel: 404,
        errors.NotOffered: 404,
        errors.UnsupportedFormat: 422,
    },
)
