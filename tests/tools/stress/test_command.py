"""The stress test's files, repetition and bad requests, with a stand-in for the bundle."""

import csv
import importlib.util
import json
import pickle
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tools import cli
from tools.levels import MEASURED_LEVELS
from tools.stress import __main__, command, examine, plans
from tools.stress.examine import Setup
from tools.volumes import save_nifti

_spec = importlib.util.spec_from_file_location("scene", Path(__file__).with_name("scene.py"))
scene = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scene)


class Double:
    """A bundle that knows the answer, but names L3 wrongly where the field is cut above."""

    weights_sha256 = "0" * 64

    def __init__(self):
        self.seen = []
        self.refuses = set()
        self.sample = None

    def answer(self, _bundle, sample, name):
        self.seen.append(name)
        if name in self.refuses:
            raise ValueError("image is blank; give another")
        labels = np.zeros_like(sample.image, np.uint8) if sample.labels is None else sample.labels
        written = np.where(labels <= 4, labels, 0).astype(np.uint8)
        if name == "v002":
            written[written == 3] = 2
        levels = {level: {"status": "measured", "reasons": []} for level in MEASURED_LEVELS}
        pred = torch.from_numpy(written[None])
        return {"pred": pred, "levels": levels, "chain": [{"name": "L5", "votes": np.float32(0.5)}]}


@pytest.fixture
def double(monkeypatch, tmp_path):
    made = Double()
    monkeypatch.setattr(Setup, "load", lambda _self: SimpleNamespace(weights_sha256="0" * 64))
    monkeypatch.setattr(Setup, "software", lambda _self: "code and weights")
    monkeypatch.setattr(examine, "run_bundle", made.answer)
    monkeypatch.setattr(plans, "lumbar", lambda _folder: scene.boxes())
    monkeypatch.setattr(plans, "NEGATIVES", {"boxes": (lambda _f: scene.boxes(), frozenset())})
    return made


def stress(out, **options):
    command.lumbar(out, **{"variants": 4, "parts": "variants", "data": out.parent} | options)


def read_rows(out):
    with (out / "rows.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_summary_and_pictures_are_written(double, tmp_path, capsys):
    out = tmp_path / "out"
    stress(out, parts="variants,negatives,slices")
    table = read_rows(out)
    assert len(table) == 4 * len(double.seen)
    assert {row["part"] for row in table} == {"variants", "slices", "negatives"}
    assert {row["level"] for row in table} == set(MEASURED_LEVELS)
    content = json.loads((out / "summary.json").read_text())
    assert content["scans"] == len(double.seen)
    assert content["weights_sha256"] == "0" * 64
    found = content["parts"]["variants"]["all"]
    assert found["verdicts"]["right"] > 10
    assert found["scans"] == 4
    assert content["parts"]["negatives"]["all"]["verdicts"]["absent"] == 4
    assert "variants: 4 scans; right" in capsys.readouterr().out
    assert list((out / "pictures").glob("variants-v000.png"))


def test_a_wrong_name_is_counted_and_drawn(double, tmp_path):
    stress(tmp_path / "out")
    wrong = [row for row in read_rows(tmp_path / "out") if row["verdict"] == "wrong"]
    assert [(row["case"], row["level"]) for row in wrong] == [("v002", "L2")]
    assert (tmp_path / "out" / "pictures" / "variants-v002-wrong.png").is_file()


def test_only_what_is_missing_or_outdated_is_examined_again(double, tmp_path, monkeypatch):
    out = tmp_path / "out"
    stress(out)
    before = (out / "rows.csv").read_bytes()
    double.seen.clear()
    stress(out)
    assert double.seen == []
    assert (out / "rows.csv").read_bytes() == before
    (out / "rows" / "variants-v001.json").write_text("{")
    stress(out)
    assert double.seen == ["v001"]
    stress(out, variants=6)
    assert double.seen == ["v001", "v004", "v005"]
    monkeypatch.setattr(Setup, "software", lambda _self: "other weights")
    double.seen.clear()
    stress(out)
    assert len(double.seen) == 4


def test_a_scan_the_bundle_refuses_to_read_is_a_refusal_of_every_level(double, tmp_path):
    double.refuses.add("v000")
    stress(tmp_path / "out", variants=1)
    table = read_rows(tmp_path / "out")
    assert {row["verdict"] for row in table} == {"refused"}
    assert {row["status"] for row in table} == {"failed"}
    assert table[0]["reasons"] == "image is blank; give another"


def test_phantoms_are_read_from_a_cohort_and_cut_short(double, tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    scan = scene.boxes()
    for folder, array in (("images", scan.image.astype(np.int16)), ("labels", scan.bodies)):
        (cohort / folder).mkdir(parents=True)
        for case in ("A0001", "A0002"):
            save_nifti(cohort / folder / f"{case}.nii.gz", array, scan.affine)
    (cohort / "truth").mkdir()
    levels = {level: {"complete": level != "L1"} for level in MEASURED_LEVELS}
    for case in ("A0001", "A0002"):
        (cohort / "truth" / f"{case}.json").write_text(json.dumps({"levels": levels}))
    (cohort / "truth.json").write_text(json.dumps({"cases": {"A0001": {}, "A0002": {}}}))
    monkeypatch.setattr(plans, "PHANTOM_CUTS", (("", "L3 through"),))
    stress(tmp_path / "out", parts="phantoms,truncated", cohort=cohort, phantoms=1)
    found = {(row["part"], row["case"], row["level"]): row for row in read_rows(tmp_path / "out")}
    assert len(found) == 8
    assert found["phantoms", "A0001", "L1"]["complete"] == "False"  # the truth says it is cut
    assert found["phantoms", "A0001", "L2"]["verdict"] == "right"
    assert found["truncated", "A0001", "L2"]["verdict"] == "right"
    assert found["truncated", "A0001", "L3"]["verdict"] == "right_cut"
    assert found["truncated", "A0001", "L4"]["verdict"] == "absent"
    assert found["truncated", "A0001", "L4"]["sacrum"] == "none"


def test_several_processes_give_the_same_rows(tmp_path):
    """Plans, set-up and the work itself can be sent to other processes."""
    todo = [*plans.variant_plans(3, 0), *plans.slice_plans(), *plans.negative_plans()]
    work = partial(examine.examine, Setup(tmp_path))
    assert pickle.loads(pickle.dumps((work, todo)))[1] == todo


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parts": "variant"}, "did you mean 'variants'"),
        ({"variants": 0}, "variants is a whole number of at least 1, not 0"),
        ({"workers": 0}, "workers is a whole number"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"data": Path("no/such")}, "no real CTs there"),
        ({"parts": "phantoms", "cohort": Path("no/such")}, "holds no finished phantom cohort"),
    ],
)
def test_bad_requests_are_one_line(double, tmp_path, options, words):
    with pytest.raises(ValueError, match=r"\w") as caught:
        stress(tmp_path / "out", **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert double.seen == []


def test_help_names_the_program(capsys):
    assert cli.main(__main__.COMMANDS, "", ["lumbar", "--help"], "python -m tools.stress") == 0
    page = capsys.readouterr().out
    assert "usage: python -m tools.stress lumbar OUT [options]" in page
    assert "--variants" in page


def test_weights_that_do_not_exist_are_refused_first(tmp_path):
    with pytest.raises(ValueError, match=r"mine\.pt: No such file"):
        command.lumbar(tmp_path / "out", weights=tmp_path / "mine.pt", data=tmp_path)
    assert not (tmp_path / "out").exists()
