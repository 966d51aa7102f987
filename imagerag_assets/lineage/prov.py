"""Describe the lineage of an answer in W3C PROV-JSON: entities, activities, agents, and their relations.

The functions are pure: they turn a record, and the items of its scenes, into a document.  `trace` makes the tree for
people.  Ids are qualified names with the prefix ``imagerag`` (``urn:imagerag:``), percent-encoded where the grammar of
PROV requires it.  A scene, shard or encoder has the same id in every document, so the documents of several answers can
be merged.  See https://www.w3.org/submissions/prov-json/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from imagerag_assets import __version__
from imagerag_assets.questions.answer_record import AnswerRecord, Lineage

PREFIX, NAMESPACE = "imagerag", "urn:imagerag:"
_PLAIN = "-_~"  # not encoded, like letters and digits; a name cannot end in a dot, and colons and slashes separate
_LINKS = {
    "used": ("activity", "entity"),
    "wasGeneratedBy": ("entity", "activity"),
    "wasDerivedFrom": ("generatedEntity", "usedEntity"),
    "wasAssociatedWith": ("activity", "agent"),
}


def prov_document(record: AnswerRecord, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Describe what made an answer.

    Args:
        record: The answer's record.
        items: ``item_href`` and ``source`` of the scenes that are still stored, by scene key.

    Returns:
        A PROV-JSON document, which declares every id that its relations name.
    """
    answer_id, lineage = record.answer_id, record.lineage
    doc = _Document(lineage.version or __version__)
    question = doc.entity("question", answer_id, text=record.question)
    if lineage.after:  # a follow-up question
        doc.link("wasDerivedFrom", question, doc.entity("answer", lineage.after))
    encoder = doc.entity("encoder", lineage.fingerprint, name=lineage.encoder)
    retrieval = doc.activity("retrieval", answer_id, uses=[question, encoder])
    answering = doc.activity("answering", answer_id, uses=[question], ended=record.asked_at)
    scenes = {key: _scene(doc, key, lineage, items.get(key, {}), encoder, retrieval) for key in lineage.scenes}
    for scene in scenes.values():
        doc.link("used", answering, scene)
    _versions(doc, lineage, retrieval)

    answer = doc.entity("answer", answer_id, text=record.answer, choice=record.choice, path=record.path)
    doc.link("wasGeneratedBy", answer, answering)
    doc.link("wasDerivedFrom", answer, question)
    for cue in record.cues:
        patch = doc.entity("patch", cue.patch_id, level=cue.level)
        about = {name: getattr(cue, name) for name in ("phrase", "score", "confidence", "rank")}
        seen = doc.entity("cue", answer_id, cue.rank, window=str(list(cue.window)), **about)
        doc.link("wasGeneratedBy", seen, retrieval)
        doc.link("wasDerivedFrom", seen, patch)
        if cue.scene in scenes:
            doc.link("wasDerivedFrom", patch, scenes[cue.scene])
        doc.link("used", answering, seen)
        doc.link("wasDerivedFrom", answer, seen)
    if lineage.prompt_sha256:
        prompt = doc.entity("prompt", lineage.prompt_sha256)
        doc.link("wasDerivedFrom", prompt, question)
        doc.link("used", answering, prompt)
    if model := lineage.mllm:
        doc.link("wasAssociatedWith", answering, doc.agent("model", model.name, model.revision))
    return doc.content


def _scene(
    doc: _Document,
    key: str,
    lineage: Lineage,
    item: Mapping[str, Any],
    encoder: str,
    retrieval: str,
) -> str:
    """Declare the scene in the version that was asked about, the item it came from, and the shard with its patches."""
    version = lineage.scenes[key]
    origin = doc.entity("item", key, version, href=item.get("item_href"), source=item.get("source"))
    scene = doc.entity("scene", key, version, acquired=lineage.acquired.get(key))
    doc.link("wasGeneratedBy", scene, doc.activity("registering", key, version, uses=[origin]))
    doc.link("wasDerivedFrom", scene, origin)
    path = lineage.shards.get(key)
    if path:
        shard = doc.entity("shard", path)
        doc.link("wasGeneratedBy", shard, doc.activity("embedding", path, uses=[scene, encoder]))
        doc.link("wasDerivedFrom", shard, scene)
        doc.link("used", retrieval, shard)
    return scene


def _versions(doc: _Document, lineage: Lineage, retrieval: str) -> None:
    """Declare what else the cues depend on: the collection, the calibration, knowledge bases and concepts."""
    if lineage.collection:
        doc.link("used", retrieval, doc.entity("collection", lineage.collection))
    if lineage.calibration:
        doc.link("used", retrieval, doc.entity("calibration", lineage.fingerprint, lineage.calibration))
    for kind, version in lineage.knowledge.items():
        doc.link("used", retrieval, doc.entity(kind, version))
    for name, used in lineage.concepts.items():
        doc.link("used", retrieval, doc.entity("concept", name, used.get("version"), digest=used.get("digest")))


class _Document:
    """A PROV-JSON document under construction.  Declaring the same thing twice is harmless."""

    def __init__(self, version: str) -> None:
        prefix = {PREFIX: NAMESPACE, "prov": "http://www.w3.org/ns/prov#"}
        self.content: dict[str, Any] = {"prefix": prefix, "entity": {}, "activity": {}, "agent": {}}
        self.content |= {relation: {} for relation in _LINKS}
        self._software = self.agent("software", "imagerag-assets", version)

    def entity(self, kind: str, *parts: object, **about: object) -> str:
        """Declare an entity with what is known about it."""
        return self._declare("entity", kind, parts, {f"{PREFIX}:{name}": value for name, value in about.items()})

    def activity(self, kind: str, *parts: object, uses: list[str], ended: str | None = None) -> str:
        """Declare something that this software did, and what it used."""
        name = self._declare("activity", kind, parts, {"prov:endTime": ended})
        for entity in uses:
            self.link("used", name, entity)
        self.link("wasAssociatedWith", name, self._software)
        return name

    def agent(self, kind: str, *parts: object) -> str:
        """Declare a piece of software."""
        return self._declare(
            "agent", kind, parts, {"prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}}
        )

    def link(self, relation: str, first: str, second: str) -> None:
        """Relate two ids."""
        ends = {f"prov:{role}": name for role, name in zip(_LINKS[relation], (first, second), strict=True)}
        relations = self.content[relation]
        if ends not in relations.values():
            relations[f"_:{relation}{len(relations) + 1}"] = ends

    def _declare(self, category: str, kind: str, parts: tuple[object, ...], about: dict[str, object]) -> str:
        local = "/".join(quote(str(part), safe=_PLAIN).replace(".", "%2E") for part in (kind, *parts))
        name = f"{PREFIX}:{local}"
        typed: dict[str, object] = {"prov:type": {"$": f"{PREFIX}:{kind}", "type": "prov:QUALIFIED_NAME"}}
        self.content[category].setdefault(name, {}).update(
            {key: value for key, value in (typed | about).items() if value is not None}
        )
        return name
