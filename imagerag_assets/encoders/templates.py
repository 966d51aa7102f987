"""Sentence templates that turn a phrase into what an image-text encoder has seen written about overhead imagery.

Only the lists and their expansion live here; the encoder normalises and averages the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

OVERHEAD_TEMPLATES: tuple[str, ...] = (
    "a satellite image of {}.",
    "an aerial photo of {}.",
    "an overhead view of {}.",
    "a remote sensing image of {}.",
    "a high resolution aerial image showing {}.",
    "a satellite photo containing {}.",
    "{} seen from above.",
    "{}",
)
"""Default templates.  ``{}`` is where the phrase goes; each has it exactly once."""


def expand(phrase: str, templates: Sequence[str]) -> list[str]:
    """Put ``phrase`` into each template.  Leave braces inside the phrase as they are: it is data, not a format."""
    return [phrase.join(template.split("{}", 1)) for template in templates]


def valid_template(template: str) -> bool:
    """Return whether ``template`` has exactly one place for a phrase."""
    return template.count("{}") == 1
