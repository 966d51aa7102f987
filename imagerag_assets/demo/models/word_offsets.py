"""How alike an encoder's words are to their own pictures, evened out: the offset of each measured word.

A patch of a scene rarely shows one thing and nothing else, so words are compared on boards of chips laid side by side,
looked at through windows that cut them anywhere, as the patches of a scene do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.optimize import minimize
from scipy.special import expit

from imagerag_assets.demo.models.chips import CHIP_PX, Chips
from imagerag_assets.encoders.sentence import SentenceEncoder
from imagerag_assets.encoders.types import Encoder
from imagerag_assets.retrieval.background import applies, background_vectors
from imagerag_assets.retrieval.calibration import Calibration
from imagerag_assets.retrieval.scoring import features

Logits = NDArray[np.float64]

SIDE = 7
"""Chips a side of a board."""
BOARDS = 12
STEP = CHIP_PX // 4
"""Pixels from one window to the next."""
SPREAD = 2.0
"""Standard deviation, in log-odds, of the offsets that are expected of words."""


def offsets(
    encoder: Encoder,
    sentences: SentenceEncoder,
    chips: Chips,
    words: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    calibration: Calibration,
    seed: int,
) -> dict[str, float]:
    """Return the offset of the similarity of each word to pictures.

    With a fixed slope, the calibrated one, each word gets the intercept of a logistic regression of "shows it" on its
    log-odds in the cells of the boards, under a normal prior around the intercept that all words share.

    Args:
        encoder: Measured.
        sentences: Tells which of the background applies to a word.
        chips: Pictures that the encoder has not seen.
        words: The classes of chips that each word is true of, and those that may show it too.
        calibration: Of the encoder; its second head is used.
        seed: Of the boards.
    """
    head = calibration.second or calibration.fast
    boards = [board(chips, rng) for rng in np.random.default_rng(seed).spawn(BOARDS)]
    vectors = [encoder.encode_images(windows(picture)) for picture, _ in boards]
    names = np.concatenate([names for _, names in boards])
    background, texts = background_vectors(encoder), list(words)
    masks, queries = applies(texts, sentences), encoder.encode_texts(texts)
    seen: list[tuple[Logits, NDArray[np.bool_]]] = []
    for (classes, also), query, mask in zip(words.values(), queries, masks, strict=True):
        values = [head.logit(features(own @ query, own @ background[mask].T, calibration.scale)) for own in vectors]
        best = np.concatenate([best_of_cells(each) for each in values])
        yes = np.isin(names, classes)
        judged = yes | ~beside(np.isin(names, (*classes, *also)))
        seen.append((best[judged], yes[judged]))
    slope = calibration.scale * (head.margin + head.score)
    return {word: round(own / slope, 4) for word, own in zip(texts, intercepts(seen), strict=True)}


def board(chips: Chips, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Return a picture of chips side by side, uint8 (SIDE * 256, SIDE * 256, 3), and their classes, (SIDE ** 2,)."""
    drawn = rng.choice(len(chips), SIDE * SIDE, replace=False)
    rows = [np.concatenate([chips.images[i] for i in row], axis=1) for row in drawn.reshape(SIDE, SIDE)]
    return np.concatenate(rows), np.array(chips.names)[drawn]


def windows(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return all windows of a board, uint8 (n, 256, 256, 3), row by row."""
    cut = np.lib.stride_tricks.sliding_window_view(picture, (CHIP_PX, CHIP_PX), axis=(0, 1))[::STEP, ::STEP]
    return np.ascontiguousarray(cut.reshape(-1, 3, CHIP_PX, CHIP_PX).transpose(0, 2, 3, 1))


def best_of_cells(values: Logits) -> Logits:
    """Return the highest value of the windows that lie within half a chip of each chip of a board.

    Args:
        values: (n,), one for each of :func:`windows`.

    Returns:
        (SIDE ** 2,), row by row.
    """
    around = CHIP_PX // STEP
    count = around * (SIDE - 1) + 1
    table = values.reshape(count, count)
    reach = around // 2
    return np.array(
        [
            table[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].max()
            for y in range(0, count, around)
            for x in range(0, count, around)
        ]
    )


def beside(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells of boards, (boards * SIDE ** 2,), are marked or next to a marked one: windows show both."""
    boards = marked.reshape(-1, SIDE, SIDE)
    return binary_dilation(boards, structure=np.ones((1, 3, 3), dtype=bool)).reshape(-1)


def intercepts(seen: Sequence[tuple[Logits, NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Return how far the intercept of each word lies from the one that all share, in log-odds.

    Args:
        seen: For each word its log-odds in cells, and whether they show it.
    """

    def loss(given: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = float((given[1:] ** 2).sum()) / (2 * SPREAD**2), np.zeros_like(given)
        slope[1:] = given[1:] / SPREAD**2
        for number, (values, truth) in enumerate(seen, start=1):
            logits = values + given[0] + given[number]
            total += float(np.logaddexp(0, np.where(truth, -logits, logits)).sum())
            wrong = float((expit(logits) - truth).sum())
            slope[0] += wrong
            slope[number] += wrong
        return total, slope

    found = minimize(loss, np.zeros(len(seen) + 1), jac=True, method="L-BFGS-B")
    return np.asarray(found.x[1:], dtype=np.float64)
