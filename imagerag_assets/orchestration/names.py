"""Names of jobs, partitions and tags, as people see them in the UI and scripts use them.

Only names belong here, so that a module can use one without importing Dagster.
"""

from __future__ import annotations

INGEST, SCAN, KNOWLEDGE = "ingest_scenes", "scan_source", "build_knowledge"
ASK, ASK_BATCH, CHECK_ANSWERS = "ask_question", "ask_batch", "check_answers"
BENCHMARK = "benchmark"

WATCHES_NAME = "watches"
ASK_STANDING, ADD_WATCH = "ask_standing", "add_watch"

RESCAN, PURGE = "rescan_source", "purge_removed"
RENEW = "renew_indexes"

SCENE_TAG, SOURCE_TAG, VERSION_TAG = "imagerag/scene", "imagerag/source", "imagerag/etag"
WATCH_TAG = "imagerag/watch"
INDEX_TAG, LATER = "imagerag/index", "later"
"""Of a run that leaves Milvus's index to whoever started it: it is renewed once for many scenes."""
QUESTION_TAG, PHRASES_TAG = "imagerag/question", "imagerag/phrases"
OWNER_TAG = "imagerag/owner"
"""The process that works on a run (`dead_runs`)."""
DEAD_RUNS = "dead_runs"
LOCATION = "imagerag"
"""The code location, as `workspace.yaml` names it."""
