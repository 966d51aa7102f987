"""Which colour has what a chip shows?  `python -m benchmarks.colours --images CHIPS`, chips of UC Merced.

The shares of pixels (`imagerag_assets/questions/colours.py`), the demo's multimodal model and the same with a black
picture choose among the colours of `wording/chips-tuning.toml`, which the shares were tuned with.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from benchmarks.asked import LETTERS
from benchmarks.known_scenes import WORDING
from benchmarks.make_mosaic import TARGETS
from benchmarks.mosaics import run
from benchmarks.rows import black
from imagerag_assets.answering.types import CueView, Mllm, Prompt
from imagerag_assets.installation.platform import Platform
from imagerag_assets.questions.colours import colours_of
from imagerag_assets.settings import load_settings

PIXELS, MODEL, BLACK = "pixels", "model", "model, picture black"


def chosen(picture: Image.Image, question: str, thing: str, choices: Mapping[str, str], model: Mllm) -> dict[str, str]:
    """Return the colour that each way chooses.

    Args:
        picture: The chip.
        question: What is asked of it.
        thing: What it shows.
        choices: Letter to colour.
        model: Is asked.
    """
    shares = colours_of([picture])
    prompt = Prompt(question, choices, None, (CueView(picture, (400, 400, 500, 500), thing, 0.9),))
    return {
        PIXELS: max(choices.values(), key=lambda name: shares.get(name, 0.0)),
        MODEL: choices.get(model.answer(prompt).choice or "", ""),
        BLACK: choices.get(model.answer(black(prompt)).choice or "", ""),
    }


def main() -> None:
    """Print how many colours each way gets right, by class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder with one sub-folder of chips for each class")
    images = parser.parse_args().images
    looks = tomllib.loads((WORDING / "chips-tuning.toml").read_text(encoding="utf-8"))["look"]
    total = dict.fromkeys((PIXELS, MODEL, BLACK), 0)
    with Platform(load_settings()) as platform:
        for look in looks:
            thing = TARGETS[look["class"]]
            choices = dict(zip(LETTERS, look["choices"], strict=False))
            right = dict.fromkeys(total, 0)
            for chip, colour in look["answers"].items():
                with Image.open(images / look["class"] / f"{chip}.jpg") as opened:
                    picture = opened.convert("RGB")
                question = look["question"].format(thing=thing)
                for way, name in chosen(picture, question, thing, choices, platform.mllm).items():
                    right[way] += name == colour
            total = {way: total[way] + number for way, number in right.items()}
            print(f"{thing}: {right} of {len(look['answers'])}")
    print(f"all: {total} of {sum(len(look['answers']) for look in looks)}")


if __name__ == "__main__":
    run(main, __doc__)
