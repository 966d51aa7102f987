"""A disk that is full while scenes are ingested: one line, nothing half written, and the next command goes on."""

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


@contextmanager
def no_space_after(files: int) -> Iterator[None]:
    """Let the disk be full once so many files were begun: all that replaces a local file begins with one."""
    begun, make = [0], tempfile.mkstemp

    def begin(*args: Any, **kwargs: Any) -> tuple[int, str]:
        if str(kwargs.get("prefix", "")).startswith(ASIDE):
            begun[0] += 1
            if begun[0] > files:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(kwargs.get("dir")))
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


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main([*command, "--json"])
    return code, json.loads(capsys.readouterr().out)


def said(found: dict[str, Any]) -> list[str]:
    """Return what a result says of errors, of the whole command or of scenes."""
    errors = [found.get("error"), *(each.get("error") for each in found.get("scenes", []))]
    texts = [each if isinstance(each, str) else each["message"] for each in errors if each]
    assert texts and all("\n" not in text and "Traceback" not in text for text in texts), found
    return texts


def test_a_full_disk_is_one_line_and_the_next_command_goes_on(
    installed: Settings,  # noqa: F811
    milvus_stays: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGERAG_READ_APART", "false")  # its processes hand pixels over in files, too
    source = str(write_source(tmp_path / "source", ("one", "two")))
    for files in (0, 6):
        with no_space_after(files):
            code, found = run(capsys, "ingest", source)
        assert code in (1, 3) and any("The disk is full" in text for text in said(found)), (files, found)
        assert list(find_unfinished(installed.home)) == []
    with small_files(2**15):
        code, found = run(capsys, "ingest", source)
        assert code in (1, 3), found
        assert any("disk is full" in text or "larger than files may be" in text for text in said(found)), found
    assert list(find_unfinished(installed.home)) == []
    code, found = run(capsys, "ingest", source)
    assert (code, found["totals"]["failed"]) == (0, 0)
    assert len(shards_in(installed)) == 2
    assert run(capsys, "doctor", "--deep")[1]["differences"] == []
