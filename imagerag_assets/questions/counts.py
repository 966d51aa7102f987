"""Count objects one by one where a question asks how many, and they may be smaller than a patch.

How they are counted is in `retrieval/counting.py`.
"""

from __future__ import annotations

from dataclasses import replace

from imagerag_assets.errors import EncoderError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.plans import plan as p
from imagerag_assets.questions.objects import Tally
from imagerag_assets.questions.resolve import Resolved
from imagerag_assets.retrieval.by_example import Sought
from imagerag_assets.retrieval.counting import Counted, count_objects
from imagerag_assets.retrieval.fast import ranked
from imagerag_assets.retrieval.object_sizes import size_of
from imagerag_assets.retrieval.retrieve import MAX_CUES_ALL
from imagerag_assets.retrieval.types import Cue, Retrieval, Search, Window
from imagerag_assets.scenes.ground import box_size_m

TINY = 1 / 3
"""Share of a patch's side up to which objects are counted one by one, also where few patches show them."""
SMALLER = 0.75
"""Windows up to this share of a patch's side show objects that patches cannot tell apart."""
FEWEST, MORE = 12, 2.0
"""Objects from which there are many that no patch shows, and how many times more than patches show."""
_BOX = ("x0", "y0", "x1", "y1", "west", "south", "east", "north")


def count(resolved: Resolved, found: Retrieval, search: Search) -> tuple[Retrieval, dict[str, Tally], tuple[str, ...]]:
    """Count what a plan asks the number of.

    Returns:
        What was found, with cues of objects that only a closer look showed; numbers by phrase, of objects that are
        smaller than a patch or more than there are cues; and notes.

    Raises:
        FingerprintError: The collection belongs to another encoder.
        StoreError: Milvus fails.
    """
    question, platform = resolved.question, resolved.platform
    phrases = _counted(resolved.plan) if question.like is None else []
    tallies: dict[str, Tally] = {}
    notes: list[str] = []
    for phrase in phrases:
        budget, shown_by = platform.settings.count_budget // len(phrases), resolved.analysis.shown.get(phrase)
        try:
            counted = count_shown(platform, phrase, found, search, budget, shown_by=shown_by)
            closer = None if shown_by else count_unseen(platform, phrase, found, search, budget)
        except EncoderError as error:
            notes.append(f"{phrase!r} was not counted within patches: {error}")
            continue
        if closer is not None:
            found = _with_objects(found, closer)
            tallies[phrase] = Tally(closer.count, closer.low, closer.high, places=False)
            notes += [*closer.notes, f"{phrase!r} is too small here to be seen in patches", _how(closer)]
            continue
        cues = [cue for cue in found.cues if cue.phrase == phrase]
        if counted is not None and _tells_more(counted, len(cues), _patch_px(platform, search, cues[0].scene)):
            tallies[phrase] = Tally(counted.count, counted.low, counted.high)
            notes += [*counted.notes, _how(counted)]
    return found, tallies, tuple(notes)


def count_shown(
    deps: Deps, phrase: str, found: Retrieval, search: Search, budget: int, *, shown_by: Sought | None = None
) -> Counted | None:
    """Count the objects of a phrase on ground that promises as much as its cues.

    Args:
        deps: The installation.
        phrase: What to count.
        found: Its cues among others.
        search: Where to look.
        budget: Patches encoded at most.
        shown_by: What it looks like by examples, where it is a concept.

    Returns:
        None: there is no budget, or the cues are all there is: none is sure, or they are as large as patches and there
            are hardly more than were looked at.

    Raises:
        EncoderError: A picture cannot be embedded.
        FingerprintError: The collection belongs to another encoder.
        StoreError: Milvus fails.
    """
    cues = _sure(found, phrase)
    if not (budget and cues):
        return None
    shown, many = frozenset(cue.patch_id for cue in cues), phrase in found.many
    size_m = size_of(phrase)
    patch_px = _patch_px(deps, search, cues[0].scene)
    size_px = _in_pixels(size_m, cues[0].window, cues[0].bbox)
    if size_m is None or (size_px is not None and size_px[0] > SMALLER * patch_px):
        # As large as patches: only what exceeds the cues of one answer has to be counted.
        if not many:
            return None
        by_patches = replace(search, look=None)
        return count_objects(deps, phrase, by_patches, words=found.words, shown=shown, many=many, shown_by=shown_by)
    counted = count_objects(
        deps, phrase, search, budget=budget, words=found.words, size_px=size_px, shown=shown, many=many,
        shown_by=shown_by,
    )  # fmt: skip
    tiny = size_px is not None and size_px[1] <= TINY * patch_px
    # A part of one large object may look like several; where objects are few, patches tell them better.
    return counted if tiny or counted.everywhere else None


def count_unseen(deps: Deps, phrase: str, found: Retrieval, search: Search, budget: int) -> Counted | None:
    """Count objects that are too small to be seen in patches, where a closer look shows many of them beyond doubt.

    Args:
        deps: The installation.
        phrase: What to count.
        found: Its cues among others.
        search: Where to look.
        budget: Patches encoded at most.

    Returns:
        None: there are none such, or hardly more than patches show.

    Raises:
        As :func:`count_shown`.
    """
    size_m, known = size_of(phrase), phrase not in found.unrecognised
    if size_m is None or not known or not budget or search.look is None or search.path not in ("auto", "fast"):
        return None  # parts of ground look like many small ones
    near = deps.vectors.query(search.collection, search.where, ["scene_key", *_BOX], limit=1)
    if not near:
        return None
    scene, window, bbox = near[0]["scene_key"], tuple(near[0][key] for key in _BOX[:4]), None
    if near[0].get("west") is not None:
        bbox = tuple(near[0][key] for key in _BOX[4:])
    size_px, largest = _in_pixels(size_m, window, bbox), SMALLER * _patch_px(deps, search, scene)
    if size_px is not None and size_px[0] > largest:
        return None
    counted = count_objects(
        deps, phrase, search, budget=budget, words=found.words, size_px=size_px, smaller_than_px=largest
    )
    small = counted.window_px is not None and counted.window_px <= largest
    many = counted.count >= max(FEWEST, MORE * len(_sure(found, phrase)))
    return counted if counted.apart and small and many else None


def _sure(found: Retrieval, phrase: str) -> list[Cue]:
    """Return the cues of a phrase that are sure enough to say that it is there."""
    return [cue for cue in found.cues if cue.phrase == phrase and phrase not in found.unsure]


def _with_objects(found: Retrieval, counted: Counted) -> Retrieval:
    """Return a retrieval with the surest of the objects that were counted as the cues of their phrase."""
    phrase = counted.phrase
    others = [cue for cue in found.cues if cue.phrase != phrase]
    own = [
        Cue(
            each.patch_id,
            each.scene,
            each.window,
            each.bbox,
            each.level,
            phrase,
            each.score,
            each.confidence,
            0,
            "fast",
        )
        for each in counted.objects[: max(1, MAX_CUES_ALL - len(others))]
    ]
    best = max(each.confidence for each in counted.objects)
    return replace(
        found,
        cues=ranked([*others, *own]),
        path="fast" if found.path == "none" else found.path,
        abstained=False,
        best={**found.best, phrase: best},
        unsure=found.unsure - {phrase},
        many=found.many | {phrase},
    )


def _patch_px(deps: Deps, search: Search, scene: str) -> float:
    """Return the side of a scene's smallest patches in native pixels."""
    finest = 0 if search.look is None else search.look.finest_level(scene)
    return float(deps.settings.patch_px * 2.0**finest)


def _in_pixels(
    size_m: tuple[float, float] | None, window: Window, bbox: tuple[float, float, float, float] | None
) -> tuple[float, float] | None:
    """Return lengths in native pixels of a scene, of which a window has this box; None: not known on the ground."""
    across = 0.0 if bbox is None else box_size_m(bbox)[0] / (window[2] - window[0])
    return (size_m[0] / across, size_m[1] / across) if size_m and across > 0 else None


def _counted(plan: p.Plan) -> list[str]:
    """Return the phrases whose number is asked, of whole scenes or a part of each."""
    found: dict[str, None] = {}
    for part in plan.parts:
        numbers = isinstance(part, p.Count | p.Density) or (isinstance(part, p.Compare) and part.by == "count")
        if (
            numbers
            and not getattr(part, "places", False)
            and (part.region is None or part.region.kind in ("part", "outside"))
        ):
            found |= dict.fromkeys(thing.phrase for thing in part.things)
    return list(found)


def _tells_more(counted: Counted, cues: int, patch_px: float) -> bool:
    if counted.count <= cues:
        return False
    smaller = counted.window_px is not None and counted.window_px <= SMALLER * patch_px
    return smaller or counted.how == "patches"


def _how(counted: Counted) -> str:
    size = f"windows of {counted.window_px:.0f} px" if counted.window_px else "patches"
    return f"{counted.phrase!r} was counted in {size}; {100 * counted.share:.0f} % of the area was looked at"
