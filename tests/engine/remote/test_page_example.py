"""The remote that the page on backends shows, against a service as it takes it to be."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any, ClassVar

from wires import ASKED, LOST, Asked, Said, Story, Upstream

from darkroom import errors
from darkroom.domain.tasks import FAILED, SUCCESS

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "backend.md"


def _printer() -> Any:
    """An instance of the page's class."""
    found = re.search(r"`printer\.py`:\n\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    module = types.ModuleType("printer")
    exec(compile(found[1], "printer.py", "exec"), module.__dict__)
    return module.Printer()


class PrinterWire(Upstream):
    """Jobs that wait for some looks, and then end as told."""

    remote = staticmethod(_printer)
    variable = "PRINTER_API_KEY"
    key = "printer-secret"
    look = "GET /jobs/*"
    chosen: ClassVar[dict[str, Any]] = {"model": "press-1", "extra": {"paper": "matt"}}

    def __init__(self) -> None:
        super().__init__()
        self.waits = self.looks = 0
        self.end: dict[str, Any] = {"state": "done"}

    def serve(self, asked: Asked) -> Said:
        if asked.path == "/file.png":
            return Said(self.picture)
        if asked.headers["x-key"] != self.key:
            return Said({"reason": "who?"}, 401)
        if asked.method == "POST":
            return Said({"id": 12})
        if asked.method == "DELETE":
            return Said({})
        self.looks += 1
        if self.looks <= self.waits:
            return Said({"state": "printing", "done": 0.25})
        return Said({"file": f"{self.address}/file.png", "done": 1.0} | self.end)


WIRE = PrinterWire


def test_it_sends_follows_and_brings_home(wire: PrinterWire, story: Story) -> None:
    wire.waits = 1
    told = story.run("text-to-image", wire.options(), **ASKED)
    [sent] = wire.seen("POST *")
    assert (sent.path, sent.json) == (
        "/jobs",
        {"model": "press-1", "text": ASKED["prompt"], "paper": "matt"},
    )
    assert {one.path for one in wire.seen(wire.look)} == {"/jobs/12"}
    assert (told.task.status, len(told.made)) == (SUCCESS, 1)
    assert told.call == ("delivered", True, None)


def test_what_failed_there_fails_here_in_its_words(wire: PrinterWire, story: Story) -> None:
    wire.end = {"state": "failed", "reason": "The paper is jammed."}
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert (told.task.status, told.task.error) == (FAILED, "The paper is jammed.")
    assert told.call == ("failed", None, None)


def test_what_it_refuses_for_its_content_is_told(wire: PrinterWire, story: Story) -> None:
    wire.fault("POST *", Said({"reason": "Not in this house."}, 451))
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.ContentBlocked)
    assert told.task.error == "Not in this house."
    assert told.call == ("refused", False, None)


def test_it_does_not_send_again_what_may_have_arrived(wire: PrinterWire, story: Story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert len(wire.seen("POST *")) == 1
    assert told.task.status == FAILED
    assert told.call[0] == "unknown"


def test_a_cancel_is_told_to_it(wire: PrinterWire, story: Story) -> None:
    wire.waits = 1000

    async def stopped(database: Any) -> Any:
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, wire.options(), lambda: story.attempts[0].progress == 0.25)
        return await story.told(database)

    told = story.ground.run(stopped)
    assert [one.path for one in wire.seen("DELETE *")] == ["/jobs/12"]
    assert told.call[0] == "canceled"
