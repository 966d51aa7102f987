"""Spectrometers whose bands nobody describes: their three main components, as red, green and blue.

Bands whose wavelengths or colours are told are shown by these, and need nothing of this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagerag_assets.raster.modality import Facts, Modality, Parameters


class _Spectrum:
    name = "spectrum"
    margin_px = 0

    def applies(self, facts: Facts) -> bool:
        return facts.many

    def fit(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        native: NDArray[Any],
        native_valid: NDArray[np.bool_],
        facts: Facts,
    ) -> tuple[Parameters, str]:
        shown = values[:, valid].astype(np.float64)
        low, high = np.percentile(shown, (1, 99), axis=1)
        shown = np.clip(shown, low[:, None], high[:, None])
        mean = shown.mean(axis=1)
        _, vectors = np.linalg.eigh(np.atleast_2d(np.cov(shown)) if shown.shape[1] > 1 else np.eye(len(shown)))
        main = vectors[:, ::-1].T[:3]
        # A component's sign is arbitrary: more of it is to mean brighter.
        main *= np.where(main.sum(axis=1) < 0, -1, 1)[:, None]
        parameters: Parameters = {
            "mean": mean.round(6).tolist(),
            "components": main.round(6).tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
        return parameters, f"the three main components of {len(values)} bands"

    def show(
        self, values: NDArray[Any], valid: NDArray[np.bool_], parameters: Parameters, *, native: bool
    ) -> NDArray[Any]:
        low, high, mean = (np.asarray(parameters[name], np.float32)[:, None, None] for name in ("low", "high", "mean"))
        centred = np.where(valid, np.clip(values.astype(np.float32), low, high) - mean, 0)
        return np.einsum("cb,bhw->chw", np.asarray(parameters["components"], np.float32), centred)


MODALITY: Modality = _Spectrum()
