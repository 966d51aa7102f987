"""Show results of commands to a person, as tables and lines for a terminal.

Each function takes the JSON document of a result.  Only the look belongs here.  Text from items, questions and models
is data, never markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagerag_assets.cli._command import plain
from imagerag_assets.cli._layout import Facts, Paragraph, Table
from imagerag_assets.cli._pace import duration as duration

if TYPE_CHECKING:
    from rich.console import RenderableType

Document = Mapping[str, Any]
_COLOURS = {
    "ingested": "green",
    "skipped": "dim",
    "empty": "yellow",
    "failed": "red",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "alive": "green",
    "dead": "red",
}
_STATES = frozenset({"", "status", "state"})
"""Columns whose words are ours."""
_NUMBERS = frozenset({"patches", "seconds", "rows", "bytes", "answers", "confidence", "score"})
_CLOSED = 5  # closings in a table
_SHORT = 12  # of a fingerprint
_METRES_A_DEGREE = 111_195.0  # of latitude, on a sphere: sizes are for reading


def stacked(*parts: RenderableType | None) -> RenderableType:
    """Return the parts below each other; leave out None."""
    from rich.console import Group

    return Group(*(Paragraph(part) if isinstance(part, str) else part for part in parts if part is not None))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """Return a table of data, with numbers aligned right."""
    right = frozenset(number for number, column in enumerate(columns) if column in _NUMBERS)
    cells = [[_cell(value, column in _STATES) for value, column in zip(row, columns, strict=False)] for row in rows]
    return Table([plain(column) for column in columns], cells, right, title)


def _cell(value: object, is_state: bool) -> str:
    if value is None:
        return ""
    text = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else plain(value)
    colour = _COLOURS.get(text) if is_state else None  # a scene may be called "ok"
    return f"[{colour}]{text}[/]" if colour else text


def facts_of(facts: Mapping[str, object]) -> Facts:
    """Return names and values; leave out empty values."""
    return Facts([(plain(name), plain(value)) for name, value in facts.items() if value not in (None, "")])


def ingest(document: Document) -> RenderableType:
    """Show each scene, the totals, and why scenes failed."""
    scenes, totals = document["scenes"], document["totals"]
    rows = [(each["scene"], each["status"], each["patches"], each["seconds"]) for each in scenes]
    names = ("ingested", "skipped", "empty", "failed", "patches", "seconds")
    line = ", ".join(f"{_number(totals[name])} {name}" for name in names if name != "empty" or totals.get(name))
    failed = [f"[red]{plain(each['scene'])}[/]: {plain(each['error'])}" for each in scenes if each["error"]]
    notes = [f"[yellow]{plain(each['scene'])}[/]: {plain(each['note'])}" for each in scenes if each["note"]]
    table = table_of(("scene", "status", "patches", "seconds"), rows)
    return stacked(table, f"[bold]{line}[/]", *failed, *notes, *made_notes(document))


def made_notes(document: Document) -> list[str]:
    """Return a line for each scene whose item was made here, with what to know of it."""
    return [
        f"[dim]{plain(each['scene'])}: {plain('; '.join(each['notes']))}[/]"
        for each in document["scenes"]
        if each.get("notes")
    ]


def answer(document: Document, files: Mapping[str, str] | None = None) -> RenderableType:
    """Show the answer, how sure it is, what it stands on and where that lies, and what to type next.

    Args:
        document: The answer's record.
        files: Where its picture and GeoJSON are, by name.
    """
    choice, confidence = document.get("choice"), document.get("confidence")
    cues = [
        (
            cue["rank"],
            cue["scene"],
            cue["phrase"],
            cue["confidence"],
            _verdict(cue),
            place(cue["bbox"]) or f"px {_window(cue['window'])}",
            extent(cue["bbox"]),
        )
        for cue in document["cues"]
    ]
    facts = {
        "question": document["question"],
        "answer": f"{choice}: {document['answer']}" if choice else document["answer"] or "(none)",
        "confidence": None if confidence is None else f"{confidence:.2f}",
        "answered by": document.get("answered_by"),
        "outcome": document.get("outcome"),
        "path": f"{document['path']}{' (abstained)' if document['abstained'] else ''}",
        "looked for": ", ".join(document["phrases"]),
        "milliseconds": round(document["timings_ms"].get("total", 0)),
        **(files or {}),
    }
    columns = ("cue", "scene", "phrase", "confidence", "verdict", "where", "size")
    table = table_of(columns, cues) if cues else None
    notes = [f"[yellow]{plain(note)}[/]" for note in document.get("notes", ())]
    return stacked(
        facts_of(facts), table, *notes, f"[dim]How it came about: imagerag trace {plain(document['answer_id'])}[/]"
    )


def _verdict(cue: Document) -> str:
    verdict = str(cue.get("verdict", ""))
    return "" if verdict == "unchecked" else verdict


def place(bbox: Sequence[float] | None, digits: int = 5) -> str:
    """Return the middle of (west, south, east, north) in degrees; nothing for imagery without a place."""
    if not bbox:
        return ""
    from imagerag_assets.raster.geo import middle_of_box  # takes long to load

    west, south, east, north = bbox
    lon, lat = middle_of_box((west, south, east, north))
    return f"{abs(lat):.{digits}f}°{'S' if lat < 0 else 'N'} {abs(lon):.{digits}f}°{'W' if lon < 0 else 'E'}"


def extent(bbox: Sequence[float] | None) -> str:
    """Return width and height of (west, south, east, north) on the ground, in metres or kilometres."""
    if not bbox:
        return ""
    west, south, east, north = bbox
    height = (north - south) * _METRES_A_DEGREE
    width = (east - west) % 360 * _METRES_A_DEGREE * math.cos(math.radians((south + north) / 2))
    if min(width, height) >= 10_000:
        return f"{width / 1000:,.0f} x {height / 1000:,.0f} km"
    digits = 0 if min(width, height) >= 10 else 1
    return f"{width:,.{digits}f} x {height:,.{digits}f} m"


def batch(document: Document) -> RenderableType:
    """Show how many questions were asked, and how many failed."""
    failed = f"; {document['failed']:,} of them could not be answered" if document.get("failed") else ""
    return f"{document['questions']:,} questions asked in {document['seconds']:,.1f} s{failed}"


def status(document: Document) -> RenderableType:
    """Show scenes, collections, failures and problems."""
    encoder = document["encoder"]
    facts = {
        "scenes": document["scenes"],
        "stale": f"{document['stale']}{' (run: imagerag backfill)' if document['stale'] else ''}",
        "encoder": f"{encoder['name']} ({_short(encoder['fingerprint'])})",
    }
    serving = document.get("serving")
    if serving and serving["fingerprint"] != encoder["fingerprint"]:
        facts["serving"] = f"{serving['name']} ({_short(serving['fingerprint'])}) until you run: imagerag backfill"
    rows = [
        (each["name"], each["alias"], _short(each["fingerprint"]), each["rows"]) for each in document["collections"]
    ]
    failures = [(each["scene"], each["error"]) for each in document.get("failures", ())]
    removed = [(each["scene"], _why(each), each["at"]) for each in document.get("removed", ())]
    return stacked(
        facts_of(facts),
        table_of(("collection", "alias", "fingerprint", "rows"), rows) if rows else "no collections",
        table_of(("scene", "why it was not ingested"), failures) if failures else None,
        table_of(("scene to purge (imagerag purge)", "why", "since"), removed) if removed else None,
        _at_work(document),
        *(f"[yellow]{plain(problem)}[/]" for problem in document.get("problems", ())),
    )


def _at_work(document: Document) -> RenderableType | None:
    """Show who is at work, what killed processes left, and what was closed last."""
    who = [
        (each["state"], name, each.get("work") or each.get("name"), each["pid"], each["host"], each["since"])
        for name, group in (("process", "owners"), ("lock", "locks"), ("server", "servers"))
        for each in document.get(group, ())
    ]
    runs = [(each["run"], each["job"], each["partition"], each["why"]) for each in document.get("dead_runs", ())]
    closed = [(each["at"], each["what"]) for each in document.get("closed", ())][:_CLOSED]
    if not who and not runs and not closed:
        return None
    return stacked(
        table_of(("", "at work", "at", "pid", "host", "since"), who) if who else None,
        table_of(("run of a killed process", "job", "scene", "why"), runs) if runs else None,
        table_of(("closed at", "what a killed process left"), closed) if closed else None,
    )


def _why(removed: Document) -> str:
    """Say why a scene may be purged."""
    if removed.get("asked"):
        return "removed" if removed.get("done", True) else "removed, but not finished: imagerag scenes remove"
    return f"it left {removed['source'] or 'its source'}; it still answers"


def demo(document: Document) -> RenderableType:
    """Show the questions, the answers, and where the report is."""
    columns = ("question", "answer", "expected", "path")
    rows = [[each.get(column) for column in columns] for each in document.get("answers", ())]
    facts = {name: value for name, value in document.items() if not isinstance(value, (dict, list))}
    return stacked(table_of(columns, rows) if rows else None, facts_of(facts))


def doctor(document: Document) -> RenderableType:
    """Show each check with its fix."""
    rows = [(each["status"], each["name"], each["detail"], each["fix"]) for each in document["checks"]]
    table = table_of(("", "check", "found", "fix"), rows)
    return stacked(table, *_differences(document)) if "differences" in document else table


def _differences(document: Document) -> Iterable[RenderableType]:
    """Show what a deep look found, and what became of it."""
    totals = document["totals"]
    rows = [
        (each["kind"], each["name"], each["detail"], each["mended"] or each["error"] or each["fix"])
        for each in document["differences"]
    ]
    if rows:
        yield table_of(("differs", "which", "how", "what is done about it"), rows)
    found, mended = totals["found"], f", {totals['mended']:,} mended" if totals["mended"] else ""
    yield f"[bold]{found:,} difference{'' if found == 1 else 's'}{mended}[/]" if found else "[green]no differences[/]"
    yield from (f"[yellow]{plain(note)}[/]" for note in document["notes"])


def nothing(_: Document) -> RenderableType:
    """Show nothing, for commands that have already printed everything."""
    return ""


def _number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _short(fingerprint: str | None) -> str:
    return fingerprint[:_SHORT] if fingerprint else "unknown"


def _window(window: Sequence[int]) -> str:
    return ", ".join(str(value) for value in window)


def size(count: int | None) -> str:
    """Return a number of bytes in readable form."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"
