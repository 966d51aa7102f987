"""What was found, in words: how many places a phrase has and where they lie; and the question that confirms one cue.

A multimodal LLM of any size counts pictures badly and reads boxes with effort; in words both are easy.  `retrieval/`
finds the places, and `prompts.py` puts the words into a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagerag_assets.answering.types import CueView, Finding, Mllm, Prompt

YES, NO = "A", "B"
_MIDDLE = ("middle", "center", "centre", "central")


def findings(phrases: Sequence[str], cues: Sequence[CueView], choices: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what was found of each phrase; the most frequent first, the places of a phrase in the order of its cues.

    Args:
        phrases: What was looked for, without repetition.
        cues: Best first; each stands for one place.
        choices: Letter to text.  If one of them is a middle, places are thirds of the scene; otherwise halves.
    """
    words = " ".join(choices.values()).lower()
    thirds = any(word in words for word in _MIDDLE)
    asked = list(dict.fromkeys([*phrases, *(cue.phrase for cue in cues)]))
    found = [
        Finding(phrase, tuple(place(cue.box, thirds=thirds) for cue in cues if cue.phrase == phrase))
        for phrase in asked
    ]
    return tuple(sorted(found, key=lambda finding: -len(finding.places)))


def place(box: tuple[int, int, int, int], *, thirds: bool = False) -> str:
    """Return the part of the scene with the centre of a box (0-1000, y down): "upper left" or, of thirds, "centre"."""
    return part_of_scene((box[0] + box[2]) / 2000, (box[1] + box[3]) / 2000, thirds=thirds)


def part_of_scene(x: float, y: float, *, thirds: bool = False) -> str:
    """Return the part of the scene that a point lies in, given as shares of width and height, y down."""
    if not thirds:
        return f"{'upper' if y < 0.5 else 'lower'} {'left' if x < 0.5 else 'right'}"
    row, column = ("upper", "middle", "lower")[min(2, int(3 * y))], ("left", "middle", "right")[min(2, int(3 * x))]
    return "centre" if row == column == "middle" else f"{row} {column}"


def confirmation(cue: CueView) -> Prompt:
    """Return the question whether a cue shows what it was found for."""
    return Prompt(f"Does the cue show {article(cue.phrase)}?", {YES: "yes", NO: "no"}, None, (cue,))


def confirm(mllm: Mllm, cue: CueView) -> float:
    """Return how sure the model is, 0 to 1, that a cue shows what it was found for.

    Raises:
        ModelError: the model failed.
    """
    reply = mllm.answer(confirmation(cue))
    sure = reply.scores.get(YES)
    return float(sure) if sure is not None else float(reply.choice == YES)


def article(name: str) -> str:
    """Return the name with its indefinite article."""
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
