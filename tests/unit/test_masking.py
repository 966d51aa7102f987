"""Texts of other software that repeat secrets, and records of the log."""

from __future__ import annotations

import logging
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from imagerag_assets import masking
from imagerag_assets.errors import SettingsError, SourceError, describe, shown
from imagerag_assets.masking import masked, masked_values, note_login, note_secrets
from imagerag_assets.objects.signed import keep_signature
from imagerag_assets.settings import load_settings

SECRET = 'pl4nted+m4rk/er="é"'


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_noted", {})


@pytest.mark.parametrize(
    "written",
    [SECRET, quote(SECRET, safe=""), quote(quote(SECRET, safe=""), safe=""), b64encode(SECRET.encode()).decode(),
     repr(SECRET), f"x{SECRET}x"],
)  # fmt: skip
def test_a_known_secret_is_masked_however_it_is_written(written: str) -> None:
    note_secrets(SECRET)
    text = masked(f"the server says: {written}, and no more")
    assert "m4rk" not in text and "***" in text
    assert written not in text and text.endswith(", and no more")


def test_the_environments_keys_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert masked("pl4ntedm4rker1") == "pl4ntedm4rker1"
    for name in ("OPENAI_API_KEY", "AWS_SESSION_TOKEN", "TILES_ANY", "PGPASSWORD", "AZURE_STORAGE_CONNECTION_STRING"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "pl4ntedm4rker1")
            assert masked("it was pl4ntedm4rker1.") == "it was ***."
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pl4ntedm4rker2@proxy:3128")
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "X-Key: pl4ntedm4rker3456")
    (tmp_path / "credentials").write_text("[a]\naws_secret_access_key = pl4ntedm4rker4\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert masked("pl4ntedm4rker2 pl4ntedm4rker3456 pl4ntedm4rker4") == "*** *** ***"


def test_paths_of_keys_and_ordinary_words_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.json").touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    note_secrets("root", "password1")
    for text in (f"cannot read {tmp_path}/key.json", "root is the root", "mypassword12 is a word",
                 "a basic description", "the signature of S2A_MSIL1C_20200101", "Bearer of bad news"):  # fmt: skip
        assert masked(text) == text
    assert masked("it is password1!") == "it is ***!"


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer m4rkerm4rkerm4rker", "{'authorization': 'Basic bTRya2VyOm00cmtlcg=='}", "x-api-key=m4rker",
     "Incorrect API key provided: sk-m4rkerm4rkerm4rker1", "<SignatureProvided>m4rkerm4rkerm4rkerm4rker</Signature>",
     "token hf_m4rkerm4rkerm4rkerm4rk", "no access for AKIAM4RKERM4RKERM4RK"],
)  # fmt: skip
def test_headers_and_forms_of_keys_are_masked_though_nobody_knows_them(text: str) -> None:
    assert "m4rk" not in masked(text).lower() and "bTRya2VyOm00cmtlcg" not in masked(text)
    assert masked(masked(text)) == masked(text)


def test_logins_are_known_as_headers_send_them() -> None:
    assert keep_signature("https://me:m4rkerm4rker@host/c.json?apikey=m4rker-of-query") == "https://host/c.json"
    sent = b64encode(b"me:m4rkerm4rker").decode()
    assert masked(f"refused {sent}, m4rkerm4rker and m4rker-of-query") == "refused ***, *** and ***"
    note_login("only-a-t0ken")
    assert masked("only-a-t0ken") == "***"


def test_settings_are_secret(tmp_path: Path) -> None:
    hook = "https://hooks.example/services/m4rker1/m4rker2"
    settings = load_settings(home=tmp_path, milvus_token="root:m4rkerm4rker", webhook_url=hook, _env_file=None)
    for said in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "m4rker" not in said
    assert settings.milvus_token is not None and settings.milvus_token.get_secret_value() == "root:m4rkerm4rker"
    assert masked("POST /services/m4rker1/m4rker2 as m4rkerm4rker") == "POST /*** as ***"
    for name in ("milvus_uri", "s3_endpoint_url", "store", "mllm"):
        with pytest.raises(SettingsError) as refused:
            load_settings(**{name: "http://me:m4rker@host/v1"}, _env_file=None)
        assert "m4rker" not in str(refused.value) and "password" in str(refused.value)


def test_errors_and_their_causes_are_masked() -> None:
    note_secrets(SECRET)
    error = SourceError(f"it said {SECRET}", fix=SECRET, href=f"https://a:b@host/?x={SECRET}", number=3)
    assert "m4rk" not in str(error) + str(error.to_dict()) + repr(error.ids) + describe(ValueError(SECRET))
    assert "m4rk" not in str(shown(ValueError(SECRET)))
    assert masked_values({"a": [SECRET, 1], "b": None}) == {"a": ["***", 1], "b": None}


def test_every_logger_masks(caplog: pytest.LogCaptureFixture) -> None:
    note_secrets(SECRET)
    caplog.set_level(logging.DEBUG)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("any.library").exception("failed: %s", SECRET)
    assert "m4rk" not in caplog.text and "ValueError: ***" in caplog.text
