"""Painting bone: a mineral shell around spongy bone; vertebrae, discs and the canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.levels import LABEL_IDS
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.variants.growth_shapes import (
    added_mineral,
    overhang,
    paint_gas,
    with_spurs,
)
from tools.phantom.anatomy.vertebra import BodyShape, Part, posterior_parts
from tools.phantom.drawing.canvas import CORNER_SIGNS, Box, Canvas
from tools.phantom.drawing.painting import Paint, Piece, paint_shell, paint_union, union_distance
from tools.phantom.drawing.shapes import superellipse
from tools.phantom.physics.beam import Beam
from tools.phantom.physics.materials import BONE_TISSUE_HA_MG_CM3, MATERIALS

#: Cortex of posterior elements, mm, and its mineral relative to the body's shell (design).
POSTERIOR_CORTEX_MM = 1.3
#: Spongy bone of posterior elements holds more mineral than the body's (design).
POSTERIOR_DENSITY = 1.6
#: The trabecular core begins this far inside the body's surface, mm.
CORE_DEPTH_MM = 2.0
#: Fillet between the rods of the posterior elements, mm.
FILLET_MM = 3.0

#: Longitudinal ligaments and periosteum around bodies and discs, mm (design; in the real crop of L3
#: soft tissue, not fat, touches the body).
LIGAMENT_MM = 2.0
#: A disc is painted this far into the bodies above and below, whose endplates then cut it, mm.
DISC_RESERVE_MM = 4.5
#: A disc's outline relative to the endplate of the body above (design).
DISC_SIZE = 0.99
#: HU of the nucleus relative to the disc's, and its rise to the annulus (design): the annulus
#: holds more collagen.
NUCLEUS_SHARE = 0.86
ANNULUS_RISE = 0.22

#: Heights at which the canal's course passes a vertebra, in body heights from its middle.
CANAL_STATIONS = (0.45, -0.45)
#: Radius of the sacral canal from S1 to S4, mm (design).
SACRAL_CANAL_MM = (7.0, 3.0)
#: The thecal sac's radius relative to the canal's, and the sacral segment where it ends (design).
SAC_SHARE = 0.78
SAC_END = 2


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
    """Write a label where `inside` holds.

    Args:
        labels: One map, uint8 [X, Y, Z], changed in place.
        box: Where.
        inside: Booleans, broadcastable to the box.
        label: Id, see `tools.levels`.
    """
    labels[box.slices].masked_fill_(inside, label)


def shell_hu(paint: Paint, mineral_ha: float, marrow_hu: float) -> float:
    """HU of porous bone, its pores filled with marrow.

    Args:
        paint: HU at this beam.
        mineral_ha: Mineral of the porous bone, mg HA/cm³.
        marrow_hu: HU of the marrow.
    """
    share = mineral_ha / BONE_TISSUE_HA_MG_CM3
    return marrow_hu + share * (paint.hu("bone_tissue") - marrow_hu)


def paint_vertebra(paint: Paint, vertebra: Vertebra, bone: Trabecular, labels: Labels) -> None:
    """Paint one vertebra, posterior elements first, and mark its labels.

    Args:
        paint: Canvas and HU.
        vertebra: Its size and place.
        bone: Its spongy bone.
        labels: Marked in place.
    """
    marrow = bone.marrow_hu(paint.beam)
    cortex = shell_hu(paint, vertebra.shell_ha, marrow)
    label = LABEL_IDS.get(vertebra.level, 0)  # T1 to T3 have no label
    posterior = paint_union(
        paint.canvas,
        vertebra.frame,
        rods(posterior_parts(vertebra)),
        FILLET_MM,
        POSTERIOR_CORTEX_MM,
        cortex,
        shell_hu(paint, POSTERIOR_DENSITY * bone.ha, marrow),
    )
    if posterior is not None:
        box, distance = posterior
        inside = distance < 0
        if vertebra.processes:  # a fused one lies in the sacrum's wing, which keeps its label
            inside = inside & (labels.bodies[box.slices] == 0)
        mark(labels.posterior, box, inside, label)
    shape = BodyShape(vertebra)
    body = paint.canvas.box(shape.corners(), 1.5 + overhang(vertebra))
    if body is None:
        return
    u, v, w = body.coordinates(vertebra.frame)
    distance = shape.distance(u, v, w)
    whole = with_spurs(vertebra, distance, u, v, w)
    spongy_field = body_hu(
        vertebra, bone, body_mineral(vertebra, bone, u, v, w), (u, v, w), paint.beam
    )
    paint_shell(paint.canvas, body, whole, vertebra.shell_mm, cortex, spongy_field)
    mark(labels.bodies, body, whole < 0, label)
    mark(labels.posterior, body, whole < 0, 0)
    mark(labels.trabecular, body, distance < -CORE_DEPTH_MM, label)


def paint_ligament(paint: Paint, vertebra: Vertebra) -> None:
    """Paint the sleeve of soft tissue around a body and the disc below it.

    Args:
        paint: Canvas and HU.
        vertebra: Its body; bodies and discs painted later leave only the sleeve.
    """
    shape = BodyShape(vertebra)
    reach = vertebra.height / 2 + vertebra.disc_height

    def sleeve(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.maximum(shape.outline(u, v, w) - LIGAMENT_MM, w.abs() - reach)

    box = paint.canvas.box(shape.corners(), vertebra.disc_height + LIGAMENT_MM + 1)
    paint.canvas.paint(box, paint.hu("ligament"), sleeve, vertebra.frame)


def body_mineral(
    vertebra: Vertebra, bone: Trabecular, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    """Mineral of a body at places in it, relative to the body's mean.

    Args:
        vertebra: Gives the body's size.
        bone: Its spongy bone.
        u: To the right, mm.
        v: Forwards, mm.
        w: Upwards, mm.

    Returns:
        Broadcast shape of u, v and w.
    """
    half_depth, half = vertebra.depth / 2, vertebra.height / 2
    if vertebra.warp is None:
        relative = bone.relative(u, v / half_depth, w / half, half_depth, half)
    else:
        plates = BodyShape(vertebra).intact_endplates(u, v)
        factor = vertebra.warp.density(u, v, w, *plates)
        u, v, w = vertebra.warp.origin(u, v, w, *plates)
        relative = factor * bone.relative(u, v / half_depth, w / half, half_depth, half)
    if vertebra.wear is None:
        return relative
    return relative + added_mineral(vertebra, u, v, w) / bone.ha


def body_hu(
    vertebra: Vertebra,
    bone: Trabecular,
    mineral: torch.Tensor,
    place: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    beam: Beam,
) -> torch.Tensor:
    """HU inside a body, tumour tissue included.

    Args:
        vertebra: Its deformation says where a tumour lies.
        bone: Its spongy bone.
        mineral: Of `body_mineral`.
        place: (u, v, w), mm, of that mineral.
        beam: Spectrum.
    """
    hu = bone.hu(mineral, beam)
    share = None if vertebra.warp is None else vertebra.warp.tumour(*place)
    if share is None:
        return hu
    # Soft tissue takes the marrow's place between the trabeculae that are left.
    room = 1 - mineral * (bone.ha / BONE_TISSUE_HA_MG_CM3)
    return hu + share * room * (beam.hu(MATERIALS["soft_tissue"]) - bone.marrow_hu(beam))


def rods(parts: list[Part]) -> list[Piece]:
    """Parts as `union_distance` takes them."""
    return [Piece(np.array([part.start, part.end]), part.reach(), part.distance) for part in parts]


def paint_disc(paint: Paint, vertebra: Vertebra) -> None:
    """Paint the disc under a vertebra; the bodies painted later cut it to shape.

    Args:
        paint: Canvas and HU.
        vertebra: The one above the disc.
    """
    drop = vertebra.height / 2 + vertebra.disc_height / 2
    frame = vertebra.frame.moved(0.0, 0.0, -drop)
    reach = vertebra.disc_height / 2 + DISC_RESERVE_MM
    reach += 0.0 if vertebra.warp is None else vertebra.warp.disc_reserve
    half_width = vertebra.width / 2 * vertebra.flare * DISC_SIZE
    half_depth = vertebra.depth / 2 * vertebra.flare * DISC_SIZE

    def shape(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        side = superellipse(u, v, half_width, half_depth, vertebra.squareness)
        return torch.maximum(side, w.abs() - reach)

    half = np.array([half_width, half_depth, reach])
    box = paint.canvas.box(frame.to_world(CORNER_SIGNS * half), 1.5)
    if box is None:
        return
    u, v, _ = box.coordinates(frame)
    rim = ((u / half_width) ** 2 + (v / half_depth) ** 2).clamp(max=1.2)
    hu = paint.hu("disc") * (NUCLEUS_SHARE + ANNULUS_RISE * rim)
    paint.canvas.paint(box, hu, shape, frame)
    paint_gas(paint, vertebra)


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
        for share in CANAL_STATIONS:
            course.append(vertebra.frame.point(0.0, behind, share * vertebra.height))
            widths.append(vertebra.canal_width / 2)
            depths.append(vertebra.canal_depth / 2)
    points = np.array([*course, *sacral_course])
    tail = len(sacral_course)
    radius = np.array([*depths, *np.linspace(*SACRAL_CANAL_MM, tail)])
    aspect = float(np.mean(np.array(widths) / np.array(depths)))
    fat = paint.hu("visceral_fat") - paint.dark_canal_hu
    sac = paint.hu("sac") - paint.dark_canal_hu
    paint.tube(points, radius.tolist(), fat, (aspect, 1.0, 1.0), None)
    end = len(course) + min(SAC_END, tail)
    paint.tube(points[:end], (SAC_SHARE * radius[:end]).tolist(), sac, (aspect, 1.0, 1.0), None)


def posterior_distance(canvas: Canvas, vertebra: Vertebra) -> tuple[Box, torch.Tensor] | None:
    """Signed distance to a vertebra's posterior elements, drawn or given.

    Args:
        canvas: Grid.
        vertebra: Whose.

    Returns:
        Their box and distance [X, Y, Z], mm, or None if they miss the grid.
    """
    solid = vertebra.solid
    if solid is None:
        return union_distance(canvas, vertebra.frame, rods(posterior_parts(vertebra)), FILLET_MM)
    box = canvas.box(vertebra.frame.to_world(solid.corners(whole=True)), 1.5)
    return None if box is None else (box, solid.arch(*box.coordinates(vertebra.frame)))
