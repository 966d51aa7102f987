"""When the pages of a listing are all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagerag_assets.errors import IncompleteListingError, SourceError
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import Document, read_document
from imagerag_assets.stac.listing import list_source
from imagerag_assets.stac.paging import EndlessPagesError, Pages, item_pages, next_request
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import FailedItem, Scene
from tests.stac_api import StacApi, stac_api  # noqa: F401

Build = Callable[..., dict[str, Any]]
Write = Callable[[Path, Any], Path]


def page(*ids: str, **said: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "id": name} for name in ids], **said}


FULL = "the last page is full"


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([page("a", "b")], None),
        ([page("a", "b", numberMatched=2)], None),
        ([page("a", "b", numberMatched="2")], None),
        ([page("a", "b", numberMatched=3)], "2 of 3 items came"),
        ([page("a", "b", numberMatched="3")], "2 of 3 items came"),
        ([page("a", "b", context={"matched": 3})], "2 of 3 items came"),
        ([page("a", "b", numberMatched=None, context=None)], None),
        ([page("a", "b", numberMatched="many", context={"matched": True})], None),
        ([page("a", "b", numberMatched=5), page("c", numberMatched=1)], "3 of 5 items came"),
        ([page("a", "b", numberMatched=2), page("c", "d", numberMatched=2)], "4 items came, although the API says"),
        ([page("a", "b", numberMatched=3), page("c", "d", numberMatched=4)], None),
        ([page("a", "b"), page("c", "d")], FULL),
        ([page("a", "b"), page("c")], None),
        ([page("a", "b"), page(), page("c")], None),
        ([page("a", "b", context={"limit": 2})], FULL),
        ([page(*"abcde")], FULL),
        ([page(*"abcde", numberMatched=5)], None),
        ([page("a", "a", "b", "b", numberMatched=4)], "2 of 4 items came"),
        ([page("a", links=[{"rel": "next"}])], "the link to the next page has no address"),
        ([page("a", links=None)], None),
        ([page("a") | {"features": [1, {"id": "a"}]}], "1 entries are not items"),
    ],
)
def test_pages_are_the_whole_listing_only_if_they_say_so(pages: list[dict[str, Any]], why: str | None) -> None:
    listing = Pages(asked=5)
    for each in pages:
        listing.take(each)
    said = listing.shortfall()
    assert said == why if why is None else why in str(said)


@pytest.mark.parametrize("content", [{"code": "Forbidden"}, {"features": None}, {"features": {}}, [1], None, "x"])
def test_a_message_of_the_server_is_no_page(content: object) -> None:
    with pytest.raises(TypeError):
        Pages().take(content)


def test_pages_that_never_end_are_left() -> None:
    listing = Pages()
    assert [each["id"] for each in listing.take(page("a", "b"))] == ["a", "b"]
    assert [each["id"] for each in listing.take(page("b", "c"))] == ["c"]
    with pytest.raises(EndlessPagesError, match="same page again"):
        listing.take(page("a", "c"))
    with pytest.raises(EndlessPagesError, match="pages are empty"):
        for _ in range(1000):
            listing.take(page())


def next_to(name: str) -> list[dict[str, str]]:
    return [{"rel": "next", "href": name}]


def test_item_collections_are_followed_to_the_last_page(
    tmp_path: Path, settings: Settings, item: Build, write: Write
) -> None:
    one, two, three = (item(name) for name in ("one", "two", "three"))
    first = write(tmp_path / "1.json", page(links=next_to("2.json"), numberMatched=3) | {"features": [one, two]})
    write(tmp_path / "2.json", page() | {"features": [two, three]})

    def came() -> list[list[str] | str]:
        pages = item_pages(read_document(str(first), settings), settings)
        return [
            [each["id"] for each in got.content["features"]] if isinstance(got, Document) else got.message
            for got in pages
        ]

    assert came() == [["one", "two"], ["three"]]
    write(tmp_path / "2.json", page() | {"features": [two]})
    assert came() == [["one", "two"], "The listing is incomplete: the API returns the same page again"]
    write(tmp_path / "2.json", page(links=next_to("1.json")) | {"features": [three]})
    assert came() == [["one", "two"], ["three"], "The listing is incomplete: the API returns the same page again"]
    write(tmp_path / "2.json", {"code": "Forbidden"})
    assert came() == [["one", "two"], "The next page is not an item collection"]
    (tmp_path / "2.json").unlink()
    assert came() == [["one", "two"], "Not found"]
    write(tmp_path / "2.json", page() | {"features": [three, {"type": "Feature", "id": "four"}]})
    assert came()[-1] == "The listing is incomplete: 4 items came, although the API says that it has 3"
    write(first, page(links=next_to("2.json")) | {"features": [one, two]})
    assert came()[-1] == "The listing is incomplete: 1 entries are not items"


def test_the_items_of_a_collection_come_page_by_page_however_often_they_are_asked_for(
    stac_api: StacApi, settings: Settings, item: Build, tmp_path: Path, write_tif: Callable[..., Path]  # noqa: F811
) -> None:  # fmt: skip
    """The `token` of a page is no signature: it must not be sent when the first page is asked for again."""
    image = write_tif(tmp_path / "image.tif")
    stac_api.items = [item(f"i{n}", str(image), collection="x") for n in range(5)]
    source = f"{stac_api.url}/collections/x"
    stac_api.matched = {"numberMatched": 5}
    for _ in range(2):
        found = list(find_scenes(source, settings))
        assert [each.scene_key for each in found if isinstance(each, Scene)] == [f"x.i{n}" for n in range(5)]
        listing = list_source(source, settings)
        assert [each.ref for each in listing.listed] == [f"x/i{n}" for n in range(5)]
        assert listing.problems == []
    stac_api.fail_at_token = "2"
    listing = list_source(source, settings)
    assert len(list(listing.listed)) == 2
    assert isinstance(listing.problems[0], SourceError)
    stac_api.fail_at_token, stac_api.matched = None, {"numberMatched": 6}
    *_, failed = find_scenes(source, settings)
    assert isinstance(failed, FailedItem)
    assert isinstance(failed.error, IncompleteListingError)
    assert "5 of 6 items came" in str(failed.error)


def test_a_document_chooses_little_of_how_the_next_page_is_asked_for() -> None:
    given = {"Authorization": "Bearer x", "Host": "inner", "Cookie": "a=b", "Metadata-Flavor": "Google",
             "X-aws-ec2-metadata-token": "t", "X-Forwarded-For": "1", "Search-After": "LC08", "Accept": "a\r\nX: y",
             "Content-Type": "application/json", "X-Next-Token": 7}  # fmt: skip
    link = {"rel": "next", "href": "/search?page=2", "method": "post", "headers": given, "body": {"page": 2}}
    asked = next_request({"links": [link]}, "https://api.example/stac/search")
    assert asked == link | {
        "href": "https://api.example/search?page=2",
        "method": "POST",
        "headers": {"Search-After": "LC08", "Content-Type": "application/json"},
    }
    elsewhere = link | {"href": "https://other.example/search", "method": "GET"}
    assert "headers" not in (next_request({"links": [elsewhere]}, "https://api.example/search") or {"headers": 1})
    for wrong in (elsewhere | {"method": "POST"}, link | {"method": "DELETE"}, link | {"method": "PUT\n"}):
        with pytest.raises(SourceError, match="next page asks for"):
            next_request({"links": [wrong]}, "https://api.example/search")
    assert next_request({"links": []}, "https://api.example/search") is None
