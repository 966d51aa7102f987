"""A server of names that does not answer costs a bounded time, whoever asks: documents, GDAL's relay, and S3."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.objects import name_lookup
from imagerag_assets.objects.bounded import read_object
from imagerag_assets.objects.deadlines import TooSlowError
from imagerag_assets.objects.failures import explain_failure, is_transient
from imagerag_assets.objects.name_lookup import look_up
from imagerag_assets.objects.relay import Policy, _connected, _RefusedError
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import read_document

SLOW = "The name slow.example was not looked up in 0.05 s"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let one name never be found, and note what is asked for."""
    known, names, answers = socket.getaddrinfo, [], threading.Event()

    def look(host: str, *args: Any, **kwargs: Any) -> Any:
        names.append(host)
        if host.endswith("slow.example"):
            answers.wait()
        return known(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    name_lookup._looked_up.clear()
    yield names
    answers.set()
    name_lookup._looked_up.clear()


def test_a_document_by_a_name_that_is_not_looked_up(asked: list[str], settings: Settings) -> None:
    limited = settings.model_copy(update={"limit_lookup_s": 0.05})
    with pytest.raises(SourceError, match=f"{SLOW}.*IMAGERAG_LIMIT_LOOKUP_S") as raised:
        read_document("http://slow.example/catalog.json", limited)
    assert raised.value.transient
    with pytest.raises(TooSlowError):  # the next one does not wait again
        look_up("slow.example", 600.0)
    assert asked.count("slow.example") == 1
    assert look_up("127.0.0.1", 0.05) == ("127.0.0.1",)


def test_gdal_by_a_name_that_is_not_looked_up(asked: list[str]) -> None:
    where = ("slow.example", 80)
    lists = {"allowed_schemes": ["http"], "allowed_hosts": ["*"], "allowed_ports": [], "token": "t"}
    policy = Policy.of(lists | {"known": [where], "here": [where], "limit_lookup_s": 0.05})
    with pytest.raises(_RefusedError, match="504"):
        asyncio.run(_connected(policy, where))


def test_a_bucket_by_a_name_that_is_not_looked_up(asked: list[str], settings: Settings) -> None:
    there = {"s3_endpoint_url": "http://slow.example:9000", "s3_anonymous": True, "limit_lookup_s": 0.05}
    limited = settings.model_copy(update=there)
    with pytest.raises(Exception) as raised:  # noqa: PT011  # s3fs and botocore share no base class
        read_object("s3://bucket/a.json", limited)
    assert is_transient(raised.value, "s3://bucket/a.json")
    assert explain_failure(raised.value, "s3://bucket/a.json", limited)[0] == SLOW
    assert asked.count("slow.example") == 1
