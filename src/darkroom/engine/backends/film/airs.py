"""What falls or floats through the air of a film, drawn over its frames: rain, snow, motes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.pictures import Pixels

# Draws over a frame (height, width, 3), in place, at a moment in seconds.
Air = Callable[[Pixels, float], None]


class Rain:
    """Slanting rain: three sheets of streaks, nearer ones longer and faster; they wrap around."""

    def __init__(self, size: tuple[int, int], seed: int, amount: float) -> None:
        self.height = size[1]
        rng = np.random.default_rng(seed + 91)
        self.lean = float(rng.uniform(0.1, 0.2) * rng.choice([-1.0, 1.0]))
        if amount > 0.8:
            self.lean *= 1.8
        self.sheets: list[tuple[Pixels, float]] = []
        for length, count, tone, pace in ((0.03, 620, 62, 1.1), (0.07, 280, 84, 1.7),
                                          (0.15, 60, 100, 2.5)):  # fmt: skip
            sheet = _streaks(size, rng, (length, round(count * (0.4 + amount)), tone), self.lean)
            self.sheets.append((sheet, pace))

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Lay the rain of a moment over a frame."""
        height, width = frame.shape[:2]
        total = np.zeros((height, width), np.uint8)
        for sheet, pace in self.sheets:
            fallen = pace * height * seconds
            np.maximum(
                total, _rolled(sheet, fallen, self.lean * fallen, (width, height)), out=total
            )
        air = int(np.clip(frame[::16, ::16].mean() * 0.55 + 90, 0, 235))
        veil = cv2.merge([total] * 3)
        part = cv2.multiply(frame, cv2.bitwise_not(veil), scale=1 / 255)
        frame[:] = cv2.add(part, cv2.multiply(veil, np.full(4, air, np.float64), scale=1 / 255))


def _streaks(
    size: tuple[int, int], rng: np.random.Generator, what: tuple[float, int, int], lean: float
) -> Pixels:
    length, count, tone = what
    width, height = size[0], 2 * size[1]
    sheet = np.zeros((height, width), np.uint8)
    start = rng.random((count * 2, 2)) * (width, height)
    reach = length * size[1] * rng.uniform(0.6, 1.3, count * 2)
    for (x, y), long in zip(start, reach, strict=True):
        for dx in (0, -np.sign(lean) * width):
            for dy in (0, -height):
                first = (round((x + dx) * 16), round((y + dy) * 16))
                last = (round((x + dx + lean * long) * 16), round((y + dy + long) * 16))
                cv2.line(sheet, first, last, tone, 1, cv2.LINE_AA, 4)
    soft = max(0.45, size[1] / 1400)
    return np.asarray(cv2.GaussianBlur(sheet, (0, 0), soft), np.uint8)


def _rolled(sheet: Pixels, down: float, right: float, size: tuple[int, int]) -> Pixels:
    """Returns the part of a wrapping sheet that shows when it has moved; whole pixels."""
    height, width = sheet.shape
    top, left = round(-down) % height, round(-right) % width
    rolled = np.concatenate([sheet[top:], sheet[:top]])[: size[1]]
    return np.concatenate([rolled[:, left:], rolled[:, :left]], axis=1)


class Snow:
    """Falling snow: many small far flakes, some nearer, a few large ones out of focus."""

    def __init__(self, size: tuple[int, int], seed: int, amount: float) -> None:
        rng = np.random.default_rng(seed + 92)
        self.groups = [
            (_Floaters.drawn(rng, round(count * (0.4 + amount)), pace, 0.05), radius * size[1],
             tone)
            for count, pace, radius, tone in (
                (700, 0.10, 0.0011, 190), (260, 0.17, 0.0021, 215), (60, 0.26, 0.0042, 170),
                (14, 0.40, 0.012, 100),
            )
        ]  # fmt: skip

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Lay the snow of a moment over a frame."""
        height, width = frame.shape[:2]
        cover = np.zeros((height, width), np.uint8)
        far = np.zeros((height // 4, width // 4), np.uint8)
        for floaters, radius, tone in self.groups:
            large = radius > 0.003 * height
            sheet = far if large else cover
            scale = 0.25 if large else 1.0
            for x, y, one in floaters.places(seconds, sheet.shape[::-1]):
                spot = (round(x * 16), round(y * 16))
                cv2.circle(sheet, spot, max(8, round(radius * scale * one * 16)), tone, -1,
                           cv2.LINE_AA, 4)  # fmt: skip
        blurred = cv2.GaussianBlur(far, (0, 0), max(0.5, 0.0016 * height))
        np.maximum(cover, cv2.resize(blurred, (width, height)), out=cover)
        white = 150 + 105 * float(frame[::16, ::16].mean()) / 255
        veil = cv2.merge([cover] * 3)
        part = cv2.multiply(frame, cv2.bitwise_not(veil), scale=1 / 255)
        frame[:] = cv2.add(part, cv2.multiply(veil, np.full(4, white), scale=1 / 255))


class _Floaters(msgspec.Struct, frozen=True):
    """Things that drift: where they start (n, 2) 0..1, how fast, how they sway, how large."""

    start: FloatArray
    pace: FloatArray
    sway: FloatArray
    phase: FloatArray
    size: FloatArray

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int, fall: float, side: float) -> _Floaters:
        pace = np.stack(
            [rng.normal(side, 0.3 * abs(side) + 0.008, count), fall * rng.uniform(0.7, 1.3, count)],
            axis=1,
        )
        return cls(
            rng.random((count, 2)).astype(np.float32),
            pace.astype(np.float32),
            rng.uniform(0.004, 0.02, count).astype(np.float32),
            rng.uniform(0, 6.28, count).astype(np.float32),
            rng.uniform(0.6, 1.35, count).astype(np.float32),
        )

    def places(self, seconds: float, size: tuple[int, ...]) -> list[tuple[float, float, float]]:
        """Returns (x, y, size) of each at a moment, pixels; they wrap around beyond the edges."""
        at = self.start + self.pace * np.float32(seconds)
        x = at[:, 0] + self.sway * np.sin(self.phase + np.float32(1.6 * seconds))
        x = (x % 1.0) * 1.1 - 0.05
        y = (at[:, 1] % 1.0) * 1.1 - 0.05
        both = np.stack([x * size[0], y * size[1], self.size], axis=1)
        return [(float(a), float(b), float(c)) for a, b, c in both]


class Motes:
    """Soft points of light that float and pulse: fireflies, pollen, dust in the sun."""

    def __init__(self, seed: int, count: int, colour: tuple[int, int, int], pulse: float) -> None:
        rng = np.random.default_rng(seed + 93)
        self.floaters = _Floaters.drawn(rng, count, -0.006, 0.01)
        self.colour, self.pulse = np.array(colour, np.float32), pulse

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Shine the motes of a moment into a frame."""
        height, width = frame.shape[:2]
        small = np.zeros((height // 4, width // 4), np.uint8)
        unit = small.shape[0] / 180
        moments = self.floaters.phase * 7.0 + np.float32(seconds * (0.9 + self.pulse))
        shine = 1.0 - self.pulse * (0.5 + 0.5 * np.sin(moments))
        spots = self.floaters.places(seconds, small.shape[::-1])
        for (x, y, size), bright in zip(spots, shine, strict=True):
            tone = int(255 * float(bright) ** 2)
            cv2.circle(small, (round(x * 16), round(y * 16)), max(6, round(14 * size * unit)), tone,
                       -1, cv2.LINE_AA, 4)  # fmt: skip
        core = cv2.GaussianBlur(small, (0, 0), 0.8 * unit + 0.3)
        halo = cv2.GaussianBlur(small, (0, 0), 4.5 * unit)
        glow = cv2.addWeighted(core, 0.9, halo, 2.2, 0)
        large = cv2.resize(glow, (width, height), interpolation=cv2.INTER_CUBIC)
        tint = cv2.merge([cv2.convertScaleAbs(large, alpha=float(c) / 255) for c in self.colour])
        dark = cv2.multiply(cv2.bitwise_not(frame), cv2.bitwise_not(tint), scale=1 / 255)
        frame[:] = cv2.bitwise_not(dark)


class Leaves:
    """Leaves or petals that fall, turning, in these colours."""

    def __init__(self, seed: int, count: int, colours: tuple[tuple[int, int, int], ...]) -> None:
        self.floaters = _Floaters.drawn(np.random.default_rng(seed + 94), count, 0.085, 0.03)
        self.colours = colours

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Draw the leaves of a moment over a frame."""
        height, width = frame.shape[:2]
        unit = height * 0.0075
        light = 0.45 + 0.55 * float(frame[::16, ::16].mean()) / 150
        for number, (x, y, size) in enumerate(self.floaters.places(seconds, (width, height))):
            phase = float(self.floaters.phase[number])
            turn = phase + seconds * (1.1 + phase * 0.25)
            long, slim = unit * size, unit * size * 0.55 * (0.25 + 0.75 * abs(np.sin(turn * 1.7)))
            at = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            points = np.stack([long * np.cos(at), slim * np.sin(at)], axis=1)
            c, s = np.cos(turn), np.sin(turn)
            placed = points @ np.array([[c, s], [-s, c]]) + (x, y)
            colour = self.colours[number % len(self.colours)]
            shade = min(1.1, light) * (0.75 + 0.35 * abs(float(np.sin(turn))))
            tone = tuple(float(min(255, v * shade)) for v in colour)
            polygon = np.round(placed * 16).astype(np.int32)
            cv2.fillPoly(frame, [polygon], tone, cv2.LINE_AA, 4)


class Birds:
    """A flock that crosses the sky, wings beating."""

    def __init__(self, seed: int, line: float) -> None:
        rng = np.random.default_rng(seed + 95)
        count = int(rng.integers(7, 12))
        self.offset = rng.normal(0, 1, (count, 2)) * (0.07, 0.05)
        self.size = rng.uniform(0.010, 0.022, count)
        self.phase = rng.uniform(0, 6.28, count)
        self.way = float(rng.choice([-1.0, 1.0]))
        self.height = float(rng.uniform(0.3, 0.5)) * line

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Draw the flock of a moment over a frame."""
        height, width = frame.shape[:2]
        tone = tuple(float(v) for v in frame[: height // 3 : 8, ::8].mean(axis=(0, 1)) * 0.22)
        span = (0.35 + 0.035 * seconds) % 1.5 - 0.15
        x0 = span if self.way > 0 else 1.0 - span
        t = np.linspace(-1, 1, 17)
        for offset, size, phase in zip(self.offset, self.size, self.phase, strict=True):
            beat = float(np.sin(phase + 9.0 * seconds + 0.8 * np.sin(seconds + phase)))
            spine = -(0.25 + 0.45 * beat) * np.sin(np.abs(t) ** 0.8 * np.pi * 0.62)
            thick = 0.11 * (1 - np.abs(t)) ** 0.7 + 0.02
            wings = np.concatenate(
                [np.stack([t, spine - thick], 1), np.stack([t, spine + thick], 1)[::-1]]
            )
            drift = 0.006 * np.sin(0.7 * seconds + phase)
            at = ((x0 + offset[0]) * width, (self.height + offset[1] + drift) * height)
            points = np.round((wings * size * height + at) * 16).astype(np.int32)
            cv2.fillPoly(frame, [points], tone, cv2.LINE_AA, 4)


class Lightning:
    """Flashes over a storm, some with a bolt, at moments that the seed chose."""

    def __init__(self, size: tuple[int, int], seed: int, line: float, seconds: float) -> None:
        rng = np.random.default_rng(seed + 96)
        self.moments: list[tuple[float, Pixels | None]] = []
        at = float(rng.uniform(0.5, 1.4))
        while at < seconds:
            bolt = _bolt(size, rng, line) if not self.moments or rng.random() < 0.6 else None
            self.moments.append((at, bolt))
            at += float(rng.uniform(1.6, 4.5))

    def __call__(self, frame: Pixels, seconds: float) -> None:
        """Light a frame by the flashes of a moment."""
        for moment, bolt in self.moments:
            gone = seconds - moment
            if not 0.0 <= gone < 0.6:
                continue
            power = float(np.exp(-gone / 0.13) * (0.65 + 0.35 * np.cos(gone * 55.0)))
            frame[:] = cv2.convertScaleAbs(frame, alpha=1 + 0.55 * power, beta=26 * power)
            if bolt is not None and power > 0.03:
                shown = cv2.resize(bolt, (frame.shape[1], frame.shape[0]))
                frame[:] = cv2.add(frame, cv2.convertScaleAbs(shown, alpha=power))


def _bolt(size: tuple[int, int], rng: np.random.Generator, line: float) -> Pixels:
    """Returns the light of one bolt, half as fine as the frame (h, w, 3)."""
    width, height = size[0] // 2, size[1] // 2
    mask = np.zeros((height, width), np.uint8)

    def strike(x: float, y: float, end: float, depth: int) -> None:
        while y < end:
            nx, ny = x + rng.normal(0, 0.016) * height, y + rng.uniform(0.012, 0.035) * height
            cv2.line(mask, (round(x * 16), round(y * 16)), (round(nx * 16), round(ny * 16)), 255,
                     max(1, depth), cv2.LINE_AA, 4)  # fmt: skip
            if depth > 1 and rng.random() < 0.16:
                strike(nx, ny, min(end, ny + 0.2 * height), depth - 1)
            x, y = nx, ny

    strike(width * float(rng.uniform(0.15, 0.85)), 0.02 * height, line * height, 2)
    near = cv2.GaussianBlur(mask, (0, 0), 0.006 * height + 0.5)
    wide = cv2.GaussianBlur(mask, (0, 0), 0.045 * height)
    glow = cv2.add(cv2.addWeighted(mask, 1.0, near, 1.6, 0), cv2.convertScaleAbs(wide, alpha=5.0))
    return np.asarray(
        cv2.merge([cv2.convertScaleAbs(glow, alpha=tone) for tone in (0.85, 0.9, 1.0)]), np.uint8
    )
