"""What Milvus says of a failure: the token is masked, and a server that is not ready is asked again."""

from __future__ import annotations

import traceback

import pytest
from pymilvus.exceptions import MilvusException

from imagerag_assets.errors import StoreError
from imagerag_assets.settings import load_settings
from imagerag_assets.stores.milvus_connection import milvus_errors


@pytest.mark.parametrize("text", ["auth check failure, token: me:m4rkerm4rker", "x" * 490 + " m4rkerm4rker"])
def test_a_servers_text_does_not_show_the_token(text: str) -> None:
    load_settings(milvus_token="me:m4rkerm4rker", _env_file=None)
    with pytest.raises(StoreError) as failed, milvus_errors("connect", "http://milvus:19530"):
        raise MilvusException(code=65535, message=text)
    assert "m4rk" not in str(failed.value) + str(failed.value.__cause__) and "***" in str(failed.value)
    assert "m4rk" not in "".join(traceback.format_exception(failed.value.__cause__))


@pytest.mark.parametrize(
    "text",
    ["service not ready[standalone=1]: Abnormal", "failed to query: channel lacks[channel=channel not subscribed]"],
)
def test_a_server_that_is_not_ready_is_a_passing_fault(text: str) -> None:
    """A starved server loses its own registry, and says so for a while."""
    with pytest.raises(StoreError, match=r"not ready \(count patches\)") as failed, milvus_errors("count", "patches"):
        raise MilvusException(code=1, message=text)
    assert failed.value.transient
    assert "start it again" in failed.value.fix
