"""Held instruments: strings, winds, organ and synthesisers, read from moving wavetables."""

from __future__ import annotations

import numpy as np

from darkroom.engine.backends.synth.tones import (
    RATE,
    Curve,
    Random,
    Wave,
    count,
    dying,
    harmonics,
    hertz,
    let_go,
    noise,
    read,
    saw,
    swell,
    table,
    turns,
    vibrato,
)


def _unison(
    pitch: float, length: int, cents: tuple[float, ...], cutoffs: tuple[float, float], rng: Random
) -> tuple[Wave, Wave]:
    """Several detuned saws together, once dark and once bright, each (samples,)."""
    dark, bright = (table(saw(pitch, cutoff), rng) for cutoff in cutoffs)
    sums = np.zeros((2, length), np.float32)
    for cent in cents:
        wave = vibrato(length, 4.6 + rng.random(), 5.0, rng)
        phase = turns(hertz(pitch + cent / 100) * wave, length, rng.random())
        sums[0] += read(dark, phase)
        sums[1] += read(bright, phase)
    return sums[0] / len(cents), sums[1] / len(cents)


def _ensemble(
    pitch: float, length: int, cutoffs: tuple[float, float], opened: Wave, rng: Random
) -> Wave:
    """Detuned saws left and right, `opened` (0 to 1) from dark to bright; (samples, 2)."""
    sides = []
    for cents in ((-9.0, 2.5, 7.0), (-6.5, -2.0, 9.5)):
        dark, bright = _unison(pitch, length, cents, cutoffs, rng)
        sides.append(dark + (bright - dark) * opened)
    return np.stack(sides, axis=1).astype(np.float32)


def strings(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A string section: six players, slow bows, brighter as they press; (samples, 2)."""
    rise = min(0.32, max(seconds * 0.35, 0.06))
    shape = swell(seconds, rise, 0.5, sustain=0.85)
    opened = np.clip(shape * (0.35 + 0.5 * velocity), 0, 1)
    cutoffs = (700.0 + hertz(pitch), 3200.0 + hertz(pitch))
    sound = _ensemble(pitch, len(shape), cutoffs, opened, rng)
    return sound * shape[:, None] * np.float32(velocity)


def violin(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """One bowed string: a saw through a wooden body, vibrato that comes late, a hiss of the bow."""
    shape = swell(seconds, min(0.11, seconds * 0.4), 0.22, sustain=0.8)
    length = len(shape)
    number = harmonics(pitch, 9000)
    hz = number * hertz(pitch)
    # The body's resonances: air near 280 Hz, wood near 460, the bridge hill near 2.5 kHz.
    body = 0.5 + sum(
        gain * np.exp(-(((hz - at) / width) ** 2))
        for at, width, gain in ((280, 70, 0.8), (460, 90, 0.9), (2500, 900, 0.7))
    )
    wave = vibrato(length, 5.6, 17.0, rng)
    scoop = 1 - 0.006 * np.exp(-np.arange(length) / RATE * 28)
    phase = turns(hertz(pitch) * wave * scoop, length)
    sound = read(table(body * number**-1.05, rng), phase)
    bow = noise(length, 1500, 6000, rng) * np.float32(0.035)
    return (sound + bow) * shape * np.float32(velocity)


def cello(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A low bowed string, dark and slow."""
    shape = swell(seconds, min(0.14, seconds * 0.4), 0.3, sustain=0.85)
    length = len(shape)
    number = harmonics(pitch, 4500)
    hz = number * hertz(pitch)
    body = (0.4 + np.exp(-(((hz - 220) / 130) ** 2))) / (1 + (hz / 1300) ** 2)
    phase = turns(hertz(pitch) * vibrato(length, 5.0, 10.0, rng), length)
    return read(table(body * number**-0.9, rng), phase) * shape * np.float32(velocity)


def flute(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A flute: few harmonics that swell with the breath, air around the tone, a chiff to begin."""
    shape = swell(seconds, min(0.07, seconds * 0.3), 0.13, sustain=0.85)
    length = len(shape)
    phase = turns(hertz(pitch) * vibrato(length, 5.1, 9.0, rng, late=0.25), length)
    soft = table([1.0, 0.18, 0.08, 0.02])
    full = table([1.0, 0.5, 0.3, 0.14, 0.07, 0.04])
    breath = np.clip(shape * (0.3 + 0.6 * velocity), 0, 1)
    near, far = read(soft, phase), read(full, phase)
    air = noise(length, hertz(pitch) * 0.9, min(hertz(pitch) * 4, 9000), rng) * np.float32(0.07)
    chiff = np.zeros(length, np.float32)
    edge = min(length, count(0.07))
    chiff[:edge] = noise(edge, 1200, 7000, rng) * dying(edge, 0.07) * np.float32(0.16)
    return ((near + (far - near) * breath + air) * shape + chiff) * np.float32(velocity)


def organ(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A drawbar organ behind a slowly turning loudspeaker; (samples, 2)."""
    shape = swell(seconds, 0.012, 0.06)
    length = len(shape)
    bars = np.zeros(16)
    for place, level in ((1, 0.8), (2, 1.0), (3, 0.6), (4, 0.45), (6, 0.25), (8, 0.3), (16, 0.05)):
        if place * hertz(pitch) / 2 < 12_000:
            bars[place - 1] = level
    turning = 2 * np.pi * 0.9 * np.arange(length) / RATE + rng.random()
    phase = turns(hertz(pitch - 12) * (1 + 0.0016 * np.sin(turning)), length)
    sound = read(table(bars, rng), phase) * shape
    sides = [sound * (1 + side * 0.25 * np.sin(turning)) for side in (-1, 1)]
    return np.stack(sides, axis=1).astype(np.float32) * np.float32(velocity)


def pad(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A wide, slow synthesiser pad whose filter breathes; (samples, 2)."""
    shape = swell(seconds, min(0.6, seconds * 0.4), 0.9)
    length = len(shape)
    breath = 0.35 + 0.3 * np.sin(2 * np.pi * 0.13 * np.arange(length) / RATE + 6 * rng.random())
    opened = (breath * (0.5 + 0.5 * velocity)).astype(np.float32) * shape
    cutoffs = (450.0 + hertz(pitch), 2400.0 + hertz(pitch))
    return _ensemble(pitch, length, cutoffs, opened, rng) * shape[:, None] * np.float32(velocity)


def lead(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A singing synthesiser lead: two saws and a square an octave below, a filter that opens."""
    shape = swell(seconds, 0.008, 0.12, sustain=0.8)
    length = len(shape)
    opened = np.asarray(0.25 + 0.75 * dying(length, 1.6), np.float32) * np.float32(velocity)
    wave = vibrato(length, 5.3, 11.0, rng)
    glide = 1 - 0.02 * np.exp(-np.arange(length) / RATE * 60)
    tables = (table(saw(pitch, 1400), rng), table(saw(pitch, 6500), rng))
    sides = []
    for cent in (-5.0, 5.0):
        phase = turns(hertz(pitch + cent / 100) * wave * glide, length, rng.random())
        dark, bright = (read(one, phase) for one in tables)
        sides.append(dark + (bright - dark) * opened)
    low = read(table(_square(pitch - 12, 1200), rng), turns(hertz(pitch - 12) * wave, length))
    return (np.stack(sides, axis=1) + 0.25 * low[:, None]) * shape[:, None] * np.float32(velocity)


def _square(pitch: float, cutoff: float) -> Curve:
    levels = saw(pitch, cutoff)
    levels[1::2] = 0
    return levels


def pluck(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A short synthesiser pluck: the filter shuts as it dies; (samples, 2)."""
    length = count(min(max(seconds, 0.25), 0.7) + 0.1)
    tables = (table(saw(pitch, 600), rng), table(saw(pitch, 7000), rng))
    opened = dying(length, 0.35) * np.float32(velocity)
    sides = []
    for cent in (-7.0, 7.0):
        phase = turns(hertz(pitch + cent / 100), length, rng.random())
        dark, bright = (read(one, phase) for one in tables)
        sides.append((dark + (bright - dark) * opened) * dying(length, 0.9))
    sound = np.stack(sides, axis=1).astype(np.float32)
    rise = count(0.002)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    return let_go(sound, length / RATE - 0.1, 0.1) * np.float32(velocity)


def synthbass(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A synthesiser bass: a saw and a sine below, a filter that snaps shut."""
    length = count(seconds + 0.06)
    phase = turns(hertz(pitch), length)
    dark, bright = (read(table(saw(pitch, one)), phase) for one in (220, 2200))
    opened = dying(length, 0.4) * np.float32(0.3 + 0.7 * velocity)
    sound = dark + (bright - dark) * opened + 0.7 * read(table([1.0]), phase)
    rise = min(count(0.004), length)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return let_go(np.asarray(sound, np.float32), seconds, 0.05) * np.float32(velocity)


def blip(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """An old game's square wave."""
    shape = swell(seconds, 0.003, 0.03, sustain=0.5)
    phase = turns(hertz(pitch) * vibrato(len(shape), 6.0, 8.0, rng), len(shape))
    return read(table(_square(pitch, 9000)), phase) * shape * np.float32(velocity * 0.8)
