"""A catalog whose texts are written for terminals, Markdown and pages: every command shows them as text."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from imagerag_assets.cli import main
from imagerag_assets.cli._command import plain
from imagerag_assets.cli._render import table_of
from imagerag_assets.escaping import one_line
from imagerag_assets.orchestration.dagster_home import dagster_instance
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, tiny_registry  # noqa: F401
from tests.items import texture, write_item, write_scene
from tests.mutations import HOSTILE

EVIL = (
    "\x1b]0;owned\x07\x1b[2J[green]ok[/green] [link=http://x]y[/link] :warning: <script>a</script> "
    "\u202e\x9b1m\r\nok: all is well\\"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What rich itself writes to a terminal."""


def write_hostile_catalog(folder: Path) -> None:
    """Two scenes that can be ingested, and items that cannot; all say EVIL wherever an item can say something."""
    for name in ("a", "b"):
        item = write_scene(folder, name, texture(140, 150), eo_cloud_cover=EVIL, title=EVIL, description=EVIL)
        content = json.loads(item.read_text())
        content |= {"id": f"{name}{EVIL}", "collection": EVIL, "stac_version": EVIL, EVIL: EVIL}
        visual = content["assets"].pop("visual")
        bands = [{"name": f"{each}{EVIL}", "common_name": each, "nodata": EVIL} for each in ("red", "green", "blue")]
        visual |= {"title": EVIL, "eo:bands": bands, "roles": ["visual"], "bands": EVIL}
        content["assets"][f"visual{EVIL}"] = visual
        content["properties"] |= {"platform": EVIL, "instruments": [EVIL], "proj:code": EVIL}
        item.write_text(json.dumps(content))
    for name, change in {
        "href": {"assets": {EVIL: {"href": f"./{EVIL}.tif", "type": "image/tiff"}}},
        "time": {"properties": {"datetime": EVIL}},
        "type": {"type": EVIL},
        "assets": {"assets": {EVIL: {"href": "x.txt"}}},
    }.items():
        content = json.loads(write_item(folder / f"{name}.json", "./a.tif", item_id=f"{name}{EVIL}").read_text())
        (folder / f"{name}.json").write_text(json.dumps(content | change))
    (folder / f"{EVIL.replace('/', '')}.json").write_text('{"type": "Feature", ')


def check_printed(text: str) -> None:
    """Nothing steers the terminal; no line is the catalog's own, and its markup is shown."""
    for line in text.split("\n"):
        assert line.isprintable(), repr(line)
        assert not line.startswith(("ok: all", "owned"))
    assert "⚠" not in text


@pytest.mark.usefixtures("milvus_stays")
def test_commands_show_a_hostile_catalog_as_text(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalog = tmp_path / "items"
    write_hostile_catalog(catalog)

    def printed(*words: str, code: int = 0) -> str:
        assert main(list(words)) == code, capsys.readouterr()
        out, err = capsys.readouterr()
        for text in (out, err):
            check_printed(text)
        return out

    assert "owned" in printed("explain", str(catalog), code=3)
    ingested = printed("ingest", str(catalog), code=3)
    assert "2 ingested" in ingested
    assert "[green]ok[/green]" in ingested
    document = json.loads(printed("ingest", str(catalog), "--json", code=3))
    assert (document["totals"]["skipped"], document["totals"]["failed"]) == (2, 5)
    scenes = json.loads(printed("scenes", "--json"))["scenes"]
    assert {each["item"] for each in scenes} == {f"a{EVIL}", f"b{EVIL}"}  # JSON has the texts as they are
    printed("scenes")
    assert "warning:" in printed("scenes", "show", scenes[0]["scene"])
    printed("status")
    answer = json.loads(printed("ask", f"Is there a storage tank {EVIL}?", "--no-answer", "--path", "fast", "--json"))
    printed("ask", f"Is there a storage tank {EVIL}?", "--no-answer")
    printed("trace", answer["answer_id"])
    printed("answers")
    printed("scenes", "show", EVIL, code=2)
    printed("ingest", EVIL, "--debug", code=2)
    printed("sources", "add", "x", str(catalog / EVIL))
    printed("sources")
    check_metadata(installed)


def check_metadata(settings: Settings) -> None:
    """Markdown in Dagster's UI holds the texts without any meaning."""
    seen = 0
    with dagster_instance(settings) as instance:
        for asset in ("scene", "answer"):
            for record in instance.fetch_materializations(dg.AssetKey(asset), limit=20).records:
                assert record.asset_materialization is not None
                for value in record.asset_materialization.metadata.values():
                    if isinstance(value, dg.MarkdownMetadataValue):
                        seen += "owned" in str(value.value)
                        assert "<script" not in str(value.value)
                        assert all(line.isprintable() for line in str(value.value).split("\n"))
    assert seen


def test_a_terminal_gets_no_escapes_but_ours(tmp_path: Path) -> None:
    """As on a terminal, where rich colours its own words."""
    write_hostile_catalog(tmp_path / "items")
    main_end, end = pty.openpty()
    environment = os.environ | {"IMAGERAG_HOME": str(tmp_path / "home"), "TERM": "xterm-256color", "NO_COLOR": ""}
    command = [sys.executable, "-m", "imagerag_assets.cli", "explain", str(tmp_path / "items" / "time.json")]
    with subprocess.Popen(command, stdout=end, stderr=end, env=environment, cwd=tmp_path) as process:
        os.close(end)
        got = b""
        while True:
            try:
                piece = os.read(main_end, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            got += piece
    os.close(main_end)
    text = got.decode()
    assert process.returncode in (0, 3), text
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "is not a time" in text.replace("\r\n", "")


@pytest.mark.parametrize("text", [*HOSTILE, EVIL, "\\", "[", "[/]", "a\\[b]\\"])
def test_text_in_a_table_is_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert Text.from_markup(f"[red]{plain(text)}[/]", emoji=False).plain == one_line(text)
    console = Console(width=200, force_terminal=True, color_system="standard", highlight=False, emoji=False)
    console.print(table_of(("scene", "status"), [(text, "ok")]))
    shown = capsys.readouterr().out
    assert one_line(text).strip() in _COLOURS.sub("", shown)
    assert "\x1b[32m" in shown  # of the status


@given(st.text(max_size=30))
@hypothesis_settings(deadline=None)
def test_markup_never_comes_from_text(text: str) -> None:
    assert Text.from_markup(f"[red]{plain(text)}[/]", emoji=False).plain == one_line(text)


def test_a_scene_called_ok_is_not_green(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=80, force_terminal=True, color_system="standard", highlight=False, emoji=False)
    console.print(table_of(("scene", "question"), [("ok", "ingested")]))
    assert "\x1b[32m" not in capsys.readouterr().out
