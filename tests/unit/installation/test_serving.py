from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagerag_assets.errors import FingerprintError, QuestionError, UnknownEncoderError
from imagerag_assets.ingestion.ingest import embed, index, ingest_scene, is_current
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import find_serving, serving_beside
from imagerag_assets.questions.ask import Question, ask
from imagerag_assets.stac.types import Scene
from imagerag_assets.stores.milvus_filter import Filter
from imagerag_assets.stores.shards import list_shards
from tests.items import scene_at, texture, write_scene
from tests.tiny_encoder import write_tiny_encoder

LOOK = Question("where is a boat?", answer=False, path="fast")


@pytest.fixture
def scene(tmp_path: Path, platform: Platform) -> Callable[..., Scene]:
    """A scene on disk; other seeds give other pixels under the same key."""

    def write(name: str, seed: int = 0) -> Scene:
        return scene_at(write_scene(tmp_path, name, texture(200, 300, seed)), platform.settings)

    return write


def test_questions_stay_with_the_serving_encoder_until_the_alias_moves(
    platform: Platform, scene: Callable[..., Scene]
) -> None:
    with pytest.raises(QuestionError, match="imagerag ingest"):
        ask(platform, LOOK)
    ingest_scene(platform, scene("bay"))
    wanted = platform.using("tiny-other")
    before = ask(wanted, LOOK).to_dict()["lineage"]
    assert (before["encoder"], before["fingerprint"]) == ("tiny", platform.fingerprint)
    assert before["collection"] == platform.vectors.alias_target("patches")
    assert before["shards"]["bay"] == list_shards(platform.store)[0].path

    embed(wanted, "bay")
    platform.vectors.point_alias("patches", index(wanted, "bay").collection)
    after = ask(platform, LOOK).to_dict()["lineage"]
    assert (after["encoder"], after["fingerprint"]) == ("tiny-other", wanted.fingerprint)


def test_a_scene_that_comes_between_choice_and_switch_is_found_with_both(
    platform: Platform, scene: Callable[..., Scene]
) -> None:
    ingest_scene(platform, scene("old"))
    assert serving_beside(platform) is None
    wanted = platform.using("tiny-other")
    target = serving_beside(wanted)
    assert target is not None
    assert target.encoder == "tiny"

    new = scene("new")
    result = ingest_scene(wanted, new)
    assert result.status == "ingested"
    counts = {
        each.fingerprint: platform.vectors.count(each.name, Filter().scene_in(["new"]))
        for each in platform.vectors.list_collections()
    }
    assert counts == {platform.fingerprint: result.patches, wanted.fingerprint: result.patches}
    assert is_current(wanted, new)
    assert is_current(platform, new)

    changed = scene("new", seed=5)
    assert not is_current(wanted, changed)
    ingest_scene(wanted, changed)
    shards = list_shards(platform.store, scene_key="new")
    assert len(shards) == 2
    assert len({shard.version16 for shard in shards}) == 1
    # Rows of the serving encoder that are missing make a scene not current: a question would miss it.
    serving = find_serving(platform)
    assert serving is not None
    platform.vectors.delete_scene(serving.collection, "new")
    assert not is_current(wanted, changed)
    assert ingest_scene(wanted, changed).status == "ingested"
    assert is_current(wanted, changed)


def test_a_serving_encoder_that_is_gone_stops_questions_with_the_fix_but_no_ingest(
    tmp_path: Path, platform: Platform, scene: Callable[..., Scene]
) -> None:
    folder = tmp_path / "registry"
    write_tiny_encoder(folder, name="first", seed=7)
    registry = write_tiny_encoder(folder, name="second", seed=8)
    settings = platform.settings.model_copy(update={"encoders_file": registry, "encoder": "first"})
    with Platform(settings) as own:
        bay = scene("bay")
        ingest_scene(own, bay)
        stored = own.fingerprint
        # Another name for the same weights is the same encoder.
        registry.write_text(registry.read_text().replace("[encoders.first]", "[encoders.renamed]"))
        served = find_serving(own.using("second"))
        assert served is not None
        assert served.target.encoder == "renamed"
        with pytest.raises(UnknownEncoderError, match="first"):
            ask(own, LOOK)

        (folder / "first" / "model.safetensors").unlink()
        wanted = own.using("second")
        with pytest.raises(FingerprintError, match=f"stored={stored}, required={wanted.fingerprint}") as caught:
            ask(wanted, LOOK)
        assert "imagerag backfill" in caught.value.fix
        assert "\n" not in str(caught.value)
        quay = scene("quay")
        result = ingest_scene(wanted, quay)
        assert result.status == "ingested"
        assert result.note is not None
        assert result.note.startswith("Questions cannot find the scene yet: No encoder of the registry has")
        assert "imagerag backfill" in result.note
        assert is_current(wanted, quay)
        again = ingest_scene(wanted, quay)
        assert (again.status, again.note) == ("skipped", result.note)
        # A scene that was ingested with the serving encoder is found as long as it is as it was.
        assert ingest_scene(wanted, bay).note is None
