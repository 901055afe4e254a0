"""What a painting shows: the prompt read into a scene, plain data that every layer draws from."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

# Hears how much is done, 0 to 1; what it raises ends the painting.
Progress = Callable[[float], None]


class Scene(msgspec.Struct, frozen=True):
    """A composed picture before it is painted; choices that the prompt left open are the seed's.

    subject   sea · lake · mountains · forest · desert · city · flowers · field · sky · abstract
    time      dawn · sunrise · day · golden · sunset · dusk · night
    weather   clear · cloudy · overcast · rain · storm · fog · snow
    season    spring · summer · autumn · winter
    mood      calm · dramatic · dreamy · dark · joyful · neutral
    style     photo · watercolour · oil · pixel · line · impressionist · poster · ink · pencil
    extras    things laid over it: aurora · stars · milky_way · moon · rainbow · birds · boat
              · lighthouse · palm · cabin · snow_caps · reflection · neon · path …
    palette   named colours of the prompt, RGB 0..1, strongest first; empty: the time of day decides
    vividness 0 muted … 1 vivid
    moment    seconds into a film, whose clouds, waves and lights it moves; None: a picture. A film
              lets rain, snow, lightning, birds and fireflies move itself: they are left out
    """

    subject: str
    seed: int
    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    mood: str = "neutral"
    style: str = "photo"
    extras: frozenset[str] = frozenset()
    palette: tuple[tuple[float, float, float], ...] = ()
    vividness: float = 0.5
    moment: float | None = None
    words_used: tuple[str, ...] = ()
    words_ignored: tuple[str, ...] = ()
