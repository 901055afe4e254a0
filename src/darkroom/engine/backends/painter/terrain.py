"""Land in true perspective: finds a view, marches the relief, lights it, adds air and water."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.painter import ground, light, materials, relief, sprites
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.ground import Range, Surface
from darkroom.engine.backends.painter.lake import add_lake
from darkroom.engine.backends.painter.land import FAR, Land, air_of, shade
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.relief import Hits
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.sky import Sky, sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.painter.weather import add_weather

# The depths (km) at which the land is cut, near to far.
_ALPINE = relief.slices(0.05, FAR, 460)
_DEPTHS = {"desert": relief.slices(0.05, 9.0, 800), "field": relief.slices(0.0028, FAR, 460)}


def _from(right: float, up: float, ahead: float) -> Callable[[float], tuple[float, float, float]]:
    size = (right * right + up * up + ahead * ahead) ** 0.5
    return lambda side: (side * right / size, up / size, ahead / size)


# Where the land's light comes from: aside, mostly a little behind, where it models the relief.
_SIDE = {
    "day": _from(1.0, 0.9, -0.2), "golden": _from(1.0, 0.30, -0.12), "dawn": _from(1.0, 0.17, -0.3),
    "night": _from(0.9, 0.6, -0.1), "sunset": _from(1.0, 0.19, 0.35),
    "sunrise": _from(1.0, 0.21, 0.25),
}  # fmt: skip


def terrain(
    scene: Scene, width: int, height: int, progress: Progress, survey: Survey | None = None
) -> FloatArray:
    """Returns display RGB 0..1 (height, width, 3) of mountains, a lake, dunes or fields."""
    line = {"desert": 0.46, "field": 0.5, "lake": 0.53}.get(scene.subject, 0.56)
    if {"aurora", "milky_way"} & scene.extras:
        line = 0.74 if scene.subject != "lake" else 0.64
    view = View(width, height, line * height)
    above = sky(scene, width, height, line, _sun(scene, view))
    if scene.time in _SIDE:
        low = 0.75 if scene.subject == "desert" and scene.time == "golden" else 1.0
        side = 1.0 if above.sun_xy[0] > width / 2 else -1.0
        right_, up_, ahead = _SIDE[scene.time](side)
        above = replace(above, sun_direction=(right_, up_ * low, ahead))
    progress(0.35)
    surface, eye = _surface(scene, view)
    progress(0.45)
    cover = _cover(scene)
    depths = _DEPTHS.get(scene.subject, _ALPINE)
    land = Land(
        surface,
        cover,
        materials.sunlit(surface, above, float(depths[-1])),
        eye,
        air_of(above, view) * np.float32(1.4 if scene.weather == "fog" else 1.0),
        _fog(scene),
    )
    progress(0.55)
    picture = above.linear.copy()
    heights = _profile(land, view, depths)
    if scene.subject == "lake":
        hits = relief.march(view, np.maximum(heights, 0.0), depths, eye)
    else:
        hits = relief.march(view, heights, depths, eye)
    progress(0.65)
    shade(picture, hits, (land, view, above))
    progress(0.85)
    if scene.subject == "lake":
        add_lake(picture, hits, heights, depths, (land, view, above, scene))
    if scene.subject in ("lake", "mountains"):
        stands = sprites.stand(land, view, scene.seed, 0.16, 1.5, 420)
        sprites.plant(picture, hits.depth, hits.top, stands, (land, view, above))
    if survey:
        _note(survey, hits, picture, (land, view, above, scene))
    add_figures(picture, view, above, scene)
    add_weather(picture, view, above, scene)
    progress(0.95)
    return light.to_display(np.maximum(picture, 0.0))


def _note(
    survey: Survey, hits: Hits, picture: FloatArray, given: tuple[Land, View, Sky, Scene]
) -> None:
    """Notes how near each pixel's land is, trees above the skyline too, and where water lies."""
    land, view, above, scene = given
    survey.line, survey.sun = view.horizon / view.height, _sun(scene, view)
    survey.stand(picture.shape, hits.top, np.asarray(1.0 / hits.depth, np.float32))
    added = (survey.near == 0) & (np.abs(picture - above.linear).max(axis=2) > 1e-4)
    tall = max(3, view.height // 24)
    beside = cv2.dilate(survey.near, np.ones((2 * tall + 1, 3), np.uint8))
    survey.near[added] = beside[added]
    if scene.subject == "lake":
        rows = np.arange(view.height, dtype=np.float32)[:, None] + 0.5
        plane = (rows - np.float32(view.horizon)) / np.float32(view.focal * land.eye)
        lies = np.abs(survey.near / np.maximum(plane, 1e-6) - 1.0) < 0.01
        survey.water = (lies & (plane > 0)).astype(np.float32)


def _sun(scene: Scene, view: View) -> tuple[float, float] | None:
    """Returns where the sky's light stands (right, up): aside; None: in the frame."""
    side = 1.0 if scene.seed % 2 else -1.0
    reach = 0.5 * view.width / view.focal
    places = {
        "day": (1.1, 0.95), "golden": (0.75 * min(1.0, reach) + 0.35, 0.30),
        "dawn": (reach * 0.8, 0.10), "night": (reach * 0.62, 0.36),
    }  # fmt: skip
    place = places.get(scene.time)
    return None if place is None else (side * place[0], place[1])


def _fog(scene: Scene) -> tuple[float, float]:
    if scene.weather == "fog":
        return (1.0, 0.075)
    if scene.subject == "desert":
        return (0.035, 0.4)
    dawn = scene.time in ("dawn", "sunrise")
    return {"rain": (0.3, 0.5), "snow": (0.28, 0.6), "storm": (0.2, 0.5)}.get(
        scene.weather, (0.05, 0.12) if dawn else (0.022, 0.6)
    )


def _cover(scene: Scene) -> materials.Cover:
    snow = 1.05
    if scene.season == "winter" or scene.weather == "snow":
        snow = -0.2
    elif "snow_caps" in scene.extras:
        snow = 0.55
    kind = {"desert": "sand", "field": "field"}.get(scene.subject, "alpine")
    return materials.cover(kind, snow, scene.season, scene.seed, "wheat" in scene.extras)


def _surface(scene: Scene, view: View) -> tuple[Surface, float]:
    """Returns the land and the eye's height (km) over level 0, the best of several views."""
    if scene.subject == "desert":
        spots = [ground.dunes(scene.seed, number) for number in range(10)]
        surface = max(spots, key=lambda one: _dune_score(one, 1.0 if scene.seed % 2 else -1.0))
        return surface, _stand(surface, 0.03)
    if scene.subject == "field":
        surface = ground.fields(scene.seed)
        return surface, float(surface(*np.zeros((3, 1, 1), np.float32))[0][0, 0]) + 0.0021
    rng = np.random.default_rng(scene.seed + 131)
    lake = scene.subject == "lake"
    soft = "hills" in scene.extras
    base = Range(
        rise=0.9 if soft else float(rng.uniform(1.7, 2.2)), begins=3.0 if lake else 1.2,
        whole=7.5 if lake else 6.5, sharpness=0.3 if soft else float(rng.uniform(0.75, 1.0)),
        basin=0.10 if lake else 0.0, offset=(0.0, 0.0), valley=0.55 if lake else 0.5,
        bank=1.0 if scene.seed % 3 else -1.0,
    )  # fmt: skip
    best, best_score = base, -1e9
    for offset in rng.uniform(0, 400, (14, 2)):
        tried = replace(base, offset=(float(offset[0]), float(offset[1])))
        score = _score(
            ground.mountains(replace(tried, octaves=5), scene.seed), view, 0.05 if lake else 0.3
        )
        if score > best_score:
            best, best_score = tried, score
    surface = ground.mountains(best, scene.seed)
    return surface, 0.045 if lake else _stand(surface, 0.22 if scene.weather == "fog" else 0.09)


def _stand(surface: Surface, over: float) -> float:
    """Returns an eye height that clears the near ground in the middle of the view."""
    z = np.linspace(0.02, 0.5, 24, dtype=np.float32)[:, None] * np.ones((1, 9), np.float32)
    x = z * np.linspace(-0.5, 0.5, 9, dtype=np.float32)[None]
    ground_height = surface(x, z, np.full_like(z, 0.01))[0]
    near = ground_height[:8].max()
    rising = (ground_height - 0.12 * z).max()
    return float(max(near, rising) + over)


def _dune_score(surface: Surface, side: float) -> float:
    """Returns how much light and shade the near dunes show to a low sun, and how they rise."""
    depths = np.geomspace(0.1, 3.0, 48).astype(np.float32)[:, None]
    x = np.linspace(-0.6, 0.6, 40, dtype=np.float32)[None] * depths
    z = np.broadcast_to(depths, x.shape).astype(np.float32)
    height, slope_x, _ = surface(x, z, 0.02 * z)
    rise = (height - _stand(surface, 0.03)) / z
    visible = rise >= np.maximum.accumulate(rise, axis=0) - 1e-4
    lit = np.clip(0.25 - side * slope_x, 0, 1)
    shown = lit[visible]
    return float(
        shown.std() * 2.0
        + rise.max(axis=0).std() * 3.0
        + 1.2 * min(float(shown.mean()), 0.3)
        - max(0.0, float(rise.max()) - 0.17) * 12.0
    )


def _score(surface: Surface, view: View, over: float) -> float:
    """Returns how good the skyline is: a main peak near a third, a varied line, room above."""
    depths = np.geomspace(0.3, 14.0, 56).astype(np.float32)[:, None]
    half = 0.5 * view.width / view.focal
    x = np.linspace(-half, half, 48, dtype=np.float32)[None] * depths
    z = np.broadcast_to(depths, x.shape).astype(np.float32)
    rise = (surface(x, z, 0.05 * z)[0] - over) / z
    line = rise.max(axis=0)
    room = view.horizon / view.focal
    peak = int(line.argmax())
    third = min(abs(peak / 47 - 0.33), abs(peak / 47 - 0.67))
    height = float(line.max()) / room
    near = float(np.clip(rise[:24], 0.0, None).max()) / room
    return float(
        2.2 * line.std() / room
        - 2.0 * third
        - 4.0 * abs(height - 0.62)
        - 1.2 * max(near - 0.3, 0.0)
    )


def _profile(land: Land, view: View, depths: FloatArray) -> FloatArray:
    """Returns heights (slices, columns) along every pixel column, trees included."""
    right, _ = view.rays(max(1.0, view.width / 960))
    x = right * depths[:, None]
    z = np.broadcast_to(depths[:, None], x.shape).astype(np.float32)
    foot = np.maximum(z * np.float32(1.3 / view.focal), np.float32(0.0001))
    height, slope_x, slope_z = land.surface(x, z, foot)
    height = height + land.cover.growth(x, z, height, np.hypot(slope_x, slope_z))
    return np.asarray(cv2.resize(height, (view.width, len(depths))), np.float32)
