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
from imagerag_assets.retrieval.object_sizes import size_of
from imagerag_assets.retrieval.types import Cue, Retrieval, Search
from imagerag_assets.scenes.ground import box_size_m

TINY = 1 / 3
"""Share of a patch's side up to which objects are counted one by one, also where few patches show them."""
SMALLER = 0.75
"""Windows up to this share of a patch's side show objects that patches cannot tell apart."""


def count(resolved: Resolved, found: Retrieval, search: Search) -> tuple[dict[str, Tally], tuple[str, ...]]:
    """Count what a plan asks the number of, where a cue shows that it is there.

    Returns:
        Numbers by phrase, of objects that are smaller than a patch or more than there are cues, and notes.

    Raises:
        FingerprintError: The collection belongs to another encoder.
        StoreError: Milvus fails.
    """
    question, platform = resolved.question, resolved.platform
    phrases = _counted(resolved.plan) if question.like is None else []
    tallies: dict[str, Tally] = {}
    notes: list[str] = []
    for phrase in phrases:
        try:
            counted = count_shown(
                platform,
                phrase,
                found,
                search,
                platform.settings.count_budget // len(phrases),
                shown_by=resolved.analysis.shown.get(phrase),
            )
        except EncoderError as error:
            notes.append(f"{phrase!r} was not counted within patches: {error}")
            continue
        cues = [cue for cue in found.cues if cue.phrase == phrase]
        if counted is not None and _tells_more(counted, len(cues), _patch_px(platform, search, cues[0])):
            tallies[phrase] = Tally(counted.count, counted.low, counted.high)
            notes += [*counted.notes, _how(counted)]
    return tallies, tuple(notes)


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
    cues = [cue for cue in found.cues if cue.phrase == phrase and phrase not in found.unsure]
    if not (budget and cues):
        return None
    shown, many = frozenset(cue.patch_id for cue in cues), phrase in found.many
    size_m = size_of(phrase)
    size_px, patch_px = _in_pixels(size_m, cues[0]) if size_m else None, _patch_px(deps, search, cues[0])
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


def _patch_px(deps: Deps, search: Search, cue: Cue) -> float:
    """Return the side of the smallest patches of a cue's scene in native pixels."""
    finest = 0 if search.look is None else search.look.finest_level(cue.scene)
    return float(deps.settings.patch_px * 2.0**finest)


def _in_pixels(size_m: tuple[float, float], cue: Cue) -> tuple[float, float] | None:
    """Return lengths in native pixels of a cue's scene; None: it has no place on the ground."""
    across = 0.0 if cue.bbox is None else box_size_m(cue.bbox)[0] / (cue.window[2] - cue.window[0])
    return (size_m[0] / across, size_m[1] / across) if across > 0 else None


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
