"""Parts of a run, side by side into one folder: every case once, and one table in the end."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.tools.screen.runs import entries, run, table
from tools.files import exclusive
from tools.screen import shards, summary
from tools.screen.scan import Case
from tools.screen.shards import Part

pytestmark = pytest.mark.usefixtures("measured")


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_case_is_in_one_part(of):
    cases = [Case(f"c{number}", "nifti", ()) for number in range(5)]
    picked = [case.name for number in range(of) for case in Part(number, of).pick(cases)]
    assert sorted(picked) == [case.name for case in cases]


def test_parts_end_like_one_run(make, tmp_path):
    whole, split = tmp_path / "whole", tmp_path / "split"
    for name, text in zip("abcde", ["done", "refused", "failed", "done", "done"], strict=True):
        make(f"{name}.nii.gz", text)
    scans = tmp_path / "?.nii.gz"
    assert run(scans, whole) == 0
    for number in (1, 0):
        assert run(scans, split, "--num_parts", "2", "--part_id", str(number)) == 0
    assert entries(split) == entries(whole)
    assert (split / "results.csv").read_text() == (whole / "results.csv").read_text()
    own = [json.loads((split / f"run-{number}.json").read_text()) for number in (0, 1)]
    assert [[one["case"] for one in part["cases"]] for part in own] == [["a", "c", "e"], list("bd")]
    told = json.loads((split / "run.json").read_text())
    assert told["parts"] == {str(number): part["seconds"] for number, part in enumerate(own)}
    assert told["arguments"]["num_parts"] == 2
    # A whole run takes over, and measures nothing but what failed.
    assert run(scans, split) == 0
    assert not list(split.glob("run-*.json"))


def test_what_no_part_came_to_is_told(make, tmp_path):
    """A part that was killed leaves no file of its own; its cases have an entry all the same."""
    out = tmp_path / "out"
    for name in "abc":
        make(f"{name}.nii.gz")
    assert run(tmp_path / "?.nii.gz", out, "--num_parts=2", "--part_id=0") == 0
    assert entries(out)["b"]["reason"] == summary.NOT_REACHED
    assert table(out)["b"][0]["status"] == "failed"
    assert json.loads((out / "run.json").read_text())["parts"]["1"] is None


def test_a_part_that_stops_tells_what_it_did(make, tmp_path, capsys):
    out = tmp_path / "out"
    make("a.nii.gz")
    make("b.nii.gz", "full disk")
    assert run(tmp_path / "?.nii.gz", out, "--num_parts=1", "--part_id=0") == 1
    status = {one["case"]: one["status"] for one in summary_of(out / "run-0.json")}
    assert status == {"a": "done", "b": "failed"}
    assert "No space left on device" in capsys.readouterr().err


def summary_of(path: Path):
    return json.loads(path.read_text())["cases"]


def test_only_the_last_part_at_work_joins(make, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    make("a.nii.gz")
    make("b.nii.gz")
    with shards.part_at_work(out, Part(1, 2)) as other:
        assert run(tmp_path / "?.nii.gz", out, "--num_parts=2", "--part_id=0") == 0
        assert (out / "run-0.json").is_file()
        assert not (out / "run.json").exists()
        assert other.is_last()


PART = ["--num_parts=2", "--part_id=0"]


@pytest.mark.parametrize(
    ("at_work", "words"),
    [
        pytest.param(lambda out: exclusive(out), PART, id="whole, then part"),
        pytest.param(lambda out: shards.part_at_work(out, Part(1, 2)), [], id="part, then whole"),
        pytest.param(lambda out: shards.part_at_work(out, Part(0, 2)), PART, id="same part"),
        pytest.param(lambda out: shards.part_at_work(out, Part(1, 3)), PART, id="other division"),
    ],
)
def test_runs_that_would_write_the_same_cases_are_kept_out(
    at_work,
    words,
    make,
    measured,
    tmp_path,
    capsys,
):
    out = tmp_path / "out"
    out.mkdir()
    with ExitStack() as stack:
        stack.enter_context(at_work(out))
        assert run(make("a.nii.gz"), out, *words) == 1
    assert "another run is writing here" in capsys.readouterr().err
    assert measured == []
    assert run(tmp_path / "a.nii.gz", out, *words) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--num_parts=2"], "go together", id="no id"),
        pytest.param(["--part_id=0"], "go together", id="no number"),
        pytest.param(["--num_parts=2", "--part_id=2"], "no part 2 of 2", id="beyond"),
        pytest.param(["--num_parts=0", "--part_id=0"], "no part 0 of 0", id="none"),
        pytest.param(["--workers=0"], "at least 1, not 0", id="no workers"),
        pytest.param(["--submit=slurm", "--part_id=0"], "starts every part", id="submit a part"),
        pytest.param(["--submit=slurm", "--num_parts=0"], "at least 1", id="submit no part"),
        pytest.param(["--submit=pbs"], "one of slurm", id="other scheduler"),
    ],
)
def test_impossible_divisions_start_nothing(words, message, make, tmp_path, capsys):
    assert run(make("a.nii.gz"), tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
