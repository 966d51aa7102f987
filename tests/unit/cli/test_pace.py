from __future__ import annotations

from imagerag_assets.cli._pace import Pace


def test_the_pace_is_that_of_what_is_done_now() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])

    def step(seconds: float, done: int, total: int = 100, doing: str = "embedding a") -> str:
        now[0] += seconds
        return pace.said(done, total, doing)

    assert [step(0.001, done) for done in range(1, 11)] == [""] * 10  # found, not done
    assert step(5, 11) == ""
    assert step(5, 12) == "12 a minute, 7 min left"
    assert step(5, 13) == "12 a minute, 7 min left"
    assert step(5, 100) == ""
    assert step(5, 1, 4, "embedding b") == ""
    assert step(1, 2, 4, "embedding b") == ""
    assert step(1, 3, 4, "embedding b") == "60 a minute, 1.0 s left"
    assert step(1, 0, 0, "writing") == ""
