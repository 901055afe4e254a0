"""The camera of a film: its moves as a prompt's words ask for them, or as the seed chooses."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import numpy as np
from msgspec.structs import replace


class Pose(msgspec.Struct, frozen=True):
    """Where the camera stands and looks, from its first place.

    `right`, `up`: how far it went, in picture widths that the nearest thing shifts by; `ahead`: the
    share of the way to the nearest thing; `yaw`, `pitch`: its turn right and up, in picture widths
    that everything shifts by; `zoom` enlarges.
    """

    right: float = 0.0
    up: float = 0.0
    ahead: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    zoom: float = 1.0

    def milder(self, share: float) -> Pose:
        """Returns the pose with its parallax, not its turn or zoom, cut to a share."""
        return replace(self, right=self.right * share, up=self.up * share, ahead=self.ahead * share)


class Move(msgspec.Struct, frozen=True):
    """A camera move from one pose to another, eased at both ends; `names` is how it is told."""

    names: tuple[str, ...]
    first: Pose
    last: Pose
    shake: float = 0.0

    def pose(self, share: float) -> Pose:
        """Returns the pose when `share` (0..1) of the film is over."""
        eased = 0.45 * share + 0.55 * share * share * (3.0 - 2.0 * share)
        a, b = self.first, self.last
        pairs = {name: (getattr(a, name), getattr(b, name)) for name in _PARTS}
        mixed = {name: float(x + (y - x) * eased) for name, (x, y) in pairs.items()}
        # Zooming is even when each moment enlarges by the same factor.
        mixed["zoom"] = float(a.zoom * (b.zoom / a.zoom) ** eased)
        if self.shake:
            at = share * 40.0
            mixed["yaw"] += self.shake * float(np.sin(at * 1.7) + 0.6 * np.sin(at * 3.1 + 1.0))
            mixed["pitch"] += self.shake * float(np.sin(at * 2.3 + 2.0) + 0.5 * np.sin(at * 4.3))
        return Pose(**mixed)


_PARTS = ("right", "up", "ahead", "yaw", "pitch", "zoom")
# The whole way of each move: the last pose less the first.
_WAYS: Mapping[str, Pose] = {
    "static": Pose(),
    "pan right": Pose(right=0.03, yaw=0.07),
    "pan left": Pose(right=-0.03, yaw=-0.07),
    "tilt up": Pose(up=0.01, pitch=0.06),
    "tilt down": Pose(up=-0.01, pitch=-0.06),
    "zoom in": Pose(ahead=0.05, zoom=1.28),
    "zoom out": Pose(ahead=-0.05, zoom=1 / 1.28),
    "dolly in": Pose(ahead=0.26, zoom=1.07),
    "dolly out": Pose(ahead=-0.26, zoom=1 / 1.07),
    "truck right": Pose(right=0.13, yaw=0.01),
    "truck left": Pose(right=-0.13, yaw=-0.01),
    "orbit right": Pose(right=0.15, yaw=-0.055),
    "orbit left": Pose(right=-0.15, yaw=0.055),
    "crane up": Pose(up=0.07, ahead=0.05, pitch=-0.01),
    "crane down": Pose(up=-0.07, ahead=0.05, pitch=0.01),
    "aerial": Pose(up=0.045, ahead=0.30, zoom=1.04),
    "handheld": Pose(right=0.02, ahead=0.04),
}
# What is said, by the move it asks for; {way} is left or right.
_SAID: Mapping[str, str] = {
    "static": r"static|still camera|locked[- ]off|tripod|fixed camera|motionless",
    "handheld": r"hand[- ]?held|shaky",
    "tilt up": r"tilt\w* up\w*|look\w* up\w*",
    "tilt down": r"tilt\w* down\w*|look\w* down\w*",
    "zoom out": r"zoom\w* (?:back |away |slowly )?out|zoom\w* away",
    "zoom in": r"zoom\w* (?:slowly )?in\w*|zoom\w*|close[- ]?up",
    "dolly out": r"doll\w* (?:out|back)\w*|pull\w* (?:out|back|away)|"
    r"(?:moves?|moving|camera|glid\w+|drift\w*) (?:slowly |gently )?back\w*|retreat\w*",
    "aerial": r"aerial|drone|fly\w*[- ]?(?:over|through|across|by)\w*|flying|birds?[- ]eye|"
    r"soar\w*|camera flies",
    "dolly in": r"doll\w*|push\w*[- ]in|(?:moves?|moving|glid\w+|drift\w*|walk\w*|travel\w*) "
    r"(?:slowly |gently )?(?:in|into|forwards?|closer|towards?|ahead|through)|walk\w* through|"
    r"first[- ]person|pov",
    "crane up": r"(?:crane|jib|pedestal|boom)\w*(?: shot)?(?: up)?|camera (?:slowly )?(?:rises|"
    r"lifts|ascends)\w*|rising camera",
    "crane down": r"(?:crane|jib|pedestal)\w* down|camera (?:slowly )?(?:descends|lowers|sinks)",
}
_WAY = r"\b(?:from )?(?:to )?(?:the )?(left|right)\b"
_SIDED: Mapping[str, str] = {
    "orbit": r"orbit\w*|arc (?:shot|around)|circl\w+ (?:around|the)|rotat\w+ around|"
    r"revolv\w+|360",
    "truck": r"truck\w*|track\w* (?:shot|along|past|left|right)|tracking|along(?:side)?|sideways|"
    r"slid\w+ (?:left|right|past)|past the|camera (?:glides|slides|follows)",
    "pan": r"pan|pans|panning|panorama|sweep\w*",
}
_SLOW = re.compile(r"\b(?:slow|slowly|gentle|gently|subtle|calm|slow[- ]motion)\b")
_FAST = re.compile(r"\b(?:fast|quick|quickly|rapid|rapidly|dynamic|swift|speed\w*)\b")
_CHOICES = ("dolly in", "truck right", "truck left", "orbit right", "orbit left", "crane up")


def choose(prompt: str, seed: int, seconds: float, *, at_rest: bool = False) -> Move:
    """Returns the move that a prompt asks for; without such words one of six, by the seed.

    Moves to a side are centred on the first view; with `at_rest` they start there. Short films go
    a shorter way.
    """
    text = prompt.lower()
    names = _asked(text)
    told = list(names)
    if not names:
        names = [_CHOICES[int(np.random.default_rng(seed + 17).integers(len(_CHOICES)))]]
        told = [f"{names[0]} (chosen)"]
    size = min(1.0, 0.45 + 0.11 * seconds)
    for word, pace, factor in (("slow", _SLOW, 0.6), ("fast", _FAST, 1.5)):
        if pace.search(text):
            told.append(word)
            size *= factor
            break
    way = _whole([_WAYS[name] for name in names], min(size, 1.35))
    shake = 0.0012 if "handheld" in names else 0.0
    start, end = (0.0, 0.7) if at_rest else (-0.5, 0.5)
    first, last = _scaled(way, start), _scaled(way, end)
    return Move(tuple(told), *_framed(first, last, way), shake)


def words_of(prompt: str) -> frozenset[str]:
    """Returns the words of a prompt, lower case, that were read as the camera's."""
    text = prompt.lower()
    said = [rf"\b(?:{one})\b" for one in (*_SAID.values(), *_SIDED.values())]
    found = {m[0] for one in said for m in re.finditer(one, text)}
    found |= {m[0] for pace in (_SLOW, _FAST) for m in pace.finditer(text)}
    if found:
        found |= {m[0] for m in re.finditer(r"\b(?:left|right|camera|shot)\b", text)}
    return frozenset(word for one in found for word in re.findall(r"\w+", one))


def _asked(text: str) -> list[str]:
    names: list[str] = []
    for name, said in _SAID.items():
        kin = name.split()[0]
        if re.search(rf"\b(?:{said})\b", text) and not any(n.split()[0] == kin for n in names):
            names.append(name)
    for kin, said in _SIDED.items():
        found = re.search(rf"\b(?:{said})\b", text)
        if found is None or (kin == "truck" and any("orbit" in name for name in names)):
            continue
        side = re.search(_WAY, text[found.start() :])
        names.append(f"{kin} {side[1] if side else 'right'}")
    if "pan left" in names or "pan right" in names:
        names = [name for name in names if not name.startswith("truck")]
    return names[:2]


def _whole(ways: list[Pose], size: float) -> Pose:
    total = {
        name: size * sum(getattr(way, name) for way in ways) for name in _PARTS if name != "zoom"
    }
    return Pose(**total, zoom=float(np.prod([way.zoom for way in ways]) ** size))


def _scaled(way: Pose, share: float) -> Pose:
    return Pose(way.right * share, way.up * share, 0.0, way.yaw * share, way.pitch * share)


def _framed(first: Pose, last: Pose, way: Pose) -> tuple[Pose, Pose]:
    """Returns both ends with going ahead and zooming: neither ever shows less than the picture."""
    ends = []
    for pose, share in ((first, 0.0), (last, 1.0)):
        ahead = way.ahead * share - min(way.ahead, 0.0)
        zoom = way.zoom**share / min(way.zoom, 1.0)
        ends.append(Pose(pose.right, pose.up, ahead, pose.yaw, pose.pitch, float(zoom)))
    return ends[0], ends[1]
