"""Effect templates: pictures in, a clip of a known kind out, with a few words of the caller's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from darkroom import errors
from darkroom.domain.kinds.kind import Files, Kind, ModelKey, Submit, named

VARIABLE_CHARS_MAX = 100
_RATIOS = ("16:9", "9:16", "1:1")


class Variable(msgspec.Struct, frozen=True):
    """Words that a template takes: what they are, and what stands there when none are sent."""

    key: str
    title: str
    usual: str


class Template(msgspec.Struct, frozen=True):
    """One effect: how many pictures it takes, and the request for a clip that it stands for.

    `prompt` has a place for each variable, `{key}`. With one picture it is image-to-video, with
    more multi-image-to-video.
    """

    id: int
    title: str
    prompt: str
    image_input: int = 1
    seconds: int = 5
    supports_bgm: bool = True
    variables: tuple[Variable, ...] = ()
    ratios: tuple[str, ...] = _RATIOS

    @property
    def takes(self) -> str:
        """What it is made of, in a few words."""
        pictures = "1 picture" if self.image_input == 1 else f"{self.image_input} pictures"
        return ", ".join((pictures, f"{self.seconds} seconds", *(v.key for v in self.variables)))

    def words(self, given: dict[str, str]) -> str:
        """The prompt with the caller's words in their places."""
        return self.prompt.format(
            **{one.key: given.get(one.key) or one.usual for one in self.variables}
        )


_WEATHER = Variable("weather", "Weather", "light snow")
_PACE = Variable("pace", "Pace of the camera", "slow")

TEMPLATES = {
    one.id: one
    for one in (
        Template(1001, "Push in", "{pace} dolly in", variables=(_PACE,)),
        Template(1002, "Pull back", "{pace} dolly out", variables=(_PACE,)),
        Template(1003, "Orbit", "{pace} orbit right", variables=(_PACE,)),
        Template(1004, "Glide left", "{pace} pan left", variables=(_PACE,)),
        Template(1005, "Glide right", "{pace} pan right", variables=(_PACE,)),
        Template(1006, "Rise", "{pace} crane, tilt up", variables=(_PACE,)),
        Template(1007, "Living photo", "static camera, gentle motion"),
        Template(1008, "Falling weather", "{weather}, {pace} zoom in", variables=(_WEATHER, _PACE)),
        Template(1009, "Before and after", "{pace} dissolve", image_input=2, variables=(_PACE,)),
        Template(
            1010, "Three acts", "{pace} pan right", image_input=3, seconds=8, variables=(_PACE,)
        ),
        Template(1011, "Story for a phone", "{pace} tilt up", ratios=("9:16",), variables=(_PACE,)),
        Template(1012, "Wide and slow", "slow pan right", ratios=("21:9", "16:9"), seconds=8),
    )
}


class EffectTemplate(Submit, kw_only=True):
    """A clip after a template."""

    template_config_id: Annotated[
        int,
        msgspec.Meta(
            title="Template", description="A template of GET /v1/generation/effect-templates."
        ),
        named({one.id: (one.title, one.takes) for one in TEMPLATES.values()}),
    ]
    image_url: Annotated[
        list[str],
        msgspec.Meta(min_length=1, description="As many pictures as the template takes."),
    ]
    model: ModelKey = "FILM"
    bgm: Annotated[bool, msgspec.Meta(description="Whether the clip gets music.")] = False
    aspect_ratio: Annotated[
        Annotated[str, msgspec.Meta(max_length=20)] | None,
        msgspec.Meta(description="One of the template's; none: its first."),
    ] = None
    prompt_inputs: Annotated[
        dict[str, Annotated[str, msgspec.Meta(max_length=VARIABLE_CHARS_MAX)]],
        msgspec.Meta(
            max_length=10,
            title="Words",
            description="Words for the template's prompt_variables.",
            extra_json_schema={
                "properties": {
                    one.key: {"type": "string", "title": one.title}
                    for template in TEMPLATES.values()
                    for one in template.variables
                }
            },
        ),
    ] = msgspec.field(default_factory=dict)

    def check(self) -> None:
        template = TEMPLATES.get(self.template_config_id)
        if template is None:
            raise errors.BadParameter(
                f"template_config_id {self.template_config_id} is not known: "
                "GET /v1/generation/effect-templates lists them.",
                field="template_config_id",
            )
        if len(self.image_url) != template.image_input:
            raise errors.BadParameter(
                f"image_url has {len(self.image_url)} pictures; this template takes "
                f"{template.image_input}.",
                field="image_url",
            )
        if self.aspect_ratio and self.aspect_ratio not in template.ratios:
            raise errors.AspectRatioRefused(
                f"aspect ratio {self.aspect_ratio} is not supported: this template takes "
                f"{', '.join(template.ratios)}.",
                field="aspect_ratio",
            )
        known = {one.key for one in template.variables}
        for name in self.prompt_inputs:
            if name not in known:
                raise errors.BadParameter(
                    f"prompt_inputs: {name} is none of this template's words: "
                    f"{', '.join(sorted(known)) or 'it takes none'}.",
                    field="prompt_inputs",
                )


EFFECT_TEMPLATE = Kind(
    name="effect-template",
    summary="Make a clip after a template.",
    input=EffectTemplate,
    outputs="videos",
    units=("call",),
    built_in="film",
    files={"image_url": Files(3, "picture")},
    example={
        "template_config_id": 1003,
        "image_url": ["https://example.com/photo.jpg"],
        "aspect_ratio": "16:9",
        "prompt_inputs": {"pace": "slow"},
    },
)

KINDS = (EFFECT_TEMPLATE,)
