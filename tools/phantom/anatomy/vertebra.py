"""The shape of one vertebra: body and posterior elements, as signed distances in its own frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.drawing.shapes import capsule, smooth_max, superellipse

#: Rounding of the body's rim, mm.
RIM_ROUNDING_MM = 1.6
#: Share of the endplate's half size that is concave; the rest is the flat ring apophysis.
DISH_SHARE = 0.86
#: Transverse processes of L1-L4 and of L5: how far behind the body's rear wall they start, mm,
#: heights of both ends in body heights, their radii, mm. L5's are stout cones that reach the body's
#: side and stand little above the sacrum's wings (design after anatomical atlases).
TRANSVERSE = (9.0, (0.15, 0.24), (4.4, 2.6))
LOWEST_TRANSVERSE = (4.0, (0.08, 0.08), (7.5, 4.5))


@dataclass(frozen=True)
class Part:
    """A rod of a bone: see `shapes.capsule`."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radii: tuple[float, float]
    flatten: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def distance(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance, mm."""
        return capsule(u, v, w, self.start, self.end, self.radii, self.flatten)

    def raised(self, shift_mm: float) -> Part:
        """The same rod moved along w, mm."""
        start, end = ((u, v, w + shift_mm) for u, v, w in (self.start, self.end))
        return replace(self, start=start, end=end)

    def reach(self) -> float:
        """How far its surface lies from its axis at most, mm."""
        return max(self.radii) * max(self.flatten)


@dataclass(frozen=True)
class BodyShape:
    """Geometry of a vertebral body in its frame."""

    vertebra: Vertebra

    def endplates(self, u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights w of the upper and the lower endplate above a place (u, v), mm."""
        plates = self.intact_endplates(u, v)
        warp = self.vertebra.warp
        return plates if warp is None else warp.endplates(u, v, *plates)

    def intact_endplates(
        self, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same before the body was deformed."""
        body = self.vertebra
        slope = float(np.tan(np.radians(body.wedge / 2)))
        side = float(np.tan(np.radians(body.lean / 2)))
        plane = body.height / 2 - slope * v - side * u
        # The dish lies between the front wall and the hollow of the posterior wall, apex behind.
        half = (body.depth - body.dent) / 2
        middle = body.dent / 2 - 0.3 * body.apex * half
        q = (u / (DISH_SHARE * body.width / 2)) ** 2
        q = q + ((v - middle) / ((DISH_SHARE - 0.3 * body.apex) * half)) ** 2
        dish = (1 - q).clamp(min=0) ** 0.8
        return plane - body.concavity[0] * dish, -plane + body.concavity[1] * dish

    def outline(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Distance to the side wall, mm."""
        body = self.vertebra
        if body.solid is not None:
            return body.solid.outline(u, v, w)
        if body.warp is not None:
            u, v, w = body.warp.origin(u, v, w, *self.intact_endplates(u, v))
        t = (w / (body.height / 2)).clamp(-1, 1)
        size = 1 + (body.flare - 1) * (1 - t) / 2
        size = size * (1 - body.waist * (1 - t * t))
        half_width, half_depth = size * (body.width / 2), size * (body.depth / 2)
        bump = (1 - (u / (0.62 * body.width / 2)) ** 2).clamp(min=0)
        behind = half_depth - body.dent * bump
        return superellipse(
            u, v, half_width, torch.where(v < 0, behind, half_depth), body.squareness
        )

    def distance(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance to the body's surface, mm."""
        if self.vertebra.solid is not None:
            return self.vertebra.solid.body(u, v, w)
        top, bottom = self.endplates(u, v)
        ends = torch.maximum(w - top, bottom - w)
        return smooth_max(ends, self.outline(u, v, w), RIM_ROUNDING_MM)

    def corners(self) -> np.ndarray:
        """RAS+ millimetres of points whose hull holds the body, [N, 3]."""
        body = self.vertebra
        if body.solid is not None:
            return body.frame.to_world(body.solid.corners())
        half = np.array([body.width, body.depth, body.height]) / 2 * [body.flare, body.flare, 1]
        half[2] += body.depth / 2 * abs(np.tan(np.radians(body.wedge / 2))) + 0.5
        half += 0.0 if body.warp is None else body.warp.reach_mm
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
        return body.frame.to_world(signs * half)

    def heights_mm(self, side_mm: float = 0.0) -> dict[str, float]:
        """Heights at the front and back walls and in the middle.

        Args:
            side_mm: How far to the right of the mid-sagittal plane they are taken, mm.
        """
        body = self.vertebra
        if body.solid is not None:
            return dict(body.solid.heights)
        # The rim's rounding ends about its radius inside the wall.
        inset = body.depth / 2 - RIM_ROUNDING_MM
        places = {"anterior": inset, "middle": 0.0, "posterior": -inset + body.dent}
        heights = {}
        for name, v in places.items():
            top, bottom = self.endplates(torch.full((1,), side_mm), torch.tensor([v]))
            heights[name] = float(top - bottom)
        return heights


def posterior_parts(vertebra: Vertebra) -> list[Part]:
    """Pedicles, articular, transverse and spinous processes and laminae, in the body's frame."""
    parts = _lumbar(vertebra) if vertebra.level.startswith("L") else _thoracic(vertebra)
    shift = 0.0 if vertebra.warp is None else vertebra.warp.rear_shift
    return [part.raised(shift) for part in parts] if shift else parts


def _lumbar(vertebra: Vertebra) -> list[Part]:
    scale, height = vertebra.scale, vertebra.height
    back = -vertebra.depth / 2
    canal_back = back - vertebra.canal_depth
    half_canal, pedicle = vertebra.canal_width / 2, vertebra.pedicle_width
    beside = half_canal + pedicle / 2 - 1
    pedicle_height = np.clip(14.5 * scale / pedicle, 1.0, 1.9)
    spine_end = canal_back - (26 if vertebra.lowest else 32) * scale
    root, rise, radii = LOWEST_TRANSVERSE if vertebra.lowest else TRANSVERSE
    own, facets = dict(vertebra.processes), vertebra.facets
    parts = []
    for side in (-1, 1):
        pillar = (side * (beside + 1), back - 13 * scale, 0.0)
        parts += [
            Part(
                (side * beside, back + 3, 0.2 * height),
                (side * beside, back - 10 * scale, 0.2 * height),
                (pedicle / 2, pedicle / 2),
                (1.0, 1.0, float(pedicle_height)),
            ),
            Part(
                (side * (beside + 3), back - 11 * scale, height / 2 + 4),
                pillar,
                (4.6 * facets, 5.5 * facets),
            ),
            Part(
                pillar,
                (side * (half_canal + 1), canal_back - 2, -height / 2 - 7 * scale),
                (5.5 * facets, 4.8 * facets),
            ),
            Part(
                (side * (half_canal + 1.5), canal_back + 2, -1.0),
                (side * 1.0, canal_back - 5 * scale, -5.0 * scale),
                (2.9, 3.0),
                (1.0, 1.0, 3.0),
            ),
        ]
        usual = Part(
            (side * (beside + pedicle / 2), back - root * scale, rise[0] * height),
            (side * (vertebra.width / 2 + 23 * scale), back - 16 * scale, rise[1] * height),
            radii,
            (1.0, 0.8, 1.2),
        )
        parts += own.get(side, (usual,))
    parts.append(
        Part(
            (0.0, canal_back - 4 * scale, -5.0 * scale),
            (0.0, spine_end, -10.0 * scale),
            (2.9, 3.6),
            (1.0, 1.0, 2.5),
        )
    )
    return parts


def _thoracic(vertebra: Vertebra) -> list[Part]:
    scale, height = vertebra.scale, vertebra.height
    back = -vertebra.depth / 2
    canal_back = back - vertebra.canal_depth
    half_canal, pedicle = vertebra.canal_width / 2, vertebra.pedicle_width
    beside = half_canal + pedicle / 2 - 1
    number = int(vertebra.level[1:])
    # Transverse processes shrink and spines straighten from T10 to T12.
    across = {12: 8.0, 11: 11.0}.get(number, 21.0) * scale
    drop = {12: 10.0, 11: 13.0, 10: 18.0}.get(number, 24.0) * scale
    parts = []
    for side in (-1, 1):
        parts += [
            Part(
                (side * beside, back + 3, 0.24 * height),
                (side * beside, back - 9 * scale, 0.24 * height),
                (pedicle / 2, pedicle / 2),
                (1.0, 1.0, 1.6),
            ),
            Part(
                (side * (beside + 1), back - 11 * scale, height / 2 + 3),
                (side * beside, canal_back, -height / 2 - 5 * scale),
                (4.0, 4.2),
            ),
            Part(
                (side * (half_canal + 1), canal_back + 2, 0.0),
                (side * 1.0, canal_back - 4 * scale, -3.0),
                (2.7, 2.8),
                (1.0, 1.0, 3.2),
            ),
            Part(
                (side * (beside + 1), back - 11 * scale, 0.2 * height),
                (side * (beside + across), back - 11 * scale - 0.55 * across, 0.3 * height),
                (4.6, 4.0),
            ),
        ]
    parts.append(
        Part(
            (0.0, canal_back - 3 * scale, -4.0),
            (0.0, canal_back - 28 * scale, -4.0 - drop),
            (2.7, 2.9),
            (1.0, 1.0, 2.1),
        )
    )
    return parts
