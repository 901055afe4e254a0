"""Drums and cymbals: swept sines for skins, bands of noise and clashing partials for metal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darkroom.engine.backends.synth.tones import (
    RATE,
    Random,
    Wave,
    count,
    dying,
    noise,
    read,
    ring,
    soften,
    table,
    turns,
)


def _skin(hz: float, drop: float, fall: float, seconds: float) -> Wave:
    """A skin struck: a sine that starts `drop` times higher and settles within `fall` seconds."""
    length = count(seconds)
    time = np.arange(length) / RATE
    phase = turns(hz * (1 + drop * np.exp(-time / fall)), length)
    return read(table([1.0]), phase + 0.25) * dying(length, seconds)


def _hiss(seconds: float, low: float, high: float, rng: Random, *, fall: float = 0.0) -> Wave:
    length = count(seconds)
    return noise(length, low, high, rng) * dying(length, fall or seconds)


def _mixed(*waves: Wave) -> Wave:
    """Waves of different lengths from the same start on."""
    whole = np.zeros(max(len(wave) for wave in waves), np.float32)
    for wave in waves:
        whole[: len(wave)] += wave
    rise = count(0.0008)
    whole[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return soften(whole)


def kick(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A bass drum: a thump at 52 Hz and the beater's click."""
    click = _hiss(0.012, 1200, 6000, rng) * np.float32(0.35 * velocity)
    return _mixed(np.tanh(_skin(52, 3.2, 0.028, 0.42) * np.float32(1.5)), click) * np.float32(
        velocity
    )


def snare(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A snare drum: two modes of the skin, and wires that hiss longer when struck harder."""
    skins = [_skin(185, 0.5, 0.012, 0.16) * 0.6, _skin(330, 0.3, 0.01, 0.11) * 0.3]
    wires = _hiss(0.17 + 0.09 * velocity, 1400, 9000, rng) * np.float32(0.5 + 0.4 * velocity)
    return _mixed(*skins, wires) * np.float32(velocity)


def clap(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """Several hands, not quite together."""
    sound = np.zeros(count(0.32), np.float32)
    for lag, loud in ((0.0, 0.7), (0.011, 0.6), (0.023, 0.8), (0.031, 1.0)):
        hands = _hiss(0.02 if lag < 0.03 else 0.26, 900, 4500, rng) * np.float32(loud)
        start = count(lag)
        sound[start : start + len(hands)] += hands[: len(sound) - start]
    return _mixed(sound) * np.float32(velocity)


_METAL = np.array([1.0, 1.342, 1.483, 1.932, 2.546, 2.631])


def _metal(base: float, seconds: float, rng: Random, spread: Sequence[float] = (1, 2.1)) -> Wave:
    """Clashing partials of a plate of metal."""
    partials = np.concatenate([base * one * _METAL for one in spread])
    levels = rng.uniform(0.4, 1, len(partials)) / len(partials)
    decays = seconds * rng.uniform(0.5, 1, len(partials))
    return ring(partials, levels, decays, count(seconds), rng.uniform(0, 6, len(partials)))


def hat(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A closed hi-hat."""
    length = 0.05 + 0.05 * velocity
    return _mixed(
        _hiss(length, 6500, 14_000, rng), _metal(3900, length, rng) * np.float32(0.5)
    ) * np.float32(velocity)


def pedal(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A hi-hat shut by the foot."""
    return _mixed(_hiss(0.06, 4500, 11_000, rng)) * np.float32(velocity)


def ride(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A ride cymbal: the stick's ping over a shimmer."""
    ping = _metal(2900, 0.5, rng, (1,)) * np.float32(0.9)
    return _mixed(
        ping, _hiss(0.9, 5200, 12_000, rng) * np.float32(0.22), _hiss(0.012, 3000, 9000, rng)
    ) * np.float32(velocity)


def crash(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A crash cymbal."""
    wash = _hiss(2.2, 2500, 13_000, rng, fall=2.0)
    return _mixed(wash, _metal(2100, 1.4, rng) * np.float32(0.5)) * np.float32(velocity)


def brush(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A brush drawn over a snare: a breath of noise that swells and goes."""
    length = count(0.38)
    swirl = np.sin(np.linspace(0, np.pi, length, dtype=np.float32)) ** 2
    stroke = noise(length, 1800, 7500, rng) * swirl
    tap = _hiss(0.08, 1500, 6500, rng) * np.float32(velocity**2)
    return _mixed(stroke * np.float32(0.5), tap) * np.float32(velocity)


def shaker(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A shaker: grains that rush and stop."""
    length = count(0.09)
    rush = np.sin(np.linspace(0, np.pi, length, dtype=np.float32)) ** 2
    return _mixed(noise(length, 5000, 12_000, rng) * rush) * np.float32(velocity)


def tambourine(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A tambourine's jingles."""
    return _mixed(
        _metal(5200, 0.3, rng) * np.float32(0.8), _hiss(0.16, 6000, 14_000, rng)
    ) * np.float32(velocity)


def drum(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A large hand drum."""
    slap = _hiss(0.02, 500, 3000, rng) * np.float32(0.3 * velocity)
    return _mixed(_skin(78, 0.9, 0.03, 0.5), slap) * np.float32(velocity)


def conga(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A conga: open when loud, a slap when soft."""
    hz = 205 if velocity > 0.6 else 262
    slap = _hiss(0.025, 900, 5000, rng) * np.float32(0.35)
    return _mixed(_skin(hz, 0.25, 0.02, 0.25), slap) * np.float32(velocity)


def timpani(pitch: float, seconds: float, velocity: float, rng: Random) -> Wave:
    """A kettledrum, tuned: its ring modes at 1, 1.5, 1.98 and 2.44 times the tone."""
    base = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    tone = ring(
        base * np.array([1, 1.5, 1.98, 2.44]), [1, 0.5, 0.3, 0.15], [2.0, 1.4, 1, 0.6], count(1.6)
    )
    felt = _hiss(0.05, 80, 700, rng) * np.float32(0.5)
    return _mixed(tone, felt) * np.float32(velocity)
