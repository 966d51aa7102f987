"""Draw one answer as a picture: question and answer, the overview with its numbered boxes, and each cue's crop.

    python docs/images/draw_answer.py .imagerag/objects/answers/ANSWER_ID docs/images/answer.jpg

Everything comes from the answer's folder in the object store: `answer.json` and the pictures under `evidence/`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, MARGIN, GAP = 1080, 24, 18
COLOURS = ("#ffd21f", "#ff5a5f", "#3ddc97", "#4cc9f0", "#f78c6b", "#c77dff")  # as the boxes of the overview
INK, FAINT = "#1f2328", "#59636e"


def draw(answer: Path) -> Image.Image:
    """Return the picture of the answer stored in a folder: RGB, 1,080 pixels wide."""
    record = json.loads((answer / "answer.json").read_text(encoding="utf-8"))
    cues = record["cues"][:3]
    overview = Image.open(answer / "evidence" / "overview.jpg").convert("RGB")
    column, caption = 202, 26  # side of a crop with its border; height of its caption
    width = WIDTH - 2 * MARGIN - GAP - column
    height = round(overview.height * width / overview.width)
    top = MARGIN + 78
    picture = Image.new("RGB", (WIDTH, top + height + MARGIN), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN - 6), record["question"], fill=INK, font=ImageFont.load_default(size=30))
    pen.text((MARGIN, MARGIN + 34), f"Answer: {record['answer']}", fill=INK, font=ImageFont.load_default(size=26))
    picture.paste(overview.resize((width, height), Image.Resampling.LANCZOS), (MARGIN, top))
    left, step = WIDTH - MARGIN - column, (height - column - caption) // max(1, len(cues) - 1)
    for number, cue in enumerate(cues):
        y = top + number * step
        crop = Image.open(answer / "evidence" / f"cue-{cue['rank']}.jpg").convert("RGB")
        colour = COLOURS[number % len(COLOURS)]
        pen.rectangle((left, y, left + column - 1, y + column - 1), fill=colour)
        picture.paste(crop.resize((column - 8, column - 8), Image.Resampling.LANCZOS), (left + 4, y + 4))
        label = f"{cue['rank']}  {cue['phrase']}, {cue['confidence']:.2f}"
        pen.text((left, y + column + 2), label, fill=FAINT, font=ImageFont.load_default(size=18))
    return picture


def main() -> None:
    """Read the command line, draw, and write a JPEG."""
    parser = argparse.ArgumentParser(description="Draw one answer as a picture.")
    parser.add_argument("answer", type=Path, help="folder of the answer, e.g. .imagerag/objects/answers/ANSWER_ID")
    parser.add_argument("out", type=Path, help="JPEG to write")
    arguments = parser.parse_args()
    draw(arguments.answer).save(arguments.out, "JPEG", quality=82, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
