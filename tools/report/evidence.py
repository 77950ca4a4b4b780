"""The picture of where the fracture network sees a fracture: an occlusion map over its slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from tools import page
from tools import pictures as pic
from tools.report.scene import figure

STEM = "fracture"
"""Name of the picture's file."""

SCALE = 3
"""Pixels of the picture for each of the network's 224."""

HEAT: pic.Colour = (230, 80, 0)
"""Colour of the evidence, apart from grey with any colour vision."""

OPACITY = 0.65
"""Of the strongest evidence."""


def draw(report: Mapping[str, Any], picture: np.ndarray, drop: np.ndarray) -> page.Figure:
    """Lay what the network loses without each place over what it saw.

    Args:
        report: Content of report.json, with evidence.
        picture: The slice, 0 to 1 [rows, columns].
        drop: What its logit loses, [rows, columns]; NaN where nothing was covered.
    """
    size = (picture.shape[1] * SCALE, picture.shape[0] * SCALE)
    grey = Image.fromarray((picture.clip(0, 1) * 255).astype(np.uint8)).resize(size)
    lost = np.nan_to_num(drop).clip(0)
    share = lost / max(float(lost.max()), 1e-6)
    alpha = Image.fromarray((share * OPACITY * 255).astype(np.uint8)).resize(size)
    shown = Image.composite(Image.new("RGB", size, HEAT), grey.convert("RGB"), alpha)
    evidence = report["ovf"]["evidence"]
    where = f"most on {evidence['level']}" if evidence["level"] else "on no named body"
    caption = (
        "What the fracture network saw, in the slice that shows a fracture best; orange: what it "
        f"would lose its suspicion without, {where}"
    )
    return figure(np.asarray(shown), caption)
