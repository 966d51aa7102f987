"""Stages are heard by whoever listens, and by nobody else."""

from __future__ import annotations

from imagerag_assets.stages import begin_stage, listening


def test_whoever_listens_hears_each_stage() -> None:
    outer: list[str] = []
    inner: list[str] = []
    begin_stage("nobody listens")
    with listening(outer.append):
        begin_stage("one")
        with listening(inner.append):
            begin_stage("two")
        with listening(None):
            begin_stage("nobody listens")
        begin_stage("three")
    begin_stage("nobody listens")
    assert (outer, inner) == (["one", "three"], ["two"])
