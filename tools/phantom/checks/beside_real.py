"""Sheets of phantoms beside real CT: each scanner, each kind of fracture and each mimic.

    python -m tools.phantom.checks.beside_real scratch/beside

Writes `scanners.png` (one patient on A, B and C beside the real CTs) and `findings.png` (the real
L1 squeezed, and a real broken L1 whose mask became the anatomy, then fractures and mimics through
scanner A). The real files lie beside the repository and must be there. Takes some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from tools import pictures
from tools.files import write_atomically
from tools.levels import LABEL_IDS, TOTALSEGMENTATOR_BODY_IDS
from tools.phantom import real, recipe
from tools.phantom.case import simulate
from tools.phantom.squeeze.command import KINDS, squeeze

PIXEL_MM = 0.7
#: Rows and columns of a tile, and the line below it that names it, pixels.
TILE, LINE, COLUMNS = (220, 190), 14, 7
#: How findings are scanned.
FINE = {"field": "sagittal_slab", "pixel_mm": [0.8, 0.8], "thickness_mm": [1.5], "tilt_deg": 0.0}
#: As the real lumbar CT may have been scanned before others brought it to 3 mm.
COARSE = {
    "field": "lumbar", "pixel_mm": [0.85, 0.85], "thickness_mm": [3.0], "interval_ratio": [1, 1],
    "kernel": ["soft"], "tilt_deg": 0.0,
}  # fmt: skip
#: People as sparse as the real ones look, years.
OLD = {"mean": 72, "sd": 1, "min": 70, "max": 75}
MASK = real.DATA / "verse004_mask" / "sub-verse004_seg-vert_msk.nii.gz"
REAL_IDS = TOTALSEGMENTATOR_BODY_IDS

#: Levels of which the neighbours are in the field.
SHOWN = ("T12", "L1", "L2", "L3", "L4", "L5")
PATIENTS = 12

Tile = tuple[str, np.ndarray]


def cut(
    image: np.ndarray,
    affine: np.ndarray,
    point: np.ndarray,
    plane: pictures.PlaneName,
    look: tuple[float, float] = pictures.BONE_WINDOW,
) -> np.ndarray:
    """Cut a tile about a point, RAS+ mm, out of a volume [X, Y, Z]; uint8 [TILE]."""
    whole = pictures.view_through(image.shape, affine, plane, 0.0, PIXEL_MM)
    half = np.array([TILE[1] - 1, TILE[0] - 1]) / 2 * PIXEL_MM
    view = pictures.View(plane, np.asarray(point) - half @ whole.axes(), PIXEL_MM, TILE)
    return pictures.window(view.sample(image, affine), look)


def both(name: str, image: np.ndarray, affine: np.ndarray, point: np.ndarray) -> Iterator[Tile]:
    """Sagittal in the bone window, axial in the soft tissue window."""
    yield f"{name}, sagittal", cut(image, affine, point, "sagittal")
    yield f"{name}, axial", cut(image, affine, point, "axial", pictures.SOFT_WINDOW)


def real_lumbar() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The real lumbar CT, its bodies (`REAL_IDS`) and its matrix."""
    scan = real.lumbar()
    if scan.bodies is None:
        raise ValueError(f"{scan.name} has no body masks")
    return scan.image, scan.bodies, scan.affine


def middle(labels: np.ndarray, affine: np.ndarray, number: int) -> np.ndarray:
    """Middle of a label, RAS+ mm, [3]."""
    return affine[:3, :3] @ np.argwhere(labels == number).mean(0) + affine[:3, 3]


def scanners(seed: int) -> Iterator[Tile]:
    """One patient on every scanner beside the real CTs."""
    image, bodies, affine = real_lumbar()
    yield from both("real", image, affine, middle(bodies, affine, REAL_IDS["L3"]))
    upper = real.upper_abdomen()
    # Its bodies have no mask: about the middle of the field, half way to the back.
    spine = np.array(upper.image.shape) * [0.5, 0.32, 0.5]
    point = upper.affine[:3, :3] @ spine + upper.affine[:3, 3]
    yield "real, contrast", cut(upper.image, upper.affine, point, "axial", pictures.SOFT_WINDOW)
    for scanner in ("A", "B", "C"):
        for kernel in ("soft", "sharp"):
            given = settings(COARSE | {"kernel": [kernel]}, {})
            case = simulate(given, seed, 0, scanner, paired=True)
            image, affine = case.image, case.affine
            point = np.array(case.truth["levels"]["L3"]["centroid_ras_mm"])
            tiles = list(both(f"{scanner} {kernel}", image, affine, point))
            yield from tiles if kernel == "soft" else tiles[1:]


def findings(seed: int) -> Iterator[Tile]:
    """Broken real bodies, then each fracture and mimic of the phantom."""
    image, bodies, affine = real_lumbar()
    where = middle(bodies, affine, REAL_IDS["L1"])
    yield "real L1, whole", cut(image, affine, where, "sagittal")
    for kind in KINDS:
        squeezed, _ = squeeze(image, bodies, affine, "L1", 0.4, kind, seed=seed, ids=REAL_IDS)
        yield f"real L1, {kind} 40 %", cut(squeezed, affine, where, "sagittal")
    given = settings(FINE, {}) | {
        "given_map": {"path": str(MASK), "ids": "verse", "fractured": ["L1"]}
    }
    case = simulate(given, seed, 0)
    yield (
        "real mask, L1 broken",
        cut(
            case.image,
            case.affine,
            np.array(case.truth["levels"]["L1"]["centroid_ras_mm"]),
            "sagittal",
        ),
    )
    for kind in KINDS:
        for grade in (1, 2, 3):
            broken = {"fractured": 1.0, "kinds": [kind], "grades": [grade], "one_sided": 0.0}
            yield found(f"{kind} {grade}", broken | {"levels": "peaks"}, "fracture", seed)
    for kind in recipe.load("standard")["pathology"]["mimic_kinds"]:
        yield found(kind, {"mimics": 1.0, "mimic_kinds": [kind]}, "mimic", seed)
    for name in ("cement", "screws"):
        yield found(name, {name: 1.0}, "implants", seed)


def found(name: str, pathology: dict[str, Any], key: str, seed: int) -> Tile:
    """Draw patients until one has a finding, and cut a tile through its level.

    Raises:
        ValueError: None of `PATIENTS` has it.
    """
    given = settings(FINE, {"highest": "T12"} | pathology)
    for index in range(PATIENTS):
        case = simulate(given, seed, index)
        for level, body in case.truth["levels"].items():
            if body[key] and level in SHOWN:
                point = middle(case.labels, case.affine, LABEL_IDS[level])
                return f"{name}, {level}", cut(case.image, case.affine, point, "sagittal")
    raise ValueError(f"none of {PATIENTS} patients has {name}")


def settings(scan: dict[str, Any], pathology: dict[str, Any]) -> dict[str, Any]:
    """The standard recipe with old people, a scan and findings of one's own."""
    given: dict[str, Any] = deepcopy(recipe.load("standard"))
    given["population"]["age_years"] = OLD
    given["scan"] |= scan
    given["pathology"] |= pathology
    return given


def sheet(tiles: list[Tile]) -> np.ndarray:
    """Lay tiles out with their names, uint8 [H, W]."""
    named = []
    for name, tile in tiles:
        canvas = Image.new("L", (TILE[1], TILE[0] + LINE))
        canvas.paste(Image.fromarray(tile))
        ImageDraw.Draw(canvas).text((3, TILE[0] + 1), name, 255)
        named.append(np.pad(np.asarray(canvas), 2))
    named += [np.zeros_like(named[0])] * (-len(named) % COLUMNS)
    rows = [np.hstack(named[first : first + COLUMNS]) for first in range(0, len(named), COLUMNS)]
    return np.vstack(rows)


def main() -> None:
    """Write both sheets."""
    parser = argparse.ArgumentParser(
        "python -m tools.phantom.checks.beside_real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, help="folder for the sheets")
    parser.add_argument("--seed", type=int, default=0, help="seed of the patients (0)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, tiles in (("scanners", scanners), ("findings", findings)):
        content = pictures.png(sheet(list(tqdm(tiles(options.seed), desc=name, unit="tile"))))

        def write(path: Path, content: bytes = content) -> None:
            path.write_bytes(content)

        write_atomically(options.out / f"{name}.png", write)
        print(f"wrote {options.out / f'{name}.png'}")


if __name__ == "__main__":
    main()
