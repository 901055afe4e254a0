"""From a prompt's scene to a shot: the still painted once, its layers set moving."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.film import airs, flows, plates, warps
from darkroom.engine.backends.film.camera import Move
from darkroom.engine.backends.film.seas import SeaShot
from darkroom.engine.backends.film.shots import Shade, Shot, StageShot, StillSky, sky_end
from darkroom.engine.backends.film.skies import Lights, Skies
from darkroom.engine.backends.film.stage import Frame, Plate
from darkroom.engine.backends.film.warps import Canvas
from darkroom.engine.backends.film.windows import Windows
from darkroom.engine.backends.film.winds import Breeze, Ripples, set_rippling
from darkroom.engine.backends.painter import light, noise
from darkroom.engine.backends.painter.compose import paint_scene
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.pictures import Pixels

# How much larger than the frame a still is painted, for the camera to move in.
SPAN = 1.16
_SKY_PIXELS_MAX = 200_000


class Film(msgspec.Struct, frozen=True):
    """What all shots of one film share."""

    size: tuple[int, int]
    seconds: float
    move: Move


def shoot(scene: Scene, film: Film, progress: Progress) -> Shot:
    """Returns the moving picture of a scene; paints its still, of which `progress` hears 0..1."""
    scene = replace(scene, moment=0.0)
    above = airs_of(scene, film)
    if scene.subject == "sea" and scene.style == "photo":
        progress(1.0)
        return SeaShot(scene, film.size, SPAN, film.move, above)
    canvas = (round(film.size[0] * SPAN), round(film.size[1] * SPAN))
    survey = Survey()
    # A painted style leaves the paper's edge bare: it is cut away.
    edge = 0 if scene.style == "photo" else round(0.035 * min(canvas))
    whole = (canvas[0] + 2 * edge, canvas[1] + 2 * edge)
    painted = paint_scene(scene, *whole, progress=lambda part: progress(0.8 * part), survey=survey)
    still = np.ascontiguousarray(painted.pixels[edge : whole[1] - edge, edge : whole[0] - edge])
    if not survey.near.size:
        progress(1.0)
        return flows.FlowShot(still, film.size, film.move, scene.seed)
    if edge:
        _cut_edges(survey, edge / whole[1], edge / whole[0])
    shot = _staged(scene, film, (still, survey), above, progress)
    progress(1.0)
    return shot


def _cut_edges(survey: Survey, high: float, wide: float) -> None:
    """Cut these shares of its height and width off each side of a survey."""

    def cut(whole: FloatArray) -> FloatArray:
        rows, columns = round(high * whole.shape[0]), round(wide * whole.shape[1])
        return whole[rows : whole.shape[0] - rows, columns : whole.shape[1] - columns]

    survey.near = cut(survey.near)
    survey.water = None if survey.water is None else cut(survey.water)
    survey.line = (survey.line - high) / (1 - 2 * high)


def _staged(
    scene: Scene,
    film: Film,
    painted: tuple[Pixels, Survey],
    above: Sequence[airs.Air],
    progress: Progress,
) -> StageShot:
    still, survey = painted
    canvas = (still.shape[1], still.shape[0])
    cut = Frame(film.size, canvas, survey.line * canvas[1], 1.0)
    near = _scaled(survey.near, canvas)
    backdrop, land = plates.cut(
        still,
        near,
        {"forest": 4, "flowers": 4}.get(scene.subject, 3),
        lambda part: progress(0.8 + 0.15 * part),
    )
    _set_moving(land, scene, survey, near)
    shot = StageShot(cut, film.move, StillSky(backdrop, survey.line, 0.0), 1.0, land)
    shot.sky_end = sky_end(near)
    shot.airs, shot.shade = above, _shade(scene, near)
    if scene.subject == "city" and scene.time in ("night", "dusk"):
        shot.windows = Windows(land, _shore(survey, canvas[1]), scene.seed)
    if scene.subject in ("forest", "flowers"):
        return shot
    if scene.style != "photo":
        shot.sky = StillSky(backdrop, survey.line, 0.03)
        return shot
    scale = min(0.5, (_SKY_PIXELS_MAX / (canvas[0] * canvas[1] * survey.line)) ** 0.5)
    small = (round(canvas[0] * scale), round(canvas[1] * scale))

    def finish(linear: FloatArray) -> Pixels:
        graded = light.grade(light.to_display(np.maximum(linear, 0.0)), scene)
        return np.asarray(np.clip(graded * 255 + 0.5, 0, 255), np.uint8)

    skies = Skies(scene, small, survey, finish)
    shot.sky, shot.sky_scale = skies, small[0] / canvas[0]
    shot.lights = Lights(skies, canvas)
    progress(0.98)
    lamps = scene.subject == "city" and scene.time in ("night", "dusk")
    if lamps or "rainbow" in scene.extras:
        shot.glow = _spilt(backdrop, near, skies, shot.lights)
    return shot


def _shore(survey: Survey, height: int) -> float:
    """Returns the row where a city's water begins; the canvas's end where there is none."""
    if survey.water is None:
        return float(height)
    return float(np.argmax(survey.water.mean(axis=1) > 0.2)) * height / len(survey.water)


def _scaled(near: FloatArray, canvas: tuple[int, int]) -> FloatArray:
    """Returns inverse distance 0..1 at the canvas's size, far things brought closer.

    True distances span a factor of hundreds, so that only the very nearest would move: the root
    keeps their order and lets the middle distance move too.
    """
    if near.shape != canvas[::-1]:
        near = np.asarray(cv2.resize(near, canvas, interpolation=cv2.INTER_NEAREST), np.float32)
    land = near[near > 0]
    most = int(0.995 * land.size)
    top = float(np.partition(land, most)[most]) if land.size else 1.0
    return np.asarray(np.minimum(near / max(top, 1e-9), 1.0) ** 0.55, np.float32)


def _set_moving(land: list[Plate], scene: Scene, survey: Survey, near: FloatArray) -> None:
    """Give the plates their ripples and their sway."""
    height, width = near.shape
    tile = noise.bands((256, 256), scene.seed + 77, (8, 8))
    line = survey.line * height
    if survey.water is not None and "ice" not in scene.extras:
        size = (max(2, width // 4), max(2, height // 4))
        mask = np.asarray(cv2.resize(survey.water, size, interpolation=cv2.INTER_AREA), np.float32)
        rough = {"storm": 1.8, "rain": 1.3}.get(scene.weather, 0.8 if scene.mood == "calm" else 1.0)
        set_rippling(land, Ripples((width, height), line, mask, tile, rough))
        return
    gusty = {"storm": 2.2, "rain": 1.5, "fog": 0.5}.get(scene.weather, 1.0)
    for number, plate in enumerate(land):
        nearness = float(plate.near.max())
        foot = line + (height - line) * nearness ** (1 / 0.55)
        reach = {"forest": 0.0036, "flowers": 0.010, "field": 0.0016}.get(scene.subject, 0.0)
        tall = {"forest": 0.7, "flowers": 0.32}.get(scene.subject, 0.4) * height
        if reach:
            far = 0.35 + 0.65 * nearness
            plate.sway = Breeze(width, foot, tall, reach * width * gusty * far, tile, 0.31 * number)


def _shade(scene: Scene, near: FloatArray) -> Shade | None:
    size = (max(2, near.shape[1] // 4), max(2, near.shape[0] // 4))
    small = np.asarray(cv2.resize(near, size, interpolation=cv2.INTER_AREA), np.float32)
    tile = noise.bands((256, 256), scene.seed + 78, (6, 6))
    side = 1.0 if scene.seed % 2 else -1.0
    if scene.subject == "field":
        return Shade(small, tile, 0.22, 0.20, (side * 0.10, -0.03))
    sunny = scene.weather in ("clear", "cloudy") and scene.time in ("day", "golden", "sunrise")
    if sunny and scene.subject in ("mountains", "desert", "lake", "city"):
        return Shade(small, tile, 0.045, 0.26, (side * 0.011, -0.004))
    return None


def _spilt(backdrop: Pixels, near: FloatArray, skies: Skies, lights: Lights) -> Canvas:
    """Returns the light in the still's sky that is neither sky nor stars: what lamps spill."""
    size = (skies.size[0] // 2, skies.size[1] // 2)
    scale = size[0] / backdrop.shape[1]
    plain = skies.seen(np.array([[2, 0, 0.5], [0, 2, 0.5]], np.float32), size, 0.0)
    matrix = np.array([[1 / scale, 0, 0.5 / scale], [0, 1 / scale, 0.5 / scale]], np.float32)
    lights.add(plain, matrix, 0.0)
    still = cv2.resize(backdrop, size, interpolation=cv2.INTER_AREA)
    more = cv2.medianBlur(cv2.subtract(still, plain), 5)
    return warps.widened(cv2.GaussianBlur(more, (0, 0), 3.0))


def airs_of(scene: Scene, film: Film) -> list[airs.Air]:
    """Returns what falls and floats in this scene."""
    made: list[airs.Air] = []
    seed, size = scene.seed, film.size
    line = {"forest": 0.5, "flowers": 0.4, "sky": 0.85}.get(scene.subject, 0.52)
    if "birds" in scene.extras:
        made.append(airs.Birds(seed, line))
    if scene.subject == "forest":
        if scene.season == "autumn":
            made.append(airs.Leaves(seed, 34, ((214, 120, 32), (196, 78, 26), (226, 170, 50))))
        elif "sakura" in scene.extras:
            made.append(airs.Leaves(seed, 50, ((250, 214, 224), (244, 190, 206))))
    if "sakura" in scene.extras and scene.subject == "flowers":
        made.append(airs.Leaves(seed, 40, ((250, 214, 224), (244, 190, 206))))
    dry = scene.weather in ("clear", "cloudy")
    if scene.subject in ("forest", "flowers", "field") and dry:
        if "fireflies" in scene.extras or scene.time in ("night", "dusk"):
            made.append(airs.Motes(seed, 60, (235, 240, 110), 0.95))
        elif scene.subject != "field":
            made.append(airs.Motes(seed, 46, (110, 100, 70), 0.5))
    if scene.weather in ("rain", "storm"):
        made.append(airs.Rain(size, seed, 1.0 if scene.weather == "storm" else 0.6))
    if scene.weather == "storm" or "lightning" in scene.extras:
        made.append(airs.Lightning(size, seed, line, film.seconds))
    if scene.weather == "snow":
        made.append(airs.Snow(size, seed, 0.6))
    return made
