"""Dagster's webserver behind `web_guard`, with the options of `dagster-webserver`.

`imagerag dev` and the deployment in `infra/` start it:

    python -m imagerag_assets.orchestration.webserver --host 127.0.0.1 --port 3000 --workspace workspace.yaml

It reads only IMAGERAG_UI_TOKEN, IMAGERAG_UI_HOSTS, the limits of connections, and pages and pictures from the store.
On an address that other machines can reach it does not start without a token.  See https://docs.dagster.io/deployment/execution/webserver
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

from imagerag_assets.errors import SettingsError
from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.store import open_store
from imagerag_assets.orchestration._dagster_private import run_webserver, write_launchpads
from imagerag_assets.orchestration.answer_pages import AnswerPages
from imagerag_assets.orchestration.dev import enter_folder
from imagerag_assets.orchestration.ui_guard import UiGuard
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.web_connections import ConnectionLimits, bounded
from imagerag_assets.web_guard import Access, access_to, is_loopback

LOCAL = "127.0.0.1"


def host_of(arguments: Sequence[str]) -> str | None:
    """Return the address to listen on that the options give; None: they give none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--host", "-h")
    given: str | None = parser.parse_known_args(list(arguments))[0].host
    return given


def access_from(host: str) -> Access:
    """Return what requests to a UI that listens on `host` must have, by the settings.

    Raises:
        SettingsError: other machines can connect, and there is no token.
    """
    settings = load_settings()
    token = settings.ui_token.get_secret_value() if settings.ui_token else None
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"Other machines can reach {host}, and no token is set",
            fix=f"Set IMAGERAG_UI_TOKEN, or listen on {LOCAL}",
        )
    return access_to(host, token=token, names=settings.ui_hosts)


def refusal(status: int, why: str, fix: str) -> Response:
    """Return the answer to what is no whole request, or is one connection too many."""
    return PlainTextResponse(f"{why}. {fix}\n", status)


def settings_there() -> Settings:
    """Return the settings by the `.env` and relative paths of the folder where `imagerag dev` was started, if it was.

    This process works in Dagster's home, whose folder has neither.
    """
    here = Path.cwd()
    enter_folder()
    try:
        store = load_settings().store_url
        return load_settings(store=store if is_remote(store) else str(Path(store).absolute()))
    finally:
        os.chdir(here)


def main() -> int:
    """Run the webserver until it is stopped; return the exit code."""
    host = host_of(sys.argv[1:])
    if host is None:  # an environment variable of Dagster's could name another
        sys.argv += ["--host", LOCAL]
    try:
        access = access_from(host or LOCAL)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    settings = settings_there()
    limits = ConnectionLimits(settings.limit_connections, settings.limit_request_s, refusal)
    pages = {"store": partial(open_store, settings)}
    write_launchpads()
    run_webserver((UiGuard, {"access": access}), (AnswerPages, pages), http=bounded(limits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
