"""The file of watched sources: read, added to, taken from, and refused in one line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from imagerag_assets.errors import SettingsError
from imagerag_assets.settings import Settings, load_settings
from imagerag_assets.stac.made import recordable
from imagerag_assets.watched_sources.sources import (
    WatchedSource,
    add_source,
    find_source,
    list_sources,
    parse_duration,
    remove_source,
)


def write(settings: Settings, text: str) -> Path:
    path = settings.watched_sources_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_no_sources(settings: Settings, tmp_path: Path) -> None:
    assert list_sources(settings) == ()
    with pytest.raises(SettingsError, match="IMAGERAG_SOURCES_FILE=.* is not a file"):
        list_sources(load_settings(sources_file=tmp_path / "none.toml", _env_file=None))


def test_an_entry_with_everything(settings: Settings) -> None:
    write(
        settings,
        '[sources.port]\nsource = "s3://bucket/port"\ncollections = ["a", "b"]\nmax_new = 7\nlook_back = "12h"\n'
        'every = 30\nfresh_within = "2w"\nenabled = false\n[sources.near]\nsource = "here/catalog.json"\n',
    )
    port, near = list_sources(settings)
    half_day, weeks = timedelta(hours=12), timedelta(weeks=2)
    assert port == WatchedSource("port", "s3://bucket/port", ("a", "b"), 7, half_day, 30, weeks, False)
    assert port.to_dict()["look_back_s"] == 43_200
    assert near.source == str(settings.home.absolute() / "here/catalog.json")  # beside the file
    assert (near.max_new, near.every, near.fresh_within, near.enabled) == (50, 60, None, True)
    assert find_source("near", settings) == near
    with pytest.raises(SettingsError, match=r"no watched source 'nowhere'. Did you mean near\? Known: port, near"):
        find_source("nowhere", settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sources.a", "cannot be read"),
        ("title = 1", r"must hold \[sources.NAME\] tables only"),
        ("[sources]\na = 1", r"is not a table. Write \[sources.a\]"),
        ('[sources.A]\nsource = "x"', "'A' in .* cannot name a source"),
        ("[sources.a]", "'a' in .*: source: Field required"),
        ('[sources.a]\nsource = " "', "source is empty"),
        ('[sources.a]\nsource = "x"\nmax_new = 0', "max_new: Input should be greater"),
        ('[sources.a]\nsource = "x"\nlook_back = "soon"', "look_back: 'soon' is not a duration such as"),
        ('[sources.a]\nsource = "x"\nevry = 60', "evry: Unexpected keyword argument"),
    ],
)
def test_what_is_refused(settings: Settings, text: str, message: str) -> None:
    write(settings, text)
    with pytest.raises(SettingsError, match=message) as caught:
        list_sources(settings)
    assert "\n" not in str(caught.value)


def test_added_and_removed_beside_what_is_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(settings, '# ours\n[sources.first]\nsource = "s3://b/first"  # a comment\n')
    added = add_source(settings, "second", 'odd "name"', collections=["é"], look_back="1d", max_new=None)
    assert added.source == str(tmp_path / 'odd "name"')
    assert list_sources(settings)[1] == added
    with pytest.raises(SettingsError, match="A source named 'second' already exists"):
        add_source(settings, "second", "x")
    with pytest.raises(SettingsError, match="every: Input should be greater"):
        add_source(settings, "third", "x", every=1)
    assert remove_source(settings, "second") == added
    assert path.read_text(encoding="utf-8").strip() == '# ours\n[sources.first]\nsource = "s3://b/first"  # a comment'
    with pytest.raises(SettingsError, match="no watched source 'second'"):
        remove_source(settings, "second")


WRITTEN = """\
# Our sources; ask before you change them.

# the harbour
[sources.first]
source = "s3://b/first"  # north
every = 30

# the airport
[sources.second]
source   =   "s3://b/second"

# not in use yet
enabled = false


# the river
#   both banks
[sources."third"]
source = "s3://b/third"
# the end
"""


def test_a_table_goes_with_its_own_comment_only(settings: Settings) -> None:
    first = WRITTEN[WRITTEN.index("# the harbour") : WRITTEN.index("# the airport")]
    second = WRITTEN[WRITTEN.index("# the airport") : WRITTEN.index("# the river")]
    third = WRITTEN[WRITTEN.index("# the river") : WRITTEN.index("# the end")]
    for name, own in (("first", first), ("second", second), ("third", third)):
        path = write(settings, WRITTEN)
        remove_source(settings, name)
        left = path.read_text(encoding="utf-8")
        assert [line for line in left.splitlines() if line] == [
            line for line in WRITTEN.replace(own, "").splitlines() if line
        ]
        assert "\n\n" in left and not left.endswith("\n\n")
    for name in ("first", "second"):
        remove_source(settings, name)
    assert path.read_text(encoding="utf-8") == "# Our sources; ask before you change them.\n\n# the end\n"
    assert list_sources(settings) == ()


def test_what_is_written_otherwise_is_taken_out_by_hand(settings: Settings) -> None:
    for text in ('sources.a = {source = "x"}\n', '[sources]\na = {source = "x"}\n'):
        path = write(settings, text)
        with pytest.raises(SettingsError, match="not a table of its own"):
            remove_source(settings, "a")
        assert path.read_text(encoding="utf-8") == text


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90s", "15m", "2 h", "3d")] == [
        timedelta(seconds=90), timedelta(minutes=15), timedelta(hours=2), timedelta(days=3),
    ]  # fmt: skip
    for text in ("", "3", "d", "-1d", "1y", None, 3):
        with pytest.raises(ValueError, match="is not a duration"):
            parse_duration(text)


def test_a_file_with_a_signature_or_password_can_be_read_by_its_owner_only(settings: Settings) -> None:
    add_source(settings, "open", "https://host/catalog.json")
    assert settings.watched_sources_file.stat().st_mode & 0o044
    for name, source in (("key", "https://host/a.json?sig=s3cr3t"), ("login", "https://me:s3cr3t@host/a.json")):
        assert "s3cr3t" not in add_source(settings, name, source).source
        assert settings.watched_sources_file.stat().st_mode & 0o077 == 0
        remove_source(settings, name)
        assert settings.watched_sources_file.stat().st_mode & 0o044


def test_a_source_has_the_address_that_its_scenes_have(settings: Settings) -> None:
    for name, source in (("a", "gs://bucket/catalog.json"), ("b", "https://host/catalog.json?sig=s3cr3t")):
        entry = add_source(settings, name, source)
        assert entry.source == recordable(source)
