"""Struck instruments: piano, electric piano, bells, kalimba: sums of dying partials."""

from __future__ import annotations

import numpy as np

from darkroom.engine.backends.synth.tones import (
    RATE,
    Random,
    Wave,
    count,
    dying,
    hertz,
    let_go,
    noise,
    read,
    ring,
    table,
    turns,
)


def piano(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A grand: two strings a tone, stiff (so sharp) partials, a hammer, a damper; (samples, 2).

    Partial n of a stiff string lies at n·f·sqrt(1 + B·n²) (Fletcher, Blackham and Stratton 1962).
    A harder blow brings out the upper partials.
    """
    base = hertz(pitch)
    number = np.arange(1, int(min(30, 11_000 / base)) + 1, dtype=np.float64)
    stiffness = 7e-5 * 2 ** ((pitch - 48) / 14)
    partials = base * number * np.sqrt(1 + stiffness * number**2)
    # The hammer strikes an eighth of the string from its end: every eighth partial is weak.
    levels = np.abs(np.sin(np.pi * number / 8.2)) + 0.06
    levels *= number**-0.9 * np.exp(-number * base / (900 + 5200 * velocity**1.5))
    decay = 11.0 * 2 ** (-(pitch - 36) / 15) / (1 + 0.22 * (number - 1))
    length = min(count(seconds + 0.35), count(float(decay[0]) * 0.8))
    sides = []
    for side in (-1, 1):
        # Two strings a little apart beat; one dies soon, one sings on: a piano's double decay.
        spread = 1 + side * 0.00025
        phases = rng.random(len(number)) * 0.6
        sound = ring(
            np.concatenate([partials * spread, partials * (spread + 0.0004)]),
            np.concatenate([levels * 0.7, levels * 0.5]),
            np.concatenate([decay * 0.35, decay]),
            length,
            np.concatenate([phases, phases]),
        )
        sides.append(sound)
    knock = noise(count(0.03), 250, 1800 + 2500 * velocity, rng) * dying(count(0.03), 0.03)
    sound = np.stack(sides, axis=1)
    knock = knock[: len(sound)]
    sound[: len(knock)] += (knock * 0.12 * velocity)[:, None]
    rise = min(count(0.0015), len(sound))
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    return let_go(sound, seconds, 0.3) * np.float32(velocity**1.3)


def epiano(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """An electric piano: a tine's sine bent by a second one (FM), a bell at the start; stereo.

    The tremolo swings from side to side.
    """
    length = count(seconds + 0.25)
    base = hertz(pitch)
    phase = turns(base, length)
    bend = dying(length, 2.2) * np.float32(0.35 + 1.1 * velocity**1.5)
    sine = table([1.0])
    body = read(sine, phase + bend * 0.16 * read(sine, phase))
    bell = ring([base * 7.02, base * 14.1], [0.16, 0.05], [0.5, 0.25], length)
    sound = (body * dying(length, 5.0) + bell * np.float32(velocity**2)) * np.float32(velocity**1.2)
    swing = 0.22 * np.sin(2 * np.pi * 4.6 * np.arange(length) / RATE + rng.random())
    sides = np.stack([sound * (1 - swing), sound * (1 + swing)], axis=1).astype(np.float32)
    rise = count(0.002)
    sides[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    return let_go(sides, seconds, 0.2)


def bells(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A glockenspiel: the few partials of a struck bar, far apart, ringing on."""
    base = hertz(pitch)
    ratios = np.array([1.0, 2.756, 5.404, 8.93])
    levels = np.array([1.0, 0.28, 0.12, 0.05]) * np.array([1, velocity, velocity, velocity])
    length = count(min(max(seconds, 0.9), 2.5))
    sound = ring(base * ratios, levels, np.array([2.6, 1.1, 0.5, 0.25]), length)
    return let_go(sound, len(sound) / RATE - 0.1, 0.1) * np.float32(velocity)


def kalimba(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A thumb piano: a round tone with a tick of metal and wood."""
    base = hertz(pitch)
    length = count(min(max(seconds, 0.5), 1.4))
    levels = np.array([1.0, 0.12, 0.3, 0.08])
    sound = ring(base * np.array([1, 2.0, 5.6, 9.1]), levels, [1.5, 0.7, 0.22, 0.1], length)
    tick = noise(count(0.02), 900, 5000, rng) * dying(count(0.02), 0.02)
    sound[: len(tick)] += tick * np.float32(0.25 * velocity)
    return let_go(sound, len(sound) / RATE - 0.08, 0.08) * np.float32(velocity)
