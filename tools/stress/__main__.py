"""`python -m tools.stress lumbar OUT` puts a bundle under stress; `--help` explains it."""

from __future__ import annotations

import sys

from tools.cli import Command, main

INTRO = "Examines finished bundles on scans whose answer is known: how often are they wrong?"

COMMANDS = {
    "lumbar": Command(
        target="tools.stress.command:lumbar",
        summary="Run lumbar_segmentation on changed real CTs and on phantoms, and count right, "
        "refused and wrong names.",
        example="lumbar scratch/stress --variants 120 --workers 2",
    ),
    "inputs": Command(
        target="tools.stress.inputs:inputs",
        summary="Give `screen` bad inputs (changed real scans, pydicom's files, text) and count "
        "those that do not end well.",
        example="inputs scratch/inputs --mutations 200 --workers 2",
    ),
}

if __name__ == "__main__":
    sys.exit(main(COMMANDS, INTRO, sys.argv[1:], "python -m tools.stress"))
