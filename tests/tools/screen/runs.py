"""Runs of `screen` in this process, and what they wrote."""

import csv
import json

from tools.__main__ import COMMANDS, INTRO
from tools.cli import main


def run(*words):
    return main(COMMANDS, INTRO, ["screen", *map(str, words)])


def entries(out):
    return {one["case"]: one for one in json.loads((out / "run.json").read_text())["cases"]}


def table(out):
    """Case -> its rows of results.csv."""
    found = {}
    with (out / "results.csv").open() as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["case"], []).append(row)
    return found
