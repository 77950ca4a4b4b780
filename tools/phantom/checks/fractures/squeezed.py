"""What the network says of a labelled CT whose bodies are made lower one by one.

    python -m tools.phantom.checks.fractures.squeezed CT BODIES OUT --ids totalsegmentator

Each level is squeezed by each kind and loss, on the CT's own texture, and once by nothing, through
the same resampling (`tools.phantom.squeeze`). Writes `squeezed.csv`, a row per scan, `squeezed.md`
with counts, and `squeezed.png`: the slice that speaks loudest, with the evidence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tools.levels import MEASURED_LEVELS
from tools.phantom.checks.fractures import sheet
from tools.phantom.checks.fractures.reading import Reader
from tools.phantom.checks.scanning import options_of, write_table
from tools.phantom.squeeze import squeeze
from tools.phantom.squeeze.__main__ import IDS
from tools.phantom.squeeze.command import KINDS
from tools.volumes import read_nifti

#: Of a body's height.
LOSSES = (0.25, 0.4)
#: A peak belongs to the body it is this close to, mm: its endplates and half a disc.
BESIDE_MM = 5.0
#: Of the noise that replaces what interpolation takes.
SEED = 0


class Row(NamedTuple):
    """One scan.

    Attributes:
        level: The squeezed one; empty for the CT as it came.
        kind: Of squeeze; empty where nothing is lost.
        loss: Share of height lost.
        probability: Of a fracture.
        peak: Level nearest to the peak of the occlusion map.
        apart_mm: How far the peak lies from that body, mm; 0 inside.
    """

    level: str
    kind: str
    loss: float
    probability: float
    peak: str
    apart_mm: float


def scans(
    image: np.ndarray,
    labels: np.ndarray,
    affine: np.ndarray,
    ids: Mapping[str, int],
    levels: Sequence[str] = MEASURED_LEVELS,
) -> Iterator[tuple[str, str, float, np.ndarray, np.ndarray]]:
    """Yield level, kind, loss, CT and labels: as it came, then every squeeze.

    Args:
        image: HU [X, Y, Z].
        labels: Vertebral bodies on the same grid.
        affine: 4x4 voxel to RAS+ millimetres.
        ids: Level name -> id in `labels`.
        levels: Levels to squeeze.
    """
    yield "", "", 0.0, image, labels
    for level in levels:
        for kind, loss in [("", 0.0), *((kind, loss) for kind in KINDS for loss in LOSSES)]:
            done = squeeze(image, labels, affine, level, loss, kind or KINDS[0], seed=SEED, ids=ids)
            yield level, kind, loss, *done


def read(
    reader: Reader,
    image: np.ndarray,
    labels: np.ndarray,
    affine: np.ndarray,
    ids: Mapping[str, int],
) -> tuple[list[Row], list[sheet.Shown]]:
    """Judge a CT as it came and with every squeeze.

    Args:
        reader: The network.
        image: HU [X, Y, Z].
        labels: Vertebral bodies on the same grid.
        affine: 4x4 voxel to RAS+ millimetres.
        ids: Level name -> id in `labels`.

    Returns:
        Rows, and a picture for each.
    """
    names = {label: level for level, label in ids.items() if level != "sacrum"}
    rows, shown = [], []
    each = scans(image, labels, affine, ids)
    count = 1 + len(MEASURED_LEVELS) * (1 + len(KINDS) * len(LOSSES))
    for level, kind, loss, ct, bodies in tqdm(each, total=count, unit="scan"):
        seen = reader.read(ct, affine, "squeezed")
        found = reader.locate(seen, bodies, affine, names)
        rows.append(Row(level, kind, loss, seen.probability, found.level, found.apart_mm))
        what = f"{level} {kind} {loss:.0%}" if level else "as it came"
        shown.append(found.shown(f"{what}\n{seen.probability:.2f}, peak {found.level}"))
    return rows, shown


def table(rows: Sequence[Row]) -> str:
    """Count positives, and evidence on the squeezed level, Markdown."""
    lines = ["| scans | positive | evidence on that level |", "|---|---|---|"]
    for words, chosen in (
        ("as it came", [row for row in rows if not row.level]),
        ("squeezed by nothing", [row for row in rows if row.level and not row.loss]),
        *(
            (f"{kind}, {loss:.0%}", [row for row in rows if (row.kind, row.loss) == (kind, loss)])
            for kind in KINDS
            for loss in LOSSES
        ),
    ):
        positive = sum(row.probability > 0.5 for row in chosen)
        there = sum(row.peak == row.level and row.apart_mm <= BESIDE_MM for row in chosen)
        lost = any(row.loss for row in chosen)
        evidence = f"{there} of {len(chosen)}" if lost else ""
        lines.append(f"| {words} | {positive} of {len(chosen)} | {evidence} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run the check."""
    parser = options_of("tools.phantom.checks.fractures.squeezed", __doc__)
    parser.add_argument("ct", type=Path, help="CT, NIfTI")
    parser.add_argument("labels", type=Path, help="vertebral bodies on the same grid, NIfTI")
    parser.add_argument("out", type=Path, help="folder for the result")
    parser.add_argument("--ids", choices=IDS, default="project", help="label ids (project)")
    parser.add_argument("--weights", help="weights; the shipped ones by default")
    options = parser.parse_args(arguments)
    try:
        reader = Reader.of(options.weights)
        image, affine = read_nifti(options.ct)
        labels, _ = read_nifti(options.labels)
        rows, shown = read(reader, image, labels.astype(np.int16), affine, IDS[options.ids])
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_table(options.out / "squeezed.csv", Row._fields, rows)
    (options.out / "squeezed.md").write_text(table(rows), encoding="utf-8")
    sheet.draw(shown, options.out / "squeezed.png", "Orange: evidence of the network")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
