"""What a multimodal LLM says of each cue, whether it shows what it was found for, and what that makes of the cue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagerag_assets.questions.objects import Verdict

if TYPE_CHECKING:
    from imagerag_assets.answering import CueView, Mllm

DENIED = 0.9
"""A model denies a cue if it is at least this sure that it does not show its phrase.

The demo model is surer than .98 of nearly every wrong name; around .85 it meets right names that it was not taught.
"""


@dataclass(frozen=True)
class Check:
    """A closer look at a cue."""

    verdict: Verdict
    sure: float
    """How sure the model is that it shows its phrase, 0 to 1."""
    confidence: float
    """How probable it is that the cue shows its phrase, by the search and this look."""

    @property
    def outvoted(self) -> bool:
        """Whether the model denies the cue, and the search is surer than the model ever was worth."""
        return self.verdict == "unchecked" and self.sure <= 1 - DENIED


def confirm_cues(mllm: Mllm, views: Mapping[int, CueView]) -> dict[int, Check]:
    """Ask the model of each cue whether it shows its phrase.

    Args:
        mllm: The model.
        views: The cues by rank.

    Raises:
        ModelError: The model failed.
    """
    from imagerag_assets.answering.findings import confirm

    odds: float | None = getattr(mllm, "denial_odds", None)
    return {rank: check(confirm(mllm, view), view.confidence, odds) for rank, view in views.items()}


def check(sure: float, confidence: float, denial_odds: float | None = None) -> Check:
    """Return what it means that a model is so sure that a cue shows its phrase.

    Args:
        sure: How sure the model is, 0 to 1.
        confidence: The cue's own, calibrated, 0 to 1.
        denial_odds: What the model's denial is worth, as measured (`Mllm`): by Bayes' rule the odds of the cue are
            divided by it, and a cue that stays probable is kept, unchecked.  None: what the model denies is rejected.
    """
    if sure >= 0.5:
        # That a model confirms a cue adds nothing that was measured; that it doubts one does.
        return Check("confirmed", round(sure, 4), confidence)
    rejected = sure <= 1 - DENIED
    if denial_odds is None:
        left = (confidence * sure) ** 0.5
    else:
        worth = min(denial_odds, (1 - sure) / max(sure, 1e-6))
        left = confidence / (confidence + (1 - confidence) * worth)
        rejected = rejected and left < 0.5
    return Check("rejected" if rejected else "unchecked", round(sure, 4), left)
