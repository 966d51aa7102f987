"""Make the installation of imagerag-assets 0.1 that is kept beside this file.

It ran once, with the code of commit 1589788; later code makes later installations.  Everything goes through the command
line and `imagerag dev`; only the drawing of the scenes is taken from the package.  See README.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import rasterio
from PIL import Image, ImageFilter
from pyproj import CRS
from rasterio.shutil import copy as raster_copy
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping

from imagerag_assets.cli import main
from imagerag_assets.demo.sprites import OBJECT_CLASSES, sprite
from imagerag_assets.demo.terrain import GSD_M, draw_terrain, finish

ROOT = Path("/srv/imagerag")
HOME, SOURCE, INCOMING, EXPORT = (ROOT / name for name in ("home", "source", "incoming", "export"))
CHIPS = ROOT / "chips"
WRITTEN = datetime(2026, 6, 20, tzinfo=UTC).timestamp()  # whole seconds, which every archive keeps
PORT = 3011
CRS_CODE = 32632
Placed = tuple[str, str | None, int, int]


def draw(side: int, seed: int, placed: list[Placed], *, water: float = 0.0) -> Image.Image:
    """A square picture with objects: class, colour, and the middle in pixels."""
    rng = np.random.default_rng((41, seed))
    picture = draw_terrain(1024, 1024, rng, water=water).image.crop((256, 256, 256 + side, 256 + side))
    for name, colour, x, y in placed:
        stamp = sprite(name, colour, round(OBJECT_CLASSES[name].side_m / GSD_M), rng.uniform(0, 360), rng)
        picture.paste(stamp, (x - stamp.width // 2, y - stamp.height // 2), stamp)
    return finish(picture, rng).filter(ImageFilter.GaussianBlur(1.2))  # noise makes large files


def write_scene(
    folder: Path, name: str, picture: Image.Image, origin: tuple[float, float], when: datetime, *, deep: bool = False
) -> pystac.Item:
    """A COG, 8 bits or 16 bits with a near-infrared band, and its item."""
    folder.mkdir(parents=True, exist_ok=True)
    if deep:  # few different values, or the file would be large
        rgb = (np.asarray(picture).transpose(2, 0, 1) // 6).astype(np.uint16) * 66 + 180
        bands = np.concatenate([rgb, rgb[1:2] + 300])
    else:
        bands = np.asarray(picture).transpose(2, 0, 1)
    names = ("red", "green", "blue", "nir")[: len(bands)]
    path, raw = folder / f"{name}.tif", folder / f"{name}.raw"
    profile = {
        "driver": "GTiff",
        "width": picture.width,
        "height": picture.height,
        "count": len(bands),
        "dtype": bands.dtype,
        "crs": CRS.from_epsg(CRS_CODE).to_wkt(),
        "transform": from_origin(*origin, GSD_M, GSD_M),
        "nodata": 0 if deep else None,
    }
    with rasterio.open(raw, "w", **profile) as target:
        target.write(bands)
    options = {"compress": "DEFLATE", "predictor": "YES", "level": 9} if deep else {"compress": "JPEG", "quality": 75}
    raster_copy(raw, path, driver="COG", blocksize=256, overview_resampling="average", **options)
    raw.unlink()
    left, top = origin
    bounds = (left, top - picture.height * GSD_M, left + picture.width * GSD_M, top)
    place = transform_bounds(f"EPSG:{CRS_CODE}", "EPSG:4326", *bounds)
    item = pystac.Item(name, mapping(box(*place)), list(place), when, {"gsd": GSD_M, "eo:cloud_cover": 0})
    asset = pystac.Asset(
        f"./{name}.tif",
        media_type=pystac.MediaType.COG,
        roles=["data"] if deep else ["data", "visual"],
        extra_fields={"bands": [{"name": each, "eo:common_name": each} for each in names]},
    )
    item.add_asset("image", asset)
    return item


def settle(folder: Path) -> None:
    """Give every file of a folder the same date."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (WRITTEN, WRITTEN))


def draw_source() -> None:
    """A catalog with two scenes, and a third one that was cut off while it was copied."""
    catalog = pystac.Catalog("drawn", "Drawn scenes")
    lakeside = draw(640, 1, [("storage tank", "white", 130, 140), ("storage tank", "white", 320, 150),
                             ("tennis court", "green", 500, 500)])  # fmt: skip
    valley = draw(320, 2, [("stadium", None, 160, 160)])
    torn = draw(256, 3, [])
    scenes = (("lakeside", lakeside, 0, False), ("valley", valley, 2_000, True), ("torn", torn, 4_000, False))
    for name, picture, offset, deep in scenes:
        when = datetime(2026, 5, 4 + offset // 2_000, 10, 30, tzinfo=UTC)
        catalog.add_item(write_scene(SOURCE / name, name, picture, (500_000.0 + offset, 5_350_000.0), when, deep=deep))
    catalog.normalize_hrefs(str(SOURCE))
    catalog.save(pystac.CatalogType.SELF_CONTAINED)
    whole = (SOURCE / "torn" / "torn.tif").read_bytes()
    (SOURCE / "torn" / "torn.tif").write_bytes(whole[: len(whole) // 3])
    settle(SOURCE)


def arrive(name: str, picture: Image.Image, origin: tuple[float, float], when: datetime) -> list[float]:
    """Put a scene into the watched folder, its item last; returns its bbox."""
    aside = ROOT / "aside"
    item = write_scene(aside, name, picture, origin, when)
    item.save_object(include_self_link=False, dest_href=str(aside / f"{name}.json"))
    settle(aside)
    INCOMING.mkdir(parents=True, exist_ok=True)
    for suffix in (".tif", ".json"):
        (aside / f"{name}{suffix}").rename(INCOMING / f"{name}{suffix}")
    assert item.bbox is not None
    return item.bbox


def draw_chips() -> None:
    """Labelled and captioned chips."""
    captions = []
    for number, name in enumerate(("storage tank", "tennis court", "stadium", "ship")):
        kind = OBJECT_CLASSES[name]
        (CHIPS / "labels" / name).mkdir(parents=True)
        for k in range(2):
            colour = kind.colours[k] if kind.colours else None
            path = CHIPS / "labels" / name / f"{k}.jpg"
            draw(256, 100 + 10 * number + k, [(name, colour, 128, 128)], water=0.9 if kind.on_water else 0).save(path)
            what = f"{colour} {name}" if colour else name
            captions.append({"image": f"labels/{name}/{k}.jpg", "caption": f"an aerial photo of a {what}"})
    (CHIPS / "captions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in captions), encoding="utf-8")


def imagerag(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The document that a command prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        ended = main([*arguments, "--json"])
    document: dict[str, Any] = json.loads(out.getvalue())
    print(f"{time.strftime('%X')} imagerag {' '.join(arguments)[:100]}: {ended}", file=sys.stderr)
    assert ended == code, document
    return document


def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The answer to a question, with a line about it."""
    found = imagerag("ask", *arguments, code=code)
    cues = [(cue["patch_id"], cue["phrase"], round(cue["confidence"], 3)) for cue in found.get("cues", ())]
    print("   ", found.get("answer_id"), found.get("choice"), found.get("answer"), found.get("path"), cues,
          found.get("notes"), found.get("error"), file=sys.stderr)  # fmt: skip
    return found


def graphql(query: str, **variables: Any) -> dict[str, Any]:
    """One request as the Dagster UI makes them."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        data: dict[str, Any] = json.load(response)["data"]
        return data


def wait_for(look: Any, what: str) -> Any:
    """The first result of `look` that is true."""
    for _ in range(1200):
        with contextlib.suppress(OSError):
            found = look()
            if found:
                return found
        time.sleep(0.5)
    raise TimeoutError(what)


@contextlib.contextmanager
def dev() -> Any:
    """`imagerag dev` while the block runs."""
    command = [sys.executable, "-m", "imagerag_assets.cli", "dev", "--port", str(PORT)]
    with (ROOT / "dev.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def runs_of(job: str) -> list[str]:
    """States of the runs of a job, those of the command line included."""
    found = graphql("{runsOrError{...on Runs{results{jobName status tags{key}}}}}")["runsOrError"]["results"]
    return [run["status"] for run in found if run["jobName"] == job]


def rescan() -> None:
    """Launch the full scan of the watched source, as its schedule does at night."""
    nodes = graphql("{repositoriesOrError{...on RepositoryConnection{nodes{name}}}}")["repositoriesOrError"]["nodes"]
    selector = {
        "repositoryLocationName": "imagerag",
        "repositoryName": nodes[0]["name"],
        "pipelineName": "rescan_source",
    }
    config = {"ops": {"rescan": {"config": {"source": "incoming"}}}}
    graphql(
        "mutation($e:ExecutionParams!){launchRun(executionParams:$e){__typename}}",
        e={"selector": selector, "runConfigData": config, "mode": "default"},
    )
    wait_for(lambda: "SUCCESS" in runs_of("rescan_source"), "the full scan")


@contextlib.contextmanager
def failing_model() -> Any:
    """A server of OpenAI's API that fails, as the model that is set."""

    class Failing(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def send(self, status: int, document: object) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.send(200, {"object": "list", "data": [{"id": "served", "object": "model", "owned_by": "me"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send(500, {"error": {"message": "out of memory", "type": "server_error"}})

    server = ThreadingHTTPServer(("127.0.0.1", 8000), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {"IMAGERAG_MLLM": "http://127.0.0.1:8000/v1", "IMAGERAG_MLLM_RETRIES": "0"}
    try:
        yield
    finally:
        del os.environ["IMAGERAG_MLLM"], os.environ["IMAGERAG_MLLM_RETRIES"]
        server.shutdown()


def make() -> None:
    """Everything, in the order in which a person would do it."""
    draw_source()
    draw_chips()
    done = imagerag("ingest", str(SOURCE / "catalog.json"), code=3)
    assert {each["scene"]: each["status"] for each in done["scenes"]} == {
        "lakeside": "ingested", "valley": "ingested", "torn": "failed",
    }, done  # fmt: skip
    imagerag("knowledge", "build", "labels", str(CHIPS / "labels"))
    imagerag("knowledge", "build", "captions", str(CHIPS / "captions.jsonl"))

    quay = (503_000.0, 5_356_000.0)
    one, two = ("ship", "red", 130, 130), ("ship", "white", 440, 440)
    bbox = arrive("quay_may", draw(576, 4, [one], water=0.95), quay, datetime(2026, 5, 10, 10, 30, tzinfo=UTC))
    fair = draw(384, 5, [("swimming pool", None, 190, 190)])
    arrive("fairground", fair, (505_000.0, 5_356_000.0), datetime(2026, 5, 11, 10, 30, tzinfo=UTC))
    imagerag("sources", "add", "incoming", str(INCOMING), "--every", "5", "--look-back", "3d", "--fresh-within", "30d")
    area = ",".join(f"{value:.6f}" for value in bbox)
    with dev():
        wait_for(lambda: runs_of("ingest_scenes").count("SUCCESS") == 4, "the first scenes of the watched source")
        ask("Where is the ship?", "--bbox", area, "--datetime", "2026-05-01/2026-06-30")
        ask("Is there a swimming pool?", "--choice", "A=yes", "--choice", "B=no", "--scene", "fairground")
        imagerag("watch", "add", "How many ships are there?", "--bbox", area, "--name", "quay")
        arrive("quay_june", draw(576, 4, [one, two], water=0.95), quay, datetime(2026, 6, 10, 10, 30, tzinfo=UTC))
        wait_for(lambda: runs_of("ingest_scenes").count("SUCCESS") == 5, "the scene that came later")
        wait_for(lambda: runs_of("ask_standing").count("SUCCESS") == 2, "the standing question")
        (INCOMING / "fairground.json").unlink()
        (INCOMING / "fairground.tif").unlink()
        rescan()
        time.sleep(20)  # a tick or two takes up what the scan found
    imagerag("watch", "add", "How many storage tanks are there?", "--scene", "lakeside", "--later")

    places = ("--choice", "A=upper left", "--choice", "B=lower right", "--choice", "C=upper right")
    court = ask("Where is the tennis court?", *places, "--scene", "lakeside")
    tanks = ask("Where are the storage tanks?")
    ask("How many are there?", "--after", tanks["answer_id"])
    ask("Where is the helipad?", "--scene", "lakeside")
    ask("Is there a storage tank in the upper left?", "--scene", "lakeside", "--choice", "A=yes", "--choice", "B=no")
    ask("Where is something like this?", "--like", court["cues"][0]["patch_id"], "--no-answer")
    ask("Where is something like this?", "--like", str(CHIPS / "labels" / "storage tank" / "0.jpg"))
    ask("Where is the stadium?", "--path", "slow", "--top-k", "2")
    ask("Where is the storage tank?", *places, "--retrieval", "paper", "--division", "vit", "--scene", "lakeside")
    ask("What has changed?", "--bbox", area)
    with failing_model():
        ask("Where is the tennis court?", *places, "--scene", "lakeside", code=1)
    batch = ROOT / "questions.jsonl"
    lines = [
        {"id": "q1", "question": "Where is the stadium?", "scene": "valley"},
        {"id": "q2", "question": "How many storage tanks are there?", "choices": {"A": "1", "B": "2", "C": "5"},
         "scene": "lakeside"},
        {"id": "q3", "question": "Where is the ship?", "scene": "nowhere"},
    ]  # fmt: skip
    batch.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    imagerag("ask", "--batch", str(batch), "--out", str(ROOT / "answers.jsonl"), code=3)
    imagerag("export", str(EXPORT))
    record(court["answer_id"], tanks["answer_id"])


def record(*answers: str) -> None:
    """Keep what commands that change nothing print."""
    outdated = imagerag("answers", "--limit", "100", "--outdated")["answers"]
    answers += tuple(each["answer_id"] for each in outdated)
    commands = [
        ["status"],
        ["answers", "--limit", "100"],
        ["answers", "--limit", "100", "--outdated"],
        ["answers", "--failed"],
        ["watch", "list"],
        ["watch", "show", "quay"],
        ["sources", "list"],
        ["knowledge", "coverage"],
        ["backfill", "--dry-run"],
        ["backfill", "--dry-run", "--encoder", "demo-lite"],
        ["purge", "--dry-run", "--older-than", "0s"],
        *(["trace", each] for each in dict.fromkeys(answers)),
    ]
    kept = [{"command": command, "document": imagerag(*command)} for command in commands]
    (ROOT / "documents.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")


def forget_machine() -> None:
    """Take out of Dagster's history where Python and the sockets of its servers were."""
    places = re.compile(rf"{re.escape(sys.base_prefix)}|/tmp/tmp\w+")
    for path in (HOME / "dagster").rglob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                    if kind != "TEXT" and not kind.startswith("VARCHAR"):
                        continue
                    for row, text in database.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
                        if isinstance(text, str) and places.search(text):
                            changed = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
                            database.execute(changed, (places.sub("/usr/local", text), row))
            database.commit()
            database.execute("VACUUM")


def pack(path: Path) -> None:
    """All of it but the chips, without owners, locks and scratch files."""

    def take(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if member.name.startswith(("home/scratch", "home/milvus.db.server", "home/dagster/.")):
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT, preset=9) as archive:
        for name in ("home", "source", "incoming", "export", "questions.jsonl", "answers.jsonl", "documents.json"):
            archive.add(ROOT / name, name, filter=take)


if __name__ == "__main__":
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    os.chdir(ROOT)
    for setting in [each for each in os.environ if each.startswith(("IMAGERAG_", "DAGSTER_", "AWS_"))]:
        del os.environ[setting]
    os.environ |= {"IMAGERAG_HOME": str(HOME), "HF_HUB_OFFLINE": "1"}
    make()
    forget_machine()
    pack(Path(__file__).with_name("installation.tar.xz"))
