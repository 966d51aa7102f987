"""What is configured, reachable and missing in an installation, and the fix for each.

Every check looks at one thing, leaves nothing changed, downloads nothing, and reports instead of raising an error.
"""

from __future__ import annotations

import os
import platform as machine
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from imagerag_assets.encoders.registry import encoder_spec, load_encoder
from imagerag_assets.encoders.types import EncoderSpec
from imagerag_assets.errors import ImageRAGError, ModelError, StoreError, describe
from imagerag_assets.installation.left_over import find_left_over, owners_folder
from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.owners import list_owners
from imagerag_assets.objects.store import ObjectStore
from imagerag_assets.settings import Settings, is_server, unknown_names

Status = Literal["ok", "warn", "fail"]
_PACKAGES = (
    "dagster",
    "torch",
    "torchvision",
    "open_clip_torch",
    "transformers",
    "pymilvus",
    "milvus-lite",
    "rasterio",
)
_SHOWN = 10  # things that killed processes left
_LOW_DISK, _NO_DISK = 5 * 2**30, 2**28


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    status: Status
    detail: str
    """What was found."""
    fix: str = ""
    """What to do; empty if there is nothing to do."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form for JSON."""
        return asdict(self)


def examine(settings: Settings) -> list[Check]:
    """Run all checks, in the order in which problems should be fixed."""
    looks: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("torchvision", _torchvision),
        ("settings", _settings),
        ("disk", _disk),
        ("store", _store),
        ("s3", _s3),
        ("milvus", _milvus),
        ("encoder", _encoder),
        ("mllm", _mllm),
        ("dagster", _dagster),
        ("owners", _owners),
    )
    return [_guarded(name, look, settings) for name, look in looks]


def _guarded(name: str, look: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return look(settings)
    except ImageRAGError as error:
        return Check(name, "fail", _found(error), error.fix)
    except Exception as error:  # a broken installation may raise anything
        return Check(name, "fail", describe(error)[:500], "Install it again")


def _found(error: ImageRAGError) -> str:
    return error.message + "".join(f" [{name}={value}]" for name, value in error.ids.items())


def _python(_: Settings) -> Check:
    return Check("python", "ok", f"{machine.python_implementation()} {machine.python_version()} on {machine.machine()}")


def _packages(_: Settings) -> Check:
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "Install the project again: make .venv")
    return Check("packages", "ok", ", ".join(found))


def _torchvision(_: Settings) -> Check:
    from imagerag_assets._torchvision_ops import ensure_torchvision_importable

    declared = ensure_torchvision_importable()
    import torchvision  # noqa: F401  (that it can be imported is the check)

    if declared:
        return Check("torchvision", "ok", "compiled ops do not load with this torch, but are not needed")
    return Check("torchvision", "ok", "compiled ops load")


def _settings(_: Settings) -> Check:
    unknown = unknown_names()
    if not unknown:
        return Check("settings", "ok", "every IMAGERAG_* variable is a setting")
    close = " or ".join(dict.fromkeys(name for name in unknown.values() if name))
    fix = f"Did you mean {close}? If not, unset it" if close else "Correct or unset it; docs/settings.md lists all"
    return Check("settings", "warn", f"no such setting: {', '.join(unknown)}", fix)


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_nearest(settings.home)).free
    detail = f"{free / 2**30:,.1f} GiB free for {settings.home}"
    if free < _LOW_DISK:
        return Check("disk", "fail" if free < _NO_DISK else "warn", detail, "Free space, or move IMAGERAG_HOME")
    return Check("disk", "ok", detail)


def _store(settings: Settings) -> Check:
    url = settings.store_url
    if not is_remote(url):
        existing = _nearest(Path(url))
        if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
            return Check("store", "fail", f"{existing} cannot be written", "Correct IMAGERAG_STORE or the permissions")
        return Check("store", "ok", f"{url} can be written{'' if Path(url).is_dir() else ' (not created yet)'}")
    store, key = ObjectStore(url, settings), f".doctor-{uuid4().hex}"
    store.write_bytes(key, b"doctor")
    try:
        same = store.read_bytes(key) == b"doctor"
    finally:
        store.delete(key)
    if not same:
        return Check("store", "fail", f"{url} does not return what is written", "Use another object store")
    return Check("store", "ok", f"{url} can be read and written")


def _s3(settings: Settings) -> Check:
    if not settings.store_url.startswith("s3://") and settings.s3_endpoint_url is None:
        return Check("s3", "ok", "not configured; sources may still be s3:// addresses")
    endpoint = settings.s3_endpoint_url or "AWS"
    if settings.s3_anonymous:
        return Check("s3", "ok", f"{endpoint}, without credentials (IMAGERAG_S3_ANONYMOUS)")
    from botocore.session import Session

    credentials = Session().get_credentials()
    if credentials is None:
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, fill ~/.aws, or set IMAGERAG_S3_ANONYMOUS=true"
        return Check("s3", "fail", f"{endpoint}, but there are no credentials", fix)
    return Check("s3", "ok", f"{endpoint}, credentials from {credentials.method}")


def _milvus(settings: Settings) -> Check:
    if settings.milvus_is_lite:
        path = Path(settings.milvus).expanduser()
        if not path.exists():
            return Check("milvus", "ok", f"Milvus Lite at {path} (not created yet)")
    from imagerag_assets.stores.milvus import VectorStore

    kind = "Milvus Lite" if settings.milvus_is_lite else "Milvus"
    try:
        with VectorStore(settings) as vectors:
            collections = vectors.list_collections()
            rows = sum(each.rows for each in collections)
    except StoreError:
        holder = _lock_holder(Path(settings.milvus).expanduser() / "LOCK") if settings.milvus_is_lite else None
        if holder is None:
            raise
        detail = f"Milvus Lite at {settings.milvus} is open in process {holder}, which does not share it"
        return Check("milvus", "warn", detail, "Stop it; commands and runs of imagerag share one file")
    return Check("milvus", "ok", f"{kind} at {settings.milvus}: {len(collections)} collections, {rows:,} rows")


def _encoder(settings: Settings) -> Check:
    name = settings.active_encoder
    spec = encoder_spec(name, settings)
    with _offline():
        encoder = load_encoder(name, settings)
    detail = f"{name}, {encoder.dim} dimensions, fingerprint {encoder.fingerprint[:12]}"
    return _floating_encoder(spec, detail, settings) or Check("encoder", "ok", detail)


def _floating_encoder(spec: EncoderSpec, detail: str, settings: Settings) -> Check | None:
    """Return a warning where another machine may download other weights; None: it may not."""
    from imagerag_assets.encoders.weights import (  # loads open_clip
        TRANSFORMERS_CONFIG,
        commit_of,
        find_checkpoint,
        floating_repository,
        model_folder,
    )

    repository = floating_repository(spec, settings)
    if repository is None:
        return None
    with _offline():
        if spec.kind == "transformers":
            commit = commit_of(model_folder(spec, settings) / TRANSFORMERS_CONFIG)
        else:
            commit = commit_of(find_checkpoint(spec, settings))
    fix = f'Set revision = "{commit or "COMMIT"}" in its entry in {settings.registry_file}'
    return Check("encoder", "warn", f"{detail}; its weights are whatever {repository} holds when downloaded", fix)


def _mllm(settings: Settings) -> Check:
    from imagerag_assets.answering import load_mllm

    if is_server(settings.mllm):
        return _model_server(settings)
    with _offline():
        revision = load_mllm(settings).revision
    if settings.mllm != "demo" and not Path(settings.mllm).exists() and not settings.mllm_revision:
        return Check(
            "mllm",
            "warn",
            f"{settings.mllm}, whatever the hub holds when it is downloaded",
            f"Set IMAGERAG_MLLM_REVISION={revision.partition('+')[0]}, the commit that is here",
        )
    return Check("mllm", "ok", settings.mllm)


def _model_server(settings: Settings) -> Check:
    from imagerag_assets.answering.openai_backend import ServedMllm
    from imagerag_assets.answering.options import MllmOptions

    options = replace(MllmOptions.of(settings), timeout_s=min(10.0, settings.mllm_timeout_s), retries=0)
    served = ServedMllm(settings.mllm, options)
    found = f"{served.name} at {served.url}"
    if settings.mllm_name is None:
        return Check("mllm", "ok", found)
    try:
        listed = served.models()
    except ModelError as error:  # some servers answer questions and list nothing
        return Check("mllm", "warn", f"{found}: {error.message}", error.fix)
    if settings.mllm_name in listed:
        return Check("mllm", "ok", found)
    return Check("mllm", "warn", f"{found} is not in the server's list", f"It lists: {', '.join(listed) or 'none'}")


def _dagster(settings: Settings) -> Check:
    home = settings.dagster_home
    other = os.environ.get("DAGSTER_HOME")
    if other and Path(other).expanduser().absolute() != home.expanduser().absolute():
        fix = f"Unset it, or set it to {home.absolute()}, to see the command line's runs in `dagster dev`"
        return Check("dagster", "warn", f"DAGSTER_HOME={other} is not {home}", fix)
    if not home.is_dir():
        return Check("dagster", "ok", f"{home} (not created yet)")
    if not os.access(home, os.W_OK | os.X_OK):
        return Check("dagster", "fail", f"{home} cannot be written", "Correct its permissions")
    return Check("dagster", "ok", str(home))


def _owners(settings: Settings) -> Check:
    owners = list_owners(owners_folder(settings))
    left = [f"{each.kind} {each.name}: {each.detail}" for each in find_left_over(settings)]
    if left:
        more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        fix = "The next command that writes closes it, and so does: imagerag doctor --deep --repair"
        return Check("owners", "warn", f"left by killed processes: {'; '.join(left[:_SHOWN])}{more}", fix)
    return Check("owners", "ok", f"{len(owners)} processes at work; nothing is left of others")


def _nearest(path: Path) -> Path:
    """Return the path, or its closest parent that exists."""
    path = path.expanduser().absolute()
    while not path.exists():
        path = path.parent
    return path


def _lock_holder(lock: Path) -> str | None:
    """Return the number and name of the process that holds a lock, or None.  Linux knows which it is."""
    import fcntl

    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except OSError:
        pass
    inode = lock.stat().st_ino
    try:
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[5].endswith(f":{inode}"):
                name = Path(f"/proc/{fields[4]}/comm").read_text(encoding="utf-8").strip()
                return f"{fields[4]} ({name})"
    except OSError:
        pass
    return "unknown"


@contextmanager
def _offline() -> Iterator[None]:
    """Look for models on this machine only: a check must not download gigabytes."""
    import huggingface_hub.constants as constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
