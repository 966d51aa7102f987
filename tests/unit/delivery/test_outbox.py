"""Findings reach a webhook, a mail server and a feed, all real; what fails is tried again, and then given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import SecretStr

from imagerag_assets.cli import main
from imagerag_assets.cli._names import Stored
from imagerag_assets.delivery.finding import Finding
from imagerag_assets.delivery.outbox import MAX_TRIES, deliver_waiting, list_entries, tell
from imagerag_assets.errors import SettingsError
from imagerag_assets.installation import notify
from imagerag_assets.settings import Settings, load_settings
from tests.mail_server import MailServer, mail_server, self_signed
from tests.webhook import Hook, hook  # noqa: F401

ATOM = "{http://www.w3.org/2005/Atom}"
EVIL = 'pier"\r\nBcc: other@example.com\r\n\r\n<script>alert(1)</script>\x00\x1b[2J & \ufffe'
FOUND = Finding(
    watch="pier", name="Pier", question="Is there a ship at the pier?", answer_id="20260601T101500-1a2b3c4d",
    asked_at="2026-06-01T10:15:00+00:00", answer="1 ship was found", confidence=0.934,
    changed=({"what": "found", "before": False, "after": True},), new_scenes=("S2B_20260601",),
    places=("48.35409, 9.11945 (S2B_20260601)",), previous="20260501T101500-1a2b3c4d",
    detail={"watch": "pier", "answer_id": "20260601T101500-1a2b3c4d", "changed": []},
)  # fmt: skip
NOW = datetime(2026, 6, 1, 10, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_BACKOFF_S", 0.0)


def here(settings: Settings, **more: Any) -> Stored:
    """An installation with these settings."""
    return Stored.of(settings.model_copy(update=more))


def mailing(server: MailServer, **more: Any) -> dict[str, Any]:
    """Settings for a mail server here."""
    to = {"mail_to": ("one@example.com", "two@example.com"), "mail_from": "imagerag@example.com"}
    return {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none", **to, **more}


def body(server: MailServer, number: int = -1, kind: str = "plain") -> str:
    """Text of a mail that was received."""
    part = server.received[number].get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_each_channel_says_what_and_why(hook: Hook, settings: Settings, tmp_path: Path) -> None:  # noqa: F811
    feed = tmp_path / "public" / "feed.xml"
    with mail_server() as server:
        mine = here(settings, webhook_url=SecretStr(hook.url), feed_file=feed, **mailing(server))
        tell(mine, FOUND)
        tell(mine, replace(FOUND, answer_id="20260602T101500-1a2b3c4d", asked_at="2026-06-02T10:15:00+00:00"))
        assert deliver_waiting(mine, NOW)["told"] == []  # once
    (first, second) = server.received
    assert server.recipients[:2] == ["TO:<one@example.com>", "TO:<two@example.com>"]
    assert (first["Subject"], first["From"]) == ("imagerag: Pier: 1 ship was found", "imagerag@example.com")
    assert first["Message-ID"] != second["Message-ID"]
    for part in (
        "Is there a ship at the pier? (pier)", "found: False -> True", "Confidence: 0.93",
        "48.35409, 9.11945 (S2B_20260601)", "imagerag trace 20260601T101500-1a2b3c4d",
    ):  # fmt: skip
        assert part in body(server, 0)
    event = hook.received[0]
    assert (event["event"], event["detail"]["watch"]) == ("answer_changed", "pier")
    assert event["detail"]["why"]["Changed since the last answer"] == "found: False -> True"
    root = ElementTree.parse(feed).getroot()
    entries = root.findall(f"{ATOM}entry")
    assert [each.findtext(f"{ATOM}updated") for each in entries] == [
        "2026-06-02T10:15:00+00:00", FOUND.asked_at,
    ]  # fmt: skip
    assert len({each.findtext(f"{ATOM}id") for each in entries} | {root.findtext(f"{ATOM}id")}) == 3
    assert [each.name for each in feed.parent.iterdir()] == ["feed.xml"]


def test_text_of_scenes_and_questions_is_data(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    evil = replace(FOUND, name=EVIL, question=EVIL, answer=EVIL, places=(EVIL,), new_scenes=(EVIL,))
    with mail_server() as server:
        tell(here(settings, feed_file=feed, **mailing(server)), evil)
    (mail,) = server.received
    assert (mail["Bcc"], mail["Cc"], mail.defects) == (None, None, [])
    assert len(server.recipients) == 2
    assert "\n" not in mail["Subject"] and "\x1b" not in mail["Subject"]
    assert "<script>" not in body(server, kind="html") and "&lt;script&gt;" in body(server, kind="html")
    assert "\nBcc" not in body(server) and "\x1b" not in body(server)
    content = ElementTree.parse(feed).findtext(f"{ATOM}entry/{ATOM}content")
    assert content is not None and "<script>" not in content and "&lt;script&gt;" in content


def test_what_fails_is_tried_again_and_given_up(
    hook: Hook,  # noqa: F811
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook.statuses = [404]
    with mail_server() as server:
        server.refusal = "451 later"
        mine = here(
            settings,
            webhook_url=SecretStr(hook.url),
            **mailing(server, smtp_user="me", smtp_password=SecretStr("correct horse")),
        )
        tell(mine, FOUND)  # raises nothing
        now = datetime.now(UTC)
        assert [each["tries"] for each in deliver_waiting(mine, now)["waiting"]] == [1, 1]  # too soon
        server.refusal = ""
        done = deliver_waiting(mine, now + timedelta(minutes=2))
        assert [each["channel"] for each in done["told"]] == ["mail"]
        assert server.logins[-1] == "me correct horse"
        (waiting,) = done["waiting"]
        assert (waiting["channel"], waiting["tries"]) == ("webhook", 2)
        assert "status 404" in waiting["error"]
        for days in range(1, 6):
            done = deliver_waiting(mine, now + timedelta(days=days))
        assert [each["tries"] for each in done["failed"]] == [MAX_TRIES]
        assert len(hook.received) == MAX_TRIES
        hook.statuses = [200]
        assert [each["channel"] for each in deliver_waiting(mine, again=True)["told"]] == ["webhook"]
        assert len(server.received) == 1
    unreachable = here(settings, **mailing(server))
    tell(unreachable, replace(FOUND, answer_id="20260603T101500-1a2b3c4d"))
    (entry,) = [
        each
        for each in list_entries(unreachable)
        if "20260603" in each.key or each.finding.answer_id.startswith("20260603")
    ]
    assert "ConnectionRefusedError" in (entry.channels["mail"].error or "")
    assert "correct horse" not in caplog.text and hook.url not in caplog.text


def test_a_digest_is_one_mail_of_many(settings: Settings) -> None:
    now = datetime.now(UTC)
    with mail_server() as server:
        mine = here(settings, digest="daily", **mailing(server))
        for number in range(3):
            at = (now + timedelta(seconds=number)).isoformat(timespec="seconds")
            tell(mine, replace(FOUND, answer_id=f"{number}-1a2b3c4d", watch=f"pier-{number % 2}", asked_at=at))
        assert deliver_waiting(mine, now + timedelta(hours=23))["told"] == [] == server.received
        assert len(deliver_waiting(mine, now + timedelta(days=1))["told"]) == 3
        assert deliver_waiting(mine, now + timedelta(days=2))["told"] == []
    (mail,) = server.received
    assert mail["Subject"] == "imagerag: 3 changes of 2 standing questions, daily digest"
    assert body(server).count("Changed since the last answer") == 3


def test_tls_and_what_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = self_signed(tmp_path / "server.pem")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGERAG_HOME", str(settings.home))
    assert main(["watch", "deliver"]) == 2
    assert "IMAGERAG_SMTP_HOST" in capsys.readouterr().err
    with mail_server(certificate) as server:
        for name, value in {
            "HOST": "127.0.0.1", "PORT": str(server.port), "SECURITY": "tls", "USER": "me", "PASSWORD": "correct horse",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"IMAGERAG_SMTP_{name}", value)
        monkeypatch.setenv("IMAGERAG_MAIL_TO", '["one@example.com"]')
        assert main(["watch", "deliver", "--test"]) == 3  # whoever signed the certificate is not known
        assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out
        assert server.logins == server.received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert main(["watch", "deliver", "--test"]) == 0
    assert server.received[0]["To"] == "one@example.com"
    with mail_server(starttls=certificate) as server:
        monkeypatch.setenv("IMAGERAG_SMTP_PORT", str(server.port))
        monkeypatch.setenv("IMAGERAG_SMTP_SECURITY", "starttls")
        assert main(["watch", "deliver", "--test"]) == 0
    assert server.logins == ["me correct horse"]
    assert server.received[0]["To"] == "one@example.com"
    assert set(server.in_clear) <= {"EHLO", "STARTTLS"}, "login and mail are encrypted"
    with mail_server() as plain:  # has no STARTTLS, so nothing is sent
        monkeypatch.setenv("IMAGERAG_SMTP_PORT", str(plain.port))
        assert main(["watch", "deliver", "--test"]) == 3
        assert plain.logins == plain.received == []
    assert "correct horse" not in "".join(capsys.readouterr())
    for address in ("one", "a@b\nBcc: c@d", "A <a@b.c>"):
        monkeypatch.setenv("IMAGERAG_MAIL_FROM", address)
        with pytest.raises(SettingsError, match="not an address"):
            load_settings()
