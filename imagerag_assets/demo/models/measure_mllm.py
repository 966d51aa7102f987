"""Measure what a multimodal model sees: questions that need eyes, with the pictures and with them black.

    python -m imagerag_assets.demo.models.measure_mllm --data DIR --model demo --out FILE

Chips are of split `dev` and drawn with another seed than the training's; names and sentences are of families that no
lesson has.  The model is asked as the platform asks it.  Without eyes, each kind is right by chance only.
"""

from __future__ import annotations

import imagerag_assets._torchvision_ops  # noqa: F401  isort: skip

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from imagerag_assets.answering import MllmOptions, open_mllm
from imagerag_assets.answering.types import CueView, Mllm, Prompt
from imagerag_assets.demo.models.chips import Chips, draw_chips, load_chips
from imagerag_assets.demo.models.lesson_words import TOGETHER
from imagerag_assets.demo.sprites import OBJECT_CLASSES
from imagerag_assets.evaluation.metrics import share
from imagerag_assets.objects.aside import replace_text

DRAWN_SEED = 90_001
"""Of the drawn chips that are measured with."""
OTHER_NAMES = {
    "agricultural": "cropland",
    "airplane": "aeroplane",
    "baseball diamond": "ballpark",
    "beach": "seaside",
    "buildings": "office blocks",
    "chaparral": "brushland",
    "dense residential": "crowded housing",
    "forest": "woods",
    "freeway": "expressway",
    "golf course": "golf links",
    "harbor": "marina",
    "intersection": "crossroad junction",
    "medium residential": "suburban homes",
    "mobile home park": "trailer park",
    "overpass": "road bridge",
    "parking lot": "car parking",
    "river": "watercourse",
    "runway": "airstrip",
    "sparse residential": "lone farmhouse",
    "storage tank": "oil depot",
    "tennis court": "courts for tennis",
}
"""Names that no lesson has."""
WHICH = (
    "Pick the label that fits this patch best.",
    "You fly over this spot. Name it.",
    "If you had to tag this tile, which tag would it get?",
    "Identify the land cover.",
    "Best match?",
)
PRESENCE = (
    "Would you say there is some {x} on this tile?",
    "Any sign of {x}?",
    "True or false: this tile contains {x}.",
    "Somebody claims this tile has {x}. Is that right?",
)
COLOUR = (
    "Tell me the colour of that {x}.",
    "How is the {x} painted?",
    "Which hue has the {x}?",
)
COLOURS = ("red", "blue", "white", "green", "yellow", "brown")
_BOX = (400, 400, 600, 600)


@dataclass(frozen=True)
class Asked:
    """A question with the letter of its right choice."""

    kind: str
    prompt: Prompt
    right: str


def questions(dev: Chips, drawn: Chips, each: int, seed: int) -> Iterator[Asked]:
    """Give the questions: about `each` chips of a class, and as many coloured drawn objects as there are classes.

    Choices are four, in any order; the names in them are the classes' own for one half and other names for the rest.
    """
    rng = np.random.default_rng((seed, 51))
    classes = sorted(set(dev.names))
    for name in classes:
        for index in [i for i, other in enumerate(dev.names) if other == name][:each]:
            cue = CueView(Image.fromarray(dev.images[index]), _BOX, "tile", 0.5)
            near = [
                c for c in classes if c != name and c not in TOGETHER.get(name, ()) and name not in TOGETHER.get(c, ())
            ]
            wrong = [str(c) for c in rng.choice(near, 3, replace=False)]
            question = WHICH[int(rng.integers(len(WHICH)))]
            yield _chosen("which, class names", question, name, wrong, cue, rng)
            named = [OTHER_NAMES[c] for c in (name, *wrong)]
            yield _chosen("which, other names", question, named[0], named[1:], cue, rng)
            there = bool(rng.random() < 0.5)
            thing = OTHER_NAMES[name if there else wrong[0]]
            question = PRESENCE[int(rng.integers(len(PRESENCE)))].format(x=thing)
            yield _chosen("presence", question, "yes" if there else "no", ["no" if there else "yes"], cue, rng)
    coloured = [i for i, finer in enumerate(drawn.finer) if finer and OBJECT_CLASSES[drawn.names[i]].colours]
    for index in coloured[: each * len(classes)]:
        name = drawn.names[index]
        right = str(drawn.finer[index]).removesuffix(f" {name}")
        wrong = [str(c) for c in rng.choice([c for c in COLOURS if c != right], 3, replace=False)]
        cue = CueView(Image.fromarray(drawn.images[index]), _BOX, name, 0.5)
        yield _chosen("colour", COLOUR[int(rng.integers(len(COLOUR)))].format(x=name), right, wrong, cue, rng)


def measure(mllm: Mllm, asked: list[Asked]) -> dict[str, dict[str, object]]:
    """Ask each question with its picture and with that black; return n, shares right and 95 % intervals by kind."""
    right: dict[str, list[tuple[bool, bool]]] = {}
    for one in asked:
        blind = replace(one.prompt, cues=tuple(replace(cue, picture=_black(cue.picture)) for cue in one.prompt.cues))
        both = tuple(mllm.answer(prompt).choice == one.right for prompt in (one.prompt, blind))
        right.setdefault(one.kind, []).append(both)  # type: ignore[arg-type]
    return {
        kind: {
            "n": len(pairs),
            "full": _share([seen for seen, _ in pairs]),
            "black": _share([blind for _, blind in pairs]),
        }
        for kind, pairs in right.items()
    }


def _chosen(kind: str, question: str, right: str, wrong: list[str], cue: CueView, rng: np.random.Generator) -> Asked:
    texts = [right, *wrong]
    choices = {"ABCD"[place]: texts[int(number)] for place, number in enumerate(rng.permutation(len(texts)))}
    letter = next(letter for letter, text in choices.items() if text == right)
    return Asked(kind, Prompt(question, choices, None, (cue,)), letter)


def _black(picture: Image.Image) -> Image.Image:
    return Image.new("RGB", picture.size)


def _share(right: list[bool]) -> dict[str, float | None]:
    """The share with its Wilson interval."""
    figure = share(right)
    named = {"right": figure.value, "low": figure.low, "high": figure.high}
    return {name: None if value is None else round(value, 3) for name, value in named.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of ucmerced")
    parser.add_argument("--model", default="demo", help="demo, or a model folder")
    parser.add_argument("--choices", choices=("auto", "words", "letters"), default="auto")
    parser.add_argument("--dtype", choices=("auto", "bfloat16"), default="auto")
    parser.add_argument("--each", type=int, default=10, help="chips a class, at most 10")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    chips = args.data / "ucmerced"
    dev = load_chips(chips / "images_jpg", "dev", chips / "index.csv")
    asked = list(questions(dev, draw_chips(60 * args.each, DRAWN_SEED), args.each, 0))
    mllm = open_mllm(args.model, MllmOptions(choices=args.choices, dtype=args.dtype, device="cpu"))
    found = {"model": mllm.name, "revision": mllm.revision, "kinds": measure(mllm, asked)}
    replace_text(args.out, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
