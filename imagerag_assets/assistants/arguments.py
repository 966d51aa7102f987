"""Arguments that several tools take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagerag_assets.assistants.pictures import MOST_CROPS

Thing = Annotated[str, Field(min_length=1, max_length=200, description="A short noun phrase, e.g. storage tank")]
SceneKeys = Annotated[
    list[str] | None, Field(description="Only the scenes with these keys, as list_scenes gives them; default: all")
]
Bbox = Annotated[
    list[float] | None,
    Field(min_length=4, max_length=4, description="Only this area: west, south, east, north in degrees"),
]
Datetime = Annotated[
    str | None,
    Field(description="Only scenes acquired in START/END, e.g. 2024-01-01/2024-06-30; .. leaves an end open"),
]
Cloud = Annotated[
    float | None, Field(ge=0, le=100, description="Only scenes known to have at most this cloud cover, in percent")
]
TopK = Annotated[int | None, Field(ge=1, le=50, description="At most this many cues for one thing")]
Images = Annotated[int, Field(ge=0, le=MOST_CROPS, description="Pictures of so many of the best cues")]
AnswerId = Annotated[str, Field(description="Record id of an answer")]
