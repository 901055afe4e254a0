"""Plucked instruments: guitars, harp and basses, by Karplus and Strong's string."""

from __future__ import annotations

import numpy as np

from darkroom.engine.backends.synth.tones import (
    RATE,
    Curve,
    Random,
    Wave,
    count,
    dying,
    equalize,
    hertz,
    let_go,
    noise,
    read,
    ring,
    table,
    turns,
)


def string(pitch: float, seconds: float, decay: float, bright: float, rng: Random) -> Wave:
    """A plucked string: a burst of noise that runs round a loop and loses its highs each turn.

    Karplus and Strong, Computer Music Journal 7(2), 1983. `decay` is seconds until 60 dB down at
    the fundamental; `bright` 0 to 1. A loop has a whole number of samples, so the sound is made a
    little off pitch and then read at the speed that puts it right.
    """
    base = hertz(pitch)
    size = max(8, round(RATE / base - 0.5))
    speed = base * (size + 0.5) / RATE
    rounds = int(seconds * base * speed) + 3
    # A soft pick has fewer highs; a comb for the place where it plucks.
    spectrum = np.fft.rfft(rng.uniform(-1, 1, size))
    hz = np.arange(len(spectrum)) * base
    burst = np.fft.irfft(spectrum * np.exp(-((hz / (900 + 4200 * bright)) ** 2) / 2), size)
    burst = burst - np.roll(burst, max(1, size // 6))
    burst /= max(float(np.abs(burst).max()), 1e-9)
    loss = 10 ** (-3 / (decay * base))
    loop = np.empty((rounds, size), np.float64)
    loop[0] = burst - burst.mean()
    for turn in range(1, rounds):
        last = loop[turn - 1]
        before = loop[turn - 2][-1] if turn > 1 else last[-1]
        loop[turn, 1:] = (last[1:] + last[:-1]) * (0.5 * loss)
        loop[turn, 0] = (last[0] + before) * (0.5 * loss)
    flat = loop.reshape(-1)
    places = np.arange(int((len(flat) - 2) / speed)) * speed
    whole = places.astype(np.int64)
    part = places - whole
    sound = np.asarray(flat[whole] * (1 - part) + flat[whole + 1] * part, np.float32)
    rise = count(0.001)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return sound


def guitar(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """An acoustic guitar: the string, and the body that answers around 110 and 220 Hz."""
    held = max(seconds, 0.35)
    sound = string(pitch, held + 0.25, 4.5 - (pitch - 40) * 0.05, 0.35 + 0.45 * velocity, rng)
    body = ring([108, 212, 405], [0.5, 0.35, 0.12], [0.16, 0.12, 0.08], min(len(sound), 9000))
    sound[: len(body)] += body * np.float32(0.13 * velocity)
    return let_go(sound, held, 0.2) * np.float32(velocity)


def harp(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A harp: a soft string that rings on."""
    sound = string(pitch, max(seconds, 1.2) + 0.3, 3.5, 0.2 + 0.3 * velocity, rng)
    return let_go(sound, max(seconds, 1.2), 0.3) * np.float32(velocity)


def drive(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """An electric guitar into a hot amplifier: the string squeezed, doubled, through a cabinet."""
    held = max(seconds, 0.15)
    sides = []
    for _ in range(2):
        raw = string(pitch + rng.uniform(-0.04, 0.04), held + 0.12, 7.0, 0.75, rng)
        hot = np.tanh(raw * np.float32(9.0)) * 0.6 + np.tanh(raw * np.float32(2.5)) * 0.4
        sides.append(hot)
    length = min(len(side) for side in sides)
    both = [equalize(side[:length].astype(np.float32), _cabinet, 1024) for side in sides]
    sound = np.stack(both, axis=1)
    rise = count(0.002)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    return let_go(sound, held, 0.08) * np.float32(velocity)


def _cabinet(hz: Curve) -> Curve:
    """What a guitar's loudspeaker lets through: 90 Hz to 4 kHz with a rise at 2 kHz."""
    low = 1 / (1 + (90 / np.maximum(hz, 1)) ** 4)
    high = 1 / (1 + (hz / 3800) ** 6)
    return np.sqrt(low * high) * (1 + 0.6 * np.exp(-(((hz - 2000) / 900) ** 2)))


def bass(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A finger-played electric bass: warm partials, each dying sooner than the one below."""
    base = hertz(pitch)
    number = np.arange(1, 15, dtype=np.float64)
    levels = (
        number**-0.8
        * np.abs(np.sin(np.pi * number * 0.22))
        * np.exp(-number * base / (500 + 900 * velocity))
    )
    length = count(seconds + 0.08)
    sound = ring(base * number, levels, 4.0 / (1 + 0.45 * (number - 1)), length)
    finger = noise(count(0.012), 300, 2400, rng) * dying(count(0.012), 0.015)
    sound[: len(finger)] += finger[: len(sound)] * np.float32(0.2 * velocity)
    rise = min(count(0.004), length)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return let_go(sound, seconds, 0.07) * np.float32(velocity)


def upright(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A double bass, plucked: a dark string with a bloom of wood, sooner gone."""
    base = hertz(pitch)
    number = np.arange(1, 11, dtype=np.float64)
    levels = number**-1.1 * np.exp(-number * base / 420)
    length = count(seconds + 0.15)
    sound = ring(base * number * (1 + 2e-4 * number**2), levels, 2.2 / number**0.6, length)
    wood = ring([62, 98, 172], [0.4, 0.5, 0.25], [0.2, 0.16, 0.09], min(length, 12000))
    sound[: len(wood)] += wood * np.float32(0.3)
    pluck = noise(count(0.02), 400, 1500, rng) * dying(count(0.02), 0.02)
    sound[: len(pluck)] += pluck[: len(sound)] * np.float32(0.22 * velocity)
    rise = min(count(0.006), length)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return let_go(sound, seconds, 0.12) * np.float32(velocity)


def sub(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A deep 808: a sine that drops into its pitch, warmed until small loudspeakers tell it."""
    length = count(seconds + 0.12)
    time = np.arange(length) / RATE
    phase = turns(hertz(pitch) * (1 + 0.9 * np.exp(-time * 45)), length)
    sound = np.tanh(read(table([1.0]), phase) * dying(length, 2.6) * np.float32(1.9))
    rise = min(count(0.003), length)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return let_go(sound.astype(np.float32), seconds, 0.1) * np.float32(velocity)
