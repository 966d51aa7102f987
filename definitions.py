"""The entry point of Dagster; see workspace.yaml."""

from imagerag_assets.orchestration.build import build_defs

defs = build_defs()
