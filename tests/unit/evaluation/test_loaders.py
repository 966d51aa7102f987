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
    where = {"gt_toi": [250, 500, 500, 1000], "img_size": [4000, 2000]}
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
    assert second.roi == ((1000, 1000, 2000, 2000),)  # from 0-1000 to pixels


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
        (['{"surprise": 1}'], "The format of the file is unknown"),
        ([], "no questions"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, rows: list[str], message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_file(file)


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
