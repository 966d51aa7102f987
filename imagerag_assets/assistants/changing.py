"""Tools that cost: ingest and backfill, offered only where the server was started with --allow-ingest.

Each gives an estimate first, and needs consent to it.  The work is the command's, in a process of its own: it ends when
the client cancels, goes on where it stopped when it is asked for again, and keeps no memory afterwards.
"""
# Annotations are evaluated where they stand: the SDK has to find the functions in them.

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import anyio
from anyio.abc import Process
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult
from pydantic import Field

from imagerag_assets.assistants.consent import Consent, Estimate, Estimates, can_ask
from imagerag_assets.assistants.installation import Installation
from imagerag_assets.assistants.reading import explained
from imagerag_assets.assistants.results import Work, reply
from imagerag_assets.assistants.sources import MOST_SCENES, Collections, ItemKeys, Limit, Source
from imagerag_assets.errors import ImageRAGError, from_document

CHANGING = ("ingest", "backfill")
Confirm = Annotated[str | None, Field(description="`confirm` of the estimate that a person agreed to")]
Encoder = Annotated[str | None, Field(description="Registry name; default: the chosen encoder")]
Tell = Callable[[float, float | None, str | None], Awaitable[None]]
_TICK_SECONDS, _END_SECONDS = 2.0, 20.0


def changing_tools(installation: Installation) -> list[Callable[..., Any]]:
    """Return the tools that ingest scenes and move to another encoder."""
    estimates = Estimates()

    async def ingest_estimate(
        source: str, scenes: list[str] | None, collections: list[str] | None, limit: int
    ) -> Estimate:
        key = Estimates.key_of("ingest", source=source, scenes=scenes, collections=collections, limit=limit)
        if (found := estimates.find(key)) is not None:
            return found
        document = await installation.read(
            lambda platform: explained(platform, source, scenes or (), collections or (), limit)
        )
        to_do = tuple(each["scene"] for each in document["scenes"] if each["state"] in ("new", "changed", "incomplete"))
        return estimates.keep(key, document["totals"], _sentence("Ingest", source, document["totals"], to_do), to_do)

    async def backfill_estimate(encoder: str | None) -> Estimate:
        key = Estimates.key_of("backfill", encoder=encoder)
        if (found := estimates.find(key)) is not None:
            return found

        def planned(platform: Any) -> Any:
            from imagerag_assets.encoder_switch.backfill import make_plan

            return make_plan(platform, encoder)

        plan = await installation.read(planned)
        document = plan.to_dict()
        to_do = plan.to_do if plan.before == plan.collection else (*plan.to_do, plan.collection)
        sentence = _sentence("Embed with encoder", document["encoder"], document, plan.to_do)
        return estimates.keep(key, document, f"{sentence} Questions then use it, if its checks pass.", to_do)

    async def consent_to_ingest(
        context: Context,
        source: str,
        scenes: list[str] | None,
        collections: list[str] | None,
        limit: int,
        confirm: str | None,
    ) -> Elicit[Consent] | Consent:
        return _asked(context, await ingest_estimate(source, scenes, collections, limit), confirm)

    async def consent_to_backfill(
        context: Context, encoder: str | None, confirm: str | None
    ) -> Elicit[Consent] | Consent:
        return _asked(context, await backfill_estimate(encoder), confirm)

    async def ingest(
        context: Context,
        consent: Annotated[ElicitationResult[Consent], Resolve(consent_to_ingest)],
        source: Source,
        scenes: ItemKeys = None,
        collections: Collections = None,
        limit: Limit = MOST_SCENES,
        confirm: Confirm = None,
    ) -> Annotated[CallToolResult, Work]:
        """Ingest the new and changed scenes of a source, so that questions can find them. It may take long.

        The first call gives an estimate and starts nothing. Show it to the person, and go on only if they agree.
        """
        estimate = await ingest_estimate(source, scenes, collections, limit)
        named = [part for key in estimate.to_do for part in ("--scene", key)]
        return await _work(context, consent, estimates, estimate, confirm, "ingest", *named, "--", source)

    async def backfill(
        context: Context,
        consent: Annotated[ElicitationResult[Consent], Resolve(consent_to_backfill)],
        encoder: Encoder = None,
        confirm: Confirm = None,
    ) -> Annotated[CallToolResult, Work]:
        """Embed every scene with another encoder and switch questions over to it. It may take hours.

        The first call gives an estimate and starts nothing. Show it to the person, and go on only if they agree.
        """
        estimate = await backfill_estimate(encoder)
        named = () if encoder is None else (f"--encoder={encoder}",)
        return await _work(context, consent, estimates, estimate, confirm, "backfill", *named)

    return [ingest, backfill]


def _asked(context: Context, estimate: Estimate, confirm: str | None) -> Elicit[Consent] | Consent:
    """Return the question for the person, or what the call itself says where the client cannot ask one."""
    if estimate.to_do and can_ask(context):
        return Elicit(estimate.sentence, Consent)
    return Consent(proceed=confirm == estimate.token)


async def _work(
    context: Context,
    consent: ElicitationResult[Consent],
    estimates: Estimates,
    estimate: Estimate,
    confirm: str | None,
    *command: str,
) -> CallToolResult:
    """Do the work if there is consent to it; else say what it would take."""
    about: dict[str, Any] = {"estimate": dict(estimate.document)}
    if not estimate.to_do:
        estimates.drop(estimate)
        return reply(Work, about | {"state": "nothing_to_do", "message": "There is nothing to do."})
    if not (isinstance(consent, AcceptedElicitation) and consent.data.proceed):
        if can_ask(context):
            estimates.drop(estimate)
            return reply(Work, about | {"state": "declined", "message": "The person declined; nothing was started."})
        why = "" if confirm is None else "The given confirm is not that of this estimate. "
        message = f"{why}{estimate.sentence} Ask the person; if they agree, call again with confirm."
        return reply(Work, about | {"state": "estimate", "message": message, "confirm": estimate.token})
    estimates.drop(estimate)
    seconds = float(estimate.document.get("seconds") or 0.0)
    done, code = await _run(command, seconds, context.report_progress)
    # What a command does in part is told apart by its exit code.
    state, message = ("done", "Done.") if code == 0 else ("partly_failed", "Some of it failed; `done` says what.")
    return reply(Work, about | {"state": state, "message": message, "done": done})


async def _run(command: tuple[str, ...], seconds: float, tell: Tell) -> tuple[dict[str, Any], int]:
    """Run a command in a process of its own; return its JSON document and exit code.

    Args:
        command: Its name, options and arguments.
        seconds: How long it may take, by the estimate.
        tell: Tells the client what is done, of how much, and in words.

    Raises:
        ImageRAGError: As the command does.
    """
    name, *rest = command
    process = await anyio.open_process(
        [sys.executable, "-m", "imagerag_assets.cli", name, "--json", *rest],
        stdin=subprocess.DEVNULL, stderr=None,
    )  # fmt: skip
    written = bytearray()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report, tell, name, seconds)
            assert process.stdout is not None
            async for part in process.stdout:
                written += part
            await process.wait()
            tasks.cancel_scope.cancel()
    finally:
        await _end(process)
    try:
        document = json.loads(written)
    except ValueError:
        raise ImageRAGError(
            f"The command {name} ended with code {process.returncode} and without a result",
            fix="Call it again: it goes on where it stopped",
        ) from None
    if "error" in document:
        raise from_document(document["error"])
    return document, process.returncode or 0


async def _report(tell: Tell, name: str, seconds: float) -> None:
    """Tell the client, every other second, how much of the estimated time has passed."""
    started = time.monotonic()
    while True:
        await anyio.sleep(_TICK_SECONDS)
        passed = time.monotonic() - started
        try:
            await tell(passed, max(seconds, passed), f"{name}: {passed:.0f} s")
        except Exception:  # what cannot be told stops no work
            return


async def _end(process: Process) -> None:
    """End a process that is still at work as an interrupt at the keyboard does, so that nothing is left half done."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            with anyio.move_on_after(_END_SECONDS):
                await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()


def _sentence(verb: str, what: str, totals: dict[str, Any], to_do: tuple[str, ...]) -> str:
    megabytes = math.ceil((totals["bytes_read"] + totals["vector_bytes"]) / 1e6)
    return (
        f"{verb} {what!r}: {_many(len(to_do), 'scene')}, {_many(totals['patches'], 'patch', 'patches')},"
        f" about {megabytes:,} MB to read and store, about {_duration(totals['seconds'])}."
    )


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return _many(max(1, round(seconds)), "second")
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
