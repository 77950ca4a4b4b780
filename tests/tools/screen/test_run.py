"""Several runs into one folder: no case is forgotten, replaced, or lost with a run that stops."""

import errno
import json
from pathlib import Path

import pytest

from tests.tools.screen.runs import entries, run, table
from tools.screen import folder as folders
from tools.screen import places, summary
from tools.screen.folder import Outcome
from tools.screen.scan import Case

pytestmark = pytest.mark.usefixtures("measured")


def test_the_table_keeps_the_cases_of_earlier_runs(make, tmp_path):
    """results.csv and run.json held only what the last command was given."""
    out = tmp_path / "out"
    first, second, third = make("b.nii.gz"), make("a.nii.gz", "refused"), make("c.nii.gz", "failed")
    for path in (first, second, third):
        assert run(path, out) == 0
    content = json.loads((out / "run.json").read_text())
    assert [(one["case"], one["input"], one["status"]) for one in content["cases"]] == [
        ("a", str(second), "refused"), ("b", str(first), "done"), ("c", str(third), "failed")
    ]  # fmt: skip
    assert content["counts"] == {"done": 1, "refused": 1, "failed": 1}
    assert {name: len(lines) for name, lines in table(out).items()} == {"a": 4, "b": 4, "c": 1}
    together = tmp_path / "together"
    assert run(tmp_path / "?.nii.gz", together) == 0
    assert (together / "results.csv").read_text() == (out / "results.csv").read_text()
    assert entries(together) == entries(out)


def test_a_case_whose_folder_was_removed_leaves_the_table(make, tmp_path):
    out = tmp_path / "out"
    assert run(make("a.nii.gz"), out) == 0
    (out / "a" / "report.json").unlink()
    assert run(make("b.nii.gz"), out) == 0
    assert entries(out)["a"]["status"] == "failed"
    assert entries(out)["a"]["reason"] == folders.HARMED
    (out / "a" / "case.json").unlink()
    (out / "mine").mkdir()
    (out / "mine" / "case.json").write_text('{"case": "mine"}')
    assert run(tmp_path / "b.nii.gz", out) == 0
    assert set(entries(out)) == set(table(out)) == {"b"}


def test_an_input_of_the_same_name_does_not_replace_another(make, tmp_path, measured):
    """The second CT called ct.nii.gz silently took the first one's folder."""
    out = tmp_path / "out"
    one, other = make("one/ct.nii.gz"), make("other/ct.nii.gz", "refused")
    assert run(one, out) == 0
    before = (out / "ct" / "case.json").read_bytes()
    assert run(other, out) == 0
    assert (out / "ct" / "case.json").read_bytes() == before
    found = {entry["input"]: name for name, entry in entries(out).items()}
    apart = found[str(other)]
    assert found == {str(one): "ct", str(other): apart}
    assert apart.startswith("ct-")
    assert len(apart) == len("ct-") + places.ORIGIN_DIGITS
    assert measured == ["ct", apart]
    # Each finds its own again: alone, spelt otherwise, or together.
    assert run(other, out) == 0
    assert run(tmp_path / "one" / ".." / "other" / "ct.nii.gz", out) == 0
    assert run(one, out) == 0
    (tmp_path / "list.txt").write_text(f"{one}\n{other}\n")
    assert run(tmp_path / "list.txt", out) == 0
    assert measured == ["ct", apart]
    assert set(entries(out)) == {"ct", apart}


def test_inputs_named_apart_in_one_run_keep_their_folders_when_given_alone(
    make, tmp_path, measured
):
    out = tmp_path / "out"
    one = make("one/ct.nii.gz")
    make("other/ct.nii.gz")
    assert run(tmp_path / "*" / "ct.nii.gz", out) == 0
    names = set(entries(out))
    assert len(names) == 2
    assert run(one, out) == 0
    assert set(entries(out)) == names
    assert len(measured) == 2


def test_names_that_differ_in_case_alone_are_kept_apart(make, tmp_path):
    out = tmp_path / "out"
    assert run(make("one/ct.nii.gz"), out) == 0
    assert run(make("other/CT.nii.gz"), out) == 0
    assert sorted(name.casefold()[:3] for name in entries(out)) == ["ct", "ct-"]


def test_a_series_keeps_its_folder_when_a_file_arrives(tmp_path):
    out = tmp_path / "out"
    files = (tmp_path / "scan" / "b.dcm", tmp_path / "scan" / "c.dcm")
    case = Case("series-0123456789", "dicom", files)
    folders.prepare(out / case.name)
    origin = places.origin(case)
    folders.finish(out / case.name, Outcome(case.name, case.source, "done"), "mark", origin)
    more = Case(case.name, "dicom", (tmp_path / "scan" / "a.dcm", *files))
    assert places.assign([more], out) == [more]
    copied = Case(case.name, "dicom", (tmp_path / "copy" / "b.dcm",))
    assert places.assign([copied], out)[0].name.startswith(f"{case.name}-")


def test_a_link_that_leads_to_itself_is_no_error(tmp_path):
    loop = tmp_path / "ct.nii.gz"
    loop.symlink_to(loop)
    assert places.real(loop) == loop


@pytest.mark.parametrize(("text", "code"), [("full disk", 1), ("stop", 130)])
def test_a_run_that_stops_still_tells_what_is_finished(text, code, make, tmp_path, capsys):
    """A disk full at the second case left neither run.json nor results.csv."""
    out = tmp_path / "out"
    make("a.nii.gz")
    make("b.nii.gz", text)
    make("c.nii.gz")
    assert run(tmp_path / "?.nii.gz", out) == code
    status = {name: entry["status"] for name, entry in entries(out).items()}
    assert status == {"a": "done", "b": "failed", "c": "failed"}
    assert entries(out)["c"]["reason"] == summary.NOT_REACHED
    assert {name: len(lines) for name, lines in table(out).items()} == {"a": 4, "b": 1, "c": 1}
    make("b.nii.gz")
    assert run(tmp_path / "?.nii.gz", out) == 0
    assert {entry["status"] for entry in entries(out).values()} == {"done"}


def test_the_first_error_is_told_when_the_table_cannot_be_written_either(
    make, tmp_path, monkeypatch, capsys
):
    def write_content(path, content):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(summary, "write_content", write_content)
    make("a.nii.gz")
    make("b.nii.gz", "full disk")
    assert run(tmp_path / "?.nii.gz", tmp_path / "out") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert entries(tmp_path / "out")["a"]["status"] == "done"


def test_a_failed_case_is_measured_again(make, tmp_path, measured):
    """A failure that had passed, such as of memory, was taken as finished."""
    path, out = make("a.nii.gz", "failed"), tmp_path / "out"
    for _ in range(2):
        assert run(path, out) == 0
    assert measured == ["a", "a"]


@pytest.mark.parametrize(("names", "words"), [("a", "1 case: 1 done"), ("ab", "2 cases: 2 done")])
def test_the_number_of_cases_is_said_in_words_that_agree(names, words, make, tmp_path, capsys):
    for name in names:
        make(f"{name}.nii.gz")
    assert run(tmp_path / "?.nii.gz", tmp_path / "out") == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--overwrite"]], ids=["", "overwrite"])
def test_run_json_holds_every_argument(words, make, tmp_path):
    out = tmp_path / "out"
    path = make("a.nii.gz")
    assert run(path, out, *words) == 0
    assert json.loads((out / "run.json").read_text())["arguments"] == {
        "input": str(path),
        "out": str(Path(out)),
        "device": "auto",
        "kvp": None,
        "allow_contrast": False,
        "calibration": None,
        "keep_identity": False,
        "bmd_variant": None,
        "bmd_weights": None,
        "overwrite": bool(words),
        "workers": None,
        "num_parts": None,
        "part_id": None,
    }
