"""The documents: made pages are current, links lead somewhere, every table of results names its commit."""

from __future__ import annotations

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "infra").rglob("*.md"),
        *(ROOT / "notebooks").rglob("*.md"),
        *(ROOT / "imagerag_assets").rglob("*.md"),
    ]
)
LINK = re.compile(r"(?:\]\(|<img src=\")([^()\s\"]+)[)\"]")


@pytest.fixture(scope="module")
def maker() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make.py"))


def without_code(text: str) -> str:
    """Markdown without its blocks of code and code spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_made_pages_are_current(maker: dict[str, Any]) -> None:
    for path, text in maker["pages"]().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not current. Run: make docs"


def test_made_pages_do_not_depend_on_the_environment(tmp_path: Path) -> None:
    """Another working directory with a `.env`, a narrow terminal, settings in the environment."""
    (tmp_path / ".env").write_text("IMAGERAG_TOP_K=7\n", encoding="utf-8")
    environment = {
        "COLUMNS": "40",
        "IMAGERAG_HOME": str(tmp_path),
        "IMAGERAG_PATCH_PX": "no number",
        "FORCE_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make.py"), "--check"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_commands_page_names_what_can_be_typed() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    ask = page.partition("## imagerag ask\n")[2].partition("\n## ")[0]
    assert "imagerag ask [OPTIONS] [QUESTION]" in ask
    assert "| `--path auto\\|fast\\|slow\\|none` | `auto` |" in ask
    assert "| `--top-k N` (1 to 50) |" in ask
    assert "## imagerag encoders use" in page
    assert "## imagerag knowledge build labels" in page
    assert "Exits with 3" in page.partition("## imagerag ingest\n")[2].partition("\n## ")[0]


def test_settings_page_lists_each_setting_once() -> None:
    from imagerag_assets.settings import Settings

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `IMAGERAG_(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)
    assert "| `IMAGERAG_TOP_K` | `3` | integer from 1 to 50 |" in page


def test_relative_links_resolve() -> None:
    """Files, folders and headings that the documents link to."""

    def resolves(document: Path, target: str) -> bool:
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        return path.exists() and (not anchor or anchor in anchors(path.read_text(encoding="utf-8")))

    broken = [
        (document.relative_to(ROOT).as_posix(), target)
        for document in DOCUMENTS
        for target in LINK.findall(without_code(document.read_text(encoding="utf-8")))
        if not re.match(r"[a-z]+:", target) and not resolves(document, target)
    ]
    assert broken == []


def test_named_files_exist() -> None:
    """Paths such as `imagerag_assets/settings.py` in the documents follow the files."""
    pattern = re.compile(r"`((?:imagerag_assets|tests|benchmarks|infra|docs|notebooks)/[\w./-]*\w/?)`")
    named = [(document.name, path) for document in DOCUMENTS for path in pattern.findall(document.read_text("utf-8"))]
    assert named
    people_make = {"infra/.env", "infra/settings.env"}
    assert [each for each in named if not (ROOT / each[1]).exists() and each[1] not in people_make] == []


def test_named_modules_exist() -> None:
    """Modules that the documents tell people to run."""
    pattern = re.compile(r"python -m ((?:imagerag_assets|benchmarks)[\w.]*\w)")
    named = [(document.name, each) for document in DOCUMENTS for each in pattern.findall(document.read_text("utf-8"))]
    assert named
    assert [(document, each) for document, each in named if importlib.util.find_spec(each) is None] == []


def test_architecture_names_each_room_of_the_package_once() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page.partition("## Rooms")[2].partition("\n## ")[0]
    rooms = [path.parent.name for path in (ROOT / "imagerag_assets").glob("*/__init__.py")]
    named = re.findall(r"^\| `(\w+)/` \|", table, flags=re.MULTILINE)
    assert sorted({*rooms, "weights"}) == sorted(named)


def test_files_page_names_each_folder_of_the_store() -> None:
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    names = (ROOT / "tests" / "unit" / "names.txt").read_text(encoding="utf-8")
    folders = set(re.findall(r"^object (\w+)/", names, flags=re.MULTILINE))
    assert folders
    assert sorted(folders - set(re.findall(r"`(\w+)/", page))) == []


def test_errors_page_has_messages_with_their_fixes() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.*) \| `(\w+Error)` \|$", page, flags=re.MULTILINE)
    assert ("No scene was ingested yet", "Run: imagerag ingest SOURCE", "QuestionError") in rows
    assert ("The disk is full", "Free space, then run it again", "StoreError") in rows
    without = [message for message, fix, _ in rows if not fix or fix.startswith("the message says")]
    assert len(rows) > 400 and len(without) < len(rows) / 10


def test_each_table_of_results_names_its_commit() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    with_tables = [section for section in sections if re.search(r"^\|", section, flags=re.MULTILINE)]
    assert with_tables
    for section in with_tables:
        assert re.search(r"^- \*\*Commit\*\*: `[0-9a-f]{7,40}`", section, flags=re.MULTILINE), section.splitlines()[0]


def test_each_table_that_was_measured_is_the_one_in_results() -> None:
    from benchmarks.record import SPEED, TABLES, read_records
    from benchmarks.tables import blocks, section

    found = blocks((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    assert sorted(found) == sorted((*TABLES, *SPEED))
    for name, record in read_records().items():
        assert found[name] == section(record) + "\n", f"{name} is not current. Run: make docs"
        assert re.fullmatch("[0-9a-f]{40}", record["commit"])
        assert f"- **Commit**: `{record['commit'][:10]}`" in found[name]


def test_dagster_page_names_each_job_sensor_and_check(tmp_path: Path) -> None:
    from imagerag_assets.orchestration.build import build_defs
    from imagerag_assets.settings import load_settings

    page = (ROOT / "docs" / "dagster.md").read_text(encoding="utf-8")
    listed = {
        title: re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
        for title, _, section in (part.partition("\n") for part in page.split("\n## ")[1:])
    }
    defs = build_defs(settings=load_settings(home=tmp_path), sources=()).get_repository_def()
    assert sorted(listed["Jobs"]) == sorted(name for name in defs.job_names if not name.startswith("__"))
    assert sorted(listed["Sensors"]) == sorted(sensor.name for sensor in defs.sensor_defs)
    assert sorted(listed["Checks"]) == sorted(key.name for key in defs.asset_graph.asset_check_keys)


def test_the_index_of_decisions_lists_each_once() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert files
    assert sorted(LINK.findall((folder / "README.md").read_text(encoding="utf-8"))) == files
    assert len({name[:4] for name in files}) == len(files), "two decisions have one number"
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith("# "), name
        assert "**Decision.**" in text, name
        assert "**Why.**" in text, name
