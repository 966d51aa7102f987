"""What a document may refer to, by where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.boundary import check, kind_of_number, refusal
from imagerag_assets.settings import Settings, load_settings

WEB, BUCKET = "https://8.8.8.8/catalog/item.json", "s3://data/items/item.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, _env_file=None)


@pytest.mark.parametrize(
    "address",
    ["/etc/passwd", "<VRTDataset/>", "<VRTDataset x='://'/>", "/vsicached?file=/etc/passwd&x=://",
     "/vsizip/a.zip/b.tif", "simplecache::file:///etc/passwd", "simplecache::https://8.8.4.4/a.tif",
     "local:///etc/passwd", "memory://a.tif", "FILE:///etc/passwd", "ftp://8.8.8.8/a.tif", "az://container/a.tif",
     "s3://private/a.tif", "http://127.0.0.1/a.tif", "http://localhost/a.tif", "http://2130706433/a.tif",
     "http://0x7f.1/a.tif", "http://0.0.0.0/a.tif", "http://[::1]/a.tif", "http://[::ffff:127.0.0.1]/a.tif",
     "http://[64:ff9b::7f00:1]/a.tif", "http://[2002:7f00:1::]/a.tif", "http://10.0.0.1/a.tif",
     "http://192.168.1.1:8080/a.tif", "http://172.16.0.1/a.tif", "http://100.64.0.1/a.tif",
     "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/a.tif", "http://metadata.google.internal/",
     "http://224.0.0.1/a.tif", "http:///a.tif", "http://8.8.4.4:0/a.tif", "http://127.0.0.1#@8.8.8.8/a.tif",
     "http://127.0.0.1./a.tif"],
)  # fmt: skip
def test_what_a_document_of_the_web_may_not_name(address: str, settings: Settings) -> None:
    with pytest.raises(SourceError) as caught:
        check(address, WEB, settings)
    error = caught.value
    assert error.fix
    assert (error.ids["href"], error.ids["document"]) == (address, WEB)
    assert "\n" not in str(error)


@pytest.mark.parametrize("address", ["https://8.8.4.4/a.tif", "http://8.8.8.8:8080/a.tif", "HTTPS://8.8.8.8/a.tif"])
def test_what_a_document_of_the_web_may_name(address: str, settings: Settings) -> None:
    check(address, WEB, settings)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "10.0.0.1", "[::1]:9000"])
def test_a_document_may_name_the_host_and_port_that_it_is_from(host: str, settings: Settings) -> None:
    origin = f"http://{host}/catalog.json"
    check(f"http://{host}/data/a.tif", origin, settings)
    for other in (f"http://{host.replace('8000', '').replace('9000', '').rstrip(':')}:7/a.tif", "http://127.0.0.2/a"):
        assert refusal(other, origin, settings) is not None


def test_a_server_may_lead_from_http_to_https(settings: Settings) -> None:
    check("https://10.0.0.1/a.tif", "http://10.0.0.1/catalog.json", settings)


@pytest.mark.parametrize(
    ("listed", "address"),
    [("10.0.0.0/8", "http://10.1.2.3:9000/a.tif"), ("10.1.2.3", "http://10.1.2.3:9000/a.tif"),
     ("10.1.2.3:9000", "http://10.1.2.3:9000/a.tif"), ("localhost:*", "http://localhost:81/a.tif"),
     ("[::1]:9000", "http://[::1]:9000/a.tif"), ("169.254.169.254", "http://169.254.169.254/a.tif")],
)  # fmt: skip
def test_a_host_that_is_listed_may_be_named(listed: str, address: str, settings: Settings) -> None:
    refused = refusal(address, WEB, settings)
    assert refused is not None
    assert "IMAGERAG_ALLOWED_HOSTS" in refused.fix
    check(address, WEB, settings.model_copy(update={"allowed_hosts": ("*", listed)}))
    check("http://8.8.4.4/a.tif", WEB, settings.model_copy(update={"allowed_hosts": ("*", listed)}))
    assert refusal("http://8.8.4.4/a.tif", WEB, settings.model_copy(update={"allowed_hosts": (listed,)})) is not None


@pytest.mark.parametrize(
    ("lists", "address", "origin", "name"),
    [({"allowed_hosts": ("*.example.org",)}, "https://8.8.4.4/a.tif", WEB, "IMAGERAG_ALLOWED_HOSTS"),
     ({"allowed_ports": (443,)}, "https://8.8.4.4:8443/a.tif", WEB, "IMAGERAG_ALLOWED_PORTS"),
     ({"allowed_schemes": ("https",)}, "http://8.8.4.4/a.tif", WEB, "IMAGERAG_ALLOWED_SCHEMES"),
     ({"allowed_schemes": ("https",)}, "s3://data/a.tif", BUCKET, "IMAGERAG_ALLOWED_SCHEMES"),
     ({}, "s3://private/a.tif", WEB, "IMAGERAG_ALLOWED_BUCKETS"),
     ({"allowed_buckets": ("other",)}, "s3://private/a.tif", "/items/item.json", "IMAGERAG_ALLOWED_BUCKETS"),
     ({"allowed_roots": ("/data",)}, "/etc/passwd", "/data/item.json", "IMAGERAG_ALLOWED_ROOTS")],
)  # fmt: skip
def test_the_error_names_the_setting_that_would_allow_it(
    lists: dict[str, object], address: str, origin: str, name: str, settings: Settings
) -> None:
    refused = refusal(address, origin, settings.model_copy(update=lists))
    assert refused is not None
    assert name in refused.fix


def test_the_lists_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"SCHEMES": '["https"]', "HOSTS": '["*.org", "10.0.0.1:80"]', "PORTS": "[443]", "BUCKETS": '["a*"]',
              "ROOTS": '["/data"]'}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"IMAGERAG_ALLOWED_{name}", value)
    loaded = load_settings(_env_file=None)
    assert (loaded.allowed_schemes, loaded.allowed_hosts) == (("https",), ("*.org", "10.0.0.1:80"))
    assert (loaded.allowed_ports, loaded.allowed_buckets, loaded.allowed_roots) == ((443,), ("a*",), ("/data",))


def test_a_bucket_that_is_listed_or_described_or_open_may_be_named_by_the_web(tmp_path: Path) -> None:
    plain = load_settings(home=tmp_path, _env_file=None)
    assert refusal("s3://tiles/a.tif", WEB, plain) is not None
    check("s3://tiles/a.tif", WEB, plain.model_copy(update={"allowed_buckets": ("*", "tiles")}))
    check("s3://tiles/a.tif", WEB, plain.model_copy(update={"s3_anonymous": True}))
    inside = plain.model_copy(update={"s3_anonymous": True, "s3_endpoint_url": "http://10.0.0.1:9000"})
    assert refusal("s3://tiles/a.tif", WEB, inside) is not None
    plain.storage_file.write_text('[storage.tiles]\nbuckets = "tiles"\n[storage.all]\nbuckets = "*"\n')
    check("s3://tiles/a.tif", WEB, plain)
    assert refusal("s3://private/a.tif", WEB, plain) is not None


def test_a_document_in_a_bucket_names_its_own_storage_and_the_web(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, _env_file=None, s3_endpoint_url="http://127.0.0.1:9000")
    for address in ("s3://data/a.tif", "s3://more/a.tif", "https://8.8.8.8/a.tif", "http://127.0.0.1:9000/data/a.tif"):
        check(address, BUCKET, settings)
    for address in ("/etc/passwd", "http://127.0.0.1:9001/a.tif", "http://10.0.0.1/a.tif", "/vsis3/data/a.tif"):
        assert refusal(address, BUCKET, settings) is not None, address
    settings.storage_file.write_text('[storage.mine]\nbuckets = "data"\nendpoint = "http://127.0.0.1:9001"\n')
    assert refusal("s3://more/a.tif", BUCKET, settings) is not None
    assert refusal("http://127.0.0.1:9000/a.tif", BUCKET, settings) is not None
    check("http://127.0.0.1:9001/data/a.tif", BUCKET, settings)


def test_a_document_here_names_what_is_here_and_nearby_but_no_metadata(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, _env_file=None)
    here = str(tmp_path / "item.json")
    for address in (str(tmp_path / "a.tif"), "s3://any/a.tif", "http://127.0.0.1:9/a.tif", "http://10.0.0.1/a.tif"):
        check(address, here, settings)
    for address in ("http://169.254.169.254/latest", "/vsicurl/http://127.0.0.1/a.tif", "simplecache::file:///a"):
        assert refusal(address, here, settings) is not None, address


def test_a_link_does_not_lead_out_of_the_roots(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.tif").touch()
    (inside / "link.tif").symlink_to(outside / "a.tif")
    settings = load_settings(home=tmp_path, _env_file=None, allowed_roots=(str(inside),))
    check(str(inside / "a.tif"), str(inside / "item.json"), settings)
    for path in (inside / "link.tif", outside / "a.tif", f"{inside}-not/a.tif"):
        assert refusal(str(path), str(inside / "item.json"), settings) is not None, path


@pytest.mark.parametrize(
    ("number", "kind"),
    [("8.8.8.8", None), ("2606:4700::1111", None), ("127.1.2.3", "loopback"), ("::1", "loopback"),
     ("10.0.0.1", "private"), ("fd00::1", "private"), ("169.254.1.1", "link-local"), ("fe80::1%eth0", "link-local"),
     ("fd00:ec2::254", "metadata"), ("::ffff:169.254.169.254", "metadata"), ("0.0.0.0", "reserved"),
     ("239.1.1.1", "reserved")],
)  # fmt: skip
def test_the_kind_of_a_number(number: str, kind: str | None) -> None:
    assert kind_of_number(number) == kind
