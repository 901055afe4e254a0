"""The sound of a place, made of shaped noise and small tones: surf, wind, rain, birds, a city."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.sounds import RATE, Samples

_LOUDNESS_DB = -20.0
_PEAK = 0.85
_FADE_SECONDS = 0.5
_Wave = npt.NDArray[np.float32]
# How loud each source of a subject is against the others.
_PLACES: Mapping[str, Mapping[str, float]] = {
    "sea": {"surf": 1.0, "wind": 0.22},
    "lake": {"lapping": 0.6, "wind": 0.35},
    "mountains": {"wind": 0.8, "pad": 0.3},
    "forest": {"leaves": 0.6, "wind": 0.2},
    "desert": {"wind": 1.0},
    "city": {"hum": 1.0},
    "flowers": {"leaves": 0.35},
    "field": {"leaves": 0.5, "wind": 0.3},
    "sky": {"wind": 0.6, "pad": 0.5},
    "abstract": {"pad": 1.0},
}


def mix_of(scene: Scene) -> dict[str, float]:
    """Returns which sources a scene has, and how loud each is against the others."""
    mix = dict(_PLACES[scene.subject])
    if scene.subject in ("forest", "lake", "field", "flowers", "mountains"):
        open_air = scene.weather in ("clear", "cloudy", "fog")
        if scene.time in ("night", "dusk") and scene.season != "winter":
            mix["crickets"] = 0.4
        elif open_air and scene.season != "winter" and scene.time not in ("night", "dusk"):
            mix["birds"] = 0.2 if scene.subject == "mountains" else 0.45
    if {"aurora", "milky_way", "stars"} & scene.extras:
        mix["pad"] = max(mix.get("pad", 0.0), 0.6)
    if "birds" in scene.extras:
        mix["gulls" if scene.subject == "sea" else "birds"] = 0.4
    if scene.weather in ("rain", "storm"):
        mix["rain"] = 0.9
    if scene.weather == "storm" or "lightning" in scene.extras:
        mix["wind"] = mix.get("wind", 0.0) + 0.5
        mix["thunder"] = 0.9
    return mix


def ambience(mix: Mapping[str, float], seconds: float, seed: int, progress: Progress) -> Samples:
    """Returns the mixed sources as float32 (samples, 2) at 48 kHz, about -20 dB RMS, faded at both
    ends; the same arguments give the same sound."""
    count = round(seconds * RATE)
    total = np.zeros((count, 2), np.float32)
    for number, (name, weight) in enumerate(sorted(mix.items())):
        progress(number / len(mix))
        # Each source has its own randomness: adding one leaves the others as they are.
        rng = np.random.default_rng([seed, *name.encode()])
        total += _levelled(SOURCES[name](count, rng)) * np.float32(weight)
    return finished(total)


def finished(sound: Samples) -> Samples:
    """Returns a sound at about -20 dB RMS, its peaks bent below full scale, faded at both ends."""
    sound = sound - sound.mean(axis=0, keepdims=True)
    loud = _levelled(sound) * np.float32(10 ** (_LOUDNESS_DB / 20))
    bent = np.float32(_PEAK) * np.tanh(loud / np.float32(_PEAK))
    return faded(np.asarray(bent, np.float32), _FADE_SECONDS)


def faded(sound: Samples, seconds: float) -> Samples:
    """Returns a sound that begins and ends softly, over so many seconds."""
    length = min(round(seconds * RATE), len(sound) // 2)
    if not length:
        return sound
    ramp = (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, length, dtype=np.float32)))[:, None]
    out = sound.copy()
    out[:length] *= ramp
    out[-length:] *= ramp[::-1]
    return out


def _levelled(sound: Samples) -> Samples:
    power = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return np.asarray(sound / np.float32(max(power, 1e-9)), np.float32)


def _noise(
    count: int, rng: np.random.Generator, shape: Callable[[npt.NDArray[np.float64]], _Wave]
) -> Samples:
    """Returns stereo noise with a spectrum: `shape` gives the amplitude at frequencies in Hz."""
    # A power of two transforms fast, and is cut to length.
    size = 1 << max(count - 1, 1).bit_length()
    white = rng.standard_normal((2, size)).astype(np.float32)
    # The sides share half of what they play: wide, but one place.
    white[1] = 0.5 * white[0] + 0.866 * white[1]
    spectrum = np.fft.rfft(white, axis=1)
    frequencies = np.fft.rfftfreq(size, 1 / RATE) + 1e-3
    spectrum *= shape(np.asarray(frequencies, np.float64))
    return np.asarray(np.fft.irfft(spectrum, size, axis=1)[:, :count].T, np.float32)


def _slow(count: int, rng: np.random.Generator, period: float) -> _Wave:
    """Returns a curve 0..1 (count, 1) that wanders over about `period` seconds."""
    points = max(4, int(count / RATE / period * 2) + 4)
    knots = rng.random(points)
    at = np.linspace(0, points - 1.001, count)
    low = at.astype(int)
    share = at - low
    eased = share * share * (3 - 2 * share)
    return np.asarray(knots[low] * (1 - eased) + knots[low + 1] * eased, np.float32)[:, None]


def _band(low: float, high: float, slope: float) -> Callable[[npt.NDArray[np.float64]], _Wave]:
    """Returns a spectrum that passes low..high Hz softly and falls by frequency to a power."""
    return lambda f: np.asarray(f**slope / (1 + (low / f) ** 4) / (1 + (f / high) ** 4), np.float32)


def _surf(count: int, rng: np.random.Generator) -> Samples:
    """Waves that rise, break and run out."""
    body = _noise(count, rng, _band(60, 900, -0.6))
    hiss = _noise(count, rng, _band(700, 9000, -0.35))
    time = np.arange(count, dtype=np.float32)[:, None] / np.float32(RATE)
    swell = np.zeros((count, 1), np.float32)
    foam = np.zeros((count, 1), np.float32)
    at = -float(rng.uniform(1, 5))
    while at < count / RATE:
        strength = float(rng.uniform(0.6, 1.1))
        since = time - np.float32(at)
        rise = np.clip(since / 2.2, 0, 1) ** 2 * np.exp(-np.maximum(since - 2.2, 0) / 1.6)
        late = np.clip((since - 1.7) / 0.9, 0, 1) * np.exp(-np.maximum(since - 2.6, 0) / 2.0)
        swell += strength * rise
        foam += strength * late
        at += float(rng.uniform(3.8, 6.2))
    out = _levelled(body) * (0.25 + swell) + _levelled(hiss) * 0.55 * (0.08 + foam)
    return np.asarray(out, np.float32)


def _wind(count: int, rng: np.random.Generator) -> Samples:
    low = _levelled(_noise(count, rng, _band(40, 320, -0.5)))
    whistle = _levelled(_noise(count, rng, _band(380, 760, 0.0)))
    gust = 0.35 + _slow(count, rng, 3.0) * _slow(count, rng, 1.3)
    return np.asarray(low * gust + whistle * 0.22 * gust**3, np.float32)


def _leaves(count: int, rng: np.random.Generator) -> Samples:
    rustle = _levelled(_noise(count, rng, _band(1400, 7000, -0.4)))
    gust = 0.2 + _slow(count, rng, 2.5) ** 2 + 0.3 * _slow(count, rng, 0.35)
    return np.asarray(rustle * gust, np.float32)


def _lapping(count: int, rng: np.random.Generator) -> Samples:
    water = _levelled(_noise(count, rng, _band(260, 1500, -0.5)))
    beat = _slow(count, rng, 0.45) ** 3 + 0.5 * _slow(count, rng, 1.4) ** 2 + 0.06
    return np.asarray(water * beat, np.float32)


def _rain(count: int, rng: np.random.Generator) -> Samples:
    sheet = _levelled(_noise(count, rng, _band(900, 11000, -0.25)))
    drops = np.zeros((count, 2), np.float32)
    tick = np.exp(-np.arange(220, dtype=np.float32) / 40)
    for _ in range(int(count / RATE * 90)):
        at = int(rng.integers(0, max(1, count - 220)))
        pitch, pan = rng.uniform(0.15, 0.5), float(rng.random())
        drop = tick * np.sin(np.arange(220, dtype=np.float32) * np.float32(pitch))
        drop = drop[: count - at, None] * np.array([[1 - pan, pan]], np.float32)
        drops[at : at + len(drop)] += drop * np.float32(rng.pareto(3) + 0.2)
    return np.asarray(sheet + 0.45 * _levelled(drops), np.float32)


def _thunder(count: int, rng: np.random.Generator) -> Samples:
    rumble = _levelled(_noise(count, rng, _band(25, 170, -0.7)))
    time = np.arange(count, dtype=np.float32)[:, None] / np.float32(RATE)
    rolls = np.full((count, 1), 0.02, np.float32)
    at = float(rng.uniform(0.6, 1.6))
    while at < count / RATE:
        since = time - np.float32(at)
        rolls += np.clip(since / 0.12, 0, 1) * np.exp(-np.maximum(since, 0) / 1.5)
        at += float(rng.uniform(3.0, 6.0))
    return np.asarray(rumble * rolls * (0.5 + _slow(count, rng, 0.2)), np.float32)


def _laid(sound: Samples, at: int, tone: _Wave, pan: float) -> None:
    part = tone[: max(0, len(sound) - at), None] * np.array([[1 - pan, pan]], np.float32)
    sound[at : at + len(part)] += part


def _birds(count: int, rng: np.random.Generator) -> Samples:
    """A few birds, each with its own place and phrase, that answer each other."""
    out = np.zeros((count, 2), np.float32)
    for _ in range(4):
        pan, loud = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.3, 1.0))
        pitch, notes = float(rng.uniform(2400, 4600)), int(rng.integers(2, 6))
        sweep, length = float(rng.uniform(-900, 900)), float(rng.uniform(0.05, 0.14))
        at = float(rng.uniform(0, 2.5))
        while at < count / RATE:
            for note in range(notes):
                time = np.arange(int(length * RATE), dtype=np.float32) / np.float32(RATE)
                share = time / np.float32(length)
                bend = pitch + sweep * share + 260 * np.sin(share * 9 + note)
                phase = 2 * np.pi * np.cumsum(bend) / RATE
                tone = np.sin(phase) * np.sin(np.pi * share) ** 2 * loud
                start = int((at + note * length * 1.5) * RATE)
                if start < count:
                    _laid(out, start, np.asarray(tone, np.float32), pan)
            at += float(rng.uniform(1.2, 4.0))
    return _roomy(out)


def _gulls(count: int, rng: np.random.Generator) -> Samples:
    out = np.zeros((count, 2), np.float32)
    at = float(rng.uniform(0.4, 1.5))
    while at < count / RATE:
        pan, pitch = float(rng.uniform(0.1, 0.9)), float(rng.uniform(900, 1200))
        for cry in range(int(rng.integers(2, 5))):
            time = np.arange(int(0.32 * RATE), dtype=np.float32) / np.float32(0.32 * RATE)
            bend = pitch * (1 + 0.35 * np.sin(np.pi * time**0.6) - 0.3 * time)
            phase = 2 * np.pi * np.cumsum(bend) / RATE
            tone = (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase)) * np.sin(
                np.pi * time
            )
            start = int((at + 0.42 * cry) * RATE)
            if start < count:
                _laid(out, start, np.asarray(tone, np.float32), pan)
        at += float(rng.uniform(2.5, 5.0))
    return _roomy(out)


def _crickets(count: int, rng: np.random.Generator) -> Samples:
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    out = np.zeros((count, 2), np.float32)
    for _ in range(5):
        pitch, pulse = float(rng.uniform(3900, 5200)), float(rng.uniform(26, 34))
        chirp, phase = float(rng.uniform(1.1, 2.4)), float(rng.uniform(0, 6.28))
        beat = np.clip(np.sin(2 * np.pi * pulse * time), 0, 1) ** 2
        song = np.clip(np.sin(2 * np.pi * chirp * time + phase) * 3, 0, 1)
        tone = np.sin(2 * np.pi * pitch * time + phase) * beat * song * rng.uniform(0.3, 1)
        _laid(out, 0, np.asarray(tone, np.float32), float(rng.uniform(0.1, 0.9)))
    return out


def _hum(count: int, rng: np.random.Generator) -> Samples:
    """A city from afar: a low roar, and cars that pass."""
    roar = _levelled(_noise(count, rng, _band(30, 240, -0.6)))
    tyres = _levelled(_noise(count, rng, _band(300, 2200, -0.5)))
    time = np.arange(count, dtype=np.float32)[:, None] / np.float32(RATE)
    out = roar * (0.7 + 0.3 * _slow(count, rng, 2.0)) + tyres * np.float32(0.12)
    at = float(rng.uniform(0, 2))
    while at < count / RATE + 2:
        width, way = float(rng.uniform(0.7, 1.5)), float(rng.choice([-1.0, 1.0]))
        near = np.exp(-(((time - np.float32(at)) / np.float32(width)) ** 2))
        pan = 0.5 + 0.5 * np.tanh(way * (time - np.float32(at)) / np.float32(width))
        out += tyres * near * np.concatenate([1 - pan, pan], axis=1) * np.float32(0.8)
        at += float(rng.uniform(1.0, 3.5))
    return np.asarray(out, np.float32)


def _pad(count: int, rng: np.random.Generator) -> Samples:
    """A soft chord that breathes; after eight seconds it turns to the next."""
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    root = float(rng.choice([110.0, 123.47, 130.81, 98.0]))
    chords = ((0, 7, 12, 16, 19), (-3, 4, 9, 12, 19), (-7, 5, 9, 12, 17), (-5, 2, 7, 14, 19))
    turn, lap = 8.0, 3.0
    out = np.zeros((count, 2), np.float32)
    for number in range(int(count / RATE / turn) + 1):
        since = time - np.float32(number * turn)
        begin = np.clip(since / lap, 0, 1) if number else np.ones_like(time)
        end = np.clip((turn + lap - since) / lap, 0, 1)
        open_share = np.sin(np.pi / 2 * np.minimum(begin, end)).astype(np.float32)
        for step in chords[number % 4]:
            pitch = root * 2 ** (step / 12)
            for detune, pan in ((0.9985, 0.2), (1.0015, 0.8)):
                phase = float(rng.uniform(0, 6.28))
                breath = 0.75 + 0.25 * np.sin(2 * np.pi * 0.11 * time + phase)
                wave = np.sin(2 * np.pi * pitch * detune * time.astype(np.float64) + phase)
                wave = wave + 0.25 * np.sin(4 * np.pi * pitch * detune * time.astype(np.float64))
                tone = wave * breath * open_share / (1 + max(step, 0) / 12)
                _laid(out, 0, np.asarray(tone, np.float32), pan)
    return out


def _roomy(sound: Samples) -> Samples:
    """Returns a sound with a few fading echoes: outdoors, among trees."""
    out = sound.copy()
    for seconds, share in ((0.071, 0.30), (0.113, 0.22), (0.19, 0.14), (0.31, 0.08)):
        shift = int(seconds * RATE)
        if shift < len(sound):
            out[shift:] += np.float32(share) * sound[: len(sound) - shift, ::-1]
    return out


# What a mix may name.
SOURCES: Mapping[str, Callable[[int, np.random.Generator], Samples]] = {
    "surf": _surf, "wind": _wind, "leaves": _leaves, "lapping": _lapping, "rain": _rain,
    "thunder": _thunder, "birds": _birds, "gulls": _gulls, "crickets": _crickets, "hum": _hum,
    "pad": _pad,
}  # fmt: skip
