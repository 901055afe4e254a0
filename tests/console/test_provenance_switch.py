"""The switch of provenance in the settings: shown as it stands, and turned by its owner."""

from __future__ import annotations

from console_visitors import Visitor

ON, OFF = "The files that you make carry a signature", "The files that you make are not signed"


def test_the_switch_is_turned_off_and_on(visitor: Visitor) -> None:
    assert ON in visitor.get("/settings").text
    answer = visitor.post_form("/settings/provenance", has_provenance="no")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings#provenance")
    assert OFF in visitor.get("/settings").text
    visitor.post_form("/settings/provenance", has_provenance="yes")
    assert ON in visitor.get("/settings").text


def test_a_strangers_form_turns_nothing(visitor: Visitor) -> None:
    assert visitor.post("/settings/provenance", data={"has_provenance": "no"}).status_code == 403
    assert ON in visitor.get("/settings").text
