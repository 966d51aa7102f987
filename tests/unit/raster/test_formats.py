"""What happens with each format and situation, and that docs/formats.md says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.errors import RasterError
from imagerag_assets.settings import Settings
from tests.formats.picture import like, look
from tests.formats.situations import SITUATIONS, Situation
from tests.formats.table import PAGE, page


@pytest.mark.parametrize("situation", SITUATIONS, ids=[each.name for each in SITUATIONS])
def test_what_happens(situation: Situation, tmp_path: Path, settings: Settings) -> None:
    scene = situation.make(tmp_path)
    settings = settings.model_copy(update=situation.settings)
    if situation.error:
        with pytest.raises(RasterError, match=situation.error) as failed:
            look(scene, settings)
        assert "\n" not in str(failed.value)
        assert str(tmp_path) in str(failed.value)
        return
    seen = look(scene, settings)
    assert like(seen.quarters, situation.quarters), seen
    assert seen.valid == pytest.approx(situation.valid, abs=0.011), seen
    assert situation.note in "; ".join(seen.notes)
    if not situation.note:
        assert not [note for note in seen.notes if "CRS" not in note]


def test_the_page_says_what_happens() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.formats.table"
