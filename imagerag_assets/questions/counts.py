"""Count objects one by one where a question asks how many, and they may be smaller than a patch.

How they are counted is in `retrieval/counting.py`.
"""

from __future__ import annotations

from imagerag_assets.errors import EncoderError
from imagerag_assets.plans import plan as p
from imagerag_assets.questions.objects import Tally
from imagerag_assets.questions.resolve import Resolved
from imagerag_assets.retrieval.counting import Counted, count_objects
from imagerag_assets.retrieval.types import Retrieval, Search

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
    budget = platform.settings.count_budget
    there = {cue.phrase for cue in found.cues} - found.unsure
    phrases = [phrase for phrase in _counted(resolved.plan) if phrase in there]
    if not (budget and phrases and question.like is None):
        return {}, ()
    tallies: dict[str, Tally] = {}
    notes: list[str] = []
    for phrase in phrases:
        try:
            counted = count_objects(platform, phrase, search, budget=budget // len(phrases), words=found.words)
        except EncoderError as error:
            notes.append(f"{phrase!r} was not counted within patches: {error}")
            continue
        cues = sum(cue.phrase == phrase for cue in found.cues)
        if _tells_more(counted, cues, platform.settings.patch_px):
            tallies[phrase] = Tally(counted.count, counted.low, counted.high)
            notes += [*counted.notes, _how(counted)]
    return tallies, tuple(notes)


def _counted(plan: p.Plan) -> list[str]:
    """Return the phrases whose number is asked, of whole scenes or a part of each."""
    found: dict[str, None] = {}
    for part in plan.parts:
        numbers = isinstance(part, p.Count | p.Density) or (isinstance(part, p.Compare) and part.by == "count")
        if numbers and not isinstance(part.region, p.Around | p.Beyond | p.Area):
            found |= dict.fromkeys(thing.phrase for thing in part.things)
    return list(found)


def _tells_more(counted: Counted, cues: int, patch_px: int) -> bool:
    if counted.count <= cues:
        return False
    smaller = counted.window_px is not None and counted.window_px <= SMALLER * patch_px
    return smaller or counted.how == "patches"


def _how(counted: Counted) -> str:
    size = f"windows of {counted.window_px:.0f} px" if counted.window_px else "patches"
    return f"{counted.phrase!r} was counted in {size}; {100 * counted.share:.0f} % of the area was looked at"
