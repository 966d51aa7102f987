"""All commands, each with the module that has it and the line that `imagerag --help` gives it.

So that help and every command start without the modules of the others.  A test holds this against the modules.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listed:
    """A command, or a group of commands."""

    module: str
    """Its module in `cli`."""
    summary: str
    """First paragraph of its help."""


COMMANDS: dict[str, Listed] = {
    "answers": Listed("lineage", "List the latest answers, newest first, and say which of them are outdated."),
    "ask": Listed("ask", "Ask a question about the ingested scenes, or a file of questions with --batch IN --out OUT."),
    "backfill": Listed(
        "encoders", "Embed every scene with the chosen encoder, check the result, and switch questions over to it."
    ),
    "backup": Listed(
        "backup",
        "Back up what cannot be made again: answers, standing questions, records, settings and Dagster's history.",
    ),
    "calibrate": Listed("calibrate", "Fit how sure a cue must be, on the scenes that are ingested."),
    "concepts": Listed("concepts", "Name kinds of things by examples, and ask for them as my:NAME."),
    "demo": Listed("system", "Draw scenes, ingest them, ask questions about them, and write a report."),
    "dev": Listed("system", "Run Dagster's UI and daemon and a local Milvus, until you interrupt the command."),
    "doctor": Listed("system", "Check what is configured, reachable and missing, and say how to fix each problem."),
    "encoders": Listed("encoders", "List the encoders, or choose one."),
    "evaluate": Listed("evaluate", "Ask files of questions whose answers are known, and measure the answers and cues."),
    "explain": Listed(
        "ingest", "Say what an ingest of a source would read, embed and store, and how long it would take."
    ),
    "export": Listed(
        "exchange", "Write embeddings as GeoParquet with a STAC collection, for another installation to import."
    ),
    "import": Listed(
        "exchange", "Import exported embeddings of the chosen encoder and index them; embed nothing again."
    ),
    "index": Listed("index", "Make the rows of Milvus anew from stored embeddings."),
    "ingest": Listed("ingest", "Ingest the new and changed scenes of a source, so that questions can find them."),
    "knowledge": Listed("knowledge", "Build the knowledge bases, and see what they cover."),
    "mcp": Listed("mcp", "Let an assistant use the scenes, over the Model Context Protocol."),
    "purge": Listed("sources", "Delete scenes whose item has left its source; keep all answers."),
    "replay": Listed("lineage", "Ask a question again with the versions that its answer used, and say what differs."),
    "restore": Listed(
        "backup",
        "Restore a backup, after checking all of it; then `imagerag doctor --deep --repair` makes the rest again.",
    ),
    "retry": Listed("lineage", "Ask the questions again that the multimodal LLM failed to answer."),
    "rollback": Listed(
        "encoders", "Go back to the encoder and the collections that were in use before the last switch."
    ),
    "scenes": Listed("scenes", "List the ingested scenes, show one, or remove scenes."),
    "serve": Listed(
        "serve", "Answer questions over HTTP and on a page, until you interrupt the command, with models loaded once."
    ),
    "show": Listed(
        "show",
        "Make the page of an answer: one HTML file with imagery, cues, downloads and lineage, to look at and to send.",
    ),
    "sources": Listed("sources", "List, add or remove watched sources."),
    "status": Listed("system", "Show what is stored: scenes, collections, the encoder, and failures."),
    "trace": Listed(
        "lineage", "Show where an answer came from: cues, patches, shards, scenes, items, models and versions."
    ),
    "train": Listed("train", "Train a multimodal LLM to use its cues."),
    "watch": Listed("watch", "Ask questions again when a new acquisition covers their area."),
    "words": Listed("words", "Explain the five words that answers and commands use: scene, patch, encoder, cue, path."),
}
