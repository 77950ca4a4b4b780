"""What the network says of a real broken body, dressed as CTs, and of the same body less broken.

    python -m tools.phantom.checks.fractures.dressed MASK OUT --level L1 --ids verse

MASK is a label map of whole vertebrae of which one is broken. It becomes the anatomy of digital
patients (`tools.phantom.given`); in the scan of each the broken body is raised step by step
(`tools.phantom.squeeze`). Writes `dressed.csv`, a row per scan, and `dressed.png`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tools.levels import LABEL_IDS
from tools.phantom import recipe as recipes
from tools.phantom.case import simulate
from tools.phantom.checks.fractures import sheet
from tools.phantom.checks.fractures.cause import BODIES
from tools.phantom.checks.fractures.reading import Reader
from tools.phantom.checks.scanning import options_of, write_table
from tools.phantom.squeeze import squeeze

#: The broken body becomes higher by these shares of the height that is left.
RAISED = (0.0, 0.15, 0.3)
#: Recipe of the patients, and the field that shows enough of the trunk for the canal to be found.
RECIPE, FIELD = "ovf_test", "lumbar"
SEED = 0


class Row(NamedTuple):
    """One scan.

    Attributes:
        patient: Number.
        raised: By what share of its height the broken body was raised.
        probability: Of a fracture.
        peak: Level nearest to the peak of the occlusion map.
        apart_mm: How far the peak lies from that body, mm; 0 inside.
    """

    patient: int
    raised: float
    probability: float
    peak: str
    apart_mm: float


def scans(
    mask: Path, ids: str, level: str, patients: int
) -> Iterator[tuple[int, float, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield patient, share raised, CT, bodies and affine.

    Args:
        mask: Label map of whole vertebrae.
        ids: Its label scheme, as in a recipe.
        level: The broken one.
        patients: How many dress it.

    Raises:
        ValueError: The map or the level is unusable.
    """
    given = recipes.load(RECIPE)
    given["scan"]["field"] = FIELD
    given["given_map"] = {"path": str(mask), "ids": ids, "fractured": [level]}
    given["pathology"] |= dict.fromkeys(("fractured", "mimics", "cement", "screws"), 0.0)
    for patient in range(patients):
        case = simulate(given, SEED, patient)
        for raised in RAISED:
            ct, bodies = squeeze(
                case.image, case.labels, case.affine, level, -raised, "crush", seed=SEED
            )
            yield patient, raised, ct, bodies, case.affine


def main(arguments: Sequence[str]) -> int:
    """Run the check."""
    parser = options_of("tools.phantom.checks.fractures.dressed", __doc__)
    parser.add_argument("mask", type=Path, help="label map of whole vertebrae, NIfTI")
    parser.add_argument("out", type=Path, help="folder for the result")
    parser.add_argument("--level", default="L1", choices=[*LABEL_IDS], help="the broken one (L1)")
    parser.add_argument("--ids", default="verse", help="label scheme (verse)")
    parser.add_argument("--patients", type=int, default=3, help="patients that wear it (3)")
    parser.add_argument("--weights", help="weights; the shipped ones by default")
    options = parser.parse_args(arguments)
    rows, shown = [], []
    try:
        reader = Reader.of(options.weights)
        each = scans(options.mask, options.ids, options.level, options.patients)
        total = options.patients * len(RAISED)
        for patient, raised, ct, bodies, affine in tqdm(each, total=total, unit="scan"):
            seen = reader.read(ct, affine, "dressed")
            found = reader.locate(seen, bodies, affine, BODIES)
            rows.append(Row(patient, raised, seen.probability, found.level, found.apart_mm))
            said = f"{seen.probability:.2f}, peak {found.level}"
            shown.append(found.shown(f"patient {patient}, raised {raised:.0%}\n{said}"))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_table(options.out / "dressed.csv", Row._fields, rows)
    sheet.draw(shown, options.out / "dressed.png", "Orange: evidence of the network")
    for row in rows:
        print(*row)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
