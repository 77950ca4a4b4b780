"""Command table: `python -m tools` lists it, `python -m tools NAME --help` explains a command."""

from __future__ import annotations

import sys

from tools.cli import Command, main

INTRO = (
    "Opportunistic bone density from CT, developed and tested on digital patients with known "
    "bone mineral density. Research use; not a medical device."
)

COMMANDS = {
    "demo": Command(
        target="tools.demo:demo",
        summary="Draw one digital patient and write an HTML page that shows the CT, the labels "
        "and the true bone density of each vertebra. Start here.",
        example="demo --output my-first-patient",
    ),
    "screen": Command(
        target="tools.screen.command:screen",
        summary="Measure bone density in CTs: finds and names L1 to L4, reads the trabecular bone "
        "of each, and writes a report for every CT; what cannot be measured is refused.",
        example="screen ct.nii.gz results",
    ),
    "evaluate": Command(
        target="tools.evaluate.command:evaluate",
        summary="Hold predictions against references: the studies' tables with 95 % confidence "
        "intervals, per scanner and for each method, and plots. Failed scans count.",
        example="evaluate results cohort/truth.json evaluation",
    ),
    "phantom": Command(
        target="tools.phantom.cohort:phantom",
        summary="Make a cohort of digital patients: CT volumes, label maps of the vertebrae, "
        "the truth about every level, and datalists for training.",
        example="phantom cohort --cases 20 --seed 1 --workers 2",
    ),
    "recalibrate": Command(
        target="tools.calibration.recalibrate:recalibrate",
        summary="Make a site's calibration of scans whose QCT density is known, with bias and "
        "limits of agreement before and after, for `screen --calibration`.",
        example="recalibrate pairs.csv site",
    ),
    "calibrate": Command(
        target="tools.calibration.calibrate:calibrate",
        summary="Make a scanner's calibration of one CT of a spine phantom with known densities, "
        "for `screen --calibration`.",
        example="calibrate phantom.nii.gz scanner --kvp 120 --scanner CT-1",
    ),
    "pretrain": Command(
        target="tools.pretraining.command:pretrain",
        summary="Train a bundle on digital patients alone: draws them, runs the bundle's own "
        "training, and writes weights to ship with a record of how they were made.",
        example="pretrain lumbar_segmentation weights --workers 2",
    ),
    "bench": Command(
        target="tools.bench.command:bench",
        summary="Measure speed and memory of `screen` on this machine by stage, beside a reference "
        "network and the machine's own rate, all in one run.",
        example="bench speed",
    ),
}

if __name__ == "__main__":
    sys.exit(main(COMMANDS, INTRO, sys.argv[1:]))
