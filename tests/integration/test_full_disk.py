"""A disk that is full, or a folder that cannot be written: one line, nothing half written, and then all goes on."""

from __future__ import annotations

import errno
import json
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.cli import main
from imagerag_assets.objects.aside import ASIDE, find_unfinished
from imagerag_assets.settings import Settings
from tests.installation import installed, milvus_stays, shards_in, tiny_registry  # noqa: F401
from tests.small_source import write_source

SAYS = {errno.ENOSPC: "disk is full", errno.EACCES: "ermission"}


@contextmanager
def nothing_written_after(files: int, number: int, below: Path) -> Iterator[None]:
    """Let a folder take no more files once so many were begun: all that replaces a local file begins with one."""
    begun, make = [0], tempfile.mkstemp

    def begin(*args: Any, **kwargs: Any) -> tuple[int, str]:
        folder = Path(str(kwargs.get("dir")))
        if str(kwargs.get("prefix", "")).startswith(ASIDE) and folder.absolute().is_relative_to(below):
            begun[0] += 1
            if begun[0] > files:
                raise OSError(number, os.strerror(number), str(folder))
        return make(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", begin)
        yield


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Let the operating system write no larger files, databases among them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the result, and what it says of errors, of the whole command or of parts of it."""
    capsys.readouterr()
    code = main([*command, "--json"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    errors = [found.get("error"), *(each.get("error") for each in found.get("scenes", []))]
    texts = [each if isinstance(each, str) else each["message"] for each in errors if each]
    assert all("\n" not in text and "Error" not in text for text in texts), texts
    assert "Traceback" not in printed.err
    return code, found, " | ".join(texts)


def test_what_cannot_be_written_is_one_line_and_the_next_command_goes_on(
    installed: Settings,  # noqa: F811
    milvus_stays: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGERAG_READ_APART", "false")  # its processes hand pixels over in files, too
    source = str(write_source(tmp_path / "source", ("one",)))
    line = {"question": "What is here?", "scene": "one", "roi": [[0, 0, 100, 100]]}
    (tmp_path / "in.jsonl").write_text(json.dumps(line), encoding="utf-8")
    oracle = ("--mode", "oracle", "--no-answer")
    ask = ("ask", "Is there a building?", "--scene", "one", "--no-answer")
    batch = ("ask", "--batch", "in.jsonl", "--out", "out/answers.jsonl", *oracle)
    home, out = installed.home.absolute(), tmp_path / "out"
    out.mkdir()

    def nothing_half_written() -> None:
        assert [each.path for each in find_unfinished(tmp_path)] == []

    def fails(command: tuple[str, ...], files: int, number: int, below: Path) -> None:
        with nothing_written_after(files, number, below):
            code, found, said = run(capsys, *command)
        assert code in (1, 2, 3), (command, files, found)
        assert SAYS[number] in said, (command, files, found)
        nothing_half_written()

    def succeeds(command: tuple[str, ...]) -> None:
        code, found, said = run(capsys, *command)
        assert (code, said) == (0, ""), (command, found)
        nothing_half_written()

    ingest = ("ingest", source)
    fails(ingest, 0, errno.ENOSPC, home)
    fails(ingest, 6, errno.EACCES, home)
    with small_files(2**15):
        code, found, said = run(capsys, *ingest)
    assert code in (1, 3), found
    assert "disk is full" in said or "larger than files may be" in said, found
    nothing_half_written()
    succeeds(ingest)
    assert len(shards_in(installed)) == 1

    export = ("export", str(out / "export"))
    fails(ask, 2, errno.ENOSPC, home)
    fails(batch, 0, errno.EACCES, out)
    fails(export, 1, errno.ENOSPC, out)
    assert not (out / "answers.jsonl").exists()
    assert not (out / "export" / "collection.json").exists()
    for command in (ask, batch, export):
        succeeds(command)
    assert len((out / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert (out / "export" / "collection.json").exists()
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []
