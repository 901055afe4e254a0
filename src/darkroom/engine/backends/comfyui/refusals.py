"""What ComfyUI says went wrong, as the errors of a task."""

from __future__ import annotations

import re
from typing import Any

from darkroom import errors
from darkroom.engine.backends.comfyui import workflow
from darkroom.engine.backends.comfyui.workflow import Workflow

_TEXT_CHARS_MAX = 300
# Of a value that a node does not take; anything else is the workflow's fault or the server's.
_OF_VALUES = frozenset({"value_bigger_than_max", "value_smaller_than_min", "invalid_input_type"})
# As torch says it on a GPU, and on the processor.
_NO_MEMORY = re.compile(r"OutOfMemoryError|out of memory|can't allocate memory|MemoryError")
# Where models lie on its disk is nobody's business.
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][^/\\\s'\":,]+)+[/\\]")


def of_graph(body: Any, used: Workflow) -> errors.TaskError | None:
    """Why a graph is refused: the node, its input and what is wrong; None where it is not said.

    `body` is `{error: {type, message, details}, node_errors: {node: {errors: [{type, message,
    details, extra_info: {input_name}}]}}}`.
    """
    if not isinstance(body, dict):
        return None
    for node, told in (body.get("node_errors") or {}).items():
        for error in told.get("errors") or ():
            name = (error.get("extra_info") or {}).get("input_name", "")
            said = _cut(f"{error.get('message', '')}: {error.get('details', '')}")
            field = used.field_at(node, name)
            if field is not None and error.get("type") in _OF_VALUES:
                return errors.BadInput(f"The model does not take this {field}: {said}")
            called = workflow.title(used.graph, node)
            return errors.Hindered(f"ComfyUI refuses node {called} of the workflow: {said}")
    error = body.get("error")
    if not isinstance(error, dict) or not error.get("message"):
        return None
    said = _cut(f"{error['message']} {error.get('details', '')}")
    return errors.Hindered(f"ComfyUI refuses the workflow: {said}")


def of_run(messages: list[tuple[str, Any]], used: Workflow) -> errors.TaskError:
    """Why a graph that ran failed, by what ComfyUI kept: `[event, data]` in their order."""
    for event, told in messages:
        if event == "execution_interrupted":
            return errors.Hindered("Somebody stopped the task at ComfyUI.")
        if event != "execution_error":
            continue
        kind, said = str(told.get("exception_type")), str(told.get("exception_message"))
        called = workflow.title(used.graph, str(told.get("node_id")))
        if _NO_MEMORY.search(f"{kind} {said}"):
            return errors.OutOfMemory(
                f"ComfyUI ran out of memory at node {called}. Ask for a smaller size."
            )
        return errors.BackendFailed(f"ComfyUI's node {called} failed: {_cut(said)}")
    return errors.BackendFailed("ComfyUI failed, and does not say why.")


def _cut(text: str) -> str:
    return _FOLDERS.sub("", " ".join(text.split()))[:_TEXT_CHARS_MAX].rstrip(": ")
