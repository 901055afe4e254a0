"""What a kind is: one declaration from which its route, documents, price and command follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from darkroom import config, errors, media

PROMPT_CHARS_MAX = 2000
NEGATIVE_PROMPT_CHARS_MAX = 1000
SEED_MAX = 2**31 - 1
DEADLINE_SECONDS_MAX = 86_400
PRIORITY_MAX = 9
# The unit of what is paid when it is known what was used.
TOKENS = "million tokens"

ModelKey = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, description="A key of GET /v1/models.")
]
Prompt = Annotated[
    str, msgspec.Meta(min_length=1, max_length=PROMPT_CHARS_MAX, description="What to show.")
]
NegativePrompt = Annotated[
    str, msgspec.Meta(max_length=NEGATIVE_PROMPT_CHARS_MAX, description="What not to show.")
]
AspectRatio = Annotated[
    Annotated[str, msgspec.Meta(max_length=20)] | None,
    msgspec.Meta(description="Width to height, such as 16:9; one that the model lists."),
]
Picture = Annotated[
    str, msgspec.Meta(description="An address, data: URL or uploaded file; jpg, png or webp.")
]
Clip = Annotated[str, msgspec.Meta(description="An address or uploaded file; mp4, mov or webm.")]
Sound = Annotated[
    str, msgspec.Meta(description="An address or uploaded file; mp3, m4a, wav, ogg or flac.")
]


def named(names: Mapping[Any, tuple[str, str]]) -> msgspec.Meta:
    """Values that people know by a name and a few words, as `oneOf` in the field's JSON Schema."""
    titled = [
        {"const": value, "title": title, "description": words}
        for value, (title, words) in names.items()
    ]
    return msgspec.Meta(extra_json_schema={"oneOf": titled})


class Submit(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The fields that every kind takes."""

    seed: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=SEED_MAX)] | None,
        msgspec.Meta(description="Same seed, same result; result n takes seed + n."),
    ] = None
    webhook_url: Annotated[
        str | None, msgspec.Meta(description="Where to POST the results when the task has ended.")
    ] = None
    webhook_events: Annotated[
        Annotated[
            list[Literal["ended", "started", "progress", "output"]], msgspec.Meta(min_length=1)
        ]
        | None,
        msgspec.Meta(description="What to POST there: ended, started, progress, output."),
    ] = None
    caller_id: Annotated[
        Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
        msgspec.Meta(description="A tag of your own, echoed in status."),
    ] = None
    deadline_seconds: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=DEADLINE_SECONDS_MAX)] | None,
        msgspec.Meta(description="A task that has not begun after so long ends FAILED, for free."),
    ] = None
    priority: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=PRIORITY_MAX, description="Of your own waiting tasks the highest begin first."
        ),
    ] = 0

    def check(self) -> None:
        """Raise `BadParameter` where fields do not fit each other."""


class Files(msgspec.Struct, frozen=True):
    """A field of addresses of input files, one or, where its type is a list, several."""

    count_max: int
    sort: media.Sort

    @property
    def bytes_max(self) -> int:
        return config.UPLOAD_BYTES_MAX[self.sort]

    @property
    def media_types(self) -> frozenset[str]:
        return media.SORTS[self.sort]

    @property
    def refusal(self) -> str:
        """What a file of another type is answered."""
        return f"only support {media.SPOKEN[self.sort]} type"


class Kind(msgspec.Struct, frozen=True):
    """One kind of generation.

    `outputs` is the status field that lists the results; `count_field` the input field that says
    how many tasks a submit makes, where one may ask for several; `texts` the fields that the
    content policy reads (what not to show is none of them: naming it there is a habit of care);
    `files` the fields that hold input addresses; `units` what a price may be for, the usual one
    first; `size` the ratio and resolution of results when a caller names none, for kinds that are
    asked for a size (`is_ratio_open`: even a model that lists ratios need be sent none); `told` the
    notes of a backend that status shows beside the results; `built_in` the backend that runs it in
    the sandbox; one that `is_synchronous` is answered when it has ended; `stage` is the word before
    `-success` and `-fail` in `content_status`; one that `continues` another kind goes on with a
    task of it, under that task's id; `path` what follows `/v1/generation/`.
    """

    name: str
    summary: str
    input: type[Submit]
    outputs: Literal["images", "videos", "audios", "texts"]
    units: tuple[str, ...]
    built_in: str
    example: Mapping[str, Any]
    texts: tuple[str, ...] = ()
    count_field: str | None = None
    files: Mapping[str, Files] = msgspec.field(default_factory=dict)
    size: tuple[str, str] | None = None
    is_ratio_open: bool = False
    told: tuple[str, ...] = ()
    is_synchronous: bool = False
    stage: str = ""
    continues: str = ""
    path: str = ""

    @property
    def route(self) -> str:
        """The path under which it is asked for."""
        return f"/v1/generation/{self.path or self.name}"


def words(given: Submit, name: str) -> str:
    """What a field says in words; the turns of a script one after the other."""
    value = getattr(given, name)
    return value if isinstance(value, str) else "\n".join(turn.content for turn in value)


def several(value: str | Sequence[str] | None) -> Sequence[str]:
    """The addresses of a field that takes one, some, or may be left out."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


# Fields by the words that clients of this wire match.
_SPOKEN = {
    "img_url": "image url",
    "aspect_ratio": "aspect ratio",
    "target_lang": "target language",
    "target_language": "target language",
}


def spoken(name: str) -> str:
    """A field as refusals call it."""
    return _SPOKEN.get(name, name)


def required(given: Submit, name: str) -> None:
    """Raise `BadParameter` when a text that must say something is blank."""
    value = getattr(given, name)
    if isinstance(value, str) and not value.strip():
        raise errors.BadParameter(f"{spoken(name)} cannot be empty", field=name)
