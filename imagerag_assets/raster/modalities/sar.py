"""Synthetic aperture radar: decibels, less speckle, and two polarisations in false colours.

Integers are detected products, which are shown as other imagery is, unless they are decibels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from imagerag_assets.raster.modality import Facts, Modality, Parameters

_SIDE = 5
_LEAST_NOISE, _MOST_NOISE = 0.15, 1.0
"""Relative deviation of speckle from which on it is filtered; that of one look of power, above which none is."""
_NEGATIVE = 0.01
"""Share of negative values above which they are decibels; less is what the removal of noise leaves in powers."""


class _Sar:
    name = "sar"
    margin_px = _SIDE // 2

    def applies(self, facts: Facts) -> bool:
        return facts.decibels or (facts.modality == "sar" and facts.dtype.startswith(("float", "complex")))

    def fit(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        native: NDArray[Any],
        native_valid: NDArray[np.bool_],
        facts: Facts,
    ) -> tuple[Parameters, str]:
        order = list(dict.fromkeys(facts.order))
        shown = values[order][:, valid].astype(np.float64)
        decibels = facts.decibels or float((shown < 0).mean()) > _NEGATIVE
        positive = shown if decibels else shown[shown > 0]
        in_decibels = positive if decibels else 20 * np.log10(positive)
        parameters: Parameters = {
            "order": order if len(order) < 3 else list(facts.order),
            "decibels": decibels,
            "floor": float(np.percentile(in_decibels, 0.1)) if in_decibels.size else 0.0,
            "noise": _noise(_linear(native[order[0]], decibels), native_valid),
        }
        words = ["magnitude in decibels"]
        if parameters["noise"]:
            words.append(f"speckle of {parameters['noise']:.2f} filtered at the native resolution")
        if len(order) == 2:
            words.append("two polarisations and their ratio in false colours")
        return parameters, ", ".join(words)

    def show(
        self, values: NDArray[Any], valid: NDArray[np.bool_], parameters: Parameters, *, native: bool
    ) -> NDArray[Any]:
        bands = [_linear(values[band], parameters["decibels"]) for band in parameters["order"]]
        if native and parameters["noise"]:
            bands = [_filtered(band, valid, parameters["noise"]) for band in bands]
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = [np.maximum(20 * np.log10(np.maximum(band, 0)), parameters["floor"]) for band in bands]
        shown = [np.where(valid, each, parameters["floor"]) for each in shown]
        if len(shown) == 2:
            shown.append(shown[0] - shown[1])
        return np.stack(shown).astype(np.float32)


def _linear(values: NDArray[Any], decibels: bool) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return 10 ** (values.astype(np.float64) / 20) if decibels else values.astype(np.float64)


def _local(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the valid pixels around each pixel."""
    plain = np.where(valid, values, 0.0)
    share = np.maximum(uniform_filter(valid.astype(np.float64), _SIDE, mode="nearest"), 1e-9)
    mean = uniform_filter(plain, _SIDE, mode="nearest") / share
    return mean, np.maximum(uniform_filter(plain**2, _SIDE, mode="nearest") / share - mean**2, 0)


def _noise(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> float:
    """Return the relative deviation of speckle, from the evener quarter of a scene; 0: too little to filter."""
    valid = valid & np.isfinite(values) & (values > 0)
    if valid.sum() < _SIDE**2:
        return 0.0
    mean, variance = _local(values, valid)
    noise = float(np.percentile((np.sqrt(variance) / np.maximum(mean, 1e-30))[valid], 25))
    return min(noise, _MOST_NOISE) if noise >= _LEAST_NOISE else 0.0


def _filtered(values: NDArray[np.float64], valid: NDArray[np.bool_], noise: float) -> NDArray[np.float64]:
    """Return Lee's filter: the local mean where all deviation is speckle, and the value itself at edges and points."""
    valid = valid & np.isfinite(values)
    mean, variance = _local(values, valid)
    signal = np.maximum(variance - (mean * noise) ** 2, 0) / (1 + noise**2)
    weight = signal / np.maximum(variance, 1e-30)
    return np.where(valid, mean + weight * (np.where(valid, values, 0) - mean), 0)


MODALITY: Modality = _Sar()
