"""The process that a client starts: it is up before anything heavy is imported, and ends with its client."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from imagerag_assets.ingestion.ingest import ingest_scene
from imagerag_assets.installation.platform import Platform
from imagerag_assets.settings import Settings
from tests.installation import installed, tiny_registry  # noqa: F401
from tests.items import scene_at, texture, write_scene

HEAVY = ("torch", "dagster", "rasterio", "pymilvus", "transformers")


def test_a_client_starts_it_and_uses_it(installed: Settings, tmp_path: Path) -> None:  # noqa: F811
    with Platform(installed) as platform:
        assert ingest_scene(platform, scene_at(write_scene(tmp_path, "a", texture(300, 300)), installed)).error is None
    log = tmp_path / "log"
    project = Path(__file__).resolve().parents[3]
    environment = {name: value for name, value in os.environ.items() if name.startswith("IMAGERAG_")}
    server = StdioServerParameters(
        command=sys.executable,
        args=["-X", "importtime", "-m", "imagerag_assets.cli", "mcp"],
        env=environment | {"PYTHONPATH": str(project)},
        cwd=tmp_path,
    )

    async def use() -> None:
        with log.open("w", encoding="utf-8") as errors:
            async with Client(stdio_client(server, errlog=errors)) as client:
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert "list_scenes" in names and "ingest" not in names
                imported = log.read_text(encoding="utf-8")
                assert "imagerag_assets.assistants.server" in imported
                assert [name for name in HEAVY if f" {name}\n" in imported] == []
                scenes = await client.call_tool("list_scenes")
                assert [each["scene"] for each in (scenes.structured_content or {})["scenes"]] == ["a"]
                look = await client.call_tool("look", {"scene": "a"})
                assert [each.type for each in look.content] == ["text", "text", "image"]
                wrong = await client.call_tool("look", {"scene": "b"})
                assert wrong.is_error
                assert [name for name in HEAVY[:2] if f" {name}\n" in log.read_text(encoding="utf-8")] == []

    anyio.run(use)
