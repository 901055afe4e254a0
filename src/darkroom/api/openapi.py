"""The OpenAPI document, derived from the route table and the kinds."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import JSONResponse

from darkroom.api.call import Call, Route
from darkroom.domain.kinds.table import KINDS

_ENVELOPE = {
    "type": "object",
    "required": ["status", "desc", "message", "data", "success", "request_id"],
    "properties": {
        "status": {"type": "integer", "description": "0, or the business code of a refusal."},
        "desc": {"type": "string"},
        "message": {"type": "string", "description": "What happened and what to do."},
        "data": {},
        "success": {"type": "boolean"},
        "request_id": {"type": "string", "description": "Find it again with GET /v1/history."},
        "field": {"type": "string", "description": "The parameter that was refused."},
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours answer the first answer again, free.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_REPLAYED = {
    "Idempotent-Replayed": {
        "description": "Sent when the Idempotency-Key made this batch before.",
        "schema": {"const": "true"},
    }
}


def route(routes: Sequence[Route]) -> Route:
    """The route that serves the document of these routes."""

    @functools.cache
    def made() -> dict[str, Any]:
        return document(routes)

    async def get_openapi(call: Call) -> JSONResponse:
        return JSONResponse(made())

    return Route(
        "GET", "/openapi.json", get_openapi, "This API as an OpenAPI document.", needs_key=False
    )


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """An OpenAPI 3.1 document of the routes."""
    bodies = [one.body for one in routes if one.body is not None]
    _, components = msgspec.json.schema_components(
        bodies, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in routes:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Darkroom",
            "version": "1",
            "description": "Submit, get task ids, ask for their status, fetch the files.",
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Envelope": _ENVELOPE},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(one: Route) -> dict[str, Any]:
    refusals: dict[int, list[str]] = {}
    for refused in one.errors:
        refusals.setdefault(one.wording.status(refused), []).append(
            f"{refused.__name__} ({refused.code})"
        )
    operation: dict[str, Any] = {
        "operationId": _operation_id(one),
        "summary": one.summary,
        "security": [{"key": []}] if one.needs_key else [],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", one.path)
        ],
        "responses": {
            "200": _response("Done."),
            **{str(status): _response(", ".join(said)) for status, said in refusals.items()},
        },
    }
    if one.body is not None:
        media: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{one.body.__name__}"}}
        for kind in KINDS.values():
            if kind.input is one.body:
                media["example"] = dict(kind.example)
                operation["parameters"].append(_IDEMPOTENCY_KEY)
                operation["responses"]["200"]["headers"] = _REPLAYED
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    return operation


def _operation_id(one: Route) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"[{}]", "", one.path.lower())).strip("_")
    return f"{one.method.lower()}_{words or 'index'}"


def _response(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Envelope"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
