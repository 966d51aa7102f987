"""What a scope probably shows: on vectors of known geometry in a real Milvus Lite, and the demo encoder's words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from imagerag_assets.encoders.registry import load_encoder
from imagerag_assets.retrieval.background import PROMPTS
from imagerag_assets.retrieval.survey import common_things, survey
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_filter import Filter
from tests.unit.retrieval.world import AxisEncoder, World, search, unit

MakeWorld = Callable[..., World]
AXES = {"forest": 0, "ship": 1, "stadium": 2}


def seen(thing: str, strength: float = 1.0) -> object:
    return unit((AXES[thing], strength), (30, 1.0), (40, 0.4))


def test_covers_come_first_and_what_is_rare_is_not_forgotten(make_world: MakeWorld) -> None:
    world = make_world(AxisEncoder(dict(AXES)))
    squares = [(300 * x, 0, 300 * x + 256, 256) for x in range(8)]
    vectors = [*[seen("forest", 0.9)] * 6, seen("ship"), unit((20, 1.0))]
    world.add("a", squares, vectors)  # type: ignore[arg-type]
    world.add("b", squares[:1], [seen("stadium")])  # type: ignore[list-item]
    found = survey(world, search(where=Filter().scene_in(["a"])))
    assert found == ("forest", "ship")
    assert set(survey(world, search())) == {"forest", "ship", "stadium"}
    assert survey(world, search(), most=1) == ("forest",)


def test_only_what_the_encoder_tells_apart_is_surveyed(make_world: MakeWorld, tmp_path: Path) -> None:
    assert common_things(make_world(AxisEncoder({}))) == PROMPTS  # nothing is known of this encoder's words
    demo = load_encoder("demo", load_settings(home=tmp_path, _env_file=None))
    names = common_things(make_world(demo))
    assert {"forest", "storage tank", "harbor", "airplane"} <= set(names)
    assert not {"quarry", "snow", "railway tracks"} & set(names)
