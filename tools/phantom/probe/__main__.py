"""Train a U-Net on phantom slices for minutes and score it on a real CT it has never seen.

    python -m tools.phantom.probe scratch/probe

Rerun after each change of the phantom. Patients are drawn from the recipe `sagittal_slab`; their
slices stay in OUT and are drawn anew only when recipe, seed or the phantom's code change. Nothing
is chosen on the scored CT: see `tools/phantom/docs/transfer.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tools.files import write_atomically
from tools.phantom import real
from tools.phantom.case import simulate
from tools.phantom.probe import augment, train
from tools.phantom.probe.overlay import draw_scan, draw_slices
from tools.phantom.probe.predict import predict_slices, predict_volume
from tools.phantom.probe.score import score_phantoms, score_scan
from tools.phantom.probe.slices import Simulate, SliceSet, collect, fingerprint
from tools.phantom.recipe import load

#: Of ten patients, the last is not trained on.
HELD_OUT_EVERY = 10
#: The floor's limits, which no option exceeds.
MOST_MINUTES, MOST_SLICES = 20.0, 3000


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; an unusable one ends the program with one line and status 2."""
    parser = argparse.ArgumentParser("python -m tools.phantom.probe", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # fmt: skip
    parser.add_argument("out", type=Path, help="folder for slices, weights, numbers and pictures")
    parser.add_argument("--cases", type=int, default=300, help="phantom patients (300)")
    parser.add_argument("--seed", type=int, default=0, help="seed of patients and training (0)")
    parser.add_argument("--minutes", type=float, default=20.0, help="training time, at most 20")
    parser.add_argument("--steps", type=int, help="exactly this many steps instead of the time")
    parser.add_argument("--recipe", default="sagittal_slab", help="recipe name or file")
    parser.add_argument("--workers", type=int, default=2, help="processes and threads (2)")
    parser.add_argument("--ct", type=Path, default=real.LUMBAR_CT, help="the scored CT")
    parser.add_argument("--bodies", type=Path, default=real.LUMBAR_BODIES,
                        help="its vertebral body masks, one id per level")  # fmt: skip
    options = parser.parse_args(arguments)
    for name, low in (("cases", 2), ("workers", 1), ("steps", 1)):
        if (value := getattr(options, name)) is not None and value < low:
            parser.error(f"--{name} must be at least {low}, got {value}")
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes must be above 0 and at most {MOST_MINUTES:g}")
    for path in (options.ct, options.bodies):
        if not path.is_file():
            parser.error(f"no such file: {path}")
    return options


def fit(slices: SliceSet, options: argparse.Namespace, key: str, path: Path) -> dict[str, Any]:
    """Train, or read the weights at `path` if the same training wrote them.

    Returns:
        {"key", "weights", "run"}; `run` holds steps, epochs, seconds and losses.
    """
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in (augment, train))
    budget = [options.cases, options.minutes, options.steps, options.workers]
    key = hashlib.sha256(code + json.dumps([key, budget]).encode()).hexdigest()[:12]
    if path.exists():
        stored = torch.load(path, weights_only=True)
        if stored["key"] == key:
            return stored
    made = train.train(slices, options.seed, options.minutes * 60, options.steps, options.workers)
    run = {name: value for name, value in vars(made).items() if name != "network"}
    stored = {"key": key, "weights": made.network.state_dict(), "run": run}

    def save(temporary: Path) -> None:
        with temporary.open("wb") as stream:  # torch refuses names that begin with a dot
            torch.save(stored, stream)

    write_atomically(path, save)
    return stored


def examine(network: torch.nn.Module, options: argparse.Namespace) -> dict[str, Any]:
    """Apply the network to the real scans; score those with a reference, draw all of them."""
    readers = {
        "lumbar": lambda: real.lumbar(options.ct, options.bodies),
        "l3_crop": real.l3_crop,
        "thorax": real.thorax,
    }
    scores: dict[str, Any] = {}
    for name, read in readers.items():
        try:
            scan = read()
        except FileNotFoundError as error:
            scores[name] = {"missing": str(error)}
            continue
        predicted = predict_volume(network, scan.image, scan.affine)
        caption = f"{scan.name}: found {predicted.sum()} voxels"
        if scan.bodies is not None:
            scores[name] = score_scan(scan, predicted)
            caption = f"{scan.name}: DSC {scores[name]['whole']['dsc']:.3f}, green = reference"
        draw_scan(options.out / f"{name}.png", scan, predicted, caption)
    return scores


def probe(options: argparse.Namespace, draw: Simulate, recipe: dict[str, Any]) -> dict[str, Any]:
    """Draw, train, score; write `probe.json` and pictures into the output folder.

    Args:
        options: What `parse` returns.
        draw: Draws one patient: (recipe, seed, index).
        recipe: The recipe it is given.

    Returns:
        What `probe.json` holds.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    key = fingerprint(recipe, options.seed)
    start = time.monotonic()
    slices = collect(
        draw, recipe, options.seed, options.cases, options.out / f"slices-{key}",
        options.workers,
    )  # fmt: skip
    drawing_seconds = time.monotonic() - start
    held_out = list(range(HELD_OUT_EVERY - 1, options.cases, HELD_OUT_EVERY)) or [options.cases - 1]
    trained_on = [i for i in range(options.cases) if i not in held_out]
    learnt = slices.of(trained_on).take(slice(MOST_SLICES))
    unseen = slices.of(held_out)
    stored = fit(learnt, options, key, options.out / "network.pt")
    network = train.build_network()
    network.load_state_dict(stored["weights"])
    network.eval()
    shown = list(range(0, len(unseen.images), max(1, len(unseen.images) // 5)))[:5]
    draw_slices(options.out / "phantom.png", unseen, predict_slices(network, unseen.images[shown]),
                shown, "held-out phantom patients, green = truth")  # fmt: skip
    result = {
        "recipe": recipe.get("name"),
        "seed": options.seed,
        "slices": {"fingerprint": key, "training": len(learnt.images),
                   "patients": options.cases, "drawing_seconds": drawing_seconds},
        "training": stored["run"] | {"threads": options.workers, "cpus": os.cpu_count()},
        "phantom_held_out": score_phantoms(network, unseen),
        "real": examine(network, options),
    }  # fmt: skip

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(result, indent=1) + "\n")

    write_atomically(options.out / "probe.json", write)
    return result


def main(arguments: list[str]) -> int:
    """Run the probe of the packaged phantom; returns the exit status."""
    options = parse(arguments)
    try:
        recipe = load(options.recipe)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    result = probe(options, simulate, recipe)
    whole = result["real"]["lumbar"]["whole"]
    print(f"held-out phantom DSC {result['phantom_held_out']['dsc']:.3f}")
    print(f"real lumbar CT   DSC {whole['dsc']:.3f}, 95 % CI {whole['ci95']}")
    print(f"numbers and pictures: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
