"""Ctrl-C ends a command wherever it is, with one line and exit code 130, also where the exception is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imagerag_assets.cli import main
from tests.conftest import PROJECT

_PLACES = {
    "swallowed": "while True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass",
    "kept back": "signal.signal(signal.SIGINT, lambda *_: None)\ntime.sleep(60)",
    "thread": "threading.Thread(target=time.sleep, args=(60,)).start()",
    "of a library": "class RunInterruptedError(BaseException): pass\n"
    "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise RunInterruptedError",
    "made an error": "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise ImportError('half imported')",
}
"""Where an interrupt finds a command."""


def start(body: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command whose work is `body`, in a process of its own."""
    code = (
        "import signal, sys, threading, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from imagerag_assets import cli\n"
        "from imagerag_assets.cli import app\n"
        "def run(typed):\n"
        "    print('ready', flush=True)\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "    return 0\n"
        "app.run = run\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "sys.exit(cli.main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "IMAGERAG_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_an_interrupt_ends_the_command_in_every_place(tmp_path: Path) -> None:
    at_work = {place: start(body, tmp_path, "ask", "where?") for place, body in _PLACES.items()}
    for each in at_work.values():
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
        each.send_signal(signal.SIGINT)
    ended = {place: (*each.communicate(timeout=60), each.returncode) for place, each in at_work.items()}
    assert ended == dict.fromkeys(_PLACES, ("", "error: interrupted\n", 130))


def test_the_document_says_so_once(tmp_path: Path) -> None:
    each = start(_PLACES["swallowed"], tmp_path, "ask", "where?", "--json")
    assert each.stdout is not None and each.stdout.readline() == "ready\n"
    each.send_signal(signal.SIGINT)
    out, err = each.communicate(timeout=60)
    assert (each.returncode, err) == (130, "error: interrupted\n")
    assert out.count('"KeyboardInterrupt"') == 1


def test_in_a_process_of_others_it_is_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imagerag_assets.encoders.registry.describe_encoders", interrupted)
    assert main(["encoders"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"
