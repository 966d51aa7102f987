"""Where the resident process listens: for this user only, one at a time, and nothing is left of a dead one."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from imagerag_assets.errors import LockedError, StoreError
from imagerag_assets.installation.left_over import owners_folder
from imagerag_assets.objects.owners import Owner, at_work
from imagerag_assets.resident.place import find_resident, listening, resident_folder, withdraw
from imagerag_assets.settings import Settings


def test_one_process_of_this_user_listens_where_only_this_user_can_connect(settings: Settings) -> None:
    assert find_resident(settings) is None
    with at_work(owners_folder(settings), "answers") as owner, listening(settings, owner):
        found = find_resident(settings)
        assert found is not None and found.owner == owner
        assert stat.S_IMODE(found.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(found.socket.parent.stat().st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(found.socket))
        with pytest.raises(LockedError, match="running already"), listening(settings, owner):
            pass
        withdraw(settings)
        assert find_resident(settings) is None
    assert sorted(each.name for each in resident_folder(settings).iterdir()) == ["lock"]


def test_a_long_path_gets_a_socket_elsewhere(settings: Settings) -> None:
    long = settings.model_copy(update={"home": settings.home / ("a" * 100)})
    with at_work(owners_folder(long), "answers") as owner, listening(long, owner):
        found = find_resident(long)
        assert found is not None and found.socket.exists()
        assert len(os.fsencode(found.socket)) < 104
    assert not found.socket.parent.exists()


def test_what_a_killed_process_left_is_neither_used_nor_kept(settings: Settings) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = Owner.of_process(process.pid, "answers")
        process.kill()
    folder = resident_folder(settings)
    folder.mkdir(mode=0o700, parents=True)
    left = folder / "socket-1234"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
    (folder / "resident.json").write_text(json.dumps({"owner": asdict(dead), "socket": str(left)}))
    assert find_resident(settings) is None
    with at_work(owners_folder(settings), "answers") as owner, listening(settings, owner):
        assert not left.exists()
        found = find_resident(settings)
        assert found is not None and found.owner == owner


def test_a_folder_that_others_can_enter_is_not_used(settings: Settings, tmp_path: Path) -> None:
    with at_work(owners_folder(settings), "answers") as owner:
        with listening(settings, owner):
            resident_folder(settings).chmod(0o755)
            assert find_resident(settings) is None
        with pytest.raises(StoreError, match="entered by others"), listening(settings, owner):
            pass
        resident_folder(settings).rename(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").chmod(0o700)
        resident_folder(settings).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match="entered by others"), listening(settings, owner):
            pass
