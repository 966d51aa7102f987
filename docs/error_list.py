"""The page of all errors: read from the code, not run.

Each place that raises an `ImageRAGError` gives one line: its message, with an ellipsis for what it fills in, and its
fix.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "imagerag_assets"
SECTIONS = {
    "Command line and settings": ("cli", "settings.py", "errors.py", "web_connections.py", "web_guard.py"),
    "Sources and STAC items": (
        "stac", "plain_files", "online_layers", "watched_sources", "objects", "server_replies.py",
    ),
    "Rasters and patches": ("raster", "patches", "isolation", "ingestion", "scenes"),
    "Questions, plans and concepts": (
        "questions", "plans", "retrieval", "concepts", "standing_questions", "lineage", "python_api",
    ),
    "Knowledge bases": ("knowledge",),
    "Encoders and their switch": ("encoders", "encoder_switch"),
    "Language models": ("answering",),
    "Storage and Milvus": ("stores", "installation", "maintenance", "exchange", "resident"),
    "HTTP, pages, assistants, delivery and Dagster": ("serve", "pages", "assistants", "delivery", "orchestration"),
    "Evaluation and training": ("evaluation", "training", "demo"),
}  # fmt: skip
"""Rooms of the package by what a person is doing; rooms that are not named come last."""
_KINDS = re.compile(r"^class (\w+)\((\w+)\):", re.MULTILINE)
_GAP = "…"


@dataclass(frozen=True, order=True)
class ErrorLine:
    """An error that the code may raise."""

    message: str
    fix: str
    kind: str
    section: str


def error_lines() -> list[ErrorLine]:
    """Return all errors of the package, each once."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    parents = {name: parent for text in texts.values() for name, parent in _KINDS.findall(text)}
    lines = set()
    for path, text in texts.items():
        room = path.relative_to(PACKAGE).parts[0]
        if path.is_relative_to(PACKAGE / "demo" / "models"):  # how the models were made: not for users
            continue
        section = next((title for title, rooms in SECTIONS.items() if room in rooms), "Others")
        tree = ast.parse(text)
        for kind, message, fix in _raised(tree):
            if _is_ours(kind, parents) and message.strip(f"{_GAP} "):
                lines.add(ErrorLine(message, fix, kind, section))
    return sorted(lines)


def errors_page(mark: str) -> str:
    """Return docs/errors.md."""
    by_section: dict[str, list[ErrorLine]] = defaultdict(list)
    for line in error_lines():
        by_section[line.section].append(line)
    parts = [
        "# Every error and its fix",
        mark,
        "Search this page for a few words of the message. An ellipsis stands for what the message fills in: a name,\n"
        "a number, an address. Errors about imagery also name the scene, item or file in brackets; they are kept with\n"
        "the scene (`imagerag scenes show SCENE`) and stop nothing else. What to look at first is in\n"
        "[troubleshooting.md](troubleshooting.md).",
    ]
    for title in [*SECTIONS, "Others"]:
        if found := by_section.get(title):
            rows = [f"| {_cell(each.message)} | {_cell(each.fix)} | `{each.kind}` |" for each in found]
            parts += [f"## {title}", "\n".join(["| message | fix | kind |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _raised(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield kind, message and fix of each error that a module makes."""
    named = [
        (node.targets[0].id, node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        kind = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        message = _text(node.args[0], named)
        if kind.endswith("Error") and message is not None:
            given = next((each.value for each in node.keywords if each.arg == "fix"), None)
            yield kind, message, "" if given is None else _text(given, named) or "the message says what to do"


def _text(node: ast.expr, named: list[tuple[str, int, ast.expr]]) -> str | None:
    """Return a text with an ellipsis for what is filled in; None: none of it is known before it runs.

    Args:
        node: The expression.
        named: Name, line and value of each assignment of the module; the last one before the expression counts.
    """
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        before = [(line, value) for name, line, value in named if name == node.id and line < node.lineno]
        before += [(line - 10**6, value) for name, line, value in named if name == node.id and name.startswith("_")]
        return _text(max(before, key=lambda each: each[0])[1], named) if before else None
    if isinstance(node, ast.JoinedStr):
        filled = [_GAP if isinstance(part, ast.FormattedValue) else str(part.value) for part in node.values]
        return re.sub(rf"{_GAP}(?:\s*{_GAP})+", _GAP, "".join(filled))
    if isinstance(node, ast.IfExp):
        return _text(node.body, named) or _text(node.orelse, named)
    return None


def _is_ours(kind: str, parents: dict[str, str]) -> bool:
    seen = set()
    while kind in parents and kind not in seen:
        seen.add(kind)
        kind = parents[kind]
    return kind == "ImageRAGError" or (kind == "Exception" and "ImageRAGError" in seen)


def _cell(text: str) -> str:
    """Return text as a cell of a table that means nothing else to Markdown."""
    plain = " ".join(text.split()).replace("\\", "\\\\")
    return re.sub(r"([|*_<>\[\]`$])", r"\\\1", plain)
