"""Every name that people and their scripts rely on, compared with the list in `names.txt`.

Names of commands and options, Dagster's names, the keys of each command's JSON and the keys of stored objects are
contracts: they are added to, and hardly ever changed or removed.  A change of this list is therefore a decision.  If it
is one, renew the list with

    python -m tests.unit.test_names

and commit it with the change.  A line is a name; lines are sorted, so that two branches that add names merge.  The list
was first made from the code before its files moved to their rooms, by this same file.

Left out: the results of `dev` (it runs until interrupted), `evaluate` and `train`.
"""

from __future__ import annotations

import io
import json
import os
import re
import runpy
from collections.abc import Iterator, Mapping
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import dagster as dg
import pytest
import typer.main
from PIL import Image

from imagerag_assets.cli import main
from imagerag_assets.cli.app import app
from imagerag_assets.demo.scenes import DemoCatalog
from imagerag_assets.stores.milvus_lite_share import LiteShare
from tests.few_words import few_words
from tests.small_source import write_source
from tests.tiny_encoder import write_tiny_encoder

PROJECT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("names.txt")
SOURCES = '[sources.port]\nsource = "s3://bucket/port"\nfresh_within = "2d"\n'

_DATA = re.compile(
    r"""^(?:
        ask\.(?:choices|scores|timings_ms|lineage\.(?:acquired|scenes|shards|knowledge))
        | watch\ .*\.(?:choices|triggered_by)
        | trace\..*detail\.(?:choices|scenes|versions)
        | trace\.prov\.\w+
        | scenes\ show\..*\.(?:properties|footprint)
        | knowledge\ .*\.labels\[\]\.sources
    )$""",
    re.VERBOSE,
)
"""Dictionaries whose keys are data (ids, letters), not names."""
_OPAQUE = ("replay.replay",)
"""Documents that are another command's."""


def command_names() -> Iterator[str]:
    """Each command with its arguments and options."""

    def walk(command: Any, path: str) -> Iterator[str]:
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                name = option if option.startswith("-") else option.upper()
                yield f"command {path} {name}"
        for name, sub in getattr(command, "commands", {}).items():
            yield f"command {path} {name}"
            yield from walk(sub, f"{path} {name}")

    return walk(typer.main.get_command(app), "imagerag")


def dagster_names(defs: dg.Definitions) -> Iterator[str]:
    """Jobs with their configuration, assets, checks, sensors, schedules, partitions, tags, pools and resources."""
    for job in defs.resolve_all_job_defs():
        if job.name.startswith("__"):
            continue
        yield f"dagster job {job.name}"
        for node in job.nodes:
            yield f"dagster job {job.name} op {node.name}"
            schema = node.definition.config_schema
            for field in _config_fields(schema.config_type if schema else None):
                yield f"dagster job {job.name} op {node.name} config {field}"
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        yield f"dagster asset {name} group {spec.group_name}"
        yield from (f"dagster asset {name} tag {key}={value}" for key, value in spec.tags.items())
        yield from (f"dagster asset {name} dependency {dep.asset_key.to_user_string()}" for dep in spec.deps)
        if spec.partitions_def is not None:
            yield f"dagster asset {name} partitions {getattr(spec.partitions_def, 'name', spec.partitions_def)}"
    repository = defs.get_repository_def()
    for key in repository.asset_graph.asset_check_keys:
        yield f"dagster check {key.asset_key.to_user_string()} {key.name}"
    for sensor in repository.sensor_defs:
        yield f"dagster sensor {sensor.name} {sensor.default_status.value}"
    for schedule in repository.schedule_defs:
        yield f"dagster schedule {schedule.name} job {schedule.job_name}"
        yield from (f"dagster schedule {schedule.name} tag {tag}" for tag in schedule.tags or {})
    for name in defs.resources or {}:
        yield f"dagster resource {name}"
    for assets in defs.assets or ():
        if isinstance(assets, dg.AssetsDefinition) and assets.node_def is not None:
            yield from (f"dagster pool {pool}" for pool in assets.node_def.pools)


def _config_fields(config_type: Any) -> Iterator[str]:
    for name, field in getattr(config_type, "fields", {}).items():
        yield name
        yield from (f"{name}.{below}" for below in _config_fields(field.config_type))


def run_names(folder: Path) -> Iterator[str]:
    """Keys of the JSON of each command, in real small runs, and of the objects that they left."""
    write_tiny_encoder(folder)
    registry = write_tiny_encoder(folder, name="tiny-other", seed=1)
    catalog = write_source(folder / "source", ("one",))
    for name in ("ship", "pier"):
        (folder / "chips" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (64, 64), (40 * number, 90, len(name) * 20)).save(
                folder / "chips" / name / f"{number}.png"
            )
    captions = folder / "captions.jsonl"
    captions.write_text(json.dumps({"image": str(folder / "chips/ship/0.png"), "caption": "a ship at a pier"}) + "\n")
    batch = folder / "batch.jsonl"
    batch.write_text(json.dumps({"id": "1", "question": "Where is the pier?", "scene": "one"}) + "\n")
    # Milvus Lite's server stays up, or each command would start its own.
    lite = closing(LiteShare(str(folder / "home" / "milvus.db")))
    with chdir(folder), _environment(registry, folder / "home"), lite:
        yield from _json("error", ["ask"], code=2)
        yield from _json("explain", [str(catalog)])
        yield from _json("ingest", [str(catalog)])
        yield from _json("ingest", [str(catalog)])
        for kind, source in (("labels", folder / "chips"), ("captions", captions)):
            yield from _json("knowledge build", [kind, str(source)])
        yield from _json("knowledge coverage", ["--questions", str(batch)])
        chips = str(folder / "chips")
        yield from _json("knowledge build --dry-run", ["labels", chips, "--dry-run"], command="knowledge build")
        yield from _json("knowledge labels rename", ["pier", "jetty"])
        yield from _json("knowledge labels list", [])
        yield from _json("knowledge labels remove", ["ship", "--yes"])
        yield from _json("knowledge build", ["labels", chips, "--as-in-source"])
        answer: dict[str, Any] = {}
        for question in (
            ["How many ships are there?"],
            ["Is there a ship and how far is it from the pier?", "--path", "slow"],
            ["Where is the pier?", "--path", "slow", "--choice", "A=upper left", "--choice", "B=lower right"],
        ):
            yield from _json("ask", question, keep=answer)
        yield from _json("ask --batch", ["--batch", str(batch), "--out", "out.jsonl"], command="ask")
        yield from _json("answers", [])
        yield from _json("trace", [answer["answer_id"]])
        yield from _json("replay", [answer["answer_id"]])
        yield from _json("retry", [])
        for words in (["add", "How many ships are there?", "--name", "ships"], ["list"], ["show", "ships"], ["run"]):
            yield from _json(f"watch {words[0]}", words[1:])
        yield from _files("object", folder / "home" / "objects")
        yield from _json("watch remove", ["ships"])
        yield from _json("sources list", [])
        yield from _json("sources add", ["extra", str(folder)])
        yield from _json("sources remove", ["extra"])
        yield from _json("encoders", [])
        yield from _json("encoders use", ["tiny"])
        with few_words():
            yield from _json("calibrate", [])
        yield from _json("encoders words", ["ship"])
        yield from _json("backfill --dry-run", ["--encoder", "tiny-other", "--dry-run"], command="backfill")
        yield from _json("backfill", ["--encoder", "tiny-other", "--force"])
        yield from _json("rollback", [])
        yield from _json("export", [str(folder / "export")])
        with _environment(registry, folder / "second"):
            yield from _json("import", [str(folder / "export")])
        with _small_demo(catalog, folder / "chips", captions):
            yield from _json("demo", ["--out", str(folder / "report")])
        yield from _json("scenes", [])
        yield from _json("scenes show", ["one"])
        yield from _json("scenes remove", ["one", "--yes"])
        yield from _json("purge", ["--dry-run"])
        yield from _json("index rebuild", [])
        yield from _json("doctor", [])
        yield from _json("doctor", ["--deep"])
        yield from _json("backup", [str(folder / "backup")])
        with mock.patch.dict(os.environ, {"IMAGERAG_HOME": str(folder / "restored")}):
            yield from _json("restore", [str(folder / "backup")])
        yield from _json("status", [])
    yield from _files("object", folder / "home" / "objects")
    yield from _files("export", folder / "export")


def _environment(registry: Path, home: Path) -> Any:
    (home / "dagster").mkdir(parents=True, exist_ok=True)
    (home / "sources.toml").write_text(SOURCES, encoding="utf-8")
    variables = {"HOME": home, "ENCODERS_FILE": registry, "ENCODER": "tiny", "MIN_CONFIDENCE": 0, "CONFIRM_CUES": False}
    return mock.patch.dict(os.environ, {f"IMAGERAG_{name}": str(value) for name, value in variables.items()})


def _small_demo(catalog: Path, labels: Path, captions: Path) -> Any:
    """The demo with the small source in place of its drawn scenes, which take minutes."""
    knowledge = catalog.parent / "knowledge"
    knowledge.mkdir()
    labels.rename(knowledge / "labels")
    text = captions.read_text().replace(str(labels), str(knowledge / "labels"))
    (knowledge / "captions.jsonl").write_text(text)
    line = {"id": "1", "kind": "position", "scene": "one", "class": "pier", "question": "Where is the pier?"}
    questions = catalog.parent / "questions.jsonl"
    questions.write_text(json.dumps(line | {"choices": {"A": "upper left", "B": "lower right"}, "answer": "A"}) + "\n")
    drawn = DemoCatalog(catalog=catalog, truth=questions, knowledge=knowledge, questions=questions)
    return mock.patch("imagerag_assets.demo.run.generate_demo", return_value=drawn)


def _json(
    name: str, words: list[str], *, command: str | None = None, code: int = 0, keep: dict[str, Any] | None = None
) -> Iterator[str]:
    """The keys of what a command prints."""
    out, err = io.StringIO(), io.StringIO()
    typed = ["ask" if name == "error" else command or name]
    with redirect_stdout(out), redirect_stderr(err):
        ended = main([*typed[0].split(), *words, "--json"])
    assert ended == code, f"{name}: {out.getvalue()} {err.getvalue()}"
    document = json.loads(out.getvalue())
    if keep is not None:
        keep.clear()
        keep.update(document)
    yield from (f"json {path}" for path in sorted(set(_paths(document, name))))


def _paths(value: Any, path: str) -> Iterator[str]:
    path = re.sub(r"(\.children\[\])+", ".children[]", path)  # a tree
    if isinstance(value, Mapping) and path not in _OPAQUE:
        for key, below in value.items():
            step = "*" if _DATA.match(path) else key
            yield f"{path}.{step}"
            yield from _paths(below, f"{path}.{step}")
    elif isinstance(value, list):
        for below in value:
            yield from _paths(below, f"{path}[]")


def _files(kind: str, folder: Path) -> Iterator[str]:
    """Keys below a folder, with what is data in them named by its kind."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield f"{kind} {_general(file.relative_to(folder).as_posix())}"


_GENERAL = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "{uuid}"),
    (r"\b\d{8}T\d{6}\w*-[0-9a-f]{4,}\b", "{time-id}"),
    (r"\b[0-9a-f]{64}\b", "{digest}"),
    (r"\b[0-9a-f]{16,40}\b", "{digest}"),
    (r"\b[0-9a-f]{8,15}\b", "{digest}"),
    (r"(?<=[/-])\d{3,}(?=[-./])", "{number}"),
    (r"(^|/)one(?=[/.])", r"\1{scene}"),
    (r"(^|/)ships(?=[/.])", r"\1{watch}"),
    (r"cue-\d+", "cue-{rank}"),
)


def _general(key: str) -> str:
    for pattern, name in _GENERAL:
        key = re.sub(pattern, name, key)
    return key


def names(folder: Path) -> list[str]:
    """All names, sorted."""
    with mock.patch.dict(os.environ, {"IMAGERAG_HOME": str(folder / "watched")}):
        (folder / "watched").mkdir()
        (folder / "watched" / "sources.toml").write_text(SOURCES, encoding="utf-8")
        defs = runpy.run_path(str(PROJECT / "definitions.py"))["defs"]
    return sorted({*command_names(), *dagster_names(defs), *run_names(folder)})


def test_no_name_changes_unnoticed(tmp_path: Path) -> None:
    """Run the commands on a small installation and compare; see the top of this file for what to do when it fails."""
    found, stored = set(names(tmp_path)), set(LIST.read_text(encoding="utf-8").splitlines())
    missing, new = sorted(stored - found), sorted(found - stored)
    if missing or new:
        lines = [*(f"- {name}" for name in missing), *(f"+ {name}" for name in new)]
        decide = "Names that people rely on differ from names.txt. If that is wanted: python -m tests.unit.test_names"
        pytest.fail("\n".join([decide, *lines]), pytrace=False)


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        for variable in [name for name in os.environ if name.startswith("IMAGERAG_")]:
            del os.environ[variable]
        os.environ["HF_HUB_OFFLINE"] = "1"
        LIST.write_text("".join(f"{name}\n" for name in names(Path(temporary))), encoding="utf-8")
