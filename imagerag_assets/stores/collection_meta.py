"""What a Milvus collection says about itself, and the name that follows from it.

Plain values: nothing is contacted here, and pymilvus is not imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imagerag_assets.patches.recipe import Recipe

Kind = Literal["patches", "knowledge_labels", "knowledge_captions"]
KINDS: tuple[Kind, ...] = ("patches", "knowledge_labels", "knowledge_captions")
"""Each is also the name of the alias of the collection in use."""
META_PROPERTY = "imagerag.meta"
VERSION = 1


@dataclass(frozen=True)
class CollectionMeta:
    """What a collection carries about itself."""

    kind: Kind
    fingerprint: str
    dim: int
    recipe: Recipe | None = None
    """How its patches were made; None for knowledge."""
    version: int = VERSION
    assumed: bool = False
    """The collection does not say its recipe, as it was made before collections did; `recipe` is the first one."""

    @property
    def name(self) -> str:
        """Name of the collection."""
        return collection_name(self.kind, self.fingerprint, self.recipe)

    @property
    def division(self) -> str:
        """Key of the division; empty for knowledge."""
        return "" if self.recipe is None else self.recipe.division_key

    def dumps(self) -> str:
        """Return what is stored in the description, which Lite forgets, and in a property, which it keeps."""
        stored = {
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "dim": self.dim,
            "division": self.division,
            "version": self.version,
        }
        if self.recipe is not None and not self.assumed:
            stored["recipe"] = self.recipe.to_dict()
        return json.dumps(stored)

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> CollectionMeta | None:
        """Read it back from a collection's description; None for a collection that is not ours."""
        for text in (described.get("properties", {}).get(META_PROPERTY), described.get("description")):
            try:
                stored = json.loads(text or "")
                kind = stored["kind"]
                if kind not in KINDS:
                    continue
                assumed = kind == "patches" and "recipe" not in stored
                recipe = Recipe(str(stored["division"])) if assumed else None
                if kind == "patches" and not assumed:
                    recipe = Recipe.from_dict(stored["recipe"])
                fingerprint, dim, version = str(stored["fingerprint"]), int(stored["dim"]), int(stored["version"])
                return cls(kind, fingerprint, dim, recipe, version, assumed)
            except (ValueError, TypeError, KeyError):
                continue
        return None


def collection_name(kind: Kind, fingerprint: str, recipe: Recipe | None = None) -> str:
    """Return the name of the collection of an encoder, and for patches of a recipe."""
    return f"{kind}_{fingerprint[:16]}{'' if recipe is None else recipe.suffix}"
