"""What is to be told, kept until it is: each finding with the channels that have it, and those that still wait.

``deliveries/{asked_at}-{answer_id}.json`` is one finding.  A channel that fails is tried again after 1, 4, 16 and 64
minutes, and then given up; the record says why.  Nothing here raises because somebody outside does not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from imagerag_assets.delivery import mail, texts
from imagerag_assets.delivery.feed import write_feed
from imagerag_assets.delivery.finding import Finding
from imagerag_assets.errors import DeliveryError, LockedError, StoreError, describe
from imagerag_assets.installation.notify import notify
from imagerag_assets.objects.locks import held
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.settings import Settings

DELIVERIES = "deliveries"
MAX_TRIES = 5
_FIRST_WAIT, _FACTOR = timedelta(minutes=1), 4
_PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
_KEPT = 500  # findings, the newest; none that still waits is forgotten
_AT_ONCE = 20  # findings told one by one at a time: a mail server may be slow
_log = logging.getLogger(__name__)
State = Literal["waiting", "done", "failed"]


class Here(Protocol):
    """What is needed of an installation; a `Platform` is one."""

    @property
    def store(self) -> ObjectStore: ...
    @property
    def settings(self) -> Settings: ...


@dataclass
class Delivery:
    """How far a finding is with one channel."""

    state: State = "waiting"
    tries: int = 0
    at: str | None = None
    """Time of the last try, ISO 8601, UTC."""
    error: str | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether to try now."""
        if self.state != "waiting":
            return False
        last = datetime.fromisoformat(self.at) if self.at else None
        return last is None or now - last >= _FIRST_WAIT * _FACTOR ** (self.tries - 1)

    def tried(self, error: str | None, now: datetime) -> None:
        """Note how a try ended; None: it is told."""
        self.tries, self.at, self.error = self.tries + 1, now.isoformat(timespec="seconds"), error
        self.state = "done" if error is None else "failed" if self.tries >= MAX_TRIES else "waiting"


@dataclass
class Entry:
    """A finding and its channels by name: ``webhook``, ``mail`` or ``digest``."""

    key: str
    finding: Finding
    channels: dict[str, Delivery] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON."""
        return {
            "finding": self.finding.to_dict(),
            "channels": {name: vars(each) for name, each in self.channels.items()},
        }


def channels_of(settings: Settings) -> list[str]:
    """Return the channels that the settings name, without the feed, which is a file."""
    named = ["webhook"] if settings.webhook_url is not None else []
    if settings.smtp_host and settings.mail_to:
        named.append("mail" if settings.digest == "off" else "digest")
    return named


def tell(here: Here, finding: Finding) -> None:
    """Keep a finding and tell it now; what fails is told later by :func:`deliver_waiting`.

    Raises nothing: that a question is answered does not depend on whom it is told.
    """
    channels = channels_of(here.settings)
    if not channels and here.settings.feed_file is None:
        return
    stamp = "".join(each for each in finding.asked_at if each.isalnum())
    entry = Entry(f"{DELIVERIES}/{stamp}-{finding.answer_id}.json", finding, {name: Delivery() for name in channels})
    try:
        here.store.write_json(entry.key, entry.to_dict())
        deliver_waiting(here, only=entry.key)
    except Exception as error:
        _log.warning("The answer %s is not told yet: %s", finding.answer_id, describe(error))


def deliver_waiting(
    here: Here, now: datetime | None = None, *, again: bool = False, only: str | None = None
) -> dict[str, Any]:
    """Tell what waits and is due, send the digest if its time has come, and write the feed.

    Args:
        here: The installation.
        now: The current time; default: that of the clock.
        again: Also try what was given up, and do not wait for anything.
        only: Key of the one finding to tell; the others wait.

    Returns:
        ``told``, ``waiting`` and ``failed``: each a list with ``answer_id``, ``watch``, ``channel``, ``tries`` and
        ``error``; ``feed``: where it was written, or None; and ``busy``: another process is at it.

    Raises:
        StoreError: The store cannot be read or written.
    """
    now = now or datetime.now(UTC)
    report: dict[str, Any] = {"told": [], "waiting": [], "failed": [], "feed": None, "busy": False}
    if not channels_of(here.settings) and here.settings.feed_file is None:
        return report
    with _alone(here) as alone:
        if not alone:
            return report | {"busy": True}
        entries = list_entries(here)
        before = {id(delivery): delivery.state for entry in entries for delivery in entry.channels.values()}
        if again:
            for entry in entries:
                for delivery in entry.channels.values():
                    if delivery.state != "done":
                        delivery.state, delivery.tries, delivery.at = "waiting", 0, None
        one_by_one = 0
        for entry in entries:
            for name, delivery in entry.channels.items():
                if only in (None, entry.key) and name != "digest" and one_by_one < _AT_ONCE and delivery.is_due(now):
                    one_by_one += 1
                    delivery.tried(_error_of(_SENDERS[name], here.settings, entry.finding), now)
                    here.store.write_json(entry.key, entry.to_dict())
        _send_digest(here, entries, now, at_once=again)
        report["feed"] = _written_feed(here, entries)
        _forget(here, entries)
    for entry in entries:
        for name, delivery in entry.channels.items():
            if delivery.state == "done" and before[id(delivery)] == "done":
                continue
            about = {"answer_id": entry.finding.answer_id, "watch": entry.finding.watch, "channel": name}
            kind = "told" if delivery.state == "done" else delivery.state
            report[kind].append(about | {"tries": delivery.tries, "error": delivery.error})
    return report


def list_entries(here: Here) -> list[Entry]:
    """Return all findings that are kept, oldest first.  One that cannot be read is left out, with a warning."""
    found = []
    for key in here.store.list(DELIVERIES):
        if not key.endswith(".json"):
            continue
        try:
            stored: Mapping[str, Any] = here.store.read_json(key)
            channels = {name: Delivery(**each) for name, each in stored["channels"].items()}
            found.append(Entry(key, Finding.from_dict(stored["finding"]), channels))
        except (AttributeError, KeyError, TypeError, StoreError) as error:
            _log.warning("A delivery cannot be read and is skipped: %s (%s)", key, describe(error))
    return found


def send_test(settings: Settings) -> dict[str, str | None]:
    """Tell a made-up finding on each channel; return the error of each, None where it went well."""
    finding = Finding(
        watch="test", name="Test", question="Does this message arrive?", answer_id="none", answer="yes",
        asked_at=datetime.now(UTC).isoformat(timespec="seconds"), confidence=1.0, detail={"watch": "test"},
        changed=({"what": "answer", "before": "no", "after": "yes"},), new_scenes=(), places=(), previous=None,
    )  # fmt: skip
    named = ["mail" if name == "digest" else name for name in channels_of(settings)]
    return {name: _error_of(_SENDERS[name], settings, finding) for name in named}


def _by_webhook(settings: Settings, finding: Finding) -> None:
    problem = notify(settings, "answer_changed", finding.detail | {"why": finding.reasons()})
    if problem is not None:
        raise DeliveryError(f"The webhook did not take it: {problem}", fix="Check IMAGERAG_WEBHOOK_URL")


def _by_mail(settings: Settings, finding: Finding) -> None:
    name = f"<{finding.answer_id}@imagerag.invalid>"
    mail.send(
        settings,
        texts.subject([finding]),
        texts.plain_text([finding]),
        texts.html_text([finding]),
        message_id=name,
    )


_SENDERS: dict[str, Callable[[Settings, Finding], None]] = {"webhook": _by_webhook, "mail": _by_mail}


def _error_of(send: Callable[[Settings, Finding], None], settings: Settings, finding: Finding) -> str | None:
    """Send, and return what went wrong in one line, which is logged, too."""
    try:
        send(settings, finding)
    except Exception as error:  # whatever a server or a library does
        problem = describe(error)
        _log.warning("The answer %s could not be told: %s", finding.answer_id, problem)
        return problem
    return None


def _send_digest(here: Here, entries: list[Entry], now: datetime, *, at_once: bool) -> None:
    """Send one mail with all that waits for the digest, if the oldest has waited for the period."""
    waiting = [entry for entry in entries if "digest" in entry.channels and entry.channels["digest"].is_due(now)]
    period = _PERIODS.get(here.settings.digest, timedelta())
    if not waiting or not channels_of(here.settings):
        return
    if not at_once and now - datetime.fromisoformat(waiting[0].finding.asked_at) < period:
        return
    findings = [entry.finding for entry in waiting]

    def send(settings: Settings, _: Finding) -> None:
        kind = "" if settings.digest == "off" else settings.digest
        mail.send(
            settings, texts.subject(findings, kind or "last"), texts.plain_text(findings), texts.html_text(findings)
        )

    problem = _error_of(send, here.settings, findings[0])
    for entry in waiting:
        entry.channels["digest"].tried(problem, now)
        here.store.write_json(entry.key, entry.to_dict())


def _written_feed(here: Here, entries: list[Entry]) -> str | None:
    path = here.settings.feed_file
    if path is None:
        return None
    newest = [entry.finding for entry in reversed(entries)][: here.settings.feed_entries]
    try:
        write_feed(path, newest, installation=here.settings.store_url)
    except (OSError, StoreError) as error:
        _log.warning("The feed cannot be written: %s", describe(error))
        return None
    return str(path)


def _forget(here: Here, entries: list[Entry]) -> None:
    for entry in entries[:-_KEPT]:
        if all(delivery.state != "waiting" for delivery in entry.channels.values()):
            here.store.delete(entry.key)


@contextmanager
def _alone(here: Here) -> Iterator[bool]:
    """Yield whether no other process delivers at the same time: nobody is to be told twice."""
    try:
        lock = held(here.store, "deliveries")
        lock.__enter__()
    except LockedError:
        yield False
        return
    try:
        yield True
    finally:
        lock.__exit__(None, None, None)
