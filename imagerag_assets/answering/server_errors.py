"""Explain a failure of a model server in one line: what, which server, what to do.  Nothing is asked or retried."""

from __future__ import annotations

from collections.abc import Iterable

import httpx2
import openai

from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.errors import ModelError
from imagerag_assets.server_replies import detail_of, shortened

_TOO_LARGE = (
    "context length",
    "context_length",
    "maximum context",
    "max_model_len",
    "context window",
    "too many tokens",
)
_NAMES = {
    "response_format": ("response_format", "json_schema", "structured", "guided", "grammar"),
    "logprobs": ("logprobs",),
    "temperature": ("temperature",),
}


def explained(error: Exception, url: str, options: MllmOptions, model: str | None = None) -> ModelError:
    """Return the error that a person reads of a failed request.

    Args:
        error: From the client, or from the connection below it.
        url: The server.
        options: Timeout and number of tries that the client has used up.
        model: The model that was asked; None: the list of models was requested.
    """
    message, fix = _said(error, options)
    if model is None:
        return ModelError(message, fix=fix, server=url)
    return ModelError(message, fix=fix, server=url, model=model)


def _said(error: Exception, options: MllmOptions) -> tuple[str, str]:
    tries = options.retries + 1
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        return (
            f"the model server did not finish its reply within {options.timeout_s:g} s",
            "Check whether it is overloaded, or raise IMAGERAG_MLLM_TIMEOUT_S",
        )
    if not isinstance(error, openai.APIStatusError):
        cause = shortened(str(error.__cause__ or error)) or type(error).__name__
        return f"the model server cannot be reached: {cause}", "Start it, or correct IMAGERAG_MLLM"
    status, detail = error.status_code, detail_of(error)
    if status in (401, 403):
        return (
            f"the model server refuses the key (HTTP {status}): {detail}",
            "Set OPENAI_API_KEY to a key of this server",
        )
    if status == 404:
        fix = "Set IMAGERAG_MLLM_NAME to one of the server's models; IMAGERAG_MLLM ends in /v1"
        return f"the model server does not know this model or address (HTTP 404): {detail}", fix
    if status == 429:
        return (
            f"the model server accepts no more requests at the moment (HTTP 429, {tries} tries): {detail}",
            "Ask again later, or raise IMAGERAG_MLLM_RETRIES",
        )
    if status >= 500:
        return f"the model server failed (HTTP {status}, {tries} tries): {detail}", "See its log, and ask again"
    return f"the model server rejects the question (HTTP {status}): {detail}", "See the server's documentation"


def is_too_large(error: openai.APIStatusError) -> bool:
    """Return whether a server rejects a request because its prompt is longer than the model's context."""
    text = f"{error.code} {detail_of(error, whole=True)}".lower()
    return any(words in text for words in _TOO_LARGE)


def rejected(error: openai.APIStatusError, sent: Iterable[str]) -> set[str]:
    """Return which of the optional parameters `sent` a server rejects: those it names, else all of them."""
    sent = set(sent)
    text = f"{error.param} {detail_of(error, whole=True)}".lower()
    named = {name for name in sent if any(word in text for word in _NAMES[name])}
    return named or sent
