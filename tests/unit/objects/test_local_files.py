"""What is no file is refused at once, wherever it is met, and a disk that does not answer costs a bounded time."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imagerag_assets.errors import ImageRAGError, InputError, QuestionError, RasterError, SettingsError
from imagerag_assets.objects import local_files
from imagerag_assets.objects.apart import reading
from imagerag_assets.objects.local_files import check_raster, open_file
from imagerag_assets.objects.opening import open_raster
from imagerag_assets.objects.storage import storages
from imagerag_assets.questions.examples import example_file
from imagerag_assets.questions.question_files import read_lines
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import read_document
from imagerag_assets.stac.made import file_item
from imagerag_assets.training.labels import read_labels
from tests.items import texture, write_tiff


def test_a_pipe_a_socket_and_a_device_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("pipe", "zero", "socket"):
            with pytest.raises(OSError, match=f"{name} is a (pipe|socket|device), not a file"):
                open_file(tmp_path / name)
    (tmp_path / "file").write_bytes(b"abc")
    with open_file(tmp_path / "file") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("pipe", ["a.tif", "a.tif.aux.xml", "a.tfw", "a.tif.ovr", "a_rpc.txt", "LC08_MTL.txt", "b.tif"])
def test_a_raster_with_a_pipe_as_itself_or_beside_it_is_refused_at_once(pipe: str, tmp_path: Path) -> None:
    """GDAL would wait for its writer, until the time to open a raster is up."""
    if pipe != "a.tif":
        write_tiff(tmp_path / "a.tif", texture(64, 64))
    os.mkfifo(tmp_path / pipe)
    if pipe == "b.tif":  # a raster of its own: the other one is read
        open_raster(str(tmp_path / "a.tif")).close()
    else:
        with pytest.raises(OSError, match=f"{pipe} is a pipe"):
            open_raster(str(tmp_path / "a.tif"))


def test_a_virtual_raster_does_not_lead_to_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p&q.tif")
    band = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename>'
    text = f'<VRTDataset rasterXSize="9" rasterYSize="9">{band}</SimpleSource></VRTRasterBand></VRTDataset>'
    (tmp_path / "inner.vrt").write_text(text.format("p&amp;q.tif"))
    (tmp_path / "outer.vrt").write_text(text.format("inner.vrt"))
    with pytest.raises(OSError, match="p&q.tif is a pipe"):
        check_raster(str(tmp_path / "outer.vrt"))


def test_whatever_opens_a_path_refuses_a_pipe(settings: Settings, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    opens: list[tuple[type[ImageRAGError], Callable[[], object]]] = [
        (InputError, lambda: read_document(str(pipe), settings)),
        (InputError, lambda: read_lines(pipe, settings)),
        (QuestionError, lambda: example_file(str(pipe))),
        (InputError, lambda: read_labels(pipe)),
        (RasterError, lambda: reading(str(pipe), "opened", settings, open_raster, str(pipe))),
    ]
    for error, act in opens:
        with pytest.raises(error, match="a pipe, not a file"):
            act()
    failed = file_item(str(pipe), settings)
    assert "a pipe, not a file" in str(getattr(failed, "error", ""))
    settings.storage_file.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(settings.storage_file)
    with pytest.raises(SettingsError, match="a pipe, not a file"):
        storages(settings)


def test_a_disk_that_does_not_answer_is_said_in_a_bounded_time(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(local_files, "check_regular", lambda _: answers.wait())
    limited = settings.model_copy(update={"limit_disk_s": 0.05})
    said = "The disk does not answer in 0.05 s.*IMAGERAG_LIMIT_DISK_S"
    acts: list[Callable[[], object]] = [
        lambda: read_document(str(tmp_path / "a.json"), limited),
        lambda: reading(str(tmp_path / "a.tif"), "opened", limited, open_raster, str(tmp_path / "a.tif")),
    ]
    try:
        for act in acts:
            with pytest.raises(ImageRAGError, match=said) as raised:
                act()
            assert raised.value.transient
    finally:
        answers.set()
