"""An installation made by release 0.1 goes on working: nothing is embedded again, and answers stay what they were."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from imagerag_assets.encoders.open_clip_encoder import OpenClipEncoder
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.questions.answer_record import AnswerRecord
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.settings import load_settings
from imagerag_assets.standing_questions.store import Watch, WatchAnswer
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.commands import run
from tests.conftest import PROJECT
from tests.earlier_installation import EarlierInstallation, missing_from, unpack

RELEASE = "installation_0.1"
TEXTS = frozenset({"detail", "error", "message", "fix", "notes", "note", "problem", "problems", "label", "seconds"})
"""Values that are worded anew from release to release, or that the machine decides."""
FIRST = "demo-first"
"""What the encoder is called by now that was `demo` then."""
GONE = "fairground"
"""The scene whose item has left its source."""
SCENES = ("fairground", "lakeside", "quay_june", "quay_may", "valley")
RECORDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "scenes/*/record.json": lambda stored: SceneRecord.from_dict(stored).to_dict(),
    "watches/*.json": lambda stored: Watch.from_dict(stored).to_dict(),
    "watches/*/answers/*.json": lambda stored: WatchAnswer.from_dict(stored).to_dict(),
}
"""Records that are written anew in the course of work, each with how it is read and written."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EarlierInstallation]:
    """The installation, for tests that only read it."""
    installation = unpack(RELEASE, tmp_path_factory.mktemp(RELEASE))
    with closing(LiteShare(str(installation.home / "milvus.db"))):  # or each command would start a server
        yield installation


@pytest.fixture
def read(unpacked: EarlierInstallation, monkeypatch: pytest.MonkeyPatch) -> EarlierInstallation:
    """The installation that is only read, as the one of this process."""
    return use(unpacked, monkeypatch)


@pytest.fixture
def at_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EarlierInstallation:
    """An installation of the test's own, which no process has open."""
    return use(unpack(RELEASE, tmp_path / "imagerag"), monkeypatch)


@pytest.fixture
def installation(at_rest: EarlierInstallation) -> Iterator[EarlierInstallation]:
    """An installation of the test's own, for many commands."""
    with closing(LiteShare(str(at_rest.home / "milvus.db"))):
        yield at_rest


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of pictures that the encoder is given."""
    counts: list[int] = []
    encode = OpenClipEncoder.encode_images

    def counted(self: OpenClipEncoder, images: Any) -> Any:
        counts.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(OpenClipEncoder, "encode_images", counted)
    return counts


def use(installation: EarlierInstallation, monkeypatch: pytest.MonkeyPatch) -> EarlierInstallation:
    monkeypatch.chdir(installation.root)
    monkeypatch.setenv("IMAGERAG_HOME", str(installation.home))
    monkeypatch.setenv("IMAGERAG_ENCODER", FIRST)
    return installation


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document of a command that succeeds."""
    code, document = run(capsys, *arguments)
    assert code == 0, document
    return document


def cues(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What makes two cues the same."""
    return [(cue["rank"], cue["patch_id"], cue["phrase"], cue["window"]) for cue in answer["cues"]]


def alike(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Cues as another processor finds them, which may round a place otherwise than the one that answered first."""
    return [(*each[:-1], pytest.approx(each[-1], abs=2)) for each in cues(answer)]


def test_it_is_whole(read: EarlierInstallation, capsys: pytest.CaptureFixture[str]) -> None:
    """A deep look finds nothing wrong with what an earlier release has made."""
    assert done(capsys, "doctor", "--deep")["differences"] == []


def rows_of(installation: EarlierInstallation, scene: str) -> int:
    """How many patches of a scene are embedded."""
    (shard,) = (installation.objects / "embeddings" / scene / "pyramid").rglob("*.parquet")
    return int(pq.read_metadata(shard).num_rows)


def in_use(printed: dict[str, Any]) -> dict[str, Any]:
    """What a command printed, with the present name of the encoder in use."""
    names = {key: printed[key] for key in ("encoder", "serving") if key in printed}
    return printed | {key: old | {"name": FIRST} if isinstance(old, dict) else FIRST for key, old in names.items()}


def test_commands_print_what_they_printed(capsys: pytest.CaptureFixture[str], read: EarlierInstallation) -> None:
    assert len(read.documents) > 12
    for command, printed in read.documents.items():
        # What says which encoder is in use has its present name; records keep the one that they were written with.
        then = in_use(printed) if command in ("status", "backfill --dry-run") else printed
        document = done(capsys, *command.split())
        assert missing_from(document, then, ignoring=TEXTS, where=f"imagerag {command}: ") == []
    status = read.documents["status"]
    assert (status["scenes"], status["stale"]) == (len(SCENES), 0)
    assert [each["scene"] for each in status["failures"]] == ["torn"]
    assert [each["scene"] for each in status["removed"]] == [GONE]
    outdated = read.documents["answers --limit 100 --outdated"]["answers"]
    reasons = {reason["reason"] for each in outdated for reason in each["outdated"]}
    assert reasons == {"newer-acquisition", "scene-removed"}


def test_answer_records_are_written_back_byte_for_byte(read: EarlierInstallation, tmp_path: Path) -> None:
    settings = load_settings()
    stored, written = ObjectStore(str(read.objects), settings), ObjectStore(str(tmp_path / "written"), settings)
    assert len(read.answers) > 15
    for answer in read.answers:
        key = f"answers/{answer['answer_id']}/answer.json"
        written.write_json(key, AnswerRecord.model_validate(stored.read_json(key)).to_dict())
        assert written.read_bytes(key) == stored.read_bytes(key), key


@pytest.mark.parametrize("pattern", RECORDS)
def test_records_are_read_and_lose_nothing(pattern: str, read: EarlierInstallation) -> None:
    again, paths = RECORDS[pattern], list(read.objects.glob(pattern))
    assert paths
    for path in paths:
        stored = json.loads(path.read_bytes())
        written = json.loads(json.dumps(again(stored)))
        assert missing_from(written, stored, ignoring=frozenset(), where=path.name) == []
        assert again(written) == again(stored)


def test_nothing_is_embedded_again(
    capsys: pytest.CaptureFixture[str], installation: EarlierInstallation, embedded: list[int]
) -> None:
    before = installation.embeddings()
    code, found = run(capsys, "ingest", str(installation.root / "source" / "catalog.json"))
    assert code == 3
    assert {each["scene"]: each["status"] for each in found["scenes"]} == {
        "lakeside": "skipped", "valley": "skipped", "torn": "failed",
    }, found  # fmt: skip
    found = done(capsys, "ingest", str(installation.root / "incoming"))
    assert {each["scene"]: each["status"] for each in found["scenes"]} == {
        "quay_may": "skipped",
        "quay_june": "skipped",
    }
    assert all(each["patches"] for each in found["scenes"])
    assert embedded == []
    assert installation.embeddings() == before
    assert len(before) == len(SCENES) + 1  # and one for the published retrieval


def test_answers_are_replayed(capsys: pytest.CaptureFixture[str], read: EarlierInstallation) -> None:
    before = read.embeddings()
    for question in (
        "How many are there?",  # after another answer
        "Where is the storage tank?",  # the published retrieval
        "What has changed?",  # an area
    ):
        answer = read.answer_to(question)
        replayed = done(capsys, "replay", answer["answer_id"])
        assert replayed["same_cues"], (question, replayed["differences"])
        assert cues(replayed["replay"]) == alike(answer)
    assert read.embeddings() == before


def test_questions_find_the_same(capsys: pytest.CaptureFixture[str], installation: EarlierInstallation) -> None:
    before = installation.embeddings()
    court = installation.answer_to("Where is the tennis court?")
    choices = [f"--choice={letter}={text}" for letter, text in court["choices"].items()]
    again = done(capsys, "ask", court["question"], *choices, "--scene", "lakeside")
    assert cues(again) == alike(court)
    assert again["cues"][0]["confidence"] == pytest.approx(court["cues"][0]["confidence"], abs=0.02)
    assert (again["path"], again["choice"]) == (court["path"], court["choice"])
    ship = installation.answer_to("Where is the ship?")  # of May, as the scene of June came later
    area = ",".join(str(value) for value in ship["options"]["bbox"])
    may = done(capsys, "ask", ship["question"], "--bbox", area, "--datetime", "2026-05-01/2026-05-31", "--no-answer")
    assert cues(may) == alike(ship)
    more = done(capsys, "ask", "How many are there?", "--after", court["answer_id"], "--no-answer")
    assert [cue["patch_id"] for cue in more["cues"]] == [cue["patch_id"] for cue in court["cues"]]

    failed = installation.answer_to(court["question"], failed=True)
    retried = done(capsys, "retry")
    assert [each["answer_id"] for each in retried["answers"]] == [failed["answer_id"]]
    assert cues(retried["answers"][0]["answer"]) == alike(court)
    assert done(capsys, "answers", "--failed")["answers"] == []
    assert installation.embeddings() == before


def test_standing_questions_go_on(capsys: pytest.CaptureFixture[str], installation: EarlierInstallation) -> None:
    series = installation.documents["watch show quay"]["answers"]
    assert [[change["what"] for change in each["changed"]] for each in series] == [
        [],
        ["count"],
    ]  # a second ship has come
    ran = done(capsys, "watch", "run")
    asked = [each["watch_id"] for each in ran["asked"]]
    assert len(asked) == 1 and asked != ["quay"]  # only the question that was never asked is due
    assert done(capsys, "watch", "run")["asked"] == []
    (answer,) = done(capsys, "watch", "run", "quay")["asked"]
    assert (answer["previous"], answer["choice"], answer["changed"]) == (
        series[-1]["answer_id"], series[-1]["choice"], [],
    )  # fmt: skip
    shown = done(capsys, "watch", "show", "quay")["answers"]
    assert [each["answer_id"] for each in shown] == [*(each["answer_id"] for each in series), answer["answer_id"]]


def test_a_watched_source_goes_on(at_rest: EarlierInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(at_rest.home / "dagster"))
    defs: dg.Definitions = runpy.run_path(str(PROJECT / "definitions.py"))["defs"]
    with dg.DagsterInstance.get() as instance:
        assert set(instance.get_dynamic_partitions("scenes")) == {*SCENES, "torn"}
        states = {state.instigator_name: state for state in instance.all_instigator_state()}
        cursor = states["source_incoming"].instigator_data.cursor  # type: ignore[union-attr]
        context = dg.build_sensor_context(instance, cursor=cursor, definitions=defs)
        tick = defs.resolve_sensor_def("source_incoming").evaluate_tick(context)
        assert not tick.run_requests, tick
        assert "among 2 documents" in (tick.skip_message or "")


def test_the_index_is_made_anew_from_the_shards(
    capsys: pytest.CaptureFixture[str], at_rest: EarlierInstallation, embedded: list[int]
) -> None:
    before = at_rest.embeddings()
    shutil.rmtree(at_rest.home / "milvus.db")
    rebuilt = done(capsys, "backfill")
    assert not rebuilt["failed"], rebuilt
    assert embedded == []
    (patches,) = (each for each in done(capsys, "status")["collections"] if each["kind"] == "patches")
    (then,) = (each for each in at_rest.documents["status"]["collections"] if each["kind"] == "patches")
    removed = rows_of(at_rest, GONE)  # a scene that has left its source is not taken along
    assert patches == then | {"rows": then["rows"] - removed}
    court = at_rest.answer_to("Where is the tennis court?")
    assert (
        cues(done(capsys, "ask", court["question"], "--scene", "lakeside", "--no-answer"))[0][1:] == alike(court)[0][1:]
    )
    assert at_rest.embeddings() == before


def test_exports_pass_between_releases(
    capsys: pytest.CaptureFixture[str],
    installation: EarlierInstallation,
    embedded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    old, new = installation.root / "export", tmp_path / "export"
    exported = done(capsys, "export", str(new))
    assert {each["scene"]: each["status"] for each in exported["scenes"]} == dict.fromkeys(SCENES, "exported")
    shards = sorted(path.relative_to(old) for path in old.rglob("embeddings.parquet"))
    assert shards == sorted(path.relative_to(new) for path in new.rglob("embeddings.parquet"))
    assert all((old / each).read_bytes() == (new / each).read_bytes() for each in shards)

    monkeypatch.setenv("IMAGERAG_HOME", str(tmp_path / "second"))
    imported = done(capsys, "import", str(old))
    assert {each["scene"]: each["status"] for each in imported["scenes"]} == dict.fromkeys(SCENES, "imported")
    assert embedded == []
    court = installation.answer_to("Where is the tennis court?")
    found = done(capsys, "ask", court["question"], "--scene", "lakeside", "--no-answer")
    assert [cue["scene"] for cue in found["cues"]] == ["lakeside"]
