"""Saving: a download goes to a .part beside its target, and gets its name when it is whole."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

NAME_CHARS_MAX = 150


class Saving:
    """One download on its way to `target`; what is not kept leaves nothing behind."""

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.target = target
        self._part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")

    @classmethod
    def plan(cls, urls: Sequence[str], to: Path) -> list[Saving]:
        """Where each address is to go; raises FileExistsError before anything is fetched.

        `to` is a file if it has a suffix and is no folder (then there must be one address), else
        a folder, which is made.
        """
        if to.suffix and not to.is_dir():
            if len(urls) != 1:
                raise NotADirectoryError(f"{to} is one file, but there are {len(urls)} results.")
            targets = [to]
        else:
            targets = [to / _name(url) for url in urls]
        for target in targets:
            _refuse_existing(target)
            target.parent.mkdir(parents=True, exist_ok=True)
        return [cls(url, target) for url, target in zip(urls, targets, strict=True)]

    def open(self) -> BinaryIO:
        """The .part, empty: a repeated download begins again."""
        return self._part.open("wb")

    def keep(self) -> Path:
        """Give the whole file its name."""
        _refuse_existing(self.target)
        return self._part.rename(self.target)

    def __enter__(self) -> Saving:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._part.unlink(missing_ok=True)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise FileExistsError(f"{target} exists already: remove it, or name another place.")


def _name(url: str) -> str:
    """A safe file name from the last part of an address."""
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".")[-NAME_CHARS_MAX:]
    return name or "download"
