"""Ingest and backfill: an estimate first, and consent, of a person where the client can ask one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio import to_thread
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from imagerag_assets.assistants import changing
from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.server import make_server
from imagerag_assets.cli import main as command_line
from imagerag_assets.errors import InputError
from imagerag_assets.settings import Settings
from tests.commands import run
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.small_source import write_source

Person = Callable[[ClientRequestContext, ElicitRequestParams], Awaitable[ElicitResult]]


def person(asked: list[str], **answer: Any) -> Person:
    """Return a person who is asked for consent and gives an answer."""

    async def answers(_: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        return ElicitResult(**answer)

    return answers


def test_nothing_is_ingested_without_consent_to_its_estimate(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = str(write_source(tmp_path / "source"))
    commands: list[tuple[str, ...]] = []

    async def here(command: tuple[str, ...], seconds: float, tell: changing.Tell) -> tuple[dict[str, Any], int]:
        """Run the command in this process, which has everything imported."""
        name, *rest = command
        commands.append(command)
        capsys.readouterr()
        code = await to_thread.run_sync(command_line, [name, "--json", *rest])
        return json.loads(capsys.readouterr().out), code

    monkeypatch.setattr(changing, "_run", here)
    installation = Installation(installed)
    asked: list[str] = []

    async def call(*, mode: str = "auto", who: Person | None = None, **arguments: Any) -> dict[str, Any]:
        server = make_server(installation, allow_ingest=True)
        async with Client(server, mode=mode, elicitation_callback=who) as client:
            result = await client.call_tool("ingest", {"source": source} | arguments)
            assert not result.is_error, result.content
            return result.structured_content or {}

    async def without_a_way_to_ask() -> dict[str, Any]:
        async with Client(make_server(installation, allow_ingest=True)) as client:

            async def ingest(**more: Any) -> dict[str, Any]:
                named = {"source": source, "scenes": ["one"]}
                return (await client.call_tool("ingest", named | more)).structured_content or {}

            first = await ingest()
            assert (first["state"], first["estimate"]["new"]) == ("estimate", 1)
            wrong = await ingest(confirm="0" * 16)
            assert (wrong["state"], wrong["confirm"]) == ("estimate", first["confirm"])
            other = await client.call_tool("ingest", {"source": source, "confirm": first["confirm"]})
            assert (other.structured_content or {})["state"] == "estimate"  # consent to something else
            assert not commands
            return await ingest(confirm=first["confirm"])

    for mode in ("auto", "legacy"):
        for answer in ({"action": "decline"}, {"action": "accept", "content": {"proceed": False}}):
            declined = anyio.run(lambda: call(mode=mode, who=person(asked, **answer), confirm="x"))  # noqa: B023
            assert declined["state"] == "declined"
    assert len(asked) == 4
    assert "2 scenes" in asked[0] and "patches" in asked[0] and source in asked[0]
    assert not commands

    done = anyio.run(without_a_way_to_ask)
    assert done["state"] == "done"
    assert [each["scene"] for each in done["done"]["scenes"]] == ["one"]

    done = anyio.run(lambda: call(who=person(asked, action="accept", content={"proceed": True})))
    assert (done["state"], done["done"]["totals"]["ingested"]) == ("done", 1)
    assert commands[-1] == ("ingest", "--scene", "two", "--", source)
    assert anyio.run(call)["state"] == "nothing_to_do"
    installation.close()
    assert {each["scene"] for each in run(capsys, "scenes")[1]["scenes"]} == {"one", "two"}


def test_a_command_runs_in_a_process_of_its_own_and_says_what_is_wrong(installed: Settings) -> None:  # noqa: F811
    async def told(*_: object) -> None:
        """Take what would be told to a client."""

    async def commands() -> None:
        with pytest.raises(InputError, match="Missing argument") as raised:
            await changing._run(("encoders", "words"), 0.0, told)
        assert raised.value.fix
        document, code = await changing._run(("encoders",), 0.0, told)
        assert code == 0 and document["encoders"]

    anyio.run(commands)


def test_a_cancelled_command_ends_and_goes_on_when_it_is_asked_for_again(
    installed: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = str(write_source(tmp_path / "source"))
    monkeypatch.setattr(changing, "_TICK_SECONDS", 0.5)

    async def told(*_: object) -> None:
        """Take what would be told to a client."""

    async def commands() -> tuple[dict[str, Any], int]:
        with anyio.CancelScope() as scope:

            async def cancel(*_: object) -> None:
                scope.cancel()

            await changing._run(("ingest", source), 9.0, cancel)
        assert scope.cancelled_caught
        assert [each for each in psutil.Process().children() if "imagerag_assets.cli" in each.cmdline()] == []
        return await changing._run(("ingest", source), 9.0, told)

    document, code = anyio.run(commands)
    assert code == 0 and {each["scene"] for each in document["scenes"]} == {"one", "two"}
