"""The `imagerag` command, with one module for each group of commands."""

from imagerag_assets.cli.app import app, main

__all__ = ["app", "main"]
