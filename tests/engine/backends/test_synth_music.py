"""The synthesiser composes: whole pieces in key and in time, the same for the same seed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from contexts import Progress
from PIL import Image

from darkroom.domain.kinds.audio import STYLES
from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Canceled, Input
from darkroom.engine.backends.synth import arrange, brief, harmony, listening, mixing, music
from darkroom.engine.backends.synth.backend import Synth
from darkroom.engine.backends.synth.score import Clock, Note, Part
from darkroom.engine.backends.synth.tones import RATE
from darkroom.errors import BadInput

JAZZ = {"JAZZ": "jazz", "RELAXED": "relaxed", "PIANO": "piano"}


def _asked(**fields: Any) -> Input:
    return Input("music-generate", "SYNTH", {"type": "ONLY_MUSIC"} | fields)


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory):
    context = Progress(tmp_path_factory.mktemp("piece"))
    asked = _asked(description="A calm evening by the sea", styles=JAZZ)
    return list(Synth().run(asked, context)), context


def test_a_piece_is_an_mp3_with_its_facts_and_a_cover(piece) -> None:
    (sound, cover), context = piece
    assert (sound.media_type, cover.media_type) == ("audio/mpeg", "image/jpeg")
    with av.open(str(sound.path)) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
    assert sound.notes["title"] == "A calm evening by the sea"
    assert sound.notes["digital_source_type"] == "algorithmicMedia"
    assert "jazz" in sound.notes["style"]
    assert "lyrics" not in sound.notes
    with Image.open(cover.path) as picture:
        assert picture.size == (1024, 1024) == (cover.width, cover.height)
        assert np.asarray(picture.convert("L"), float).std() > 15
    assert context.told == sorted(context.told)
    assert context.told[-1] == pytest.approx(1.0)
    assert len(context.told) > 60


def test_a_piece_is_mastered_begins_and_ends_silent_and_is_wide(piece) -> None:
    (sound, _), _ = piece
    samples = sounds.read(sound.path)
    assert 60 < len(samples) / RATE < 92
    assert len(samples) / RATE == pytest.approx(sound.notes["duration_seconds"], abs=0.2)
    assert sounds.loudness(samples) == pytest.approx(-16, abs=0.7)
    assert 20 * np.log10(np.abs(samples).max()) <= -1
    assert np.abs(samples[:480]).max() < 0.003
    assert np.abs(samples[-480:]).max() < 0.003
    assert 0.2 < np.corrcoef(samples.T)[0, 1] < 0.95
    seconds = np.square(samples[: len(samples) // RATE * RATE]).reshape(-1, RATE * 2).mean(axis=1)
    assert (seconds[:-5] > 1e-5).all(), "a piece has no holes"


def test_its_tempo_and_key_can_be_heard_again(piece) -> None:
    (sound, _), _ = piece
    heard = listening.listen(sounds.read(sound.path))
    assert heard.tempo is not None
    ratio = heard.tempo / sound.notes["tempo"]
    assert min(abs(ratio - one) for one in (0.5, 1.0, 2.0)) < 0.03
    assert f"{harmony.NAMES[heard.tonic]} {heard.mode}" == sound.notes["key"]


def _scored(styles: dict[str, str], seed: int = 3, description: str = "music"):
    rng = np.random.default_rng(seed)
    read = brief.read(description, styles, rng)
    return read, arrange.arrange(read, rng)


@pytest.mark.parametrize("genre", STYLES["genre"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_genre_has_form_harmony_and_a_singable_tune(genre: str, seed: int) -> None:
    read, score = _scored({genre: "", STYLES["emotion"][seed * 3]: ""}, seed)
    names = [section.name for section in score.sections]
    assert names == ["intro", "A", "B", "A'", "bridge", "B'", "outro"]
    assert 58 < score.clock.seconds(score.clock.beats) < 92
    assert score.chords[-1].root == read.tonic, "it comes home"
    beats = 0.0
    for chord in score.chords:
        assert chord.beat == pytest.approx(beats)
        beats += chord.beats
    strong = [note for note in score.tune if note.beat % 4 == 0]
    fits = sum(
        round(note.pitch) % 12 in arrange.melodies.chord_at(score.chords, note.beat).classes
        for note in strong
    )
    assert fits / len(strong) > 0.9
    assert max(abs(leap) for leap in arrange.melodies.leaps(score.tune)) <= 16
    last = score.tune[-1]
    assert last.pitch % 12 == read.tonic
    assert any(part.role == "bass" for part in score.parts)


def test_motifs_return_in_a_section() -> None:
    _, score = _scored({"POP": "", "HAPPY": ""})
    section = score.sections[1]
    bars = [
        tuple(
            round(note.beat - section.beat - 4 * bar, 3)
            for note in score.tune
            if 0 <= note.beat - section.beat - 4 * bar < 4
        )
        for bar in range(section.bars)
    ]
    assert bars[0] == bars[2] == bars[4]
    assert len(set(bars)) >= 2


def test_voices_move_little_from_chord_to_chord() -> None:
    _, score = _scored({"CLASSIC": "", "SAD": ""})
    voices = arrange.backing.voices(score.chords, 50, 72, 3)
    moves = [
        abs(b - a)
        for before, after in itertools.pairwise(voices)
        for a, b in zip(before, after, strict=True)
    ]
    assert np.mean(moves) < 2.5
    assert max(moves) <= 7


def test_styles_and_words_change_tempo_mode_and_players() -> None:
    quick, _ = _scored({"ROCK": "", "EXCITED": ""})
    slow, score = _scored({"CLASSIC": "", "SAD": "", "STRINGS": ""})
    assert quick.tempo > slow.tempo + 30
    assert (quick.mode, slow.mode) == ("major", "minor")
    assert not {"kick", "snare"} & {part.role for part in score.parts}
    assert "violin" in {part.instrument for part in score.parts}
    told, _ = _scored({}, description="a piece in D minor at 120 bpm")
    assert (told.tempo, told.key) == (120.0, "D minor")
    words, _ = _scored({}, description="gentle jazz with a zeppelin")
    assert words.genre_name == "JAZZ"
    assert words.words_ignored == ("zeppelin",)


def test_a_waltz_has_three_beats_and_jazz_swings() -> None:
    read, score = _scored({"CLASSIC": "", "HAPPY": ""}, description="a waltz")
    assert read.meter == 3
    assert score.sections[1].beat == 3 * score.sections[0].bars
    swung = Clock(120, 16, swing=0.66)
    assert swung.seconds(0.5) == pytest.approx(0.33)
    assert swung.seconds(1) == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    note = Part("lead", "guitar", tuple(Note(i, 1, 60 + i, 0.7) for i in range(4)), -20)

    def played(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        return mixing.play(note, Clock(120, 8), 4 * RATE, rng, lambda _: None).tobytes()

    assert played(1) == played(1) != played(2)
    tunes = [_scored({"POP": "", "WARM": ""}, seed)[1].tune for seed in (1, 1, 2)]
    assert tunes[0] == tunes[1] != tunes[2]


@pytest.mark.parametrize("name", sorted(mixing.INSTRUMENTS))
def test_instruments_begin_and_end_without_a_click(name: str) -> None:
    for pitch in (40, 64, 84):
        sound = mixing.INSTRUMENTS[name](pitch, 0.3, 0.8, np.random.default_rng(1))
        mono = sound if sound.ndim == 1 else sound.mean(axis=1)
        peak = np.abs(mono).max()
        assert np.isfinite(mono).all()
        assert 0.05 < peak < 3
        assert abs(mono[0]) < 0.1 * peak
        assert abs(mono[-1]) < 0.01 * peak


@pytest.mark.parametrize("name", ["piano", "guitar", "harp", "violin", "flute", "bass", "cello"])
@pytest.mark.parametrize("pitch", [45, 57, 69])
def test_instruments_are_in_tune(name: str, pitch: int) -> None:
    sound = mixing.INSTRUMENTS[name](pitch, 0.9, 0.7, np.random.default_rng(1))
    mono = (sound if sound.ndim == 1 else sound.mean(axis=1))[4800:38400]
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 1 << 19))
    hz = np.fft.rfftfreq(1 << 19, 1 / RATE)
    wanted = 440 * 2 ** ((pitch - 69) / 12)
    near = np.abs(hz / wanted - 1) < 0.03
    found = hz[near][spectrum[near].argmax()]
    assert abs(1200 * np.log2(found / wanted)) < 6


def test_tones_joined_in_a_part_make_no_jumps() -> None:
    notes = tuple(Note(i / 2, 0.5, 60 + i % 5, 0.8) for i in range(16))
    for name in ("piano", "strings", "organ", "flute", "bass", "pad", "epiano"):
        part = Part("lead", name, notes, -20)
        sound = mixing.play(part, Clock(120, 8), 5 * RATE, np.random.default_rng(1), lambda _: None)
        assert np.abs(np.diff(sound, axis=0)).max() < 0.35 * np.abs(sound).max()


def test_the_limiter_keeps_peaks_below_its_ceiling_and_leaves_the_rest() -> None:
    time = np.arange(RATE) / RATE
    quiet = 0.3 * np.sin(2 * np.pi * 220 * time)
    loud = quiet * np.where((time > 0.4) & (time < 0.5), 6, 1)
    limited = mixing.limited(np.stack([loud, loud], axis=1).astype(np.float32), 0.8)
    assert np.abs(limited).max() <= 0.8
    assert limited[: RATE // 4, 0] == pytest.approx(quiet[: RATE // 4], abs=1e-3)


def _clicks(path: Path, tempo: float) -> Path:
    """Ten seconds of E flat major chords struck at a tempo."""
    sound = np.zeros((10 * RATE, 2), np.float32)
    time = np.arange(RATE // 3) / RATE
    for number in range(int(10 * tempo / 60) - 1):
        start = round(number * 60 / tempo * RATE)
        tones = ((63, 67, 70), (68, 72, 75), (70, 74, 77), (63, 67, 70))[number // 4 % 4]
        chord = sum(np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in tones)
        sound[start : start + len(time)] += (chord * np.exp(-time * 9) * 0.2)[:, None]
    sounds.write_mp3(sound, path)
    return path


def test_a_reference_gives_its_tempo_and_key(tmp_path: Path) -> None:
    heard = listening.listen(sounds.read(_clicks(tmp_path / "clicks.mp3", 96)))
    assert heard.tempo == pytest.approx(96, abs=1.5)
    assert (harmony.NAMES[heard.tonic], heard.mode) == ("E♭", "major")
    quick, _ = _scored({"POP": ""}, description="at 100 bpm")
    slow, _ = _scored({"RNB": "", "SAD": ""}, description="at 62 bpm")
    taken = [music._taken_over(one, listening.Heard(124.0, 3, "minor")) for one in (quick, slow)]
    assert [one.tempo for one in taken] == [124.0, 62.0], "a beat is counted as the genre would"
    assert {one.key for one in taken} == {"E♭ minor"}


def test_a_broken_reference_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"no sound at all")
    given = Input(
        "music-generate",
        "SYNTH",
        {"type": "ONLY_MUSIC", "description": "x"},
        {"reference_audio": [tmp_path / "broken.mp3"]},
    )
    with pytest.raises(BadInput, match="send an mp3"):
        list(Synth().run(given, Progress(tmp_path)))


def test_cancel_ends_a_piece(tmp_path: Path) -> None:
    with pytest.raises(Canceled):
        list(Synth().run(_asked(description="rock"), Progress(tmp_path, cancel_at=0.1)))
    assert not list(tmp_path.iterdir())
