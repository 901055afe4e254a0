"""What the machine lacks is told at submit, costs nothing, and is seen when it is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from wire_calls import balance, refused, succeeded

from darkroom.domain.catalogue import Catalogue, Model, Offer
from darkroom.domain.kinds.table import KINDS
from darkroom.domain.rates import Rate
from darkroom.engine.backends.synth import programs
from darkroom.errors import Unavailable
from ground import Ground, Server, serve, wait_until

SPEECH = KINDS["text-to-audio"]


def test_a_submit_without_an_engine_is_refused_until_one_is_installed(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", str(bin_folder))
    served = serve(ground.conninfo, tmp_path / "data", workers="1", drain_seconds="1")
    try:
        account = ground.account()
        server = Server(served.url, ground.key(account.id), account.id, ground, tmp_path)
        with server.client(server.key) as caller:
            answer = caller.post(SPEECH.route, json=dict(SPEECH.example))
            refused(answer, 503, 5000, "can install espeak-ng")
            assert "Nothing was charged" in answer.json()["message"]
            refused(caller.post(SPEECH.route, json={"voice_id": 85}), 400, 1002, "text", "text")
            assert succeeded(caller.get("/v1/generation/balance")) == balance(caller) == 1000
            script = KINDS["podcast-text"]
            succeeded(caller.post(script.route, json=dict(script.example)))
            engine = bin_folder / "espeak-ng"
            engine.write_text("#!/bin/false\n")
            engine.chmod(0o755)

            def is_taken() -> bool:
                sent = caller.post(SPEECH.route, json=dict(SPEECH.example))
                return sent.status_code == 200

            wait_until(is_taken, what="the engine that was installed")
    finally:
        served.stop()


def test_what_is_lacked_is_told_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WHISPER_MODEL", raising=False)
    assert set(programs.lacks()) == {"text-to-audio", "podcast-audio", "speech-recognize"}
    for name in ("espeak-ng", "whisper-cli"):
        (tmp_path / name).write_text("#!/bin/false\n")
        (tmp_path / name).chmod(0o755)
    assert set(programs.lacks()) == {"speech-recognize"}
    monkeypatch.setenv("WHISPER_MODEL", str(tmp_path / "espeak-ng"))
    assert programs.lacks() == {}


def test_another_backend_that_can_is_taken_instead() -> None:
    offer = Offer(credits=1)
    models = {"VOICE": Model(name="Voice", kinds={SPEECH.name: offer}, backends=("synth", "b"))}
    rates = {("VOICE", SPEECH.name): Rate(1, "VOICE", SPEECH.name, "call", 1000, datetime.now(UTC))}
    shelf = Catalogue(models, rates, frozenset({"synth", "b"}), sandbox=False)
    assert shelf.candidates("VOICE", SPEECH.name) == ("synth", "b")
    shelf.lack({("synth", SPEECH.name): "Install it."})
    assert shelf.served()["VOICE"].backends == {SPEECH.name: ("b",)}
    given = SPEECH.input(text="x", voice_id=85, model="VOICE")
    assert shelf.order(SPEECH, given).count == 1
    shelf.lack({(name, SPEECH.name): "Install it." for name in ("synth", "b")})
    with pytest.raises(Unavailable, match=r"Install it\. Nothing was charged\."):
        shelf.order(SPEECH, given)


def test_a_kind_that_an_upstream_does_not_do_is_told_at_start(
    ground: Ground, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(
        '[MINE]\nname = "Mine"\nbackends = ["stability"]\n[MINE.kinds.text-to-video]\ncredits = 1\n'
    )
    served = serve(
        ground.conninfo, tmp_path, workers="0", sandbox="false", catalogue_file=str(file)
    )
    served.stop()
    log = served.log.read_text()
    assert "MINE names the backend stability for text-to-video, which stability does not" in log
