"""The synthesiser speaks through an engine of the machine, and hears through one set up there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import Progress

import whisper_double
from darkroom.domain.kinds.audio import VOICES
from darkroom.engine.backends import programs, sounds
from darkroom.engine.backends.contract import Canceled, Input
from darkroom.engine.backends.synth import podcast, speech, voices
from darkroom.engine.backends.synth.backend import Synth
from darkroom.engine.backends.synth.tones import RATE
from darkroom.errors import BackendFailed, BadInput

SAID = "The picture is ready."
# Where everything is installed on purpose, nothing is left out.
speaks = pytest.mark.skipif(
    not shutil.which("espeak-ng") and "DARKROOM_TEST_SPEECH" not in os.environ,
    reason="espeak-ng is not installed on this machine",
)


def _said(folder: Path, text: str = SAID, **fields: Any):
    given = {"text": text, "voice_id": 85, "speed": "1.0", "vol": "1.0"} | fields
    (output,) = Synth().run(Input("text-to-audio", "SYNTH", given), Progress(folder))
    return output, sounds.read(output.path)


def _program(folder: Path, name: str, body: str) -> None:
    """A program of this name, first on the path of whoever looks there."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}", encoding="utf-8")
    path.chmod(0o755)


@speaks
def test_speech_is_an_mp3_at_its_loudness_without_silence_around(tmp_path: Path) -> None:
    output, sound = _said(tmp_path)
    assert output.media_type == "audio/mpeg"
    assert output.notes["voice"] == "Captivating Female"
    assert output.notes["digital_source_type"] == "algorithmicMedia"
    assert 1 < len(sound) / RATE < 3
    assert sounds.loudness(sound) == pytest.approx(-20, abs=0.7)
    assert 20 * np.log10(np.abs(sound).max()) <= -1
    heard = np.flatnonzero(np.abs(sound[:, 0]) > 0.01)
    assert heard[0] < 0.3 * RATE
    assert heard[-1] > len(sound) - 0.5 * RATE
    assert [path.name for path in tmp_path.iterdir()] == ["speech.mp3"]


@speaks
def test_the_same_words_give_the_same_bytes_and_other_voices_others(tmp_path: Path) -> None:
    sounds_of = {}
    for number in VOICES:
        _said(tmp_path, voice_id=number)
        sounds_of[number] = (tmp_path / "speech.mp3").read_bytes()
    assert len(set(sounds_of.values())) == len(VOICES)
    _said(tmp_path, voice_id=66)
    assert (tmp_path / "speech.mp3").read_bytes() == sounds_of[66]


@speaks
def test_speed_and_volume_do_what_they_say(tmp_path: Path) -> None:
    slow, plain, fast = (len(_said(tmp_path, speed=one)[1]) for one in ("0.5", "1.0", "2.0"))
    assert slow > 1.5 * plain > 2 * fast
    levels = [sounds.loudness(_said(tmp_path, vol=one)[1]) for one in ("0.5", "1.0", "2.0", "10")]
    assert levels[0] == pytest.approx(levels[1] - 6, abs=0.7)
    assert levels[2] == pytest.approx(levels[1] + 6, abs=0.7)
    assert levels[3] > levels[2] + 3
    _, loudest = _said(tmp_path, vol="10")
    assert np.abs(loudest).max() <= 10 ** (-1 / 20)
    _, silent = _said(tmp_path, vol="0")
    assert np.abs(silent).max() < 1e-4


@speaks
def test_each_voice_speaks_its_language_unless_the_text_is_of_another(tmp_path: Path) -> None:
    assert _said(tmp_path, "图片准备好了。", voice_id=76)[0].notes["language"] == "zh"
    assert _said(tmp_path, "The picture is ready.", voice_id=76)[0].notes["language"] == "en"
    assert _said(tmp_path, "图片准备好了。", voice_id=85)[0].notes["language"] == "zh"


@speaks
def test_a_text_is_never_taken_for_options_or_phonemes(tmp_path: Path) -> None:
    for text in ("--version", "-w /tmp/x.wav", "[[h@loU]]", "$(id) `id` ; id", "<break/> & <b>"):
        assert np.abs(_said(tmp_path, text)[1]).max() > 0.05
    with pytest.raises(BadInput, match="nothing in it"):
        _said(tmp_path, "…")


def test_without_an_engine_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendFailed, match=r"operator can install espeak-ng \(Debian: apt"):
        _said(tmp_path)


def test_engines_are_tried_in_order_and_given_the_text_by_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each program writes down how it was called and answers with a second of tone.
    body = """
import math, struct, sys, wave
from pathlib import Path
at = sys.argv.index("-o" if "-o" in sys.argv else "-w")
said = sys.stdin.buffer.read().decode()
Path(sys.argv[0] + ".called").write_text("\\n".join([said, *sys.argv[1:]]))
with wave.open(sys.argv[at + 1], "wb") as out:
    out.setparams((1, 2, 16000, 0, "NONE", ""))
    out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 9))) for n in range(16000)))
"""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("flite", "espeak", "espeak-ng"):
        _program(tmp_path / "bin", name, body)
        output, sound = _said(tmp_path)
        assert output.notes["engine"] == name
        assert len(sound) > RATE // 2
        called = (tmp_path / "bin" / f"{name}.called").read_text().split("\n")
        assert called[0] == SAID
        assert not any("picture" in word for word in called[1:])


def test_an_engine_that_fails_or_hangs_ends_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    _program(tmp_path / "bin", "espeak-ng", "import sys; sys.exit('no such voice')")
    with pytest.raises(BackendFailed, match="espeak-ng failed: no such voice"):
        _said(tmp_path)
    _program(tmp_path / "bin", "espeak-ng", "import signal; signal.pause()")
    given = Input("text-to-audio", "SYNTH", {"text": SAID, "voice_id": 85})
    with pytest.raises(Canceled):
        list(Synth().run(given, Progress(tmp_path, cancel_at=0.1)))
    program = str(tmp_path / "bin" / "espeak-ng")
    with pytest.raises(BackendFailed, match=r"took over 0\.3 seconds"):
        programs.run([program], seconds_max=0.3)


@pytest.mark.parametrize("fields", [{"voice_id": 7}, {"voice_id": "x"}, {"speed": "fast"}])
def test_wrong_fields_are_refused(
    fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    _program(tmp_path / "bin", "espeak-ng", "")
    with pytest.raises(BadInput):
        _said(tmp_path, **fields)


def test_manners_change_a_voice() -> None:
    time = np.arange(RATE) / RATE
    buzz = np.sign(np.sin(2 * np.pi * 120 * time)) * 0.2
    plain = np.repeat(buzz.astype(np.float32)[:, None], 2, axis=1)
    kept = {number: speech.shaped(plain, manner) for number, manner in voices.MANNERS.items()}
    giant = kept[72]
    assert len(giant) == pytest.approx(1.26 * RATE, rel=0.01)
    assert all(np.isfinite(sound).all() and len(sound) for sound in kept.values())
    assert not len(speech.shaped(np.zeros((RATE, 2), np.float32), voices.MANNERS[85]))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    time = np.arange(RATE) / RATE
    sound = np.repeat(np.sin(2 * np.pi * 300 * time)[:, None] * 0.3, 2, axis=1)
    sounds.write_mp3(sound.astype(np.float32), tmp_path / "tone.mp3")
    return tmp_path / "tone.mp3"


def _heard(path: Path, folder: Path, language: str = "en"):
    fields = {"audio_url": "https://example.com/x.mp3", "language": language}
    given = Input("speech-recognize", "SYNTH", fields, {"audio_url": [path]})
    (output,) = Synth().run(given, Progress(folder))
    return output


def test_recognition_runs_whisper_on_a_wave_of_16_khz(
    tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", "whisper-cli", whisper_double.PROGRAM)
    (tmp_path / "model.bin").write_bytes(b"model")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("WHISPER_MODEL", str(tmp_path / "model.bin"))
    work = tmp_path / "work"
    work.mkdir()
    output = _heard(tone, work, "zh-CN")
    assert output.media_type == "text/plain"
    text = output.notes["speech_text"]
    assert text.startswith("Heard in zh. (16000, 1, 2, 16")
    assert output.path.read_text(encoding="utf-8") == text + "\n"
    assert [path.name for path in work.iterdir()] == ["speech.txt"]
    with pytest.raises(BadInput, match="language is a code"):
        _heard(tone, work, "en -of /etc/passwd")
    with pytest.raises(BadInput, match="knows no language xx"):
        _heard(tone, work, "xx")
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"nothing")
    with pytest.raises(BadInput, match="send an mp3"):
        _heard(broken, work)


def test_a_model_of_english_alone_hears_no_other_language(
    tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", "whisper-cli", whisper_double.PROGRAM)
    (tmp_path / "model.en.bin").write_bytes(b"english")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("WHISPER_MODEL", str(tmp_path / "model.en.bin"))
    for language in ("en", "auto"):
        assert _heard(tone, tmp_path, language).notes["speech_text"].startswith("Heard in en.")
    with pytest.raises(BadInput, match="English alone, not zh"):
        _heard(tone, tmp_path, "zh")


def test_without_recognition_it_says_so(
    tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("WHISPER_MODEL", raising=False)
    with pytest.raises(BackendFailed, match="No speech recognition engine is configured"):
        _heard(tone, tmp_path)
    _program(tmp_path / "bin", "whisper-cli", whisper_double.PROGRAM)
    monkeypatch.setenv("WHISPER_MODEL", str(tmp_path / "missing.bin"))
    with pytest.raises(BackendFailed, match="WHISPER_MODEL"):
        _heard(tone, tmp_path)


MIA, LEO = podcast.Speaker("mia-1", "Mia"), podcast.Speaker("leo-1", "Leo")


@pytest.mark.parametrize(
    ("mode", "low", "high"), [("quick", 6, 8), ("debate", 10, 14), ("deep", 14, 20)]
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_scripts_have_their_length_and_speak_of_the_query(
    mode: str, low: int, high: int, language: str
) -> None:
    lengths = set()
    for seed in range(12):
        query = "Should {cities} ban cars {k}?"
        script = podcast.write_script(query, mode, [MIA, LEO], seed, language=language)
        lengths.add(len(script))
        assert [turn.speaker_name for turn in script[:4]] == ["Mia", "Leo", "Mia", "Leo"]
        assert query in script[0].content
        assert not any("{t}" in turn.content for turn in script)
        assert len({turn.content for turn in script}) == len(script)
    assert min(lengths) >= low
    assert max(lengths) <= high
    same = [podcast.write_script("tea", mode, [MIA, LEO], 5, language=language) for _ in range(2)]
    assert same[0] == same[1]


def test_a_topic_is_named_and_one_speaker_may_speak_alone() -> None:
    script = podcast.write_script("The future of solar energy", "deep", [MIA], 3)
    assert {turn.speaker_id for turn in script} == {"mia-1"}
    assert any("the future of solar energy" in turn.content for turn in script)


@pytest.mark.parametrize(
    ("query", "mode", "speakers", "language"),
    [
        (" ", "quick", [MIA], "en"), ("tea", "long", [MIA], "en"), ("tea", "debate", [MIA], "en"),
        ("tea", "quick", [], "en"), ("tea", "quick", [MIA], "ja"),
    ],
)  # fmt: skip
def test_what_no_script_can_be_made_of_is_refused(query, mode, speakers, language) -> None:
    with pytest.raises(BadInput):
        podcast.write_script(query, mode, speakers, 1, language=language)


@speaks
def test_a_script_is_spoken_turn_by_turn(tmp_path: Path) -> None:
    script = [
        podcast.Turn("mia-1", "Mia", "Good morning."),
        podcast.Turn("leo-1", "Leo", "Good morning to you as well."),
    ]
    context = Progress(tmp_path)
    output = podcast.voice_script(script, {"mia-1": 85, "leo-1": 71}, context)
    sound = sounds.read(output.path)
    assert sounds.loudness(sound) == pytest.approx(-18, abs=0.7)
    assert 2 < len(sound) / RATE < 6
    assert output.notes["scripts"][1]["content"] == "Good morning to you as well."
    assert context.told == sorted(context.told)
    assert context.told[-1] == 1.0
    with pytest.raises(BadInput, match="no voice"):
        podcast.voice_script(script, {"mia-1": 85}, context)
    assert [path.name for path in tmp_path.iterdir()] == ["podcast.mp3"]
