"""The `bench` command: speed and memory of `screen` beside a reference network, in one run.

    python -m tools bench OUT

Machines differ, and a busy one differs from minute to minute: every number that counts is a ratio
of two measurements of the same round.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import torch

from tools import crew, density, segmentation, versions
from tools.bench import own, page, rate, reference
from tools.bench.clock import Watch, peak_mib, rounded, summarise
from tools.demo import patient_recipe
from tools.files import write_content, write_json
from tools.phantom.case import simulate
from tools.screen import scan as scans
from tools.screen.settings import Settings
from tools.threads import use_threads
from tools.volumes import save_nifti

JSON_FILE, PAGE_FILE = "bench.json", "bench.md"

SEED = 1
"""Of the patient drawn: the demo's."""


@dataclass
class Measured:
    """Everything that was measured.

    Attributes:
        cold: First run of `screen`, that of its networks' loading included.
        loading: Of the networks, before it.
        rounds: Matrix product, `screen` and reference, measured one after the other.
        peaks_mib: Largest memory by run.
        operations: Network -> floating-point operations on this CT.
        parameters: Of the reference.
    """

    cold: own.Result
    loading: Watch
    rounds: list[tuple[Watch, own.Result, reference.Result]] = field(default_factory=list)
    peaks_mib: dict[str, float | None] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    parameters: int = 0


def bench(
    out: Path,
    image: Path | None = None,
    repeats: int = 3,
    size: Literal["standard", "small"] = "standard",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
) -> None:
    """Measure speed and memory of `screen` beside a reference network on the same CT.

    Takes the time of every stage, cold and warm, peak memory and scans per hour of one process;
    in the same rounds the rate of a large matrix product, and a network of the size that
    TotalSegmentator's fast mode uses, with random weights. Writes OUT/bench.md to read and
    OUT/bench.json for programs. Let the machine do nothing else meanwhile.

    Args:
        out: Folder to write.
        image: NIfTI file of a CT; without it a digital patient is drawn.
        repeats: Warm rounds.
        size: Of the patient drawn: standard is a whole abdomen, small the lumbar spine at 3 mm.
        device: Where the networks run; auto takes the graphics card if there is one.
        threads: Of everything; by default PyTorch's own number. On a busy machine take 1: several
            wait for each other there, and the more so, the shorter their pieces of work are.

    Raises:
        ValueError: An argument is unusable, or `screen` measures nothing in the CT.
        OSError: OUT cannot be written.
    """
    if repeats < 1:
        raise ValueError(f"--repeats is a number of rounds, at least 1, not {repeats}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no graphics card here; leave --device out")
    if image is not None and not image.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"--image takes a NIfTI file, not {image}")
    if threads is not None and threads < 1:
        raise ValueError(f"--threads is at least 1, not {threads}")
    out.mkdir(parents=True, exist_ok=True)
    with (
        use_threads(threads or torch.get_num_threads()),
        tempfile.TemporaryDirectory(prefix=".part-", dir=out) as name,
    ):
        work = Path(name)
        path = image or _draw(work / "phantom.nii.gz", size)
        (case,) = scans.find(path, work / "results")
        measured = _measure(case, work, Settings(device=device), repeats)
        content = _content(measured, path, None if image else size)
    write_json(out / JSON_FILE, content)
    write_content(out / PAGE_FILE, page.write(content))
    print(page.summary(content))
    print(f"all numbers: {out / PAGE_FILE}")


def _draw(path: Path, size: str) -> Path:
    print(f"drawing a patient of {size} size ...", flush=True)
    case = simulate(patient_recipe(size), SEED, 0)
    save_nifti(path, case.image, case.affine)
    return path


def _measure(case: scans.Case, work: Path, settings: Settings, repeats: int) -> Measured:
    print("screen, cold ...", flush=True)
    with Watch(torch.device("cpu")) as loading:
        used = [one for one in (settings.segmentation(), settings.density()) if one is not None]
    peak_mib()
    found = Measured(own.run(case, work, settings), loading)
    if found.cold.status != "done":
        raise ValueError(f"screen measures nothing in this CT: {found.cold.reason}")
    found.peaks_mib["screen_cold"] = peak_mib()
    device = used[0].device
    for bundle in used:
        shapes = found.cold.networks[bundle.name].shapes
        found.operations[bundle.name] = rate.operations(bundle.network, shapes)
    peak_mib()
    own.run(case, work, settings)  # not counted: the processor's caches and frequency settle
    found.peaks_mib["screen_warm"] = peak_mib()
    network = reference.build(device)
    found.parameters = sum(weights.numel() for weights in network.parameters())
    for number in range(repeats):
        print(f"round {number + 1} of {repeats} ...", flush=True)
        product = rate.matrix_product(device)
        ours = own.run(case, work, settings)
        peak_mib()
        theirs = reference.run(network, case.paths[0], work, device)
        found.peaks_mib["reference"] = peak_mib()
        found.rounds.append((product, ours, theirs))
    found.operations["reference"] = rate.operations(network, found.rounds[0][2].windows)
    return found


def _content(found: Measured, path: Path, drawn: str | None) -> dict[str, Any]:
    """Everything as bench.json holds it; ratios are taken round by round."""
    file = nib.Nifti1Image.from_filename(path)
    spacing = np.linalg.norm(file.affine[:3, :3], axis=0)
    products = [product for product, _, _ in found.rounds]
    ours = [result for _, result, _ in found.rounds]
    theirs = [result for _, _, result in found.rounds]
    networks = [name for name in (segmentation.NAME, density.NAME) if name in ours[0].networks]
    watches = {name: [result.networks[name].watch for result in ours] for name in networks}
    together = [_sum(each) for each in zip(*watches.values(), strict=True)]
    operations = sum(found.operations[name] for name in networks)
    tiles = [result.network for result in theirs]
    return {
        "software": versions.describe(),
        "machine": {
            "processor": platform.machine(), "cores": crew.cores(),
            "threads": torch.get_num_threads(),
            "graphics_card": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "ct": {"drawn": drawn, "shape": list(file.shape),
               "spacing_mm": [rounded(float(step)) for step in spacing]},
        "rounds": len(found.rounds),
        "matrix_product_gflops": summarise(
            [rate.gflop_of_product() / product.seconds for product in products]
        ),
        "screen": {
            "loading_networks_s": rounded(found.loading.seconds),
            "cold_s": {**_rounded(found.cold.stages), "all": rounded(found.cold.whole.seconds)},
            "warm_s": {
                **{stage: summarise([one.stages[stage] for one in ours]) for stage in own.STAGES},
                "all": summarise([one.whole.seconds for one in ours]),
            },
            "warm_processor_s": summarise([one.whole.processor_s for one in ours]),
            "scans_per_hour": summarise([3600 / one.whole.seconds for one in ours]),
            "peak_memory_mib": {"cold": found.peaks_mib["screen_cold"],
                                "warm": found.peaks_mib["screen_warm"]},
            "networks": {
                name: _network(found.operations[name], watches[name], products) for name in networks
            },
            "networks_together": _network(operations, together, products),
        },
        "reference": {
            "parameters": found.parameters,
            "windows": len(theirs[0].windows),
            "all_s": summarise([one.whole.seconds for one in theirs]),
            "processor_s": summarise([one.whole.processor_s for one in theirs]),
            "peak_memory_mib": found.peaks_mib["reference"],
            "network": _network(found.operations["reference"], tiles, products),
        },
        "ratios": {
            "speed": _ratios([one.whole.seconds for one in theirs],
                             [one.whole.seconds for one in ours]),
            "speed_by_processor_time": _ratios([one.whole.processor_s for one in theirs],
                                               [one.whole.processor_s for one in ours]),
            "speed_of_networks": _ratios([one.seconds for one in tiles],
                                         [one.seconds for one in together]),
        },
    }  # fmt: skip


def _network(
    operations: int, watches: Sequence[Watch], products: Sequence[Watch]
) -> dict[str, Any]:
    """What a network did, and the share of the machine's rate that it reached."""
    # Operations per second over those of the product, by the wall and by the processor.
    work = operations / 1e9 / rate.gflop_of_product()
    by_wall = [work * product.seconds / one.seconds
               for one, product in zip(watches, products, strict=True)]  # fmt: skip
    by_processor = [work * product.processor_s / one.processor_s
                    for one, product in zip(watches, products, strict=True)]  # fmt: skip
    return {
        "gflop": rounded(operations / 1e9),
        "seconds": summarise([one.seconds for one in watches]),
        "gflops": summarise([operations / 1e9 / one.seconds for one in watches]),
        "share_of_matrix_product": summarise(by_wall),
        "share_by_processor_time": summarise(by_processor),
    }


def _sum(watches: Sequence[Watch]) -> Watch:
    """What several watches show together."""
    both = Watch(torch.device("cpu"))
    both.seconds = sum(one.seconds for one in watches)
    both.processor_s = sum(one.processor_s for one in watches)
    return both


def _ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Ratios of the same rounds."""
    return summarise([one / other for one, other in zip(above, below, strict=True)])


def _rounded(values: Any) -> dict[str, float]:
    return {name: rounded(value) for name, value in values.items()}
