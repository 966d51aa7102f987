"""Read a scene: windows of its render at any level, its overview, and a lazy view.

Rendering and padding belong here. `raster.files` handles a single file, `raster.alignment` puts several on one grid,
`raster.render` has display limits, and `patches` decides which windows to read.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.errors import EmptyRasterError, RasterError
from imagerag_assets.objects.apart import Verb, close_apart, reading
from imagerag_assets.objects.gdal import rasterio_env
from imagerag_assets.objects.opening import open_raster
from imagerag_assets.objects.signed_rasters import signed_path
from imagerag_assets.raster.alignment import aligned
from imagerag_assets.raster.alternates import first_readable
from imagerag_assets.raster.collar import Collar, find_collars
from imagerag_assets.raster.files import RasterFile, Said, describe, failures, open_file, warped
from imagerag_assets.raster.fitting import fitted, placed
from imagerag_assets.raster.geo import pixel_window_to_lonlat_bbox
from imagerag_assets.raster.handles import close_handles, in_environment, read_window
from imagerag_assets.raster.modality import Facts
from imagerag_assets.raster.overviews import build_overviews, with_overviews
from imagerag_assets.raster.projection import is_earth
from imagerag_assets.raster.render import fit_render, margin_of, picture_of
from imagerag_assets.raster.types import Grid, RenderSpec, Window
from imagerag_assets.settings import Settings
from imagerag_assets.stac.origins import refused
from imagerag_assets.stac.renewal import signed_anew
from imagerag_assets.stac.types import Band, Scene

if TYPE_CHECKING:
    import xarray as xr

STATISTICS_PX = 1024
"""Longest side of the overview from which display limits are computed."""
_CENTRE_PX = 256
"""Side of the native pixels from which noise is measured."""

T = TypeVar("T")
Picture = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""uint8 (h, w, 3) and the validity (h, w) of its pixels; invalid pixels are 0."""


class SceneReader:
    """Read one scene. Use as a context manager; any number of threads may read at once, each with its own handles.

    Args:
        scene: The scene.
        settings: Stretch percentiles, size of a super-tile, S3 options.
        render: The scene's stored render; None: computed from an overview when first needed.
        scratch: Folder for overviews of large files that have none; None: a temporary folder.
        build_overviews: Build missing overviews. Otherwise small windows of such files are read from the native pixels,
            and reading a large window fails.

    Raises:
        RasterError: a file cannot be opened, is too small, or the grids of the files do not fit together.
    """

    def __init__(
        self,
        scene: Scene,
        settings: Settings,
        render: RenderSpec | None = None,
        scratch: Path | None = None,
        *,
        build_overviews: bool = True,
    ) -> None:
        self.scene = scene
        self._settings = settings
        self._render = render
        self._scratch = scratch
        self._build_overviews = build_overviews
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.RLock()
        self._handles = uuid4().hex
        self._closed = False
        self._built: dict[int, RasterFile] = {}
        self._files, self._order = self._describe()
        self._grid = max((file.grid for file in self._files), key=lambda grid: grid.width * grid.height)
        self._files = [aligned(file, self._grid) for file in self._files]
        self._notes = list(dict.fromkeys(note for file in self._files for note in file.notes))
        if self._grid.crs_wkt is not None and not is_earth(self._grid.crs_wkt):
            self._notes.append("the CRS is not of the Earth: longitude and latitude are that body's own")
        if self._grid.crs_wkt is not None and pixel_window_to_lonlat_bbox(self._grid, self._grid.window) is None:
            self._notes.append("no part of the picture has a place on the ground: windows are in pixels only")
        overviews = all(file.grid.has_overviews for file in self._files)
        self._grid = replace(self._grid, has_overviews=overviews)

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every handle, of all threads, and remove temporary overviews."""
        with self._lock:
            self._closed = True
            close_handles(self._handles)
            close_apart(self._handles, close_handles, self._handles)
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None

    @property
    def grid(self) -> Grid:
        """Return the native grid: that of the finest band."""
        return self._grid

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know about this raster. Building overviews adds a note."""
        return tuple(self._notes)

    @property
    def render(self) -> RenderSpec:
        """Return the render, computed on first use from an overview of at most 1024 px if none was given.

        Raises:
            EmptyRasterError: none of the pixels is valid; all were read to tell.
            RasterError: the pixels cannot be read.
        """
        with self._lock:
            if self._render is None:
                self._render = self._computed()
            return self._render

    def _computed(self) -> RenderSpec:
        first, excluding = self._files[0], self._settings.collars == "exclude"
        values, valid, collars = self._sample()
        plain = not any(file.turned or file.is_picture for file in self._files)
        red, green, blue = self._order
        said = self.scene.imagery.modality
        try:
            render = fit_render(
                (values, valid),
                self._centre,
                Facts(
                    modality="sar" if first.radar and said == "other" else said,
                    dtype=first.dtype if len({file.dtype for file in self._files}) == 1 else "mixed",
                    decibels=first.is_complex,
                    bands=len(values),
                    order=(red, green, blue),
                    many=first.many,
                ),
                percentiles=self._settings.stretch_percentiles,
                missing=[file.nodata for file in self._files for _ in file.indexes] if plain else (),
            )
        except EmptyRasterError as error:
            raise EmptyRasterError(error.message, fix=error.fix, href=first.href) from None
        return replace(render, left_out=collars if excluding else None)

    def _centre(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return source values and validity of the scene's centre, in native pixels."""
        left, top = (max(0, (side - _CENTRE_PX) // 2) for side in (self._grid.width, self._grid.height))
        right, bottom = min(left + _CENTRE_PX, self._grid.width), min(top + _CENTRE_PX, self._grid.height)
        return self._values((left, top, right, bottom), (bottom - top, right - left), with_collars=True)

    @property
    def nothing(self) -> RenderSpec:
        """Return the render of this scene if it has no pixel that holds data."""
        return RenderSpec.of_nothing(self._files[0].dtype, self.scene.imagery.modality)

    def _sample(self) -> tuple[NDArray[Any], NDArray[np.bool_], tuple[Collar, ...]]:
        """Return source values and validity to compute display limits from, and the scene's collars.

        They are an overview, or where that shows nothing, the first native pixels that are valid, which an overview of
        few of them may miss.
        """
        grid, side = self._grid, self._settings.supertile_px
        shape = fitted(grid.width, grid.height, STATISTICS_PX)
        values, valid = self._values(grid.window, shape, with_collars=True)
        if valid.any() or max(grid.width, grid.height) <= STATISTICS_PX:
            collars = self._collars(values, valid, reduced=shape != (grid.height, grid.width))
            return values, valid, collars
        for y0 in range(0, grid.height, side):
            for x0 in range(0, grid.width, side):
                x1, y1 = min(x0 + side, grid.width), min(y0 + side, grid.height)
                values, valid = self._values((x0, y0, x1, y1), (y1 - y0, x1 - x0), with_collars=True)
                if valid.any():
                    return values, valid, ()
        return values, valid, ()

    def _collars(self, values: NDArray[Any], valid: NDArray[np.bool_], *, reduced: bool) -> tuple[Collar, ...]:
        """Find the collars in an overview, note them, and mark their pixels in `valid` if they are to be left out."""
        if self._files[0].is_complex:
            return ()
        grid, lossy = self._grid, any(file.lossy for file in self._files)
        collars = find_collars(values, valid, lossy=lossy)
        excluding = self._settings.collars == "exclude"
        for collar in collars:
            self._notes.append(
                collar.note + (": left out" if excluding else "; IMAGERAG_COLLARS=exclude leaves it out")
            )
            if excluding:
                valid &= ~collar.covers(values, grid.window, (grid.width, grid.height), blurred=reduced or lossy)
        return collars

    def read(self, window: Window, level: int = 0, *, out_shape: tuple[int, int] | None = None) -> Picture:
        """Read a window of the render.

        Args:
            window: x0, y0, x1, y1 in native pixels; may reach beyond the scene.
            level: Read at ``1 / 2**level`` of the native resolution, with the sides rounded up.
            out_shape: (h, w) of the result instead of `level`.

        Returns:
            uint8 (h, w, 3) and bool (h, w); pixels outside the scene or without data are 0 and False.

        Raises:
            RasterError: the window is empty, or the pixels cannot be read.
        """
        x0, y0, x1, y1 = window
        if x1 <= x0 or y1 <= y0:
            raise RasterError(f"window {window} is empty", scene=self.scene.scene_key)
        height, width = out_shape or (-(-(y1 - y0) >> level), -(-(x1 - x0) >> level))
        inside = (max(x0, 0), max(y0, 0), min(x1, self._grid.width), min(y1, self._grid.height))
        picture, validity = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            return picture, validity
        cols = placed(inside[0] - x0, inside[2] - x0, x1 - x0, width)
        rows = placed(inside[1] - y0, inside[3] - y0, y1 - y0, height)
        render = self.render
        rendered, valid = self._rendered(inside, (rows.stop - rows.start, cols.stop - cols.start), render)
        if inside == window:
            return rendered, valid
        picture[rows, cols], validity[rows, cols] = rendered, valid
        return picture, validity

    def _rendered(self, window: Window, shape: tuple[int, int], render: RenderSpec) -> Picture:
        """Return the picture and validity of a window inside the scene; at native resolution, with what is around."""
        x0, y0, x1, y1 = window
        native = shape == (y1 - y0, x1 - x0)
        margin = margin_of(render) if native else 0
        left, top = max(0, x0 - margin), max(0, y0 - margin)
        right, bottom = min(self._grid.width, x1 + margin), min(self._grid.height, y1 + margin)
        if native:
            values, valid = self._values((left, top, right, bottom), (bottom - top, right - left))
        else:
            values, valid = self._values(window, shape)
        picture = picture_of(values, valid, self._order, render, native=native)
        own = (slice(y0 - top, y0 - top + shape[0]), slice(x0 - left, x0 - left + shape[1]))
        return picture[own], valid[own]

    def overview(self, max_px: int, window: Window | None = None) -> Picture:
        """Read the whole scene (or a window), its longest side at most `max_px`, never enlarged; see :meth:`read`."""
        x0, y0, x1, y1 = window = window or self._grid.window
        return self.read(window, out_shape=fitted(x1 - x0, y1 - y0, max_px))

    def lazy(self) -> xr.DataArray:
        """Return the scene's source values as a dask-backed array (band: 3, y, x), in the order red, green, blue.

        Nothing is read until it is computed; compute remote scenes inside
        :func:`imagerag_assets.objects.gdal.rasterio_env`. Complex files give float32 magnitudes. Bands on a coarser
        grid are warped onto the finest.

        Raises:
            RasterError: a file cannot be opened, or bands without a CRS have different sizes.
        """
        import rioxarray  # with dask's arrays, a second to import
        import xarray as xr

        chunk = max(512, self._settings.supertile_px // 512 * 512)
        bands: list[xr.DataArray] = []
        for file in self._files:
            same_size = (file.grid.width, file.grid.height) == (self._grid.width, self._grid.height)
            if not same_size and self._grid.crs_wkt is None:
                raise RasterError("bands without a CRS have different sizes", href=file.href, fix="Use read()")
            plain = same_size and file.onto is None
            with self._environment(file.href), failures(file.href, "opened"), signed_path(file.path, file.href) as path:
                source = open_raster(path) if plain else open_file(warped(file, self._grid))
                array = rioxarray.open_rasterio(source, chunks={"band": 1, "y": chunk, "x": chunk})
            assert isinstance(array, xr.DataArray)
            bands += [array.sel(band=index).drop_vars("band") for index in file.indexes]
        # Coordinates of files on one grid differ by rounding; the scene takes those of the first.
        bands = [band.assign_coords(y=bands[0].y, x=bands[0].x) for band in bands]
        order = self._order if len(bands) > max(self._order) else (0, 0, 0)
        return xr.concat([bands[index] for index in order], dim="band", join="exact").assign_coords(band=[1, 2, 3])

    def _values(
        self, window: Window, shape: tuple[int, int], *, with_collars: bool = False
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return source values (all files' bands, h, w) of a window inside the scene, and where all files are valid."""
        x0, y0, x1, y1 = window
        decimated = shape[0] < y1 - y0 or shape[1] < x1 - x0
        parts, valids = [], []
        files = [self._with_overviews(index, window) if decimated else file for index, file in enumerate(self._files)]
        for file in files:
            across, down = (1.0, 1.0) if file.onto else self._scale(file)
            part = (x0 * across, y0 * down, x1 * across, y1 * down)
            if self._closed:
                raise RuntimeError("the reader is closed")
            values, of_file = self._apart(file.href, "read", partial(read_window, self._handles, file, part, shape))
            parts.append(values)
            valids.append(of_file)
        valid = reduce(np.logical_and, valids)
        if len({part.dtype for part in parts}) > 1:
            parts = [part.astype(np.float64) for part in parts]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if not with_collars:
            blurred = decimated or any(file.lossy for file in self._files)
            for collar in self.render.left_out or ():
                valid &= ~collar.covers(values, window, (self._grid.width, self._grid.height), blurred=blurred)
        return values, valid

    def _scale(self, file: RasterFile) -> tuple[float, float]:
        return file.grid.width / self._grid.width, file.grid.height / self._grid.height

    def _with_overviews(self, index: int, window: Window) -> RasterFile:
        """Return the file, or, if it is large and has no overviews, the virtual raster of it that has them.

        Raises:
            RasterError: Overviews are not to be built, and the window is too large to be read without.
        """
        file, (x0, y0, x1, y1) = self._files[index], window
        most = 2 * self._settings.supertile_px**2
        small = file.grid.width * file.grid.height <= most
        # Averaging complex values would cancel their phases, so their magnitudes need overviews of their own.
        if not file.is_complex and (small or file.grid.has_overviews):
            return file
        if not self._build_overviews and not small:
            if not file.is_complex and (x1 - x0) * (y1 - y0) <= most:
                return file
            raise RasterError("the file has no overviews to read so large a window from", href=file.href)
        with self._lock:
            if index not in self._built:
                if self._scratch is None and self._temporary is None:
                    self._temporary = tempfile.TemporaryDirectory(prefix="imagerag-overviews-")
                folder = self._scratch if self._temporary is None else Path(self._temporary.name)
                assert folder is not None
                where, version = folder, self.scene.version
                self._built[index] = with_overviews(file, where, version, self._build)
                self._notes.append(f"no usable overviews in {Path(file.href).name}: built once")
            return self._built[index]

    def _build(self, file: RasterFile, vrt: Path) -> None:
        self._apart(file.href, "given overviews", partial(build_overviews, file, vrt), local=True)

    def _apart(self, href: str, verb: Verb, act: Callable[[], T], *, local: bool = False) -> T:
        """Return what `act` reads of a file; a signed address is signed anew when its signature has ended.

        It is called in another process, in the file's rasterio environment.
        """
        hrefs = [href, *self._beside(local=local)]
        return signed_anew(
            self.scene,
            href,
            self._settings,
            lambda: reading(
                href, verb, self._settings, in_environment, self._settings, hrefs, act, about=self._handles
            ),
        )

    def _environment(self, href: str, *, local: bool = False) -> Any:
        """Return a file's rasterio environment."""
        return rasterio_env(self._settings, [href, *self._beside(local=local)])

    def _beside(self, *, local: bool) -> list[str]:
        """Return where built overviews are, which are local files that GDAL has to look for."""
        return [str(self._scratch or tempfile.gettempdir())] if local or self._built else []

    def _described(self, href: str, **about: Any) -> RasterFile:
        """Describe a file that the scene's item may name; records are older than what is allowed now."""
        if (found := refused(href, self.scene, self._settings)) is not None:
            why, origin = found
            raise RasterError(why.why, fix=why.fix, href=href, document=origin)
        return self._apart(href, "opened", partial(describe, href, **about))

    def _describe(self) -> tuple[list[RasterFile], tuple[int, ...]]:
        """Return the files in the order of the bands, and which of all their bands is red, green and blue."""
        imagery = self.scene.imagery
        wanted: dict[str, list[int]] = {}
        for band in imagery.bands:
            if band.index not in wanted.setdefault(band.href, []):
                wanted[band.href].append(band.index)
        # Numbers that nobody gave are a guess: a picture may be grey, or have a palette.
        named = any(band.name or band.common_name for band in imagery.bands)
        one = len(wanted) == 1 and {band.index for band in imagery.bands} == {1}
        guessed = imagery.modality == "other" and not named if one else imagery.modality == "other" or not named
        others = {band.href: band.alternates for band in imagery.bands}
        places = {band.href: band.place for band in imagery.bands}
        files = [
            first_readable(
                (href, *others[href]),
                partial(
                    self._described,
                    indexes=tuple(numbers),
                    settings=self._settings,
                    guessed=guessed,
                    said=_said(imagery.bands, href),
                    item_place=places[href],
                    footprint=self.scene.geometry,
                ),
            )
            for href, numbers in wanted.items()
        ]
        if len(files) == 1 and (files[0].is_picture or (one and len(files[0].indexes) == 3)):
            return files, (0, 1, 2)
        first_of: dict[str, int] = {}
        for href in wanted:
            first_of[href] = sum(len(before.indexes) for before in files[: len(first_of)])
        taken = {href: len(file.indexes) for href, file in zip(wanted, files, strict=True)}
        order = [
            first_of[band.href] + (wanted[band.href].index(band.index) if taken[band.href] > 1 else 0)
            for band in imagery.bands
        ]
        return [replace(file, palette=None, colours=None) for file in files], tuple(order)


def _said(bands: Sequence[Band], href: str) -> Said:
    """Return what the item says of the values of one file."""
    mine = [band for band in bands if band.href == href]
    nodata = {band.index: band.nodata for band in mine if band.nodata is not None}
    return Said(nodata, {band.index: band.scale for band in mine if band.scale is not None})
