"""A workflow-orchestrated data platform around ImageRAG: STAC scenes in, answers with evidence out."""

__version__ = "0.1.0"
