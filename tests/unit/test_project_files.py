"""Licence, citation and changelog say what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import PROJECT

METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_licence_is_the_declared_one_in_full() -> None:
    assert METADATA["license"] == "Apache-2.0"
    licence = text("LICENSE")
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", licence)
    assert "END OF TERMS AND CONDITIONS" in licence


def test_the_citation_is_of_this_version_and_names_the_paper() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["version"]) == (METADATA["name"], METADATA["version"])
    assert citation["license"] == METADATA["license"]
    (paper,) = citation["references"]
    assert "arXiv:2411.07688" in [each["value"] for each in paper["identifiers"]]
    assert all(each["family-names"] and each["given-names"] for each in paper["authors"])


def test_the_changelog_has_this_version_below_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert METADATA["version"] in [heading.split(" - ")[0] for heading in headings[1:]]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])
