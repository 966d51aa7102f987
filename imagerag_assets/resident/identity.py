"""What a process answers with: its settings, the files that they name, its environment and its code, as one digest.

Two processes with the same digest give the same answer to a question.  Relative paths are made absolute, so that the
folder in which a command is typed makes no difference.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.settings import Settings

_NOT_OF_ANSWERS = ("resident", "serve_", "ui_", "job_roots", "webhook_url", "limit_request_", "limit_connections")
_ENVIRONMENT = (
    "AWS_", "OPENAI_", "HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "ALL_PROXY", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
_PACKAGE = Path(__file__).resolve().parents[1]
_PATHS = ("store_url", "milvus")
_FOLDERS = ("cache_folder", "mllm_cache_folder", "registry_file", "storage_file")


def identity_of(settings: Settings) -> str:
    """Return the digest (64 hex digits) of what this process answers with, as it is now."""
    values = {name: _plain(getattr(settings, name)) for name in type(settings).model_fields if _counts(name)}
    values |= {name: _whole(getattr(settings, name)) for name in (*_PATHS, *_FOLDERS)}
    values["home"] = _whole(str(settings.home))
    for name in ("store", "milvus_uri", "cache", "mllm_cache", "encoders_file", "settings_file"):
        values.pop(name, None)  # what follows from them counts
    files = {name: _content(getattr(settings, name)) for name in ("registry_file", "storage_file")}
    variables = {name: value for name, value in os.environ.items() if name.upper().startswith(_ENVIRONMENT)}
    known = [values, files, variables, _code(), sys.prefix, sys.version]
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def _counts(name: str) -> bool:
    return not name.startswith(_NOT_OF_ANSWERS)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return _whole(str(value))
    if isinstance(value, str) and value and not is_remote(value) and Path(value).exists():
        return _whole(value)
    return value


def _whole(value: str | Path) -> str:
    return str(value) if is_remote(str(value)) else str(Path(value).expanduser().absolute())


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(file.expanduser().read_bytes()).hexdigest()
    except OSError:
        return ""


def _code() -> str:
    """Return a digest of the package's files: a version number stays the same while code is written."""
    found = hashlib.sha256()
    for folder, folders, names in os.walk(_PACKAGE):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        for name in sorted(names):
            if not name.endswith(".pyc"):
                seen = os.stat(os.path.join(folder, name))
                found.update(f"{folder}/{name} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return found.hexdigest()
