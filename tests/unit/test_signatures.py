"""Addresses and texts without signatures and keys."""

from __future__ import annotations

import pytest

from imagerag_assets.signatures import login_of, secrets_of, shared_query, unsigned, without_signatures

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
        ("AWSAccessKeyId=A&Signature=b&Expires=1", ""),
        ("GoogleAccessId=a&Signature=b&Expires=1&alt=media", "alt=media"),
        ("st=1&se=2&sp=rl&sv=3&sr=c&skoid=4&sktid=5&skt=6&ske=7&sks=b&skv=8&sig=c&z=1", "z=1"),
        ("hdnts=exp~hmac&f=1", "f=1"),
        ("__token__=a&f=1", "f=1"),
        ("q-sign-algorithm=sha1&q-ak=a&q-signature=b", "q-sign-algorithm=sha1"),
        ("client_secret=a&x-api-key=b&authToken=c&sessionid=d&pwd=e&sas=f&g=1", "g=1"),
        ("appid=0123456789abcdef0123456789abcdef&q=1", "q=1"),
        ("appid=weather&pass=ascending&code=S2A&user=me", "appid=weather&pass=ascending&code=S2A&user=me"),
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


def test_secrets_of_an_address_are_those_that_hold_for_others_too() -> None:
    assert secrets_of(f"{HOST}?api_key=one%2B&access_token=two&f=tif") == ("one+", "two")
    assert secrets_of(f"{HOST}?sv=1&sr=c&sig=three&se=2") == ("three",)
    assert secrets_of(f"{HOST}?X-Amz-Signature=four&X-Amz-Date=1") == ()
    assert secrets_of(HOST) == ()
    assert login_of("https://me:secret@data.example/a@b") == "me:secret"
    assert login_of("https://data.example/a@b") == ""
