"""Files of labels for `imagerag calibrate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.errors import InputError, UnknownSceneError
from imagerag_assets.evaluation.calibration_labels import read_labels

GOOD = """{"phrase": "ship", "scene": "a", "box": [0, 0, 50, 50]}
{"phrase": "ship", "scene": "a", "box": [90, 90, 150, 150]}

{"phrase": "ship", "scene": "b", "absent": true}
"""
CSV = """phrase,scene,box,absent
ship,a,0 0 50 50,
ship,a,"[90, 90, 150, 150]",no
ship,b,,yes
"""


def size(scene: str) -> tuple[int, int]:
    if scene not in ("a", "b"):
        raise UnknownSceneError("There is no such scene")
    return 100, 100


@pytest.mark.parametrize(("name", "text"), [("labels.jsonl", GOOD), ("labels.csv", CSV)])
def test_both_forms_give_a_target_for_each_phrase_and_scene(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_labels(tmp_path / name, size)
    assert [(each.scene, each.windows) for each in found] == [
        ("a", ((0, 0, 50, 50), (90, 90, 100, 100))),  # cut at the scene's edge
        ("b", ()),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x", "Not a label .*line=1"),
        ("[]", "Not a label"),
        ("", "no label"),
        ('{"phrase": "ship"}', "phrase and a scene"),
        ('{"phrase": "ship", "scene": "zz", "absent": true}', "no such scene: zz"),
        ('{"phrase": "ship", "scene": "a"}', "either a box or absent"),
        ('{"phrase": "ship", "scene": "a", "box": [0, 0, 9, 9], "absent": true}', "either a box or absent"),
        ('{"phrase": "ship", "scene": "a", "box": [0, 0, 9]}', "four numbers"),
        ('{"phrase": "ship", "scene": "a", "box": [200, 0, 300, 9]}', "outside its scene"),
        ('{"phrase": "ship", "scene": "a", "box": [0, 0, NaN, 9]}', "four numbers"),
        ('{"phrase": "ship", "scene": "a", "absent": "perhaps"}', "true or false"),
        (GOOD + '{"phrase": "ship", "scene": "b", "box": [0, 0, 9, 9]}', "absent from b and as seen .*4 and 5"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "labels.jsonl").write_text(line)
    with pytest.raises(InputError, match=said):
        read_labels(tmp_path / "labels.jsonl", size)
