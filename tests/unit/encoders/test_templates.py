"""Templates around phrases."""

from __future__ import annotations

from imagerag_assets.encoders.templates import OVERHEAD_TEMPLATES, expand, valid_template


def test_a_phrase_is_data() -> None:
    assert expand("{0.__class__} {}", ["a {} seen", "{}"]) == ["a {0.__class__} {} seen", "{0.__class__} {}"]


def test_the_default_templates_are_valid() -> None:
    assert all(valid_template(template) for template in OVERHEAD_TEMPLATES)
    assert len(set(OVERHEAD_TEMPLATES)) == len(OVERHEAD_TEMPLATES)
    assert not valid_template("nothing")
    assert not valid_template("{} and {}")
