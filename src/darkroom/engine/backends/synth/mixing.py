"""The mix: every part played, placed, put in one room, and mastered to one loudness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.synth.players import INSTRUMENTS
from darkroom.engine.backends.synth.score import Clock, Note, Part, Score
from darkroom.engine.backends.synth.tones import (
    RATE,
    Curve,
    Random,
    Wave,
    convolve,
    count,
    equalize,
    stretched,
)
from darkroom.engine.backends.synth.words import listed

Progress = Callable[[float], None]
# A quiet moment before the first tone, and room for the last one to die away.
LEAD_IN = 0.12
TAIL = 3.2
_FADE = 2.6
_RMS_DB = -16.0
# A coder of MP3 may overshoot a peak by a decibel, and -1 dB is to be kept.
_CEILING = 10 ** (-2.2 / 20)
_PERCUSSION = listed(
    "kick snare clap hat ride pedal brush shaker tambourine drum conga crash timpani"
)
# A drum is struck a little differently each time; so many times are made and taken in turn.
_TAKES = 3


def mix(score: Score, rng: Random, progress: Progress, voice: Wave | None = None) -> Wave:
    """Returns the piece, float32 (samples, 2), mastered; `voice` (samples, 2) is laid over it.

    `progress` hears 0 to 1.
    """
    clock = score.clock
    length = count(LEAD_IN + clock.seconds(clock.beats) + TAIL)
    dry, sent = np.zeros((length, 2), np.float32), np.zeros((length, 2), np.float32)
    duck = _ducking(score, length)
    share = 0.8 / len(score.parts)
    for number, part in enumerate(score.parts):
        stem = play(part, clock, length, rng, _part_of(progress, number * share, share))
        if part.ducked:
            stem *= (1 - part.ducked * (1 - duck))[:, None].astype(np.float32)
        dry += stem
        sent += stem * np.float32(part.echo)
    if voice is not None:
        stem = levelled(_fitted(voice, length), -17.5)
        dry += stem
        sent += stem * np.float32(0.24)
    ride = _riding(score, length)[:, None]
    dry *= ride
    sent *= ride
    progress(0.82)
    wet = room(sent, rng, 2.4 if score.clock.swing == 0.5 else 1.5, _part_of(progress, 0.82, 0.08))
    return master(dry + wet, _part_of(progress, 0.9, 0.1))


def _part_of(progress: Progress, start: float, share: float) -> Progress:
    return lambda at: progress(start + share * at)


def _fitted(wave: Wave, length: int) -> Wave:
    fitted = np.zeros((length, 2), np.float32)
    fitted[: min(length, len(wave))] = wave[:length]
    return fitted


def play(part: Part, clock: Clock, length: int, rng: Random, progress: Progress) -> Wave:
    """One part as sound, float32 (length, 2), at its level and place.

    Tones of the same pitch, length and force are made once; a player is never quite on the beat.
    """
    stem = np.zeros((length, 2), np.float32)
    made: dict[tuple[float, ...], Wave] = {}
    is_drum = part.instrument in _PERCUSSION
    jitter = 0.003 if is_drum else 0.007
    left, right = np.cos((part.pan + 1) * np.pi / 4), np.sin((part.pan + 1) * np.pi / 4)
    sides = np.array([left, right], np.float32) * np.float32(2**0.5)
    for number, note in enumerate(part.notes):
        if number % 4 == 0:
            progress(number / len(part.notes))
        at = LEAD_IN + clock.seconds(note.beat) + float(np.clip(rng.normal(0, jitter), -0.02, 0.02))
        force = float(np.clip(note.velocity * rng.uniform(0.92, 1.08), 0.05, 1.0))
        wave = _tone(part, note, clock, (force, number % _TAKES if is_drum else 0), made)
        start = max(count(max(at, 0)) - 1, 0)
        piece = wave[: length - start]
        stem[start : start + len(piece)] += piece
    # A part that is played softly shall stay soft.
    force = sum(note.velocity for note in part.notes) / len(part.notes)
    return levelled(stem * sides, part.level + 20 * float(np.log10(force / 0.7)))


def _tone(
    part: Part,
    note: Note,
    clock: Clock,
    how: tuple[float, int],
    made: dict[tuple[float, ...], Wave],
) -> Wave:
    force, take = how
    # Lengths are rounded to a tenth of a second or so, forces to eighths: fewer tones to make.
    seconds = clock.seconds(note.beat + note.beats) - clock.seconds(note.beat)
    seconds = max(0.05, round(seconds * 16) / 16 if seconds > 0.25 else round(seconds * 40) / 40)
    force = max(1, round(force * 8)) / 8
    key = (note.pitch, seconds, force, take)
    if part.instrument in _PERCUSSION and part.instrument != "timpani":
        key = (0.0, 0.0, force, take)
    if key not in made:
        # The tone's own chance hangs on what it is, not on what was played before it.
        chance = np.random.default_rng([int(one * 1000) for one in key])
        pitch = note.pitch if note.pitch else 43.0
        wave = INSTRUMENTS[part.instrument](pitch, seconds, force, chance)
        made[key] = wave if wave.ndim == 2 else np.repeat(wave[:, None], 2, axis=1)
    return made[key]


def levelled(stem: Wave, level: float) -> Wave:
    """The stem at so many dB where it plays: silence and the quietest moments do not count."""
    size = RATE // 5
    blocks = np.square(stem[: len(stem) // size * size]).reshape(-1, size * 2).mean(axis=1)
    if not len(blocks) or not blocks.max():
        return stem
    heard = blocks[blocks > blocks.max() * 0.01]
    gain = 10 ** (level / 20) / float(np.sqrt(heard.mean()))
    return np.asarray(stem * np.float32(gain), np.float32)


def _ducking(score: Score, length: int) -> Curve:
    """Between 0 and 1: down at each kick, back up within a quarter of a second."""
    curve = np.ones(length)
    fall = count(0.006)
    shape = np.concatenate(
        [np.linspace(1, 0, fall), 1 - np.cos(np.linspace(0, np.pi / 2, count(0.24)))]
    )
    for part in score.parts:
        if part.role == "kick":
            for note in part.notes:
                start = max(count(LEAD_IN + score.clock.seconds(note.beat)) - fall, 0)
                end = min(start + len(shape), length)
                curve[start:end] = np.minimum(curve[start:end], shape[: end - start])
    return curve


def _riding(score: Score, length: int) -> Wave:
    """The hand on the fader: quieter sections up to 3 dB below the fullest one."""
    fullest = max(section.energy for section in score.sections)
    places: list[float] = []
    gains: list[float] = []
    for section in score.sections:
        gain = 10 ** (-6.0 * (fullest - section.energy) / 20)
        for beat in (section.beat + 0.2, section.beat + section.bars * score.clock.meter - 0.5):
            places.append((LEAD_IN + score.clock.seconds(beat)) * RATE)
            gains.append(max(gain, 10 ** (-3 / 20)))
    return np.interp(np.arange(length), places, gains).astype(np.float32)


def room(sent: Wave, rng: Random, seconds: float, progress: Progress = lambda _: None) -> Wave:
    """A room's answer, float32 as long as `sent`: early echoes, then a tail whose highs die first.

    Left and right have tails of their own; nothing below 180 Hz goes in.
    """
    length = count(seconds)
    time = np.arange(length) / RATE
    sound = np.empty_like(sent)
    for side in (0, 1):
        progress(side / 2)
        noise = rng.standard_normal(length)
        dull = equalize(noise.astype(np.float32), lambda hz: 1 / (1 + (hz / 2200) ** 2), 1024)
        clear = equalize(noise.astype(np.float32), lambda hz: 1 / (1 + (hz / 6500) ** 2), 1024)
        tail = clear * np.exp(-time * 12 / seconds) * 0.8 + dull * np.exp(-time * 6.9 / seconds)
        tail *= np.clip((time - 0.018) / 0.03, 0, 1)
        for _ in range(7):
            tail[count(rng.uniform(0.007, 0.06))] += rng.choice([-1, 1]) * 9 * rng.random()
        kernel = (tail / np.sqrt(np.square(tail).sum())).astype(np.float32)
        progress(side / 2 + 0.2)
        send = equalize(sent[:, side], lambda hz: 1 / (1 + (180 / np.maximum(hz, 1)) ** 3), 2048)
        sound[:, side] = convolve(send, kernel)[: len(sent)]
    return sound


def _polish(hz: Curve) -> Curve:
    """Rumble out, a little less mud, a little air."""
    rumble = 1 / np.sqrt(1 + (32 / np.maximum(hz, 0.5)) ** 6)
    mud = 1 - 0.17 * np.exp(-((np.log2(np.maximum(hz, 1) / 290) / 0.8) ** 2))
    harsh = 1 - 0.08 * np.exp(-((np.log2(np.maximum(hz, 1) / 3300) / 0.5) ** 2))
    air = 1 + 0.25 / (1 + (7000 / np.maximum(hz, 1)) ** 2)
    return rumble * mud * harsh * air


def master(sound: Wave, progress: Progress) -> Wave:
    """The mix made ready: equalised, brought to -16 dB, limited to -2.2 dB, faded out."""
    for side in (0, 1):
        progress(0.25 * side)
        sound[:, side] = equalize(sound[:, side], _polish)
    for number in range(3):
        # Limiting takes some loudness, so it may take a few rounds to arrive.
        missing = _RMS_DB - sounds.loudness(sound)
        if abs(missing) < 0.1:
            break
        progress(0.5 + 0.1 * number)
        sound = limited(sound * np.float32(10 ** (missing / 20)))
    edge, fade = count(0.02), min(count(_FADE), len(sound))
    sound[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)[:, None]
    sound[-fade:] *= (np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2)[:, None]
    progress(1.0)
    return sound


def limited(sound: Wave, ceiling: float = _CEILING) -> Wave:
    """The sound with no peak over `ceiling`: turned down ahead of each peak, and slowly back up."""
    size = 96
    whole = np.pad(sound, ((0, -len(sound) % size), (0, 0)))
    # The sound is a row of blocks; each block's peak counts, left or right.
    peaks = np.abs(whole).reshape(-1, 2 * size).max(axis=1)
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    # The lowest of what lies within 8 blocks (16 ms) around, smoothed over as long.
    reach = 8
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(wanted, reach, mode="edge"), 2 * reach + 1
    )
    lowest = np.pad(around.min(axis=1), reach, mode="edge")
    smooth = np.convolve(lowest, np.hanning(2 * reach + 3)[1:-1] / (reach + 1), mode="valid")
    # Within a block the gain moves in a straight line.
    edges = (np.append(smooth[0], smooth) + np.append(smooth, smooth[-1])) / 2
    whole *= stretched(np.asarray(edges, np.float32), size)[:, None]
    return np.clip(whole[: len(sound)], -ceiling, ceiling, dtype=np.float32)
