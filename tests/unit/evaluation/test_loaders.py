"""Question files in the formats that their authors publish."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from imagerag_assets.errors import InputError
from imagerag_assets.evaluation.cases import judge
from imagerag_assets.evaluation.loaders import load_cases, load_file

MME: dict[str, Any] = {
    "Question_id": "perception/remote_sensing/color/2608",
    "Question Type": "Multiple Choice",
    "Image": "dota_v2_P7321.png",
    "Text": "What color is the roof of the third house?",
    "Answer choices": ["(A) Purple", "(B) Blue", "(C) Grey", "(D) Yellow", "(E) This image doesn't feature the color."],
    "Ground truth": "B",
    "Task": "Perception",
    "Subtask": "Remote Sensing",
    "Category": "color",
}
LRS = {
    "question_id": "FAIR_12",
    "image": "LRS_VQA/image/15565.tif",
    "text": "What is the shape of the pond?",
    "ground_truth": "oval",
    "category": "object shape",
}
XLRS: dict[str, Any] = {
    "index": 7,
    "question": "Which land uses are present?",
    "multi-choice options": ["(A) Urban", "(B) Water", "(C) Forest", "(D) Mine"],
    "answer": "C A",
    "category": "Land use classification/Overall Land use classification",
    "l2-category": "land use",
}
OURS = {
    "id": "mosaic-0301-00",
    "scene": "mosaic-0301",
    "kind": "position",
    "class": "buildings",
    "question": "In which part of the image is the large building?",
    "choices": {"A": "upper left", "B": "upper right"},
    "answer": "B",
    "roi": [[4462, 25, 4718, 281]],
}


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_our_own_questions(tmp_path: Path) -> None:
    absent = {**OURS, "id": "2", "kind": "absent", "roi": []}
    bare = {"question": "Where is a boat?"}
    loaded = load_file(jsonl(tmp_path / "own.jsonl", OURS, absent, bare))
    first, second, third = loaded.cases
    assert (loaded.format, loaded.left_out) == ("imagerag", 0)
    assert (first.id, first.scenes, first.kind, first.answer) == ("mosaic-0301-00", ("mosaic-0301",), "position", "B")
    assert first.roi == ((4462, 25, 4718, 281),)
    assert second.roi == ()
    assert (third.id, third.roi, third.answer, third.scenes) == ("own:3", None, None, ())


def test_mme_realworld_takes_remote_sensing_and_says_how_many_are_not(tmp_path: Path) -> None:
    where = {"gt_toi": [6592, 970, 6970, 1569], "img_size": [7360, 4912]}
    annotated = {**MME, **where, "Question_id": "b", "Category": "position"}
    other = {**MME, "Question_id": "c", "Subtask": "Monitoring"}
    file = tmp_path / "MME_RealWorld.json"
    file.write_text(json.dumps([MME, annotated, other]), encoding="utf-8")
    loaded = load_file(file)
    first, second = loaded.cases
    assert (loaded.format, loaded.left_out) == ("mme-realworld", 1)
    assert first.id == "mme-realworld/perception/remote_sensing/color/2608"
    assert (first.kind, first.answer, first.roi) == ("colour", "B", None)
    assert list(first.choices) == list("ABCDE")
    assert (first.choices["B"], first.choices["E"]) == ("Blue", "This image doesn't feature the color.")
    assert (first.scenes, first.images) == (("mme-realworld.dota_v2_P7321",), (Path("dota_v2_P7321.png"),))
    assert second.roi == ((6592, 970, 6970, 1569),)  # pixels, as in the files of their authors
    assert loaded.protocol.startswith("MME-RealWorld Remote Sensing (MME_RealWorld.json), 2 questions; pass@1; letters")


def test_lrs_vqa_has_free_answers(tmp_path: Path) -> None:
    (case,) = load_file(jsonl(tmp_path / "LRS_VQA_merged.jsonl", LRS)).cases
    assert (case.id, case.kind, case.answer, case.choices) == ("lrs-vqa/FAIR_12", "object shape", "oval", {})
    assert case.images == (Path("LRS_VQA/image/15565.tif"),)
    assert case.scenes == ("lrs-vqa.15565",)


def test_xlrs_bench_as_json_with_names_or_with_base64(tmp_path: Path) -> None:
    text = base64.b64encode(png() + bytes(1000)).decode()
    listed = "The choices are listed below:\n(A) Cars\n(B) 2 (two) ships\n(C) x\n(D) y\n"
    rows = [
        {**XLRS, "image": ["a.png", "b.png"]},
        {**XLRS, "index": 8, "answer": "D", "image": text, "multi-choice options": listed},
    ]
    one, two = load_file(jsonl(tmp_path / "XLRS-Bench-lite_part0.jsonl", *rows), images=tmp_path / "images").cases
    assert (one.id, one.answer, one.scenes) == ("xlrs-bench/7", "AC", ("xlrs-bench.a", "xlrs-bench.b"))
    assert two.choices == {"A": "Cars", "B": "2 (two) ships", "C": "x", "D": "y"}
    assert two.images == (Path("8-0.png"),)
    assert (tmp_path / "images" / "8-0.png").read_bytes().startswith(png())


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_xlrs_bench_as_tables_with_pictures_inside(tmp_path: Path, suffix: str) -> None:
    table = pa.Table.from_pylist([{**XLRS, "image": [{"bytes": png(), "path": "original.png"}]}])
    file = tmp_path / f"data-00000-of-00001.{suffix}"
    if suffix == "arrow":
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, file)
    (case,) = load_file(file, images=tmp_path / "images").cases
    assert case.images == (Path("7-0.png"),)
    assert Image.open(tmp_path / "images" / "7-0.png").size == (4, 4)
    assert load_file(file).cases == (case,)  # without a folder it is only named


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"id": "1", "question": "a"}', "{broken"], "Line 2 of .* is not JSON"),
        (['{"question": "a"}', '["b"]'], "Line 2 of .* is not a JSON object"),
        (['{"question": "a"}', '{"id": "2"}'], "Line 2 of .* is not a valid imagerag question: it has no 'question'"),
        (['{"question": "a", "roi": [[5, 5, 1, 1]]}'], "Line 1 of .* is not x0, y0, x1, y1"),
        (['{"question": "a", "choices": {"A": "x"}, "answer": "C"}'], "not one of its choices"),
        ([json.dumps({**MME, "Answer choices": ["Purple", "Blue"]})], "Line 1 of .* are not written as"),
        ([json.dumps({key: MME[key] for key in MME if key != "Image"})], "it has no 'Image'"),
        ([json.dumps({**XLRS, "image": []})], "Line 1 of .* it has no picture"),
        ([json.dumps({**XLRS, "image": "a.png", "answer": "E"})], "'E' is not made of letters of its choices"),
        (
            [json.dumps({**MME, "gt_toi": [6592, 970, 7370, 1569], "img_size": [7360, 4912]})],
            r"Line 1 of .* the region \[6592, 970, 7370, 1569\] lies outside of the picture of 7360 x 4912 px",
        ),
        ([json.dumps({**MME, "gt_toi": [-5, 0, 10, 10], "img_size": [100, 100]})], "lies outside of the picture"),
        (['{"question": "a", "truth": {"facts": []}}'], "Line 1 of .* truth.facts: "),
        (['{"question": "a", "truth": {"facts": [{"kind": "smell"}]}}'], "Line 1 of .* truth.facts.0: .*smell"),
        (['{"question": "a", "choices": {"A": "x", "B": "y"}, "truth": {"facts": []}}'], "both choices and a truth"),
        (['{"surprise": 1}'], "The format of the file is unknown"),
        ([], "no questions"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, rows: list[str], message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_file(file)


def test_an_answer_of_several_letters_is_right_if_all_and_no_others_are_given(tmp_path: Path) -> None:
    rows = [{**XLRS, "image": "a.png"}, {**XLRS, "index": 8, "answer": "D", "image": "b.png"}]
    other = {**XLRS, "index": 9, "answer": "B", "image": "c.png", "category": "Counting"}
    loaded = load_file(jsonl(tmp_path / "XLRS-Bench-lite_part0.jsonl", *rows, other))
    both, one, alone = loaded.cases
    assert [case.several for case in loaded.cases] == [True, True, False]  # of a kind, whatever the answer
    scores = {"A": 0.4, "B": 0.1, "C": 0.3, "D": 0.2}
    for case, scored, right in (
        (both, scores, True),
        (both, {**scores, "D": 0.3}, False),
        (both, {**scores, "C": 0.2}, False),
        (one, {"A": 0.1, "B": 0.1, "C": 0.1, "D": 0.7}, True),
    ):
        assert judge(case, {"choice": "A", "scores": scored, "cues": []}).right is right
    assert judge(alone, {"choice": "B", "scores": scores, "cues": []}).right is True
    assert judge(one, {"choice": "D", "cues": []}).right is True  # a server without probabilities
    assert "XLRS-Bench-Lite (XLRS-Bench-lite_part0.jsonl), 3 questions" in loaded.protocol
    assert "where a category allows several" in loaded.protocol
    listed = {**OURS, "answer": ["B", "A"]}
    assert load_file(jsonl(tmp_path / "own.jsonl", listed)).cases[0].answer == "AB"


def test_the_truth_of_a_free_question_is_read(tmp_path: Path) -> None:
    truth = {"facts": [{"kind": "count", "thing": "tank", "value": 2}], "names": {"tank": ["storage tank"]}}
    loaded = load_file(jsonl(tmp_path / "own.jsonl", {"question": "tanks?", "kind": "count", "truth": truth}))
    (case,) = loaded.cases
    judged = judge(case, {"answer": "Found 2 storage tanks.", "cues": []})
    assert judged.right is True
    assert judged.free is not None
    assert judge(case, {"error": {}}).right is False
    assert judge(case, {"cues": []}, answered=False).right is None
    assert loaded.protocol.endswith("pass@1; free answers by their result and their sentence")


def test_an_id_may_not_occur_twice(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / name, OURS) for name in ("one.jsonl", "two.jsonl")]
    with pytest.raises(InputError, match=r"'mosaic-0301-00' occurs twice, in .*one.jsonl and in .*two.jsonl"):
        load_cases(files)
    with pytest.raises(InputError, match="cannot be read"):
        load_cases([tmp_path / "nowhere.jsonl"])


def test_a_line_says_what_a_file_of_questions_may_say_and_nothing_else(tmp_path: Path) -> None:
    asked = {"question": "Where?", "scenes": ["a", "b"], "bbox": [1, 2, 3, 4], "cloud_at_most": 5, "class": "pier"}
    (case,) = load_file(jsonl(tmp_path / "own.jsonl", asked)).cases
    assert case.scenes == ("a", "b")
    assert case.options == {"bbox": [1, 2, 3, 4], "cloud_at_most": 5}
    for wrong, says in (({"scens": ["a"]}, "'scens'. Did you mean 'scenes'"), ({"top_k": 0}, "top_k 0")):
        with pytest.raises(InputError, match=f"Line 1 of .*{says}"):
            load_file(jsonl(tmp_path / "wrong.jsonl", asked | wrong))
