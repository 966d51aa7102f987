"""Addresses and texts without signatures and keys."""

from __future__ import annotations

import pytest

from imagerag_assets.signatures import shared_query, unsigned, without_signatures

HOST = "https://data.example/a%20b.tif"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F2024&X-Amz-Signature=0a1b&X-Amz-Expires=60", ""),
        ("X-Goog-Signature=0a1b&X-Goog-Date=2024&generation=17", "generation=17"),
        ("Expires=17&Signature=aB%2B&Key-Pair-Id=K2", ""),
        ("sv=2023-01-01&se=2030&sr=b&sp=r&sig=aB%3D&snapshot=3", "snapshot=3"),
        ("token=abc&size=large", "size=large"),
        ("access_token=abc", ""),
        ("api-key=abc&f=tif", "f=tif"),
        ("subscription-key=abc", ""),
        ("key=AIzaSyA1234567890abcdef", ""),
        ("key=scenes/one.tif", "key=scenes/one.tif"),
        ("expires=2030&name=one", "expires=2030&name=one"),
        ("apikey=***&f=1", "apikey=***&f=1"),
        ("apikey=${TILES_KEY}", "apikey=${TILES_KEY}"),
    ],
)  # fmt: skip
def test_what_is_left_leads_to_nothing_by_itself(query: str, kept: str) -> None:
    assert unsigned(f"{HOST}?{query}") == HOST + (f"?{kept}" if kept else "")
    assert unsigned(unsigned(f"{HOST}?{query}")) == unsigned(f"{HOST}?{query}")


def test_other_addresses_stay_as_they_are() -> None:
    for address in ("s3://bucket/a?token=b", "/data/a?sig=b.tif", HOST, f"{HOST}#sig=1", "file:///a?token=b"):
        assert unsigned(address) == address
    assert unsigned("https://me:secret@data.example/a.tif") == "https://data.example/a.tif"
    assert unsigned("https://api.example/search?token=next:17", page=True) == "https://api.example/search?token=next:17"


def test_signatures_of_a_container_hold_for_files_beside() -> None:
    assert shared_query(f"{HOST}?sv=1&sr=c&sig=a&se=2") == "sv=1&sr=c&sig=a&se=2"
    assert shared_query(f"{HOST}?sv=1&sr=b&sig=a&se=2") == ""
    assert shared_query(f"{HOST}?X-Amz-Signature=a") == ""
    assert shared_query(HOST) == ""


def test_texts_hold_no_signature() -> None:
    text = without_signatures(f"HTTP 403 at {HOST}?X-Amz-Signature=0a1b2c&X-Amz-Date=1: refused; ?token=zzz")
    assert "0a1b2c" not in text and "zzz" not in text
    assert text.startswith(f"HTTP 403 at {HOST}")
