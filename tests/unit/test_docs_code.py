"""All code in the documents: commands are parsed, Python runs, JSON, TOML and YAML are read by what reads them.

Commands are parsed by the command line itself, whose functions are replaced, so that nothing is done.  Python runs in
an installation of one small scene, the blocks of a page one after another.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import chdir, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import imagerag_assets as ia
from imagerag_assets.cli._command import parser_error
from imagerag_assets.cli._options import read_options
from imagerag_assets.cli.app import app
from imagerag_assets.encoders.registry import list_encoders
from imagerag_assets.objects.storage import storages
from imagerag_assets.questions.question import Question
from imagerag_assets.questions.question_files import parse_line
from imagerag_assets.settings import PREFIX, Settings, load_settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_share import LiteShare
from imagerag_assets.watched_sources.sources import list_sources
from tests.small_source import write_source
from tests.tiny_encoder import NAME, tiny_registry  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "infra").rglob("*.md"),
                 *(ROOT / "notebooks").glob("*.md"), *(ROOT / "imagerag_assets").rglob("*.md")]
    if page.name != "CHANGELOG.md"
)  # fmt: skip
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LANGUAGES = {"sh", "bash", "python", "json", "toml", "yaml", "text", "mermaid"}
_ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SPAN = re.compile(r"`((?:\.venv/bin/)?imagerag [^`\n]+)`")
_OTHERS_SETTINGS = {"IMAGERAG_CI"}


@dataclass(frozen=True)
class Block:
    """A block of code."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def blocks() -> tuple[Block, ...]:
    """All blocks of all pages, in order."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for fence in _FENCE.finditer(text):
            code = re.sub(rf"^{fence['indent']}", "", fence["code"], flags=re.MULTILINE)
            found.append(Block(page, text.count("\n", 0, fence.start()) + 1, fence["language"].strip(), code))
    return tuple(found)


def of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def commands(code: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell script, without variables in front."""
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _ENDS:
                if words or not _ASSIGNED.fullmatch(word):
                    words.append(word)
                continue
            if words:
                yield words
            words = ["(file)"] if word in {">", ">>", "<"} else []


def imagerag_words(words: list[str]) -> list[str] | None:
    """What is given to `imagerag` by a command, also through a container or a client; None: it is another program's."""
    for number, word in enumerate(words):
        if word.rpartition("/")[2] == "imagerag" and (
            number == 0 or words[number - 1] == "--" or "exec" in words[:number]
        ):
            return words[number + 1 :]
    return None


@cache
def command_line() -> Any:
    """The command line, which checks what is typed and does nothing."""

    def check_question(**given: Any) -> None:
        if {"question", "top_k", "bbox"} <= set(given) and (given["question"] or given.get("plan")):
            Question(given["question"] or "", **read_options(given))

    def quiet(command: Any) -> Any:
        command.callback = check_question
        for child in getattr(command, "commands", {}).values():
            quiet(child)
        return command

    return quiet(typer.main.get_command(app))


def problem(words: list[str]) -> str | None:
    """What the command line says of words that it does not take."""
    try:
        command_line().main(args=words, prog_name="imagerag", standalone_mode=False)
    except parser_error() as error:
        return str(error.format_message())  # type: ignore[attr-defined]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def test_the_command_line_that_does_nothing_still_refuses() -> None:
    assert problem(["ask", "Where is the pier?", "--top-k", "5"]) is None
    assert "colour" in (problem(["ask", "Where is the pier?", "--colour", "red"]) or "")
    assert "nonsense" in (problem(["nonsense"]) or "")
    assert "four numbers" in (problem(["ask", "Where is the pier?", "--bbox", "1,2,3"]) or "")


def test_every_block_says_its_language() -> None:
    assert len(blocks()) > 100
    assert [f"{block}: {block.language}" for block in blocks() if block.language not in _LANGUAGES] == []
    opened = {page: len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES}
    read = {page: 2 * sum(each.page == page for each in blocks()) for page in PAGES}
    assert opened == read


def test_commands_are_ones_that_the_command_line_takes() -> None:
    typed = [
        (block, given)
        for block in of("sh", "bash")
        for words in commands(block.code)
        if (given := imagerag_words(words)) is not None
        and not any(word.startswith("[") for word in given if "[{" not in word)
    ]
    assert len(typed) > 100
    wrong = [f"{block}: {shlex.join(given)}: {said}" for block, given in typed if (said := problem(given))]
    assert wrong == []


def test_commands_in_the_text_exist() -> None:
    """The name of a command and its options; what it needs besides may be left out."""
    wrong = []
    for page in PAGES:
        for span in _SPAN.findall(page.read_text(encoding="utf-8")):
            words = span.replace("\\|", "|").split()[1:]
            command, path = command_line(), "imagerag"
            while words and words[0] in getattr(command, "commands", {}):
                command, path = command.commands[words[0]], f"{path} {words.pop(0)}"
            known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
            options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
            lost = bool(words) and hasattr(command, "commands") and not words[0].startswith("-")
            if lost and re.fullmatch(r"[a-z][a-z-]*[,.]?", words[0]):
                wrong.append(f"{page.name}: {span}: {path} has no such command")
            wrong += [f"{page.name}: {span}: {path} has no {option}" for option in options if option not in known]
    assert wrong == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)) | {".venv"}
    named = {
        (str(block), word)
        for block in of("sh", "bash")
        for words in commands(block.code)
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word
    }
    assert {word for _, word in named} >= {"ingest", "demo", "test"}
    assert {each for each in named if each[1] not in targets} == set()


def test_settings_that_are_named_are_settings() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _OTHERS_SETTINGS
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"\bIMAGERAG_[A-Z][A-Z0-9_]*\b(?![_*.]*\.\.\.)", page.read_text(encoding="utf-8"))
        if not name.endswith("_")
    }
    assert len(named) > 100
    assert sorted(each for each in named if each[1] not in known) == []


def test_json_is_what_its_readers_take() -> None:
    for block in of("json"):
        try:
            documents = [json.loads(block.code)]
        except json.JSONDecodeError:
            documents = [json.loads(line) for line in block.code.splitlines() if line.strip()]
        for document in documents:
            if "question" in document or "like" in document:
                parse_line(json.dumps(document), block.line, Question("?"))


def test_toml_and_yaml_are_what_their_readers_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILES_KEY", "k")
    readers = {
        "sources": (list_sources, "sources.toml"),
        "storage": (storages, "settings.toml"),
        "encoders": (list_encoders, "encoders.toml"),
    }
    for number, block in enumerate(of("toml")):
        (kind,) = tomllib.loads(block.code)
        read, name = readers[kind]
        home = tmp_path / str(number)
        home.mkdir()
        (home / name).write_text(block.code, encoding="utf-8")
        assert len(read(load_settings(home=home, _env_file=None))) >= len(tomllib.loads(block.code)[kind]), str(block)
    for block in of("yaml"):
        assert yaml.safe_load(block.code), str(block)


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_registry: Path) -> None:  # noqa: F811
    """In an installation whose answers need no language model, as nothing is sure enough to be looked at."""
    variables = {"HOME": "home", "ENCODERS_FILE": str(tiny_registry), "ENCODER": NAME, "PATCH_PX": "128",
                 "PLANNER": "rules", "MIN_CONFIDENCE": "1"}  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setattr("imagerag_assets.installation.platform.Platform.mllm", None)
    pages: dict[Path, dict[str, Any]] = {}
    with chdir(tmp_path), closing(LiteShare(lite_path(load_settings()))):  # Milvus Lite is started once
        source = write_source(Path("in"), ("lakeside",))
        with ia.open() as installation:
            assert [each.status for each in installation.ingest(source)] == ["ingested"]
        for block in of("python"):
            code = compile("\n" * block.line + block.code, str(block.page), "exec")
            exec(code, pages.setdefault(block.page, {"__name__": "page"}))
    assert {page.name for page in pages} >= {"README.md", "python.md", "start.md", "files.md", "qgis.md"}
