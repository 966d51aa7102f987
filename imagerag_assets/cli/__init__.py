"""The `imagerag` command: one module a group of commands."""

from imagerag_assets.cli.app import app, main

__all__ = ["app", "main"]
