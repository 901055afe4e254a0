"""Offers: the models whose tasks a worker takes now, in its children and by other services."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from darkroom.domain.catalogue import Catalogue, Served
from darkroom.engine.routing import Routes


class Offers:
    """What the catalogue and the health of services leave a worker; `only`: what it is for."""

    def __init__(
        self, catalogue: Catalogue, routes: Routes, remotes: Collection[str], only: Collection[str]
    ) -> None:
        self._catalogue = catalogue
        self._routes = routes
        self._remotes = {*remotes}
        self._only = only
        # Of what the catalogue said last, the models that need no child.
        self._away: tuple[Mapping[str, Served], frozenset[str]] = ({}, frozenset())

    def served(self) -> Mapping[str, Served]:
        """The models whose tasks this worker runs: all that it can, or those of them it is for."""
        served = self._catalogue.served()
        if not self._only:
            return served
        return {key: one for key, one in served.items() if key in self._only}

    def awake(self, served: Mapping[str, Served]) -> tuple[list[str], list[str]]:
        """The models that need not rest: those for children, those for other services alone."""
        awake = [key for key, one in served.items() if not self._routes.rests(key, one)]
        away_only = self._away_only(served)
        return (
            [key for key in awake if key not in away_only],
            [key for key in awake if key in away_only],
        )

    def _away_only(self, served: Mapping[str, Served]) -> frozenset[str]:
        """The models that other services alone can make, so that they need no child."""
        known, found = self._away
        if known is not served:
            found = frozenset(
                key
                for key, one in served.items()
                if self._remotes >= {name for every in one.backends.values() for name in every}
            )
            self._away = served, found
        return found
