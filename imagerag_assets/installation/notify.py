"""Tell somebody outside: POST events as JSON to the webhook of the settings, where there is one.

Only the delivery belongs here; callers decide which events are worth it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import get_ident
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imagerag_assets.masking import masked_values
from imagerag_assets.settings import Settings

if TYPE_CHECKING:
    from urllib3.util.retry import Retry

_TIMEOUT_S = 10.0
_TRIES = 3
_BACKOFF_S, _BACKOFF_MAX_S = 0.5, 2.0  # urllib3 waits before the third try only: the factor times two
_log = logging.getLogger(__name__)


def notify(settings: Settings, event: str, detail: dict[str, Any]) -> str | None:
    """POST ``{"event", "at", "detail"}`` to IMAGERAG_WEBHOOK_URL, if that is set.

    A server that is down, or answers with 429 or 5xx, is tried twice more.  A failure is logged in one line and never
    raised.

    Args:
        settings: Name the webhook.
        event: What happened, e.g. ``run_failed``.
        detail: JSON values; others are sent as text.

    Returns:
        Why it did not arrive, in a few words; None: it did, or there is no webhook.
    """
    if not settings.webhook_url:
        return None
    try:
        return _post(settings.webhook_url.get_secret_value(), event, detail)
    except Exception as error:  # no work may fail because a webhook does
        _log.warning("The webhook did not take %s: %s", event, type(error).__name__)
        return type(error).__name__


def _post(url: str, event: str, detail: dict[str, Any]) -> str | None:
    import requests  # loaded only where there is a webhook
    from requests.adapters import HTTPAdapter

    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"event": event, "at": at, "detail": detail}, ensure_ascii=False, default=str)
    body = json.dumps(masked_values(json.loads(text))).encode()  # runs of before hold secrets
    host = urlsplit(url).hostname  # the rest of the address may be a secret
    with requests.Session() as session, _urllib3_silent():
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=_retry()))
        try:
            answer = session.post(
                url, data=body, headers={"Content-Type": "application/json"}, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.RetryError) as error:
            problem = type(error).__name__
        else:
            if 200 <= answer.status_code < 300:
                _log.info("The webhook at %s took %s", host, event)
                return None
            problem = f"status {answer.status_code}"
    _log.warning("The webhook at %s did not take %s: %s", host, event, problem)
    return problem


@contextmanager
def _urllib3_silent() -> Iterator[None]:
    """Keep what urllib3 logs of this thread's deliveries out of the log: it names the whole address."""
    logs = [logging.getLogger(name) for name in ("urllib3.connectionpool", "urllib3.util.retry")]
    thread = get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    for log in logs:
        log.addFilter(of_others)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(of_others)


def _retry() -> Retry:
    """Return when a delivery is tried again: after a failed connection, 429 and 5xx; not after a redirect."""
    from urllib3.util.retry import Retry

    return Retry(
        total=_TRIES - 1,
        redirect=False,
        allowed_methods={"POST"},
        status_forcelist={429, *range(500, 600)},
        backoff_factor=_BACKOFF_S,
        backoff_max=_BACKOFF_MAX_S,
        respect_retry_after_header=False,  # a run waits for the delivery
        raise_on_status=False,
    )
