"""A piece of music from its request: brief, lyrics, score, voice and mix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.synth import arrange, listening, lyrics, mixing, phonemes, singer
from darkroom.engine.backends.synth import brief as briefs
from darkroom.engine.backends.synth.brief import Brief
from darkroom.engine.backends.synth.harmony import NAMES
from darkroom.engine.backends.synth.lyrics import Lyrics
from darkroom.engine.backends.synth.mixing import Progress
from darkroom.engine.backends.synth.score import Score
from darkroom.engine.backends.synth.tones import Curve, Random, Wave, count, equalize


class Piece(msgspec.Struct, frozen=True):
    """A finished piece: float32 (samples, 2) at 48 kHz, what it is called, what is told of it."""

    sound: Wave
    title: str
    brief: Brief
    notes: Mapping[str, Any]


def compose(given: Input, seed: int, progress: Progress) -> Piece:
    """Returns the piece that a music-generate asks for; the same input and seed, the same samples.

    Raises `BadInput` for a reference that cannot be read.
    """
    rng = np.random.default_rng(seed)
    fields = given.fields
    description = str(fields.get("description") or "")
    brief = briefs.read(description, fields.get("styles") or {}, rng)
    notes: dict[str, Any] = {}
    if references := given.files.get("reference_audio"):
        heard = listening.listen(sounds.read(references[0]))
        brief = _taken_over(brief, heard)
        notes["reference"] = _told(heard, brief)
    progress(0.03)
    title = briefs.title(str(fields.get("audio_name") or ""), description, brief, rng)
    words: Lyrics | None = None
    if fields.get("type") == "VOCAL_SONG":
        words = _lyrics(str(fields.get("lyrics") or ""), description, brief, rng)
    voice = singer.VOICES[fields.get("gender") or ("f" if seed % 2 else "m")]
    score = arrange.arrange(brief, rng, _song(words, voice))
    sung: Wave | None = None
    if words is not None:
        sung = _sung(score, words, voice, rng, lambda part: progress(0.03 + 0.25 * part))
        notes |= {"lyrics": words.text, "voice": f"formant voice ({voice.name})"}
        if not phonemes.is_readable(words.text):
            notes["voice"] += "; letters that are not Latin are sung as plain open syllables"
        if words.lines_left_out:
            notes["lyrics_lines_left_out"] = words.lines_left_out
    begun = 0.03 if words is None else 0.28
    sound = mixing.mix(score, rng, lambda part: progress(begun + (1 - begun) * part), sung)
    notes |= {
        "title": title,
        "tempo": round(brief.tempo, 1),
        "key": brief.key,
        "style": ", ".join([brief.genre_name, brief.emotion_name, *brief.instruments]).lower(),
        "form": " ".join(section.name for section in score.sections),
        "instruments": sorted({part.instrument for part in score.parts}),
        "words_used": list(brief.words_used),
        "words_ignored": list(brief.words_ignored),
    }
    return Piece(sound, title, brief, notes)


def _taken_over(brief: Brief, heard: listening.Heard) -> Brief:
    """The brief at the tempo and in the key of a reference."""
    mode = brief.genre.major if heard.mode == "major" else brief.genre.minor
    tempo = brief.tempo
    if heard.tempo is not None:
        # A beat can be counted at half or twice its speed: as the genre would count it.
        counts = [heard.tempo * times for times in (0.5, 1.0, 2.0)]
        tempo = min(counts, key=lambda one: abs(math.log(one / brief.tempo)))
        tempo = min(max(tempo, briefs.TEMPO_MIN), briefs.TEMPO_MAX)
    return msgspec.structs.replace(brief, tempo=tempo, tonic=heard.tonic, mode=mode)


def _told(heard: listening.Heard, taken: Brief) -> str:
    key = f"{NAMES[heard.tonic]} {heard.mode}"
    if heard.tempo is None:
        return f"Its key ({key}) was taken over; no steady beat was heard."
    return f"Its tempo ({taken.tempo:.0f}) and key ({key}) were taken over, nothing else."


def _lyrics(given: str, description: str, brief: Brief, rng: Random) -> Lyrics:
    bars = arrange.bars(brief)
    rooms = {name: bars[name] // 2 for name in lyrics.SUNG}
    if given.strip():
        return lyrics.divide(given, rooms)
    return lyrics.write(description, rooms, rng, is_bright=not brief.is_minor)


def _song(words: Lyrics | None, voice: singer.Voice) -> arrange.Song | None:
    if words is None:
        return None
    counts = {
        name: tuple(len(phonemes.syllables(line)) for line in lines)
        for name, lines in words.lines.items()
        if lines
    }
    return arrange.Song(counts, voice.low, voice.high)


def _lines(score: Score, words: Lyrics) -> Iterator[tuple[singer.Line, singer.Line | None]]:
    """Each line with its tones, and the second voice's where there is one."""
    texts = [line for section in score.sections for line in words.lines.get(section.name, ())]
    for text, notes, above in zip(texts, score.sung, score.above, strict=True):
        found = phonemes.syllables(text)
        line = list(zip(notes, found, strict=False))
        yield line, list(zip(above, found, strict=False)) or None


def _sung(
    score: Score, words: Lyrics, voice: singer.Voice, rng: Random, progress: Progress
) -> Wave:
    length = count(mixing.LEAD_IN + score.clock.seconds(score.clock.beats) + mixing.TAIL)
    sound = np.zeros((length, 2), np.float32)
    for number, (line, above) in enumerate(_lines(score, words)):
        progress(number / len(score.sung))
        begin, part = singer.choir(line, above, score.clock, voice, rng)
        start = count(begin + mixing.LEAD_IN)
        part = part[: length - start]
        sound[start : start + len(part)] += part
    return np.stack([equalize(sound[:, side], _clear) for side in (0, 1)], axis=1)


def _clear(hz: Curve) -> Curve:
    """No thumps below what a voice sings."""
    return 1 / (1 + (110 / np.maximum(hz, 1)) ** 4)
