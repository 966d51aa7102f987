"""The recipe of a patch vector: everything besides scene and encoder that decides it.

How a scene is cut, which patches are left out, how pixels become a picture, and the version of the code that does it.
A recipe names the shards and the collection of its vectors.  Nothing is read or cut here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from imagerag_assets.patches.divisions import DEFAULT_OVERLAP, DEFAULT_PATCH_PX, division, number
from imagerag_assets.patches.types import Division

if TYPE_CHECKING:
    from imagerag_assets.raster.types import RenderSpec
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

    @classmethod
    def of(cls, settings: Settings, division_name: str | None = None) -> Recipe:
        """Return the recipe of the settings and of this version of the code, with another division if one is named.

        Raises:
            SettingsError: no division has this name.
        """
        recipe = cls(
            division_name=division_name or settings.division,
            patch_px=settings.patch_px,
            patch_overlap=settings.patch_overlap,
            min_valid_fraction=settings.min_valid_fraction,
            stretch_percentiles=settings.stretch_percentiles,
            code_version=CODE_VERSION,
            collars=settings.collars,
        )
        _ = recipe.division
        return recipe

    @property
    def division(self) -> Division:
        """How scenes are cut.

        Raises:
            SettingsError: no division has this name.
        """
        return division(self.division_name, patch_px=self.patch_px, patch_overlap=self.patch_overlap)

    @property
    def key(self) -> str:
        """The division's key, and a tag for every value that is not the first one, e.g. ``pyramid-p192-o0.5-v0.2``."""
        key = self.division.key
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
        }

    def fits(self, render: RenderSpec) -> bool:
        """Whether a scene's render is the one that this recipe gives."""
        return render.is_of(self.stretch_percentiles, without_collars=self.collars == "exclude")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; :meth:`from_dict` reads it back."""
        values = self.settings | {"stretch_percentiles": list(self.stretch_percentiles)}
        if self.collars == FIRST_COLLARS:  # as it was before there was a choice
            del values["collars"]
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
        )
