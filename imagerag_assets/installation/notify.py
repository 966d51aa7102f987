"""Telling somebody outside: events POSTed as JSON to the webhook of the settings, where there is one.

Only the delivery; what is worth telling is decided by the callers.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from imagerag_assets.settings import Settings

_TIMEOUT_S = 10.0
_WAITS_S = (0.5, 2.0)  # before the second and the third try
_log = logging.getLogger(__name__)


def notify(settings: Settings, event: str, detail: dict[str, Any]) -> None:
    """POST ``{"event", "at", "detail"}`` to IMAGERAG_WEBHOOK_URL, if that is set; logs one line and never raises.

    A server that is down, or answers with 429 or 5xx, is tried again twice.

    Args:
        settings: Say where to.
        event: What happened, e.g. ``run_failed``.
        detail: JSON values; others are sent as text.
    """
    if not settings.webhook_url:
        return
    try:
        _post(settings.webhook_url, event, detail)
    except Exception as error:  # nobody's work may fail because a webhook does
        _log.warning("The webhook did not take %s: %s", event, type(error).__name__)


def _post(url: str, event: str, detail: dict[str, Any]) -> None:
    import requests  # only who has a webhook pays for it

    at = datetime.now(UTC).isoformat(timespec="seconds")
    body = json.dumps({"event": event, "at": at, "detail": detail}, ensure_ascii=False, default=str).encode()
    host = urlsplit(url).hostname  # the rest of the address may be a secret
    problem = ""
    for wait in (0.0, *_WAITS_S):
        time.sleep(wait)
        try:
            answer = requests.post(
                url, data=body, headers={"Content-Type": "application/json"}, timeout=_TIMEOUT_S, allow_redirects=False
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            problem = type(error).__name__
            continue
        if 200 <= answer.status_code < 300:
            _log.info("Told %s: %s", host, event)
            return
        problem = f"status {answer.status_code}"
        if answer.status_code != 429 and answer.status_code < 500:
            break
    _log.warning("The webhook at %s did not take %s: %s", host, event, problem)
