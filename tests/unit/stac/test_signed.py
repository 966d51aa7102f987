"""Signed addresses: read without HEAD, signed anew when they end, one version at each signing, and never shown."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from imagerag_assets.errors import RasterError, SourceError
from imagerag_assets.objects import signed
from imagerag_assets.raster import beside
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import load_settings
from imagerag_assets.stac.listing import list_source, read_listed
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.items import texture, write_tiff
from tests.programs import free_port
from tests.s3 import _wait_until_open, rclone_program
from tests.signing_server import SECRET, VENDORS, SigningServer, signing_server  # noqa: F401

BESIDE = ("", ".msk", ".aux.xml")
SETTINGS = load_settings(_env_file=None)


@pytest.fixture
def forget() -> Callable[[], None]:
    """Forget all signatures, as another process does not know them."""
    return signed._known.clear


@pytest.fixture
def served(signing_server: SigningServer, item: Callable[..., dict[str, Any]]) -> SigningServer:  # noqa: F811
    """A collection of one item at `/items.json`, whose self link is `/one.json`; both sign the address of its file."""
    write_tiff(signing_server.root / "one.tif", texture(700, 700))

    def one(query: str) -> dict[str, Any]:
        made = item("one", f"{signing_server.url}/one.tif?{query}")
        made["assets"]["preview"] = {"href": f"{signing_server.url}/p.png?{query}", "type": "image/png"}
        made["properties"]["msft:expiry"] = str(signing_server.number)
        return made | {"links": [{"rel": "self", "href": f"{signing_server.url}/one.json"}]}

    signing_server.documents["/one.json"] = one
    signing_server.documents["/items.json"] = lambda query: {"type": "FeatureCollection", "features": [one(query)]}
    return signing_server


def only(source: str) -> Scene:
    (scene,) = find_scenes(source, SETTINGS)
    assert isinstance(scene, Scene), scene.error
    return scene


def read_all(scene: Scene) -> bool:
    with SceneReader(scene, SETTINGS) as reader:
        return bool(reader.read((0, 0, 700, 700))[1].all())


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_signed_address_is_read_without_head_and_is_the_same_at_each_signing(
    served: SigningServer, vendor: str
) -> None:
    served.query = VENDORS[vendor]
    source = f"{served.url}/items.json"
    first, second = only(source), only(source)
    assert read_all(second)
    assert {method for method, _ in served.requests} == {"GET"}
    assert {path.partition("?")[0] for _, path in served.requests} == {
        "/items.json",
        *(f"/one.tif{each}" for each in BESIDE),
    }
    assert (first.version, first.imagery) == (second.version, second.imagery)
    assert first.imagery.bands[0].href == f"{served.url}/one.tif"
    assert "s3cr3t" not in json.dumps(first.to_dict())
    assert Scene.from_dict(json.loads(json.dumps(first.to_dict()))) == first
    versions = {each.version for _ in range(2) for each in list_source(source, SETTINGS).listed}
    assert len(versions) == 1
    for listed, results in read_listed(list(list_source(source, SETTINGS).listed), source, SETTINGS):
        assert "s3cr3t" not in f"{listed.ref} {results}"


@pytest.mark.parametrize("by", ["one.json", "items.json"])
def test_a_missing_signature_is_fetched_from_the_item_or_its_source(
    served: SigningServer, forget: Callable[[], None], by: str
) -> None:
    stored = only(f"{served.url}/items.json").to_dict()
    if by == "items.json":
        del served.documents["/one.json"]
    forget()
    served.sign()
    served.requests.clear()
    assert read_all(Scene.from_dict(stored))
    assert ("GET", f"/{by}") in served.requests


def test_a_signature_that_ends_while_pixels_are_read_is_replaced(served: SigningServer) -> None:
    write_tiff(served.root / "one.tif", texture(3000, 3000))
    scene = only(f"{served.url}/items.json")
    served.lasts = 6
    served.sign()
    with SceneReader(scene, SETTINGS) as reader:
        for start in range(0, 3000, 500):
            assert reader.read((start, 0, start + 500, 3000))[1].all()
    assert served.number >= 3  # the listing, the first signature, and at least one more


@pytest.mark.parametrize(("refused", "share"), [((), 0.5), ((".msk", ".aux.xml"), 1.0)])
@pytest.mark.parametrize("nodata", [None, 0])
def test_the_mask_beside_a_signed_file_counts_if_the_signature_holds_for_it(
    served: SigningServer, refused: tuple[str, ...], share: float, nodata: int | None
) -> None:
    beside._known.clear()
    pixels = texture(700, 700)
    if nodata is not None:
        pixels[:, :, :350] = nodata
        share /= 2
    path = write_tiff(served.root / "one.tif", pixels, nodata=nodata)
    mask = np.full((700, 700), 255, np.uint8)
    mask[:350] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    served.refused = refused
    with SceneReader(only(f"{served.url}/items.json"), SETTINGS) as reader:
        assert reader.read((0, 0, 700, 700))[1].mean() == pytest.approx(share, abs=0.01)
        served.sign()  # the former one ends
        assert reader.read((0, 0, 600, 600))[1].any()
    assert {method for method, _ in served.requests} == {"GET"}


def test_a_signature_that_ends_before_the_mask_is_asked_for_does_not_lose_it(
    served: SigningServer, forget: Callable[[], None]
) -> None:
    scene = only(f"{served.url}/items.json")
    beside._known.clear()
    served.sign()
    with pytest.raises(RasterError, match="signature of the address is refused"):
        beside.mask_beside(scene.imagery.bands[0].href, SETTINGS)
    assert read_all(scene)


def test_links_that_are_signed_are_signed_anew_in_a_walk(
    served: SigningServer, item: Callable[..., dict[str, Any]]
) -> None:
    """Each document signs its links, and only the newest signature is accepted: those of the others have ended."""

    def catalog(name: str, relation: str, targets: list[str]) -> Callable[[str], Any]:
        links = [{"rel": relation, "href": f"./{target}.json?{{}}"} for target in targets]
        return lambda query: {
            "type": "Catalog", "id": name, "stac_version": "1.0.0", "description": name,
            "links": [link | {"href": link["href"].format(query)} for link in links],
        }  # fmt: skip

    served.entrance = "/root.json"
    served.documents["/root.json"] = catalog("root", "child", ["a", "b"])
    for name in ("a", "b"):
        items = [f"{name}{number}" for number in range(2)]
        served.documents[f"/{name}.json"] = catalog(name, "item", items)
        for each in items:
            served.documents[f"/{each}.json"] = lambda query, each=each: item(each, f"./one.tif?{query}")
    source = f"{served.url}/root.json"
    found = list(find_scenes(source, SETTINGS))
    assert [each.scene_key for each in found if isinstance(each, Scene)] == ["a0", "a1", "b0", "b1"], found
    listing = list_source(source, SETTINGS)
    assert len(list(listing.listed)) == 4
    assert listing.problems == []
    served.documents.pop("/b0.json")  # what is gone stays gone
    gone = [each for each in find_scenes(source, SETTINGS) if not isinstance(each, Scene)]
    assert len(gone) == 1 and SECRET not in str(gone[0].error)


def test_a_password_holds_for_its_server_and_is_never_stored(
    served: SigningServer, item: Callable[..., dict[str, Any]], forget: Callable[[], None]
) -> None:
    served.login = f"me:{SECRET}"
    for name, href in (("relative", "./one.tif"), ("absolute", f"{served.url}/one.tif")):
        served.documents[f"/{name}.json"] = lambda _, name=name, href=href: item(name, href)
        scene = only(f"{served.url.replace('://', f'://{served.login}@')}/{name}.json")
        assert read_all(scene)
        assert SECRET not in json.dumps(scene.to_dict())
    forget()
    signed._logins.clear()
    with pytest.raises(SourceError, match="Permission denied"):
        only(f"{served.url}/relative.json")


@contextmanager
def serve_http(root: Path) -> Iterator[str]:
    """Serve a folder from a process of its own: GDAL keeps Python's lock while it builds overviews."""
    port = free_port()
    command = [rclone_program(), "serve", "http", "--addr", f"127.0.0.1:{port}", "--config", os.devnull, str(root)]
    with (root.parent / "rclone.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_open(port, process, root.parent / "rclone.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def test_overviews_of_a_signed_file_have_no_signature_on_disk(
    tmp_path: Path, item: Callable[..., dict[str, Any]], forget: Callable[[], None]
) -> None:
    write_tiff(tmp_path / "root" / "one.tif", texture(1500, 1500))
    settings, scratch = SETTINGS.model_copy(update={"supertile_px": 512}), tmp_path / "scratch"
    with serve_http(tmp_path / "root") as url:
        (tmp_path / "item.json").write_text(json.dumps(item("one", f"{url}/one.tif?token={SECRET}")))
        scene = only(str(tmp_path / "item.json"))
        for _ in range(2):
            with SceneReader(scene, settings, scratch=scratch) as reader:
                picture, valid = reader.overview(256)
            assert valid.all()
            assert picture.std() > 5
            assert list(scratch.rglob("*.ovr"))
            assert not [file for file in scratch.rglob("*.vrt") if SECRET in file.read_text()]
            forget()


def test_an_error_says_what_is_wrong_without_the_signature(served: SigningServer, forget: Callable[[], None]) -> None:
    scene = only(f"{served.url}/items.json")
    (served.root / "one.tif").unlink()
    with pytest.raises(RasterError) as missing:
        read_all(scene)
    served.documents.clear()
    forget()
    with pytest.raises(RasterError, match=r"signature of the address is missing .* cannot be fetched anew") as gone:
        read_all(scene)
    for error in (missing.value, gone.value):
        each: BaseException | None = error
        while each is not None:
            assert SECRET not in f"{each} {each.args} {getattr(each, 'ids', '')}"
            each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def test_what_is_relative_to_a_document_with_a_key_is_read_with_that_key(
    signing_server: SigningServer,  # noqa: F811
    item: Callable[..., dict[str, Any]],
) -> None:
    signing_server.query = "sv=2024-01-01&sr=c&sp=rl&sig={}"
    write_tiff(signing_server.root / "one.tif", texture(700, 700))
    (signing_server.root / "one.json").write_text(json.dumps(item("one", "./one.tif")))
    scene = only(f"{signing_server.url}/one.json?{signing_server.sign()}")
    assert read_all(scene)
    assert scene.item_href == f"{signing_server.url}/one.json"
    assert SECRET not in json.dumps(scene.to_dict())
