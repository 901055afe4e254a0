"""Where text stands in a picture: letters of one height, colour and stroke that form a line."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.letters import Letter, letters
from darkroom.engine.backends.toolbox.salience import Flags, Floats, to_lab
from darkroom.engine.backends.toolbox.steps import Progress, silent

_SIDE = 1100  # text is looked for at this size at most
_LETTERS_MIN = 3
# How much speaks for text before a row is taken for it, and where other rows surely are text.
_SURE, _SURE_AMONG, _LINES_SURE = 6, 4, 3
_DARK, _BRIGHT = (20, 20, 20), (255, 214, 64)
_LIKE = 17.0  # in Lab, how far the rest of a line may be from the colour of its sure letters


class Line(msgspec.Struct, frozen=True):
    """The box of a line of text, pixels."""

    left: int
    top: int
    right: int
    foot: int


class Lettering(msgspec.Struct, frozen=True):
    """The text of a picture: bool (h, w) of its letters with their rims, and its lines."""

    mask: Flags
    lines: tuple[Line, ...]


def lettering(picture: Pixels, progress: Progress = silent) -> Lettering:
    """Returns where RGB uint8 (h, w, 3) shows text, upright and about level.

    Letters are pieces lighter or darker than their ground with a stroke of even width (after
    Epshtein et al., "Detecting Text in Natural Scenes with Stroke Width Transform", 2010); three
    or more alike in a row make a line, which then takes in what else on it has their colour.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    lab = to_lab(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
    mask = np.zeros(size[::-1], np.uint8)
    lines = []
    for row in _sure(_rows(letters(lab, progress))):
        own, (left, top, right, foot) = _whole_line(row, lab)
        tall = float(np.median([one.height for one in row]))
        rim = 2 * max(2, round(tall * 0.12)) + 1
        mask |= cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim)))
        lines.append(Line(*(round(value / scale) for value in (left, top, right, foot))))
    full = cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR)
    return Lettering(np.asarray(full > 64, np.bool_), tuple(lines))


def outlined(picture: Pixels, text: Lettering) -> Pixels:
    """Returns a copy of RGB uint8 with a frame around each line of text."""
    framed = picture.copy()
    thick = max(1, round(min(picture.shape[:2]) / 300))
    off = 4 + thick
    for line in text.lines:
        corners = (line.left - off, line.top - off), (line.right + off, line.foot + off)
        cv2.rectangle(framed, *corners, _DARK, thick + 2)
        cv2.rectangle(framed, *corners, _BRIGHT, thick)
    return framed


def _sure(rows: list[list[Letter]]) -> list[list[Letter]]:
    """The rows that are text: those with enough proof, and with less where there is much text."""
    proofs = [_proof(row) for row in rows]
    among = sum(proof >= _SURE for proof in proofs) >= _LINES_SURE
    least = _SURE_AMONG if among else _SURE
    return [row for row, proof in zip(rows, proofs, strict=True) if proof >= least]


def _proof(row: list[Letter]) -> int:
    """How much speaks for a row being text: even colour, stroke, height and feet, contrast."""
    colour = float(np.array([one.colour for one in row]).std(axis=0).max())
    apart = float(np.median([one.apart for one in row]))
    stroke = np.array([one.stroke for one in row])
    tall = np.array([one.height for one in row], np.float64)
    filled = float(np.mean([one.filled for one in row]))
    feet = float(np.median(_off_line(row)))
    thick = float(np.median(stroke / tall))
    proof = (colour < 1.2) + (colour < 3.5) + (apart > 33) + (apart > 45)
    proof += (len(row) >= 4) + (len(row) >= 6) + (feet < 0.06) - (feet > 0.12)
    uneven, ragged = stroke.std() / stroke.mean(), tall.std() / tall.mean()
    proof += int(uneven < 0.12) - int(uneven > 0.3) + int(ragged < 0.2) - int(ragged > 0.3)
    return int(proof - (not 0.09 < thick < 0.34) - (not 0.3 < filled < 0.68))


def _off_line(row: list[Letter]) -> Floats:
    """How far each letter's foot is from the line through them all, in letter heights."""
    slope, start = _footing(row)
    feet = np.array([one.foot for one in row], np.float64)
    places = np.array([one.left for one in row], np.float64)
    tall = float(np.median([one.height for one in row]))
    return np.asarray(np.abs(feet - slope * places - start) / tall, np.float32)


def _footing(row: list[Letter]) -> tuple[float, float]:
    """The slope and start of the line that the letters stand on."""
    places = np.array([one.left for one in row], np.float64)
    feet = np.array([one.foot for one in row], np.float64)
    if np.ptp(places) < 1:
        return 0.0, float(feet.mean())
    slope, start = np.polyfit(places, feet, 1)
    return float(slope), float(start)


def _whole_line(row: list[Letter], lab: Floats) -> tuple[Pixels, tuple[int, int, int, int]]:
    """All of a line's ink as a mask, and its box: its letters, and from them outwards and between
    them what has their colour, lies on the line and is no larger than letters are."""
    tall = float(np.median([one.height for one in row]))
    slope, start = _footing(row)
    own = np.zeros(lab.shape[:2], np.uint8)
    for one in row:
        own[one.points[:, 1], one.points[:, 0]] = 1
    colour = np.median([one.colour for one in row], axis=0).astype(np.float32)
    alike = (np.abs(lab - colour).max(axis=2) < _LIKE).astype(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(alike, connectivity=8)
    level = slope * centres[:, 0] + start
    on_line = (centres[:, 1] < level + 0.3 * tall) & (centres[:, 1] > level - 1.5 * tall)
    fits = (stats[:, 3] < 1.9 * tall) & (stats[:, 2] < 4 * tall) & (stats[:, 4] > 3) & on_line
    fits[0] = False
    left, right = min(one.left for one in row), max(one.right for one in row)
    taken = np.zeros(len(fits), np.bool_)
    while True:
        near = (stats[:, 0] < right + 0.9 * tall) & (stats[:, 0] + stats[:, 2] > left - 0.9 * tall)
        fresh = np.flatnonzero(fits & near & ~taken)
        if not len(fresh):
            break
        taken[fresh] = True
        left = min(left, int(stats[fresh, 0].min()))
        right = max(right, int((stats[fresh, 0] + stats[fresh, 2]).max()))
    own |= taken[labels].astype(np.uint8)
    rows = np.flatnonzero(own.any(axis=1))
    return own, (left, int(rows[0]), right, int(rows[-1]) + 1)


def _rows(pieces: list[Letter]) -> list[list[Letter]]:
    """Letters joined to lines: neighbours alike in height, colour and stroke, on one level."""
    pieces = sorted(pieces, key=lambda piece: piece.left)
    parent = list(range(len(pieces)))

    def root(one: int) -> int:
        while parent[one] != one:
            one = parent[one]
        return one

    for i, one in enumerate(pieces):
        for j in range(i + 1, len(pieces)):
            other = pieces[j]
            if other.left - (one.right) > 1.6 * max(one.height, other.height):
                if other.left > one.right + 3 * one.height:
                    break
                continue
            if _are_neighbours(one, other):
                parent[root(j)] = root(i)
    rows: dict[int, list[Letter]] = {}
    for i, one in enumerate(pieces):
        rows.setdefault(root(i), []).append(one)
    return [row for row in rows.values() if _is_text(row)]


def _are_neighbours(one: Letter, other: Letter) -> bool:
    tall, low = max(one.height, other.height), min(one.height, other.height)
    shared = min(one.foot, other.foot) - max(one.top, other.top)
    gap = other.left - (one.right)
    thick, thin = max(one.stroke, other.stroke), min(one.stroke, other.stroke)
    return bool(
        low > 0.45 * tall
        and shared > 0.6 * low
        and -0.3 * tall < gap < 1.3 * tall
        and thick < 2.0 * thin + 1
        and float(np.abs(one.colour - other.colour).max()) < 16
    )


def _is_text(row: list[Letter]) -> bool:
    """Whether pieces in a row are letters: three or more, not all of one plain shape."""
    if len(row) < _LETTERS_MIN:
        return False
    filled = np.array([one.filled for one in row])
    shape = np.array([one.width / one.height for one in row])
    if filled.mean() > 0.78 or (filled.std() < 0.025 and shape.std() < 0.05):
        return False
    level = float((_off_line(row) < 0.2).mean())
    return bool(abs(_footing(row)[0]) < 0.35 and level > 0.6)
