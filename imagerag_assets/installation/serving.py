"""Find what questions are answered with: the encoder and recipe of the collection behind the alias `patches`.

The *chosen* encoder and recipe are those of the settings.  Until a backfill moves the alias, the *serving* ones may
differ.  Everything that must not mix the two gets its encoder, recipe and collection from here, once.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagerag_assets.encoders.registry import encoder_fingerprint, encoder_spec, list_encoders, taught_m
from imagerag_assets.encoders.weights import LOCAL
from imagerag_assets.errors import EncoderError, FingerprintError, StoreError, UnknownEncoderError
from imagerag_assets.installation.platform import Platform
from imagerag_assets.patches import recipe as recipes
from imagerag_assets.patches.recipe import Recipe
from imagerag_assets.scenes.records import SceneRecord
from imagerag_assets.stores.collection_meta import CollectionMeta, collection_name
from imagerag_assets.stores.milvus_filter import EVERYTHING
from imagerag_assets.stores.shards import ShardKey, list_shards

ALIAS = "patches"
ENCODERS = "encoders"
UNKNOWN = ""
"""Name of an encoder that is no longer in the registry."""


@dataclass(frozen=True)
class Target:
    """What makes vectors: an encoder and a recipe.  It decides one shard a scene and one collection."""

    encoder: str
    """Registry name; :data:`UNKNOWN` where no encoder of the registry has the fingerprint."""
    fingerprint: str
    recipe: Recipe
    named: str | None = None
    """The collection, where it was named by an older version that knew of no recipes."""

    @property
    def collection(self) -> str:
        """Name of the collection, whether it exists or not."""
        return self.named or collection_name("patches", self.fingerprint, self.recipe)

    @property
    def outdated_code(self) -> bool:
        """Whether this version of the code can no longer make such vectors."""
        return self.recipe.code_version != recipes.CODE_VERSION

    def key(self, record: SceneRecord) -> ShardKey:
        """Return the key of the shard of a scene as it is."""
        return ShardKey(record.scene.scene_key, self.recipe.key, self.fingerprint, record.scene.version)

    def platform(self, platform: Platform) -> Platform:
        """Return the installation with the settings that this target needs."""
        return platform.using(self.encoder, **self.recipe.settings)


@dataclass(frozen=True)
class Serving:
    """What answers one question, even if the encoder is switched meanwhile."""

    platform: Platform
    """The installation with the serving encoder and the settings of its recipe."""
    collection: str
    """The collection itself, not its alias."""
    target: Target


def target_of(platform: Platform, encoder: str | None = None, division: str | None = None) -> Target:
    """Return the target of an encoder and the settings, with another division if one is named.

    Raises:
        UnknownEncoderError, EncoderError, SettingsError: the encoder or division is not available.
    """
    name = encoder or platform.settings.active_encoder
    fingerprint = encoder_fingerprint(name, platform.settings)
    recipe = Recipe.of(platform.settings, division, taught_m=taught_m(name, platform.settings))
    return Target(name, fingerprint, recipe)


def find_serving(platform: Platform, *, orphaned: bool = False) -> Serving | None:
    """Return the collection behind the alias (or `platform.collection`) with its encoder; None before the first ingest.

    Args:
        platform: The installation.
        orphaned: Where no encoder of the registry has the collection's fingerprint, call it `UNKNOWN`.  Nothing can be
            asked of it then, but it can be replaced.

    Raises:
        FingerprintError: no encoder of the registry has the collection's fingerprint.
        StoreError: Milvus or the object store fails.
    """
    collection = platform.collection or platform.vectors.alias_target(ALIAS)
    return None if collection is None else serving_from(platform, collection, orphaned=orphaned)


def serving_from(platform: Platform, collection: str, *, orphaned: bool = False) -> Serving:
    """Return one collection with its encoder, behind the alias or not; `orphaned` as in :func:`find_serving`.

    Raises:
        FingerprintError: no encoder of the registry has the collection's fingerprint.
        StoreError: there is no such collection, or Milvus or the object store fails.
    """
    meta = platform.vectors.meta(collection)
    try:
        name = _encoder_with(platform, meta.fingerprint, collection)
    except FingerprintError:
        if not orphaned:
            raise
        name = UNKNOWN
    target = Target(name, meta.fingerprint, _recipe_of(platform, collection, meta), collection)
    return Serving(platform.using(name, collection=collection, **target.recipe.settings), collection, target)


def serving_beside(platform: Platform, *, orphaned: bool = False) -> Target | None:
    """Return the serving target where it is not the chosen one: it is kept complete until the alias moves.

    Args:
        platform: The installation.
        orphaned: As in :func:`find_serving`.

    Raises:
        As :func:`find_serving` and :func:`target_of`.
    """
    collection = platform.collection or platform.vectors.alias_target(ALIAS)
    # Most often it is the chosen one, which needs no look at the collection or the registry.
    if collection is None or collection == target_of(platform).collection:
        return None
    return serving_from(platform, collection, orphaned=orphaned).target


def _recipe_of(platform: Platform, collection: str, meta: CollectionMeta) -> Recipe:
    """Return the recipe of a collection's patches.

    A collection that does not say is of the first recipe, unless its shards were cut as the settings say: the division
    in its name had no size and overlap then.
    """
    if meta.recipe is None:
        raise StoreError("The collection holds no patches", fix="See: imagerag status", collection=collection)
    wanted = Recipe.of(platform.settings, meta.recipe.division_name)
    if not meta.assumed or wanted.division_key == meta.recipe.division_key:
        return meta.recipe
    rows = platform.vectors.query(collection, EVERYTHING, ["scene_key"], limit=1)
    scene = str(rows[0]["scene_key"]) if rows else ""
    shards = list_shards(platform.store, scene_key=scene, fingerprint=meta.fingerprint) if scene else []
    cut = {shard.division_key for shard in shards}
    if wanted.division_key not in cut or meta.recipe.division_key in cut:
        return meta.recipe
    return Recipe(meta.recipe.division_name, wanted.patch_px, wanted.patch_overlap)


def remember_encoder(platform: Platform, target: Target) -> None:
    """Note under which name the encoder of a fingerprint was used, so that others need not try every entry.

    Raises:
        StoreError: the store does not take it.
    """
    key, record = _key(target.fingerprint), {"name": target.encoder, "fingerprint": target.fingerprint}
    if _remembered(platform, target.fingerprint) != target.encoder:
        platform.store.write_json(key, record)


def _key(fingerprint: str) -> str:
    return f"{ENCODERS}/{fingerprint[:16]}.json"


def _remembered(platform: Platform, fingerprint: str) -> str | None:
    key = _key(fingerprint)
    if not platform.store.exists(key):
        return None
    record = platform.store.read_json(key)
    return str(record["name"]) if isinstance(record, dict) and record.get("fingerprint") == fingerprint else None


def _encoder_with(platform: Platform, fingerprint: str, collection: str) -> str:
    """Return the registry name of the encoder with a fingerprint."""
    wanted = encoder_spec(platform.settings.active_encoder, platform.settings).name
    required, reasons = "unknown", []
    for name in _candidates(platform, fingerprint, wanted):
        try:
            found = encoder_fingerprint(name, platform.settings)
        except (UnknownEncoderError, EncoderError) as error:
            reasons.append(f"; {name}: {error.message}")
            continue
        if found == fingerprint:
            return name
        required = found if name == wanted else required
    raise FingerprintError(
        "No encoder of the registry has the fingerprint of the collection in use: "
        f"stored={fingerprint}, required={required}{''.join(reasons)}",
        fix="Restore its entry and weights, or run `imagerag backfill` to switch to the chosen encoder",
        collection=collection,
    )


def _candidates(platform: Platform, fingerprint: str, wanted: str) -> list[str]:
    """Return the remembered name, the chosen encoder, and those whose weights are certainly on this machine."""
    try:
        remembered = _remembered(platform, fingerprint)
    except StoreError:  # a damaged note is no reason not to look
        remembered = None
    local = [s.name for s in list_encoders(platform.settings) if s.architecture.startswith(LOCAL) and not s.checkpoint]
    return list(dict.fromkeys([*([remembered] if remembered else []), wanted, *local]))
