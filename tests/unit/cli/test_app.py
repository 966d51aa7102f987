"""The command line: exit codes, one JSON document, one line of error, and options in any place."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import _command as cli_run
from imagerag_assets.cli import _options as cli_options
from imagerag_assets.cli import _render as cli_render
from imagerag_assets.cli import main
from imagerag_assets.cli._command import console
from imagerag_assets.errors import InputError, QuestionError, StoreError
from imagerag_assets.settings import Settings
from tests.conftest import PROJECT
from tests.tiny_encoder import NAME, tiny_registry  # noqa: F401


@pytest.fixture(autouse=True)
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Commands read the environment, and no `.env` of a developer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    return settings.home


class Ran:
    """One invocation in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.code = main(arguments)
        self.out, self.err = capsys.readouterr()

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which is one JSON document."""
        return json.loads(self.out)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["ask", "--help"], ["encoders", "use", "--help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    ran = Ran(capsys, *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert "Usage: imagerag" in ran.out


def test_warnings_of_the_package_are_printed_and_those_of_libraries_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply of `status` is made after a module of ours, and a library, have warned."""
    older = logging.getLogger("imagerag_assets.older")
    finish = cli_run.Command.finish

    def warned(*given: Any, **options: Any) -> None:
        older.warning("The webhook did not\nanswer: %s", "503")
        logging.getLogger("imagerag_assets.newer").warning("Scene b was skipped")
        logging.getLogger("imagerag_assets.newer").info("A detail")
        logging.getLogger("library").warning("noise")
        finish(*given, **options)

    monkeypatch.setattr(cli_run.Command, "finish", warned)
    for options in ((), ("--json",)):
        ran = Ran(capsys, "status", *options)
        assert ran.code == 0
        assert ran.err.splitlines() == ["warning: The webhook did not answer: 503", "warning: Scene b was skipped"]
    assert ran.document["scenes"] == 0
    older.warning("Nobody runs a command now")
    assert capsys.readouterr().err == ""


def test_help_loads_nothing_heavy() -> None:
    check = (
        "import sys; from imagerag_assets.cli import main; main(['--help']);"
        "sys.exit(any(name in sys.modules for name in ('dagster', 'torch', 'pymilvus', 'rasterio', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=PROJECT, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No command was given"),
        (["knowledge", "build"], "No command was given"),
        (["nonsense"], "No such command 'nonsense'"),
        (["statuss"], "Did you mean 'status'?"),
        (["ingest"], "Missing argument 'source'"),
        (["ingest", "x", "--limit", "0"], "--limit"),
        (["ingest", ""], "No source was given"),
        (["ingest", "/does/not/exist"], "Not found"),
        (["ask"], "No question was given"),
        (["ask", ""], "The question is empty"),
        (["ask", " \n "], "The question is empty"),
        (["ask", "x", "--batch", "a"], "belong together"),
        (["ask", "x", "--batch", "a", "--out", "b"], "both given"),
        (["ask", "--batch", "a", "--out", "b", "--choice", "A=x"], "--choice cannot be used with --batch"),
        (["ask", "--batch", "no-such-file", "--out", "b"], "questions cannot be read"),
        (["ask", "x", "--choice", "red"], "LETTER=TEXT"),
        (["ask", "x", "--choice", "A=red", "--choice", "A=blue"], "given twice"),
        (["ask", "x", "--bbox", "1,2,3"], "W,S,E,N"),
        (["ask", "x", "--path", "sideways"], "--path"),
        (["ask", "x", "--top-k", "many"], "--top-k"),
        (["ask", "x", "--datetime", "yesterday"], "is not a date"),
        (["evaluate"], "Missing argument"),
        (["evaluate", "no-such-file"], "questions cannot be read"),
        (["evaluate", "x", "--retrieval", "theirs"], "--retrieval"),
        (["ask", "x", "--division", "cc"], "division 'cc'"),
        (["encoders", "use"], "Missing argument"),
        (["encoders", "use", "demoo"], "Did you mean 'demo'?"),
        (["knowledge"], "No command was given"),
        (["trace", "20240101-nothing"], "answer"),
        (["trace", "../../etc/passwd"], "answer"),
    ],
)
def test_what_a_person_got_wrong_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    ran = Ran(capsys, *arguments, "--json") if arguments else Ran(capsys, "--json")
    assert ran.code == 2
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in ran.err
    assert ran.document["error"].keys() >= {"type", "message", "fix"}


def test_an_invalid_setting_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGERAG_TOP_K", "0")
    ran = Ran(capsys, "status")
    assert ran.code == 2
    assert ran.err.startswith("error: IMAGERAG_TOP_K is not valid")
    assert ran.out == ""


def test_an_unexpected_error_is_one_line_and_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("imagerag_assets.encoders.registry.describe_encoders", broken)
    ran = Ran(capsys, "encoders", "--json")
    assert ran.code == 1
    assert ran.err == "error: unexpected RuntimeError: two lines. Run it again with --debug for the traceback\n"
    assert ran.document["error"]["type"] == "RuntimeError"
    assert "Traceback" in Ran(capsys, "encoders", "--debug").err


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imagerag_assets.encoders.registry.describe_encoders", interrupted)
    ran = Ran(capsys, "encoders")
    assert (ran.code, ran.out, ran.err) == (130, "", "error: interrupted\n")


def test_json_before_and_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    documents = [Ran(capsys, *words).document for words in (["--json", "encoders"], ["encoders", "--json"])]
    assert documents[0] == documents[1]
    assert {"demo", "demo-lite"} <= {each["name"] for each in documents[0]["encoders"]}
    assert documents[0]["active"] == "demo"


@pytest.mark.parametrize(
    "words", [["encoders", "use", "demo-lite", "--json"], ["encoders", "--json", "use", "demo-lite"]]
)
def test_choosing_an_encoder(capsys: pytest.CaptureFixture[str], home: Path, words: list[str]) -> None:
    nothing_to_do = {"scenes": 0, "stale": 0, "next": "", "note": ""}
    assert Ran(capsys, *words).document == {"encoder": "demo-lite", "before": "demo"} | nothing_to_do
    assert (home / "encoder.txt").read_text(encoding="utf-8") == "demo-lite\n"
    assert Ran(capsys, "encoders", "--json").document["active"] == "demo-lite"
    assert "demo-lite" in Ran(capsys, "encoders").out


def test_a_variable_goes_before_the_choice(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGERAG_ENCODER", "demo")
    assert "IMAGERAG_ENCODER=demo is set" in Ran(capsys, "encoders", "use", "demo-lite", "--json").document["note"]


def test_status_of_an_empty_installation(
    capsys: pytest.CaptureFixture[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_registry: Path,  # noqa: F811
) -> None:
    monkeypatch.setenv("IMAGERAG_ENCODERS_FILE", str(tiny_registry))
    monkeypatch.setenv("IMAGERAG_ENCODER", NAME)
    found = Ran(capsys, "status", "--json").document
    assert (found["scenes"], found["stale"], found["collections"]) == (0, 0, [])
    assert not (home / "milvus.db").exists()
    assert "no collections" in Ran(capsys, "status").out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert Ran(capsys, "--version").code == 0
    assert Ran(capsys, "--version", "--json").document.keys() == {"version"}


def test_dump_is_strict_json() -> None:
    text = cli_run.dump({"a": float("nan"), "b": [float("inf"), 1.5], "c": Path("x"), 1: None, "ü": "ü"})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [None, 1.5], "c": "x", "1": None, "ü": "ü"}


def test_errors_that_are_ours_carry_what_they_are_about(capsys: pytest.CaptureFixture[str]) -> None:
    error = StoreError("It broke", fix="Mend it", scene="one")
    assert cli_run.report_failure(error, as_json=True, debug=False) == 1
    out, err = capsys.readouterr()
    assert err == "error: It broke [scene=one]. Mend it\n"
    expected = {"type": "StoreError", "message": "It broke", "fix": "Mend it", "about": {"scene": "one"}}
    assert json.loads(out) == {"error": expected}


class TestOptions:
    """`cli._options`."""

    def test_choices_keep_order_and_later_equal_signs(self) -> None:
        assert list(cli_options.parse_choices(["B=x=1", " A = y "]).items()) == [("B", "x=1"), ("A", "y")]

    def test_bbox(self) -> None:
        assert cli_options.parse_bbox("170,-10, -170 ,10.5") == (170, -10, -170, 10.5)
        assert cli_options.parse_bbox(None) is None

    @pytest.mark.parametrize("text", ["", "1,2,3,4,5", "a,b,c,d", "0,0,0,nan", "0,5,1,4", "-181,0,1,1", "0,0,1,inf"])
    def test_bad_bbox(self, text: str) -> None:
        with pytest.raises(QuestionError, match="--bbox"):
            cli_options.parse_bbox(text)

    def test_half_a_batch(self) -> None:
        with pytest.raises(InputError, match="belong together"):
            cli_options.check_one_of(None, None, "out")


class TestRendering:
    """`cli._render`: text of items, questions and models is shown as it is, never as markup."""

    def show(self, capsys: pytest.CaptureFixture[str], rendered: Any) -> str:
        console().print(rendered)
        return " ".join(capsys.readouterr().out.split())

    def test_ingest(self, capsys: pytest.CaptureFixture[str]) -> None:
        good = {
            "scene": "a",
            "status": "ingested",
            "patches": 1234,
            "seconds": 1.5,
            "error": None,
            "note": "not yet found",
        }
        bad = good | {"scene": "b", "status": "failed", "patches": 0, "error": "it is [red]bad[/] [x=1]", "note": None}
        totals = {"ingested": 1, "skipped": 0, "failed": 1, "patches": 1234, "seconds": 1.5}
        text = self.show(capsys, cli_render.ingest({"scenes": [good, bad], "totals": totals}))
        assert "1 ingested, 0 skipped, 1 failed, 1,234 patches, 1.5 seconds" in text
        assert "b: it is [red]bad[/] [x=1]" in text
        assert "a: not yet found" in text

    def test_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        cue = {
            "rank": 1,
            "scene": "s",
            "phrase": "a [b]",
            "confidence": 0.5,
            "window": [1, 2, 3, 4],
            "bbox": [9, 48, 10, 49],
        }
        document = {
            "question": "where [/]?", "answer": "there", "choice": "B", "path": "fast", "abstained": False,
            "phrases": ["a [b]"], "cues": [cue], "timings_ms": {"total": 12.3}, "answer_id": "id-1",
        }  # fmt: skip
        text = self.show(capsys, cli_render.answer(document))
        for part in ("where [/]?", "B: there", "a [b]", "48.50000°N 9.50000°E", "74 x 111 km", "imagerag trace id-1"):
            assert part in text
        nothing = {**document, "answer": None, "choice": None, "cues": [], "abstained": True, "path": "none"}
        assert "none (abstained)" in self.show(capsys, cli_render.answer(nothing))
