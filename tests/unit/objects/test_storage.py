"""Buckets of several servers and credentials in one run, and who pays for reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagerag_assets.errors import SettingsError
from imagerag_assets.objects.addresses import filesystem
from imagerag_assets.objects.gdal import S3Session
from imagerag_assets.objects.storage import access_to, plain
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.raster.reader import SceneReader
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.source import find_scenes
from imagerag_assets.stac.types import Scene
from tests.items import texture, write_item, write_tiff
from tests.s3 import S3Endpoint, serve_s3


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, _env_file=None)


def write(settings: Settings, text: str) -> Settings:
    settings.storage_file.write_text(text, encoding="utf-8")
    return settings


def test_the_longest_pattern_says_how_an_address_is_reached(at: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    settings = write(
        at.model_copy(update={"s3_endpoint_url": "http://here:9000"}),
        """
[storage.public]
buckets = "eo-*"
endpoint = "aws"
anonymous = true
region = "us-west-2"

[storage.paid]
prefixes = ["s3://eo-paid/scenes/"]
requester_pays = true
key = "K"
secret = "S"
""",
    )
    other, public, paid = (
        access_to(address, settings) for address in ("s3://own/a", "s3://eo-paid/other/a", "s3://eo-paid/scenes/a")
    )
    assert (other.endpoint, other.anonymous, other.table) == ("http://here:9000", False, None)
    assert (public.endpoint, public.anonymous, public.region, public.requester_pays) == (None, True, "us-west-2", False)
    assert (paid.endpoint, plain(paid.key), paid.requester_pays) == ("http://here:9000", "K", True)
    assert "'S'" not in repr(paid)
    options = S3Session(paid).get_credential_options()
    assert options["AWS_REQUEST_PAYER"] == "requester"
    assert (options["AWS_ACCESS_KEY_ID"], options["AWS_SESSION_TOKEN"]) == ("K", "")
    assert S3Session(public).get_credential_options() == {
        "AWS_NO_SIGN_REQUEST": "YES", "AWS_REQUEST_PAYER": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-west-2",
        "AWS_S3_ENDPOINT": "s3.amazonaws.com", "AWS_HTTPS": "YES", "AWS_VIRTUAL_HOSTING": "TRUE",
    }  # fmt: skip
    assert filesystem("s3://eo-paid/scenes/a", settings)[0].req_kw == {"RequestPayer": "requester"}
    assert filesystem("s3://own/a", settings)[0].req_kw == {}


def test_the_variable_holds_for_every_bucket_that_no_table_excepts(
    at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    settings = write(at, '[storage.free]\nbuckets = ["free"]\nrequester_pays = false\n')
    assert access_to("s3://any/a", settings).requester_pays
    assert not access_to("s3://free/a", settings).requester_pays


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[storage.a]\n", "storage.a .*: needs buckets or prefixes"),
        ('[storage.a]\nbuckets = ["b"]\nkey = "K"\n', "storage.a .*: needs both key and secret"),
        ('[storage.a]\nbuckets = ["b"]\nsecret_key = "hidden"\n', "storage.a.secret_key .* is not known; use buckets"),
        ('[storage.a]\nbuckets = ["b"]\nendpoint = "minio:9000"\n', "storage.a.endpoint .* http"),
        ('[storage.a]\nbuckets = ["b"]\nanonymous = true\nprofile = "p"\n', "more than one of key, profile"),
        ('[storage.a]\nprefixes = ["b/c"]\n', "storage.a.prefixes .* s3://bucket"),
        ('[sources.a]\nsource = "b"\n', r"must hold \[storage.NAME\] tables only"),
        ("[storage", "cannot be read"),
        ("storage = 3", r"\[storage.NAME\] tables only"),
    ],
)
def test_a_table_that_is_not_valid_is_told_in_one_line(at: Settings, text: str, said: str) -> None:
    settings = write(at, text)
    with pytest.raises(SettingsError, match=said) as refused:
        list(find_scenes("s3://bucket/prefix", settings))
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Endpoint, S3Endpoint]]:
    """Two servers with the same bucket name and different credentials."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder in folders:
        (folder / "root" / f"data-{folder.name[:3]}").mkdir(parents=True)
    with (
        serve_s3(folders[0] / "root", folders[0] / "log") as one,
        serve_s3(folders[1] / "root", folders[1] / "log", key="OTHERKEY", secret="other-secret") as other,
    ):
        yield one, other


def test_documents_and_bands_come_from_two_servers_with_two_credentials(
    two: tuple[S3Endpoint, S3Endpoint], at: Settings
) -> None:
    one, other = two
    settings = write(
        at,
        f"""
[storage.one]
buckets = ["data-one"]
endpoint = "{one.url}"
key = "{one.key}"
secret = "{one.secret}"

[storage.other]
prefixes = ["s3://data-two/"]
endpoint = "{other.url}"
key = "{other.key}"
secret = "{other.secret}"
""",
    )
    pixels = texture(300, 300)
    rasters = [
        write_tiff(two[number].root / f"data-{name}" / f"{colour}.tif", pixels[index : index + 1])
        for index, (number, name, colour) in enumerate([(0, "one", "red"), (1, "two", "green"), (0, "one", "blue")])
    ]
    item = write_item(one.root / "data-one" / "item.json", "./red.tif", raster=rasters[0])
    text = item.read_text().replace('"visual": {', '"green": {"href": "s3://data-two/green.tif", "type": "image/tiff"},'
        '"blue": {"href": "./blue.tif", "type": "image/tiff"}, "red": {')  # fmt: skip
    item.write_text(text.replace('["visual"]', '["data"]').replace('"visual"', '"data"'))
    (scene,) = find_scenes("s3://data-one/item.json", settings)
    assert isinstance(scene, Scene), scene.error
    assert [href.split("/")[2] for href in scene.imagery.hrefs] == ["data-one", "data-two", "data-one"]
    with SceneReader(scene, settings) as reader:
        values, valid = reader.read((0, 0, 300, 300))
        assert valid.all()
        assert (values[..., 1] == pixels[1]).all()
    for bucket in ("data-one", "data-two"):
        ObjectStore(f"s3://{bucket}/out", settings).write_bytes("a", b"1")
        assert ObjectStore(f"s3://{bucket}/out", settings).read_bytes("a") == b"1"
