"""What a feature is called, by every form in which codes and classes are written, hostile ones among them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from imagerag_assets.knowledge.classes import ClassTables, code_of, says_nothing
from imagerag_assets.knowledge.feature_labels import Unnamed, label_of

PLANE_SHIP = {1: "plane", 2: "ship"}


def said(feature: dict[str, Any], names: list[str] | None = None, **given: Any) -> str | Unnamed:
    """The label of a feature; `label_classes` and the like stand for `label:classes`."""
    tables = ClassTables()
    tables.read({name.replace("_", ":", 1): value for name, value in given.items()})
    return label_of(feature, names or ["label"], tables)


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 ", "1.0", "+1", "01", "1e0"])
@pytest.mark.parametrize(
    "given",
    [
        {
            "label_classes": [
                {"name": "label", "classes": [{"value": 1, "name": "plane"}, {"value": 2, "name": "ship"}]}
            ]
        },
        {
            "label_classes": [
                {"name": "label", "classes": [{"id": "1", "label": "plane"}, {"code": 2, "title": "ship"}]}
            ]
        },
        {"label_classes": [{"name": "label", "classes": [{"1": "plane"}, {"2": "ship"}]}]},
        {"label_classes": [{"name": "label", "classes": {"1": "plane", "2": "ship"}}]},
        {"label_classes": [{"name": "label", "classes": {"plane": 1, "ship": 2}}]},
        {"label_classes": [{"name": "label", "classes": {"1": {"name": "plane"}, "2": {"name": "ship"}}}]},
        {"label_classes": [{"name": None, "classes": [{"value": 1, "name": "plane"}]}]},
        {"label_classes": {"label": {"1": "plane", "2": "ship"}}},
        {"label_classes": {"label": [{"value": 1, "name": "plane"}]}},
        {"label_classes": {"1": "plane", "2": "ship"}},
        {"label_classes": {"name": "label", "classes": {"1": "plane"}}},
        {"label_classes": [{"value": 1, "name": "plane"}]},
        {"classification_classes": [{"value": 1, "name": "plane"}]},
        {"classification_classes": [{"value": 1, "description": "plane"}]},
        {"file_values": [{"values": [1, 3], "summary": "plane"}]},
        {
            "label_classes": [{"name": "label", "classes": [0, 1, 2]}],
            "classification_classes": [{"value": 1, "name": "plane"}],
        },
    ],
)
def test_a_code_is_called_what_a_table_says(value: Any, given: dict[str, Any]) -> None:
    assert said({"label": value}, **given) == "plane"


@pytest.mark.parametrize("value", [0, 1, 2, 3, -1, 0.0, 1.5, "0", "1", "2.0", pytest.param(10**400, id="huge")])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"label_classes": None},
        {"label_classes": "oops"},
        {"label_classes": [{"name": "label", "classes": [0, 1, 2, 3]}]},
        {"label_classes": [{"name": "label", "classes": ["0", "1", "2", "3"]}]},
        {"label_classes": [{"name": "label", "classes": ["plane", "ship"]}]},  # which is 1 is anybody's guess
        {"label_classes": [{"name": "other", "classes": {"1": "plane"}}]},
        {"label_classes": [{"name": "label", "classes": {"1": 1, "2": None, "0": "0", "3": ""}}]},
        {
            "label_classes": [
                None,
                7,
                [],
                {"classes": None},
                {"name": 3, "classes": {}},
                {"name": "label", "classes": 5},
            ]
        },
        {"classification_classes": {"oops": ["x"]}, "file_values": [None, {"values": None, "summary": None}]},
    ],
)
def test_a_code_without_a_name_is_no_label(value: Any, given: dict[str, Any]) -> None:
    found = said({"label": value}, **given)
    assert isinstance(found, Unnamed)
    assert "codes have no names" in found.reason


def test_codes_of_one_name_and_names_of_one_code() -> None:
    classes = [{"value": 1, "name": "plane"}, {"value": 1, "name": "aircraft"}, {"value": [2, 3], "name": "ship"}]
    found = said({"label": 1}, classification_classes=classes)
    assert found == Unnamed("its label 1 has several names (aircraft, plane)")
    assert said({"label": 3}, classification_classes=classes) == "ship"


def test_the_first_property_that_says_something_in_words() -> None:
    names = ["category_id", "category"]
    assert said({"category_id": 1, "category": "plane"}, names) == "plane"
    assert said({"category_id": 0, "category": "plane"}, names) == "plane"
    assert said({"category_id": "1", "category": "plane"}, names) == "plane"
    assert (
        said({"category_id": 1, "category": "plane"}, names, classification_classes=[{"value": 1, "name": "jet"}])
        == "jet"
    )
    assert said({"category_id": None, "category": "plane"}, names) == "plane"
    assert said({"category_id": math.nan, "category": "plane"}, names) == "plane"
    assert said({"category_id": [1], "category": "plane"}, names) == "plane"
    assert said({"category_id": {"a": 1}}, names) == Unnamed("its category_id is a list or an object, and no name")
    assert isinstance(said({"category_id": 1, "category": "2"}, names), Unnamed)
    assert said({}, names) == said({"category": " "}, names) == Unnamed("none of label:properties says what it is")


def test_yes_names_the_property_and_only_where_that_says_something() -> None:
    for yes in (True, "yes", "TRUE", " Yes "):
        assert said({"shed": yes}, ["shed"]) == "shed"
        for name in ("label", "Class_ID", "category id", "is_object"):
            found = said({name: yes}, [name])
            assert isinstance(found, Unnamed) and "no name" in found.reason
    for no in (False, "no", "False", None, "none", "NaN", ""):
        assert said({"shed": no}, ["shed"]) == Unnamed("none of label:properties says what it is")
    for number in (1, 1.0, "1"):
        assert isinstance(said({"shed": number}, ["shed"]), Unnamed)
    assert said({"shed": True}, ["shed"], label_classes=[{"name": "shed", "classes": [True, False]}]) == "shed"
    assert said({"shed": True}, ["shed"], label_classes=[{"name": "shed", "classes": ["yes", "no"]}]) == "shed"
    assert isinstance(said({"shed": True}, ["shed"], label_classes=[{"name": "shed", "classes": ["hut"]}]), Unnamed)


def test_what_is_not_declared_is_said() -> None:
    classes = [{"name": "label", "classes": [{"value": 1, "name": "plane"}, "hut"]}]
    assert said({"label": "plane"}, label_classes=classes) == "plane"  # the name itself may be the value
    assert said({"label": " hut "}, label_classes=classes) == "hut"
    assert said({"label": "palace"}, label_classes=classes) == Unnamed("its label 'palace' is not among label:classes")
    found = said({"label": 9}, label_classes=classes)
    assert isinstance(found, Unnamed) and "not among label:classes" in found.reason


def test_no_data_says_nothing() -> None:
    classes = [{"value": 0, "name": "unlabelled", "nodata": True}, {"value": 1, "name": "plane"}]
    assert said({"label": 0}, classification_classes=classes) == Unnamed("none of label:properties says what it is")


def test_numbers() -> None:
    assert [code_of(each) for each in (7, 7.0, "7", " -7.50 ", "7e2")] == [7, 7, 7, -7.5, 700]
    none = (True, None, math.nan, math.inf, "inf", "seven", "", "7a", "1_000", "0x10", "٣٤a", [7], {})
    assert [code_of(each) for each in none] == [None] * len(none)
    assert says_nothing(math.inf) and not says_nothing(0) and not says_nothing(False)
