"""What the site needs besides mkdocs.yml: pages that lie outside docs/, notebooks as pages, and no outside requests.

Links in Markdown follow the files of the repository, as GitHub and the tests read them.  Here they are turned to the
pages of the site; what is no page of it (code, data) keeps its text and loses its link.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "architecture.md": "ARCHITECTURE.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "threat-model.md": "SECURITY.md",
    "deployment.md": "infra/README.md",
    **{
        f"model-cards/{name}.md": f"imagerag_assets/weights/{name}/README.md"
        for name in ("mllm-demo", "question-reader", "encoder-demo", "encoder-demo-lite")
    },
}
"""Files of the repository that are pages of the site, by page."""
_LINK = re.compile(r"(?P<before>!?\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\()(?P<target>[^()\s]+)\)")
_FILE_NAME = re.compile(r"[\w/.-]+\.md")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=[\"']?(?:https?:)?//|"
    r"<link\b(?=[^>]*rel=[\"']?(?:stylesheet|icon|preload|preconnect|dns-prefetch))"
    r"[^>]*\shref=[\"']?(?:https?:)?//"
)
log = logging.getLogger("mkdocs.hooks.site_pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for page, name in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook_page(path)))
    files.append(File.generated(config, "notebooks/index.md", abs_src_path=str(ROOT / "notebooks" / "README.md")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository to pages of the site."""
    source = _in_repository(page.file.src_uri)
    pages = {_in_repository(each.src_uri): each.src_uri for each in files}

    def turned(found: re.Match[str]) -> str:
        target = found["target"]
        name, _, anchor = target.partition("#")
        if not name or re.match(r"[a-z][a-z0-9+.-]*:", target):
            return found[0]
        path = os.path.normpath(os.path.join(os.path.dirname(source), name))
        if path == "README.md":
            path = "docs/index.md"
        if os.path.isdir(ROOT / path):
            path = f"{path}/README.md"
        if (to := pages.get(path)) is None:
            if not (ROOT / path).exists():
                return found[0]  # mkdocs says that it leads nowhere
            return found["text"]
        relative = os.path.relpath(to, os.path.dirname(page.file.src_uri) or ".")
        before = found["before"]
        if _FILE_NAME.fullmatch(found["text"]) and not before.startswith("!"):  # a page is better known by its title
            before = f"[{_title(path)}]("
        return f"{before}{relative}{'#' if anchor else ''}{anchor})"

    parts, at = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(turned, markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, _LINK.sub(turned, markdown[at:])])


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Complain of what a page would fetch from elsewhere; a strict build fails."""
    for found in _FETCHED.finditer(output):
        log.warning("%s fetches something from elsewhere: %s", page.file.src_uri, found[0])
    return output


def notebook_page(path: Path) -> str:
    """Return a notebook with its stored outputs as Markdown."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{text}\n```")
            parts += filter(None, map(_output, cell.get("outputs", ())))
    parts.append(f"*This page is `notebooks/{path.name}` with the outputs that are stored in it.*")
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _printed("".join(output["text"]))
    data = output.get("data", {})
    for kind in ("image/jpeg", "image/png"):
        if kind in data:
            encoded = "".join(data[kind]).replace("\n", "")
            base64.b64decode(encoded, validate=True)
            return f'<img src="data:{kind};base64,{encoded}" alt="Output of the cell above">'
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    table = "".join(data.get("text/html", ""))
    if 'class="dataframe"' in table:  # what other libraries draw needs their own styles
        table = re.sub(r"<style.*?</style>|^\s+", "", table, flags=re.DOTALL | re.MULTILINE)
        return re.sub(r"<table[^>]*>", "<table>", table).replace("\n", "")
    return _printed("".join(data.get("text/plain", "")))


def _printed(text: str) -> str:
    return f'<pre class="output">{html.escape(text.rstrip())}</pre>'.replace("\n", "&#10;") if text.strip() else ""


@cache
def _title(path: str) -> str:
    """Return the first heading of a document of the repository."""
    found = re.search(r"^# (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path


def _in_repository(page: str) -> str:
    """Return the file of the repository that is a page of the site."""
    if page.startswith("notebooks/"):
        name = page.removeprefix("notebooks/").removesuffix(".md")
        return "notebooks/README.md" if name == "index" else f"notebooks/{name}.ipynb"
    return OUTSIDE.get(page, f"docs/{page}")
