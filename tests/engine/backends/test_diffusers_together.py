"""Several pictures in one call of a pipeline: each the one that it is alone, and none another's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import Progress

from darkroom import errors
from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Canceled, Input, Output

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

KIND = "text-to-image"
WORDS = ("a fox", "waves at night, seen from above, a long way off", "fog", "a dog")


class Studio:
    """The backend with one tiny pipeline set up, which takes four pictures a call."""

    def __init__(self, folder: Path, own: Path, **options: Any) -> None:
        from darkroom.engine.backends.diffusers.backend import Diffusers

        self.folder, self.backend = folder, Diffusers()
        self.backend.setup("TINY", {"model": str(own), "steps": 3, "together": 4} | options)

    def given(self, prompt: str, **fields: Any) -> Input:
        return Input(KIND, "TINY", {"prompt": prompt, "width": 64, "height": 64} | fields)

    def context(self, name: str, seed: int, cancel_at: float = 2.0) -> Progress:
        return Progress(self.folder / f"{name}-{seed}", seed, cancel_at)

    def together(self, given: list[Input]) -> dict[int, Any]:
        """What came of each, all told."""
        contexts = [self.context("together", seed) for seed in range(len(given))]
        told = [*self.backend.run_together(given, contexts)]
        assert sorted(place for place, _ in told) == [*range(len(given))]
        for place, one in told:
            if isinstance(one, Output):
                assert one.path.parent == contexts[place].folder
        return dict(told)

    def alone(self, given: Input, seed: int) -> Output:
        [output] = self.backend.run(given, self.context("alone", seed))
        return output


@pytest.fixture
def studio(tiny: Callable[[str], Path], tmp_path: Path) -> Studio:
    """A studio with the smallest pipeline."""
    return Studio(tmp_path, tiny("sd"))


@pytest.mark.parametrize("name", ["sd", "sdxl", "flux", "sd3", "qwen_image"])
def test_a_seed_makes_the_same_picture_alone_and_together(
    tiny: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    studio = Studio(tmp_path, tiny(name))
    given = [studio.given(words, negative_prompt="mud") for words in WORDS]
    for seed, output in studio.together(given).items():
        assert output.notes["together"] == len(given)
        own = pictures.read(studio.alone(given[seed], seed).path).astype(int)
        # The sums of a matrix product come in another order: the last bit of a colour may differ.
        assert np.abs(own - pictures.read(output.path)).max() <= 1
    assert len({output.path.read_bytes() for output in studio.together(given).values()}) == 4


def test_what_cannot_share_a_call_has_its_own(studio: Studio) -> None:
    plain, other = studio.given("a fox"), studio.given("a fox", negative_prompt="fog")
    made = studio.together([plain, other, plain])
    assert [made[place].notes.get("together") for place in range(3)] == [2, None, 2]


def test_what_is_refused_leaves_the_others_theirs(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    studio = Studio(tmp_path, tiny("sd"), loras={"ink": {"path": "somebody/ink"}})
    made = studio.together([studio.given(one) for one in ("a fox", "<lora:oil> fog", "a dog")])
    assert isinstance(made[1], errors.BadInput)
    assert "There is no LoRA oil" in made[1].message
    assert made[0].notes["together"] == made[2].notes["together"] == 2


def test_who_lost_his_folder_costs_the_others_nothing(studio: Studio) -> None:
    contexts = [studio.context("lost", seed) for seed in range(2)]
    contexts[0].folder.rmdir()
    told = dict(studio.backend.run_together([studio.given("a")] * 2, contexts))
    assert isinstance(told[0], errors.BackendFailed)
    assert told[1].path.exists()


def test_a_cancel_stops_the_call_at_a_step(studio: Studio) -> None:
    contexts = [studio.context("canceled", 1, cancel_at=0.3), studio.context("canceled", 2)]
    with pytest.raises(Canceled):
        [*studio.backend.run_together([studio.given("a")] * 2, contexts)]
    assert contexts[0].told[-1] < 0.9
    assert studio.together([studio.given("a")] * 2)


def test_it_is_for_pictures_from_words_and_off_on_the_processor(
    tiny: Callable[[str], Path], tmp_path: Path, studio: Studio
) -> None:
    assert studio.backend.together_max(KIND) == 4
    assert studio.backend.together_max("image-to-image") == 1
    usual = Studio(tmp_path, tiny("sd"), together=None, device="cpu")
    assert usual.backend.together_max(KIND) == 1
