from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from imagerag_assets.plain_files.dates import find_date

CHANGED = datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("scene_2024-06-30", "2024-06-30T00:00:00"),
        ("2024.06.30", "2024-06-30T00:00:00"),
        ("20240630", "2024-06-30T00:00:00"),
        ("S2A_MSIL1C_20240630T101112_N0500", "2024-06-30T10:11:12"),
        ("x-2024-06-30T10-11", "2024-06-30T10:11:00"),
        ("20240630_101112", "2024-06-30T10:11:12"),
        ("20240630101112", "2024-06-30T10:11:12"),
        ("20240630_0001", "2024-06-30T00:00:00"),  # a number of the tile, and no time
        ("20240630_999999", "2024-06-30T00:00:00"),
        ("20240630T101112345Z", "2024-06-30T00:00:00"),
        ("99999999_20240229", "2024-02-29T00:00:00"),
        ("1985", "1985-01-01T00:00:00"),
        ("lake_2020_crop", "2020-01-01T00:00:00"),
    ],
)
def test_a_date_in_the_name(name: str, said: str) -> None:
    found = find_date((), name, CHANGED)
    assert found.moment is not None
    assert (found.moment.isoformat(), found.source) == (said + "+00:00", "file name")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("S2_2023145_x", "2023-05-25T00:00:00"),
        ("2024366", "2024-12-31T00:00:00"),
        ("LC81960302014022LGN00", "2014-01-22T00:00:00"),
        ("LT50420342011096PAC01_B4", "2011-04-06T00:00:00"),
        ("MOD09GA.A2021152.h18v04.061.2021154035542", "2021-06-01T00:00:00"),
        ("MOD021KM.A2021152.1015.061.2021152203145", "2021-06-01T10:15:00"),
        ("MOD13Q1.061__250m_16_days_NDVI_doy2021145_aid0001", "2021-05-25T00:00:00"),
        ("MOD13Q1.061__250m_16_days_NDVI_doy2021145000000_aid0001", "2021-05-25T00:00:00"),
        ("HLS.S30.T32TMT.2021152T101559.v2.0.B04", "2021-06-01T10:15:59"),
        # Read as year, month and day it would be the 11th of October.
        ("OR_ABI-L2-CMIPF-M6C13_G16_s20211011500207_e20211011509515_c20211011509597", "2021-04-11T15:00:20"),
        ("20240630_2023145", "2024-06-30T00:00:00"),
    ],
)
def test_a_day_of_the_year_in_the_name(name: str, said: str) -> None:
    found = find_date((), name, CHANGED)
    assert found.moment is not None
    assert (found.moment.isoformat(), found.source) == (said + "+00:00", "file name")


@pytest.mark.parametrize(
    "name",
    ["S2_2023366_x", "S2_2023000_x", "S2_2023400_x", "1950250", "2099001", "9999366", "x2023145", "2023145m",
     "2023-145", "dop_450250_2001250", "2001250_2002250", "A2021400", "A1234567", "MOSA2021152", "A2021152B",
     "doy2021000", "LC81960302014400LGN00", "LC81960302014022", "BLC81960302014022LGN00", "2021152T", "2021400T101559",
     f"{datetime.now(UTC) + timedelta(days=5):A%Y%j}"],
)  # fmt: skip
def test_digits_that_are_no_day_of_the_year(name: str) -> None:
    assert find_date((), name, CHANGED).source == "file modification time"


@pytest.mark.parametrize(
    "name",
    ["scene", "dop_2001_5540", "town_2016_57", "tile_2999", "1024",
     "20241350", "20230229", "99999999", "12345678901", "18991231", "2024-6-30", "2024-06_30",
     f"{datetime.now(UTC) + timedelta(days=5):%Y%m%d}"],
)  # fmt: skip
def test_digits_that_are_no_date(name: str) -> None:
    found = find_date((), name, CHANGED)
    assert (found.moment, found.source) == (CHANGED.replace(microsecond=0), "file modification time")


@pytest.mark.parametrize(
    ("tags", "said", "source"),
    [
        ([("TIFFTAG_DATETIME", "2024:06:30 10:11:12")], "2024-06-30T10:11:12", "tag TIFFTAG_DATETIME"),
        ([("TIFFTAG_DATETIME", "2024:06:30 10:11:12"), ("ACQUISITIONDATETIME", "2023-05-01 08:00:00")],
         "2023-05-01T08:00:00", "tag ACQUISITIONDATETIME"),
        ([("IMAGE_1.firstLineTime", '"2023-05-01T08:00:00.123456Z";')], "2023-05-01T08:00:00",
         "tag IMAGE_1.firstLineTime"),
        ([("ACQUISITION_DATE", "20230501")], "2023-05-01T00:00:00", "tag ACQUISITION_DATE"),
        ([("ACQUISITIONDATETIME", "2023-05-01 08:00:00 +02:00")], "2023-05-01T06:00:00", "tag ACQUISITIONDATETIME"),
        ([("ACQUISITIONDATETIME", "soon"), ("EXIF_DateTimeOriginal", "2020:02:03 04:05:06")], "2020-02-03T04:05:06",
         "tag EXIF_DateTimeOriginal"),
    ],
)  # fmt: skip
def test_tags_come_before_the_name(tags: list[tuple[str, str]], said: str, source: str) -> None:
    found = find_date(tags, "20200101", CHANGED)
    assert found.moment is not None
    assert (found.moment.isoformat(), found.source) == (said + "+00:00", source)


def test_tags_without_a_time_and_no_time_at_all() -> None:
    tags = [("TIFFTAG_DATETIME", "0000:00:00 00:00:00"), ("AREA_OR_POINT", "Area")]
    assert find_date(tags, "20200101", None).source == "file name"
    assert find_date(tags, "scene", None).moment is None
