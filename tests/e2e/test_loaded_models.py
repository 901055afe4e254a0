"""A worker goes on with the model that it has loaded, for a while."""

from __future__ import annotations

from itertools import pairwise

from e2e_house import House, ended, submit

from darkroom import config
from ground import wait_until

NUMBER = 8
MODELS = ("HEAVY_A", "HEAVY_B")
CATALOGUE = """
[{model}]
name = "Takes half a second to load"
backends = ["probe"]
[{model}.kinds.text-to-image]
credits = 1
"""


def test_models_that_are_slow_to_load_change_seldom(house: House) -> None:
    """Two accounts, a model each: without a preference they would be served in turn."""
    catalogue = house.folder / "catalogue.toml"
    own = "".join(CATALOGUE.format(model=model) for model in MODELS)
    catalogue.write_text(catalogue.read_text() + own)
    house.start("serve", "--workers", "1")
    first = house.client()
    held = submit(first, "slow", model=MODELS[0])
    wait_until(lambda: house.marks())
    callers = {model: house.client() for model in MODELS}
    ids = {model: submit(caller, "plain", NUMBER, model=model) for model, caller in callers.items()}
    done = ended(first, held)
    for model, caller in callers.items():
        done += ended(caller, ids[model])
    order = [task["model"] for task in sorted(done, key=lambda task: task["started_at"])]
    changes = sum(before != after for before, after in pairwise(order))
    assert changes <= 1 + 2 * NUMBER // config.OVERTAKEN_MAX, order
