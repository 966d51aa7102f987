"""One object's addresses: as it is written for a store, and for the web."""

from __future__ import annotations

import pytest

from imagerag_assets.objects.bucket_addresses import s3_address, web_address

GOOGLE = "https://storage.googleapis.com"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "web"),
    [
        ("gs://bucket/a b/ü#%.tif", f"{GOOGLE}/bucket/a%20b/%C3%BC%23%25.tif"),
        ("gcs://bucket/a.tif", f"{GOOGLE}/bucket/a.tif"),
        ("abfs://data@account.dfs.core.windows.net/a b.tif", "https://account.blob.core.windows.net/data/a%20b.tif"),
        ("abfss://data@account.dfs.core.windows.net/a.tif", "https://account.blob.core.windows.net/data/a.tif"),
        ("wasbs://data@account.blob.core.windows.net/a.tif", "https://account.blob.core.windows.net/data/a.tif"),
        ("az://account.blob.core.windows.net/data/a.tif", "https://account.blob.core.windows.net/data/a.tif"),
        ("az://data/a.tif", "az://data/a.tif"),
        ("s3://bucket/a b.tif", "s3://bucket/a b.tif"),
        ("/gs/a.tif", "/gs/a.tif"),
    ],
)
def test_objects_of_google_and_azure_have_addresses_in_the_web(address: str, web: str) -> None:
    assert web_address(address) == web


def test_variables_name_what_an_address_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "mine")
    assert web_address("az://data/a.tif") == "https://mine.blob.core.windows.net/data/a.tif"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")
    assert web_address("gs://bucket/a.tif") == "http://localhost:4443/bucket/a.tif"


@pytest.mark.parametrize(
    ("address", "s3"),
    [
        ("https://bucket.s3.amazonaws.com/a%20b.tif", "s3://bucket/a b.tif"),
        ("https://my.bucket.s3.us-west-2.amazonaws.com/x/a.tif", "s3://my.bucket/x/a.tif"),
        ("https://bucket.s3-us-west-2.amazonaws.com/a.tif", "s3://bucket/a.tif"),
        ("https://bucket.s3.dualstack.eu-central-1.amazonaws.com/a.tif", "s3://bucket/a.tif"),
        ("https://bucket.s3-accelerate.amazonaws.com/a.tif", "s3://bucket/a.tif"),
        ("https://bucket.s3.cn-north-1.amazonaws.com.cn/a.tif", "s3://bucket/a.tif"),
        ("https://s3.us-gov-west-1.amazonaws.com/bucket/a.tif", "s3://bucket/a.tif"),
        ("https://s3.amazonaws.com/bucket/a.tif", "s3://bucket/a.tif"),
        ("http://minio.example:9000/bucket/a.tif", "s3://bucket/a.tif"),
        ("http://minio.example:9000/bucket", None),
        ("http://minio.example:90001/bucket/a.tif", None),
        ("https://bucket.s3-website-us-west-2.amazonaws.com/a.tif", None),
        ("https://bucket.s3.amazonaws.com/a.tif?versionId=3", None),
        ("https://s3.amazonaws.com.example/bucket/a.tif", None),
        ("s3://bucket/a.tif", None),
        ("/data/a.tif", None),
    ],
)
def test_objects_of_s3_are_known_by_their_addresses_in_the_web(address: str, s3: str | None) -> None:
    assert s3_address(address, "http://minio.example:9000") == s3
