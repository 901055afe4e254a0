"""The synthesiser sings: words become syllables, syllables tones, tones a voice with vowels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from darkroom.engine.backends.synth import arrange, brief, lyrics, music, phonemes, singer
from darkroom.engine.backends.synth.phonemes import Syllable
from darkroom.engine.backends.synth.score import Clock, Note
from darkroom.engine.backends.synth.tones import RATE

ROOMS = {"A": 4, "B": 4, "A'": 2, "B'": 4}


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("sea", "si"), ("night", "nYt"), ("home", "hom"), ("rain", "ren"), ("singing", "sININ"),
        ("shine", "SYn"), ("love", "lVv"), ("city", "sItI"), ("I", "Y"), ("knee", "ni"),
    ],
)  # fmt: skip
def test_words_are_read_by_rules(word: str, sounds: str) -> None:
    assert phonemes.sounds_of(word) == sounds


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("A calm evening by the sea", 8), ("And I can hear it everywhere", 9),
        ("Zürich, déjà vu!", 5), ("海边的夜晚", 5), ("4 2", 2), ("…", 0),
    ],
)  # fmt: skip
def test_lines_have_their_syllables(line: str, count: int) -> None:
    assert len(phonemes.syllables(line)) == count


def test_it_knows_which_letters_it_can_read() -> None:
    assert phonemes.is_readable("Déjà vu — 99 Luftballons!")
    assert not phonemes.is_readable("海边的夜晚")


def test_written_lyrics_rhyme_speak_of_the_description_and_change_with_the_seed() -> None:
    def written(seed: int) -> lyrics.Lyrics:
        rng = np.random.default_rng(seed)
        return lyrics.write("A calm evening by the harbour", ROOMS, rng, is_bright=True)

    first = written(1)
    assert first.text.startswith("[Verse]\n")
    assert first.text.count("[Chorus]") == 2
    assert "harbour" in first.text
    assert first.lines["B"] == first.lines["B'"]
    assert {name: len(lines) for name, lines in first.lines.items()} == ROOMS
    assert first == written(1)
    assert first.text != written(2).text
    assert lyrics.things("A calm evening by the sea, soft jazz") == ["evening", "sea"]


def test_given_lyrics_are_divided_and_what_finds_no_room_is_counted() -> None:
    given = "[Verse 1]\n" + "\n".join(f"line number {n}" for n in range(9)) + "\n[Chorus]\nla la la"
    found = lyrics.divide(given, ROOMS)
    assert found.lines["A"] == tuple(f"line number {n}" for n in range(4))
    assert found.lines["B"] == found.lines["B'"] == ("la la la",)
    assert found.lines["A'"] == ("line number 4", "line number 5")
    assert found.lines_left_out == 3
    long = lyrics.divide("one two three four five six seven eight nine ten " * 2, ROOMS)
    assert len(long.lines["A"]) > 1
    assert lyrics.divide("!!!", ROOMS).lines["A"]


@pytest.mark.parametrize("gender", ["f", "m"])
def test_each_syllable_has_a_tone_in_the_voices_range(gender: str) -> None:
    voice = singer.VOICES[gender]
    rng = np.random.default_rng(2)
    read = brief.read("pop", {"POP": "", "HAPPY": ""}, rng)
    counts = {"A": (8, 8, 10, 7), "B": (9, 9, 12, 9), "B'": (9, 9)}
    score = arrange.arrange(read, rng, arrange.Song(counts, voice.low, voice.high))
    assert [len(line) for line in score.sung] == [8, 8, 10, 7, 9, 9, 12, 9, 9, 9]
    onsets = [[note.beat - line[0].beat for note in line] for line in score.sung]
    assert onsets[0] == onsets[1], "lines of one length share their rhythm"
    for line, above in zip(score.sung, score.above, strict=True):
        assert all(voice.low <= note.pitch <= voice.high for note in line)
        assert all(b.beat > a.beat for a, b in itertools.pairwise(line))
        for note, second in zip(line, above, strict=False):
            assert 3 <= second.pitch - note.pitch <= 7
    closing = score.sung[7][-1]
    assert closing.pitch % 12 == read.tonic


def _sung(vowel: str, gender: str = "m", pitch: float = 48) -> np.ndarray:
    line = [(Note(0, 2, pitch, 0.8), Syllable("", vowel, ""))]
    _, sound = singer.sing(line, Clock(60, 8), singer.VOICES[gender], np.random.default_rng(1))
    return sound[RATE // 2 : RATE * 3 // 2]


def _energy(sound: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float(spectrum[(hz > low) & (hz < high)].sum() / spectrum.sum())


def test_vowels_have_their_formants_and_the_voice_its_pitch() -> None:
    ee, ah, oo = (_sung(one) for one in "iAu")
    assert _energy(ee, 1900, 3300) > 4 * _energy(oo, 1900, 3300)
    assert _energy(ah, 550, 1300) > 3 * _energy(ee, 550, 1300)
    spectrum = np.abs(np.fft.rfft(ah * np.hanning(len(ah))))
    hz = np.fft.rfftfreq(len(ah), 1 / RATE)
    low = (hz > 100) & (hz < 165)
    assert hz[low][spectrum[low].argmax()] == pytest.approx(130.8, rel=0.03)
    harmonic = _energy(ah, 0, 8000) - sum(
        _energy(ah, 130.8 * (n + 0.3), 130.8 * (n + 0.7)) for n in range(1, 20)
    )
    assert harmonic > 0.9, "a tone, not noise"


def test_consonants_are_noise_where_they_belong() -> None:
    line = [(Note(1, 1, 55, 0.8), Syllable("s", "A", ""))]
    begin, sound = singer.sing(line, Clock(60, 8), singer.VOICES["f"], np.random.default_rng(1))
    at = round((1 - 0.06 - begin) * RATE)
    assert _energy(sound[at - 1500 : at + 1500], 4000, 10_000) > 0.8
    assert _energy(sound[at + 12_000 : at + 30_000], 4000, 10_000) < 0.1


def test_a_song_has_a_line_of_sound_for_each_line_of_text() -> None:
    rng = np.random.default_rng(5)
    read = brief.read("pop", {"POP": "", "WARM": ""}, rng)
    words = lyrics.divide("one little star\nthe sea is wide", {"A": 1, "B": 1})
    voice = singer.VOICES["f"]
    score = arrange.arrange(read, rng, music._song(words, voice))
    sound = music._sung(score, words, voice, rng, lambda _: None)
    assert np.isfinite(sound).all()
    levels = []
    for line in score.sung:
        start, end = (score.clock.seconds(line[place].beat) for place in (0, -1))
        part = sound[round(start * RATE) : round((end + 0.5) * RATE)]
        levels.append(float(np.sqrt(np.square(part).mean())))
    assert min(levels) > 0.05
    quiet = sound[: round(score.clock.seconds(score.sung[0][0].beat) * RATE) - RATE // 2]
    assert not len(quiet) or np.abs(quiet).max() < 1e-3
