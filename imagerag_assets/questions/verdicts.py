"""What a multimodal LLM says of each cue: whether it shows what it was found for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagerag_assets.questions.objects import Verdict

if TYPE_CHECKING:
    from imagerag_assets.answering import CueView, Mllm

DENIED = 0.9
"""A cue is rejected if the model is at least this sure that it does not show its phrase.

The demo model is surer than .98 of nearly every wrong name; around .85 it meets right names that it was not taught.
"""


@dataclass(frozen=True)
class Check:
    """A closer look at a cue."""

    verdict: Verdict
    sure: float
    """How sure the model is that it shows its phrase, 0 to 1."""


def confirm_cues(mllm: Mllm, views: Mapping[int, CueView]) -> dict[int, Check]:
    """Ask the model of each cue whether it shows its phrase.

    Args:
        mllm: The model.
        views: The cues by rank.

    Raises:
        ModelError: The model failed.
    """
    from imagerag_assets.answering.findings import confirm

    checks = {}
    for rank, view in views.items():
        sure = confirm(mllm, view)
        checks[rank] = Check(verdict_of(sure), round(sure, 4))
    return checks


def verdict_of(sure: float) -> Verdict:
    """Return what it means that a model is so sure, 0 to 1, that a cue shows its phrase.

    A cue that it can tell nothing of stays unchecked.
    """
    if sure <= 1 - DENIED:
        return "rejected"
    return "confirmed" if sure >= 0.5 else "unchecked"
