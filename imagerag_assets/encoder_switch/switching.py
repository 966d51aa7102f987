"""Move the aliases from one encoder's collections to another's, and back; record each switch.

``switches/{time}-{random}.json`` is written before anything moves.  After a kill there may be a record of a switch that
did not happen, which shows in what the alias points to, but never a switch without a record.  The alias `patches`
decides what questions use, and moves last.  `backfill` decides whether a switch may be made.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from imagerag_assets.encoder_switch.gate import uncovered
from imagerag_assets.encoders.registry import choose_encoder, load_encoder
from imagerag_assets.errors import GateError, StoreError
from imagerag_assets.installation.notify import notify
from imagerag_assets.installation.platform import Platform
from imagerag_assets.installation.serving import ALIAS, Serving, find_serving, serving_from
from imagerag_assets.knowledge.types import KNOWLEDGE_KINDS
from imagerag_assets.objects.locks import held

SWITCHES, LOCK = "switches", "backfill"


@dataclass(frozen=True)
class Switch:
    """One switch of the collections that questions are answered from."""

    id: str
    at: str
    """ISO 8601, UTC."""
    kind: str
    """``backfill`` or ``rollback``."""
    before: dict[str, str | None]
    """The collection of each alias, and ``encoder``, a registry name."""
    after: dict[str, str | None]
    gate: dict[str, Any] | None
    """As `gate.Gate.to_dict` gives it; None for a rollback."""
    forced: bool
    """Whether a check of quality failed and was overruled."""
    who: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


def in_use(platform: Platform, serving: Serving) -> dict[str, str | None]:
    """Return the collection of each alias, and the serving encoder's name."""
    aliases = platform.vectors.aliases()
    kinds: dict[str, str | None] = {kind: aliases.get(kind) for kind in KNOWLEDGE_KINDS.values()}
    return {ALIAS: serving.collection, **kinds, "encoder": serving.target.encoder or None}


def switch(
    platform: Platform,
    kind: str,
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
    *,
    gate: dict[str, Any] | None = None,
    forced: bool = False,
) -> Switch:
    """Record a switch, move the aliases and choose the encoder for later ingests.

    Raises:
        StoreError: Milvus or the store fails; `rollback`, or the same switch again, repairs one that stopped halfway.
    """
    now = datetime.now(UTC)
    made = Switch(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
        at=now.isoformat(timespec="seconds"),
        kind=kind,
        before=dict(before),
        after=dict(after),
        gate=gate,
        forced=forced,
        who=f"{_user()}@{socket.gethostname()}, process {os.getpid()}",
    )
    platform.store.write_json(f"{SWITCHES}/{made.id}.json", made.to_dict())
    for alias in (*KNOWLEDGE_KINDS.values(), ALIAS):
        collection = after.get(alias)
        if collection is not None:
            platform.vectors.point_alias(alias, collection)
    if encoder := after.get("encoder"):
        choose_encoder(encoder, platform.settings)
    notify(platform.settings, "encoder_switched", made.to_dict())
    return made


def list_switches(platform: Platform) -> list[Switch]:
    """Return all recorded switches, oldest first.

    Raises:
        StoreError: the store cannot be read, or a record is damaged.
    """
    found = []
    for key in platform.store.list(SWITCHES):
        try:
            found.append(Switch(**platform.store.read_json(key)))
        except TypeError:
            raise StoreError(
                "The record of an encoder switch is damaged", fix="Delete it", object=platform.store.url(key)
            ) from None
    return sorted(found, key=lambda each: (each.at, each.id))


def rollback(platform: Platform) -> Switch:
    """Return to the collections and the encoder that were in use before the last switch.

    Raises:
        GateError: there was no switch, or the earlier collection is gone or no longer covers every scene.
        LockedError: a backfill is running.
        EncoderError: the encoder that was in use before cannot be loaded.
        StoreError: Milvus or the store fails.
    """
    with held(platform.store, LOCK) as lock:
        serving = find_serving(platform, orphaned=True)
        last = _last_to(platform, serving)
        before = None if last is None else last.before.get(ALIAS)
        if serving is None or last is None or before is None:
            raise GateError("There is nothing to roll back to: no switch led to what is in use")
        if not platform.vectors.exists(before):
            raise GateError("The collection that was in use before is gone", fix=_again(last.before), collection=before)
        former = serving_from(platform, before)
        load_encoder(former.target.encoder, platform.settings)
        missing = uncovered(platform, former.target)
        if missing:
            raise GateError(
                f"The collection that was in use before lacks {len(missing)} scenes, e.g. {missing[0]}",
                fix=_again(last.before),
                collection=before,
            )
        there = {name: each for name, each in last.before.items() if each and _exists(platform, name, each)}
        lock.require()
        return switch(platform, "rollback", in_use(platform, serving), {**there, "encoder": former.target.encoder})


def _last_to(platform: Platform, serving: Serving | None) -> Switch | None:
    """Return the last switch that led to what is in use; skip records of switches that did not happen."""
    if serving is None:
        return None
    led = [each for each in list_switches(platform) if each.after.get(ALIAS) == serving.collection]
    return led[-1] if led else None


def _exists(platform: Platform, name: str, value: str) -> bool:
    return name == "encoder" or platform.vectors.exists(value)


def _again(before: Mapping[str, str | None]) -> str:
    return f"Run: imagerag backfill --encoder {before.get('encoder')}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())
