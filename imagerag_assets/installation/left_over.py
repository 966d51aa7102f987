"""What processes at work own in an installation, what killed ones left of it, and closing that.

Locks, the server of a Milvus Lite file and unfinished files belong here.  Dagster's runs are closed by
`orchestration.dead_runs`, which calls :func:`close_left_over` afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from imagerag_assets.errors import StoreError
from imagerag_assets.installation.differences import Difference
from imagerag_assets.objects.addresses import is_remote
from imagerag_assets.objects.aside import Unfinished, find_temporary, find_unfinished, remove_dead, replace_text
from imagerag_assets.objects.left_sockets import find_left_sockets
from imagerag_assets.objects.locks import Found, list_locks, release_dead
from imagerag_assets.objects.owners import Owner, list_owners, shown, succeeding
from imagerag_assets.objects.store import open_store
from imagerag_assets.settings import Settings
from imagerag_assets.stores.milvus_lite_owner import LiteServer, find_server, forget_dead

_KEPT = 50  # closings that are remembered
Json = dict[str, Any]


def owners_folder(settings: Settings) -> Path:
    """Return the folder in which the processes of an installation have their files (`objects.owners`)."""
    return settings.home / "owners"


def at_work(settings: Settings) -> Json:
    """Return who is at work in an installation and what killed processes left, without its Dagster runs.

    Returns:
        ``owners``, each with ``pid``, ``host``, ``since``, ``work`` and ``state`` (``alive``, ``dead``, ``unknown``);
        ``locks`` and ``servers``, the same with ``name``; and ``closed``, what was closed of late, newest first.

    Raises:
        StoreError: the object store cannot be read.
    """
    return {
        "owners": [shown(owner, state) for owner, state in list_owners(owners_folder(settings))],
        "locks": [_shown_lock(found) for found in list_locks(open_store(settings))],
        "servers": [server.to_dict() for server in _servers(settings)],
        "closed": list_closed(settings),
    }


def find_left_over(settings: Settings) -> Iterator[Difference]:
    """Yield the processes that were killed, and their locks, servers and unfinished files.

    Their runs come first where they are mended: only the file of a process tells that those of another container died.

    Raises:
        StoreError: the object store cannot be read.
    """
    folder = owners_folder(settings)
    for owner, state in list_owners(folder):
        if state == "dead":
            yield Difference(
                "process", owner.token, f"It was killed: {owner}", "Forgets it", partial(_bury, owner, folder)
            )
    for lock in list_locks(open_store(settings)):
        if not lock.owner.alive:
            held = f"Held by {_who(lock)}, which is gone"
            yield Difference("lock", lock.key, held, "Releases it", partial(_release, settings, lock))
    for server in _servers(settings):
        if server.state == "dead":
            served = f"Its server, {server.who}, is gone"
            then = "Forgets it; the next command starts another"
            yield Difference("server", server.path, served, then, partial(_forget, server))
    for left in _unfinished(settings):
        if left.dead:
            wrote = f"Left by {_writer(left)} on {left.since}"
            yield Difference("unfinished file", str(left.path), wrote, "Removes it", partial(_remove, left))


def close_left_over(settings: Settings) -> list[str]:
    """Close what `find_left_over` finds; return a line for each, which `list_closed` shows later.

    Folders of sockets among the system's temporary files are removed, too, of whichever installation they are.

    Raises:
        StoreError: the object store cannot be read or changed.
    """
    mended = ((each, each.mend()) for each in find_left_over(settings) if each.mend is not None)
    lines = [f"{each.kind} {each.name}: {said}" for each, said in mended if said]
    for left in find_left_sockets():
        remove_dead(left)
    note_closed(settings, lines)
    return lines


def was_killed(settings: Settings) -> bool:
    """Return whether a process was killed that may have left something.  Commands ask this when they start."""
    return any(state == "dead" for _, state in list_owners(owners_folder(settings))) or killed_early(settings)


def killed_early(settings: Settings) -> bool:
    """Return whether a process was killed before it was known as one at work, or only ever wrote a setting.

    Looked at are the folders where such a process writes, not those below them: commands ask this when they start.
    """
    folders = (settings.home.expanduser(), settings.dagster_home.expanduser(), owners_folder(settings).expanduser())
    return any(each.dead for folder in folders for each in find_unfinished(folder, deep=False))


def note_closed(settings: Settings, lines: list[str]) -> None:
    """Remember what was closed."""
    if not lines:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kept = [{"at": now, "what": line} for line in lines] + list_closed(settings)
    with suppress(OSError):
        folder = owners_folder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "closed", json.dumps(kept[:_KEPT], indent=1))


def list_closed(settings: Settings) -> list[Json]:
    """Return what was closed of late: ``at`` and ``what``, newest first."""
    try:
        found = json.loads((owners_folder(settings) / "closed").read_text(encoding="utf-8"))
        return [{"at": str(each["at"]), "what": str(each["what"])} for each in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _servers(settings: Settings) -> list[LiteServer]:
    if not settings.milvus_is_lite:
        return []
    found = find_server(str(Path(settings.milvus).expanduser().absolute()))
    return [found] if found is not None else []


def _unfinished(settings: Settings) -> Iterator[Unfinished]:
    roots = [settings.home.expanduser().absolute(), settings.cache_folder.expanduser().absolute()]
    if not is_remote(settings.store_url):
        roots.append(Path(settings.store_url).expanduser().absolute())
    for root in dict.fromkeys(roots):
        if not any(other != root and other in root.parents for other in roots):
            yield from find_unfinished(root)
    yield from find_temporary()


def _shown_lock(found: Found) -> Json:
    owner = found.owner
    state = "alive" if owner.alive else "dead"
    return {"name": found.name, "pid": owner.pid, "host": owner.host, "since": owner.since, "state": state}


def _who(found: Found) -> str:
    owner = found.owner
    return f"process {owner.pid} on {owner.host} since {owner.since}" if owner.host else "an unknown process"


def _writer(left: Unfinished) -> str:
    return "an unknown process" if left.pid is None else f"process {left.pid}, which is gone,"


def _bury(owner: Owner, folder: Path) -> str:
    with succeeding(owner, folder) as chosen:
        return "forgotten" if chosen else ""


def _release(settings: Settings, lock: Found) -> str:
    return "released" if release_dead(open_store(settings), lock) else ""


def _forget(server: LiteServer) -> str:
    return "forgotten" if forget_dead(server.path) else ""


def _remove(left: Unfinished) -> str:
    try:
        return "removed" if remove_dead(left) else ""
    except OSError as error:
        raise StoreError(f"{left.path} cannot be removed: {error.strerror}", fix="Correct its permissions") from None
