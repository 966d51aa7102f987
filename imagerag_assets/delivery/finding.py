"""What is told, and why: one answer of a standing question that differs from the answer before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from imagerag_assets.escaping import one_line

_SHOWN = 300  # characters of an answer or a value
_PLACES = 5


@dataclass(frozen=True)
class Finding:
    """One answer that is worth telling."""

    watch: str
    """Id of the standing question."""
    name: str
    question: str
    answer_id: str
    asked_at: str
    """ISO 8601, UTC."""
    answer: str
    confidence: float | None
    changed: tuple[dict[str, Any], ...]
    """What differs from the answer before: ``what``, ``before``, ``after``."""
    new_scenes: tuple[str, ...]
    """The scenes that are the reason for asking again."""
    places: tuple[str, ...]
    """Where the cues are, the best first: latitude and longitude in degrees, and the scene."""
    previous: str | None
    """Id of the answer before."""
    detail: dict[str, Any]
    """All that programs get to know, of the webhook."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON."""
        lists = {name: list(getattr(self, name)) for name in ("changed", "new_scenes", "places")}
        return asdict(self) | lists

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Finding:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError: It is no such record.
        """
        values = {field.name: stored[field.name] for field in fields(cls)}
        return cls(**values | {name: tuple(values[name]) for name in ("changed", "new_scenes", "places")})

    def title(self) -> str:
        """Return what happened, in one short line."""
        return _short(f"{self.name}: {self.answer}", 120)

    def reasons(self) -> dict[str, str]:
        """Return why it is told, in lines for a person, by name."""
        changes = [
            f"{each['what']}: {_short(each['before'])} -> {_short(each['after'])}" for each in self.changed
        ]  # fmt: skip
        more = len(self.places) - _PLACES
        places = "; ".join(self.places[:_PLACES]) + (f"; and {more} more" if more > 0 else "")
        said = {
            "Standing question": f"{self.question or self.name} ({self.watch})",
            "Answer now": _short(self.answer),
            "Changed since the last answer": "; ".join(changes),
            "Confidence": "" if self.confidence is None else f"{self.confidence:.2f}",
            "Where": places,
            "Asked because of": ", ".join(self.new_scenes[:_PLACES]),
            "Asked at": self.asked_at,
            "How it came about": f"imagerag trace {self.answer_id}",
        }
        return {name: one_line(text) for name, text in said.items() if text}


def _short(value: object, most: int = _SHOWN) -> str:
    text = one_line("nothing" if value is None else str(value))
    return text if len(text) <= most else f"{text[: most - 3]}..."
