"""The recipe of a patch vector: everything besides scene and encoder that decides it.

How a scene is cut, which patches are left out, how pixels become a picture, and the version of the code that does it.
A recipe names the shards and the collection of its vectors.  Nothing is read or cut here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from imagerag_assets.patches.divisions import DEFAULT_OVERLAP, DEFAULT_PATCH_PX, division, number
from imagerag_assets.patches.layout import DEFAULT_FINER_PATCHES, Layout, Start
from imagerag_assets.patches.types import Division

if TYPE_CHECKING:
    from imagerag_assets.raster.types import Grid, RenderSpec
    from imagerag_assets.settings import Settings

CODE_VERSION = "1"
"""Letters and digits. Raise it when the same scene and settings would give other rows."""

# What keys without a tag stand for, and what shards and collections were made with that do not say. These values
# never change, whatever the defaults of the settings become.
FIRST_MIN_VALID_FRACTION = 0.5
FIRST_PERCENTILES = (2.0, 98.0)
FIRST_CODE_VERSION = "1"
FIRST_COLLARS: Literal["keep", "exclude"] = "keep"


@dataclass(frozen=True)
class Recipe:
    """How the patches of any scene are made before an encoder sees them."""

    division_name: str = "pyramid"
    patch_px: int = DEFAULT_PATCH_PX
    """Side of a ``pyramid`` patch in pixels of its level."""
    patch_overlap: float = DEFAULT_OVERLAP
    """Share of a ``pyramid`` patch's side that the next one repeats."""
    min_valid_fraction: float = FIRST_MIN_VALID_FRACTION
    """Patches with a smaller share of valid pixels have no row."""
    stretch_percentiles: tuple[float, float] = FIRST_PERCENTILES
    """Low and high percentile of each band between which imagery that is not uint8 is stretched."""
    code_version: str = FIRST_CODE_VERSION
    collars: Literal["keep", "exclude"] = FIRST_COLLARS
    """Whether collars, which nothing declares as missing, count as pixels."""
    patch_m: float | None = None
    """Metres of a side of a ``pyramid``'s smallest patch; None: it has `patch_px` native pixels on any ground."""
    finer_patches: int = DEFAULT_FINER_PATCHES
    """Patches of a scene at most, where `patch_m` asks for patches of fewer pixels."""

    @classmethod
    def of(cls, settings: Settings, division_name: str | None = None, *, taught_m: float | None = None) -> Recipe:
        """Return the recipe of the settings and of this version of the code, with another division if one is named.

        Args:
            settings: The settings.
            division_name: A division other than that of the settings.
            taught_m: Metres of a side of the pictures that the encoder was taught, where they leave it to the encoder.

        Raises:
            SettingsError: no division has this name.
        """
        said: dict[str | float, Any] = {"pixels": None, "encoder": taught_m}
        name = division_name or settings.division
        recipe = cls(
            division_name=name,
            patch_px=settings.patch_px,
            patch_overlap=settings.patch_overlap,
            min_valid_fraction=settings.min_valid_fraction,
            stretch_percentiles=settings.stretch_percentiles,
            code_version=CODE_VERSION,
            collars=settings.collars,
            patch_m=None if name != "pyramid" else said.get(settings.patch_m, settings.patch_m),
            finer_patches=settings.finer_patches,
        )
        _ = recipe.division_key
        return recipe

    @property
    def layout(self) -> Layout | None:
        """How scenes are laid out on the ground; None: in pixels."""
        if self.patch_m is None or self.division_name != "pyramid":
            return None
        return Layout(self.patch_m, self.finer_patches)

    def start_for(self, grid: Grid | None) -> Start | None:
        """Return where a scene's pyramid starts on the ground, and why; None: the recipe counts in pixels.

        Args:
            grid: Of the scene; None: nothing is known of it.
        """
        if self.layout is None:
            return None
        size = (1, 1) if grid is None else (grid.width, grid.height)
        from imagerag_assets.raster.ground_distance import mean_pixel_m  # pyproj and rasterio take a while to import

        return self.start_at(size, None if grid is None else mean_pixel_m(grid))

    def start_at(self, size: tuple[int, int], metres: float | None) -> Start:
        """Return where the pyramid of a scene of this size and ground distance starts; see `layout.Layout.start`."""
        if self.layout is None:
            return Start(0, f"in pixels ({self.patch_px} px)")
        return self.layout.start(size, metres, self.patch_px, self.patch_overlap)

    def division_for(self, grid: Grid | None) -> Division:
        """Return how a scene is cut; `grid` as in :meth:`start_for`.

        Raises:
            SettingsError: no division has this name.
        """
        start = self.start_for(grid)
        cut = self._division(0 if start is None else start.level)
        return replace(cut, key=self.division_key)

    @property
    def division_key(self) -> str:
        """Key of the division, the same for all scenes: its name, and tags of how it cuts.

        Raises:
            SettingsError: no division has this name.
        """
        key, layout = self._division(0).key, self.layout
        if layout is not None:
            key += f"-m{number(layout.patch_m)}"
            if layout.finer_patches != DEFAULT_FINER_PATCHES:
                key += f"-n{layout.finer_patches}"
        return key

    def _division(self, start: int) -> Division:
        return division(self.division_name, patch_px=self.patch_px, patch_overlap=self.patch_overlap, start=start)

    @property
    def key(self) -> str:
        """The division's key, and a tag for every value that is not the first one, e.g. ``pyramid-p192-o0.5-v0.2``."""
        key = self.division_key
        if self.min_valid_fraction != FIRST_MIN_VALID_FRACTION:
            key += f"-v{number(self.min_valid_fraction)}"
        if self.stretch_percentiles != FIRST_PERCENTILES:
            key += "-s" + "_".join(number(each) for each in self.stretch_percentiles)
        if self.collars != FIRST_COLLARS:
            key += "-k"
        if self.code_version != FIRST_CODE_VERSION:
            key += f"-c{self.code_version}"
        return key

    @property
    def suffix(self) -> str:
        """The key as the end of a Milvus name, which takes letters, digits and underscores; empty for the first one."""
        return "" if self.key == Recipe().key else "_" + self.key.replace("-", "_").replace(".", "p")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that give this recipe, for `Platform.using`."""
        return {
            "division": self.division_name,
            "patch_px": self.patch_px,
            "patch_overlap": self.patch_overlap,
            "min_valid_fraction": self.min_valid_fraction,
            "stretch_percentiles": self.stretch_percentiles,
            "collars": self.collars,
            "patch_m": "pixels" if self.patch_m is None else self.patch_m,
            "finer_patches": self.finer_patches,
        }

    def fits(self, render: RenderSpec) -> bool:
        """Whether a scene's render is the one that this recipe gives."""
        return render.is_of(self.stretch_percentiles, without_collars=self.collars == "exclude")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; :meth:`from_dict` reads it back."""
        values = self.settings | {"stretch_percentiles": list(self.stretch_percentiles)}
        if self.collars == FIRST_COLLARS:  # as it was before there was a choice
            del values["collars"]
        if self.patch_m is None:  # likewise
            del values["patch_m"], values["finer_patches"]
        return values | {"code_version": self.code_version}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Recipe:
        """Read what :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is no recipe.
        """
        low, high = (float(each) for each in stored["stretch_percentiles"])
        return cls(
            division_name=str(stored["division"]),
            patch_px=int(stored["patch_px"]),
            patch_overlap=float(stored["patch_overlap"]),
            min_valid_fraction=float(stored["min_valid_fraction"]),
            stretch_percentiles=(low, high),
            code_version=str(stored["code_version"]),
            collars="exclude" if stored.get("collars") == "exclude" else FIRST_COLLARS,
            patch_m=None if stored.get("patch_m") is None else float(stored["patch_m"]),
            finer_patches=int(stored.get("finer_patches", DEFAULT_FINER_PATCHES)),
        )
