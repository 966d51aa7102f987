"""The server of a Milvus Lite file: who it is, and what a killed one leaves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psutil

from imagerag_assets.installation.left_over import at_work, close_left_over, find_left_over
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_connection import lite_path
from imagerag_assets.stores.milvus_lite_owner import find_server, forget_dead
from imagerag_assets.stores.milvus_lite_share import LiteShare


def test_a_killed_server_is_named_and_forgotten(settings: Settings) -> None:
    path = lite_path(settings)
    assert find_server(path) is None
    with closing(LiteShare(path)):
        found = find_server(path)
        assert found is not None
        assert found.owner is not None
        assert (found.state, found.owner.work) == ("alive", f"serves {Path(path).name}")
        assert not forget_dead(path)
        assert list(find_left_over(settings)) == []
        server = psutil.Process(found.owner.pid)
        server.kill()
        server.wait(30)
        (shown,) = at_work(settings)["servers"]
        assert (shown["pid"], shown["state"]) == (server.pid, "dead")
        (left,) = find_left_over(settings)
        assert (left.kind, left.name) == ("server", path)
        assert close_left_over(settings) == [f"server {path}: forgotten"]
        assert find_server(path) is None
    with closing(LiteShare(path)):
        again = find_server(path)
        assert again is not None
        assert again.state == "alive"
