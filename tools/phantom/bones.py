"""Painting bone: a mineral shell around spongy bone; vertebrae, discs and the canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.levels import LABEL_IDS
from tools.phantom.canvas import Box
from tools.phantom.materials import BONE_TISSUE_HA_MG_CM3
from tools.phantom.painting import Paint, paint_shell, union_distance
from tools.phantom.shapes import superellipse
from tools.phantom.spine import Spine, Vertebra
from tools.phantom.trabecular import Trabecular
from tools.phantom.vertebra import BodyShape, Part, posterior_parts

#: Cortex of posterior elements, mm, and its mineral relative to the body's shell (design).
POSTERIOR_CORTEX_MM = 1.3
#: Spongy bone of posterior elements holds more mineral than the body's (design).
POSTERIOR_DENSITY = 1.6
#: The trabecular core begins this far inside the body's surface, mm.
CORE_DEPTH_MM = 2.0
#: Fillet between the rods of the posterior elements, mm.
FILLET_MM = 3.0


@dataclass
class Labels:
    """Label maps drawn with the anatomy, uint8 [X, Y, Z] each.

    Attributes:
        bodies: Vertebral bodies and sacrum.
        trabecular: Trabecular cores.
        posterior: Posterior elements.
    """

    bodies: torch.Tensor
    trabecular: torch.Tensor
    posterior: torch.Tensor

    def maps(self) -> list[torch.Tensor]:
        """The three maps in the order above."""
        return [self.bodies, self.trabecular, self.posterior]

    def part(self, slices: slice) -> Labels:
        """The maps of some slices along z, sharing memory."""
        return Labels(*(part[:, :, slices] for part in self.maps()))

    @staticmethod
    def empty(shape: tuple[int, int, int], device: str | torch.device = "cpu") -> Labels:
        """Maps of background."""
        return Labels(*(torch.zeros(shape, dtype=torch.uint8, device=device) for _ in range(3)))


def mark(labels: torch.Tensor, box: Box, inside: torch.Tensor, label: int) -> None:
    """Write a label where `inside` holds."""
    labels[box.slices].masked_fill_(inside, label)


def shell_hu(paint: Paint, mineral_ha: float, marrow_hu: float) -> float:
    """HU of porous cortical bone of a given mineral, its pores filled with marrow."""
    share = mineral_ha / BONE_TISSUE_HA_MG_CM3
    return marrow_hu + share * (paint.hu("bone_tissue") - marrow_hu)


def paint_vertebra(paint: Paint, vertebra: Vertebra, bone: Trabecular, labels: Labels) -> None:
    """Paint one vertebra, posterior elements first, and mark its labels."""
    marrow = bone.marrow_hu(paint.beam)
    cortex = shell_hu(paint, vertebra.shell_ha, marrow)
    label = LABEL_IDS[vertebra.level]
    posterior = union_distance(
        paint.canvas, vertebra.frame, rods(posterior_parts(vertebra)), FILLET_MM
    )
    if posterior is not None:
        box, distance = posterior
        spongy = shell_hu(paint, POSTERIOR_DENSITY * bone.ha, marrow)
        paint_shell(paint.canvas, box, distance, POSTERIOR_CORTEX_MM, cortex, spongy)
        mark(labels.posterior, box, distance < 0, label)
    shape = BodyShape(vertebra)
    body = paint.canvas.box(shape.corners(), 1.5)
    if body is None:
        return
    u, v, w = body.coordinates(vertebra.frame)
    distance = shape.distance(u, v, w)
    spongy_field = bone.hu(body_mineral(vertebra, bone, u, v, w), paint.beam)
    paint_shell(paint.canvas, body, distance, vertebra.shell_mm, cortex, spongy_field)
    mark(labels.bodies, body, distance < 0, label)
    mark(labels.posterior, body, distance < 0, 0)
    mark(labels.trabecular, body, distance < -CORE_DEPTH_MM, label)


def body_mineral(
    vertebra: Vertebra, bone: Trabecular, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    """Mineral relative to the body's mean at local coordinates."""
    half_depth, half = vertebra.depth / 2, vertebra.height / 2
    return bone.relative(u, v / half_depth, w / half, half_depth, half)


def rods(parts: list[Part]) -> list[tuple[tuple[tuple[float, ...], ...], float, object]]:
    """Parts as `union_distance` takes them."""
    return [((part.start, part.end), part.reach(), part.distance) for part in parts]


def paint_disc(paint: Paint, vertebra: Vertebra) -> None:
    """Paint the disc under a vertebra; the bodies painted later cut it to shape."""
    drop = vertebra.height / 2 + vertebra.disc_height / 2
    frame = vertebra.frame.moved(0.0, 0.0, -drop)
    reach = vertebra.disc_height / 2 + 4.5
    half_width = vertebra.width / 2 * vertebra.flare * 0.99
    half_depth = vertebra.depth / 2 * vertebra.flare * 0.99

    def shape(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        side = superellipse(u, v, half_width, half_depth, vertebra.squareness)
        return torch.maximum(side, w.abs() - reach)

    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    size = np.array([half_width, half_depth, reach])
    box = paint.canvas.box(frame.to_world(corners * size), 1.5)
    if box is None:
        return
    u, v, _ = box.coordinates(frame)
    # The nucleus is a little softer than the annulus.
    rim = ((u / half_width) ** 2 + (v / half_depth) ** 2).clamp(max=1.2)
    paint.canvas.paint(box, paint.hu("disc") * (0.86 + 0.22 * rim), shape, frame)


def paint_canal(paint: Paint, spine: Spine, sacral_course: np.ndarray) -> None:
    """Paint epidural fat and the thecal sac along the canal.

    Args:
        paint: Canvas and HU.
        spine: Vertebrae.
        sacral_course: The canal inside the sacrum, RAS+ millimetres, [N, 3], head to foot.
    """
    course, widths, depths = [], [], []
    for vertebra in reversed(spine.vertebrae.values()):
        behind = -vertebra.depth / 2 - vertebra.canal_depth / 2
        for w in (0.45 * vertebra.height, -0.45 * vertebra.height):
            course.append(vertebra.frame.to_world(np.array([0.0, behind, w])))
            widths.append(vertebra.canal_width / 2)
            depths.append(vertebra.canal_depth / 2)
    points = np.array([*course, *sacral_course])
    tail = len(sacral_course)
    radius = np.array([*depths, *np.linspace(7.0, 3.0, tail)])
    aspect = float(np.mean(np.array(widths) / np.array(depths)))
    fat = paint.hu("visceral_fat") - paint.dark_canal_hu
    sac = paint.hu("sac") - paint.dark_canal_hu
    paint.tube(points, radius.tolist(), fat, (aspect, 1.0, 1.0), None)
    sac_end = len(course) + min(2, tail)
    paint.tube(points[:sac_end], (0.78 * radius[:sac_end]).tolist(), sac, (aspect, 1.0, 1.0), None)
