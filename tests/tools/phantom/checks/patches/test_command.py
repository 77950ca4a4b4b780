"""The bench goes on where it stopped, and refuses what is not its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.phantom.checks.patches import command, store


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Patients read, by a reader that draws nothing."""
    seen: list[tuple[str, int]] = []

    def read(
        recipe: Any, seed: int, index: int, scanner: str, paired: bool, settings: Any
    ) -> dict[str, np.ndarray]:
        seen.append((scanner, index))
        return {
            "patient": np.int32(index),
            "scanner": np.array(scanner),
            "reason": np.array(["", "x" * (index + 1)]),  # texts of different lengths
            "cube": np.full((4, 2), index + seed, np.float16),
        }

    monkeypatch.setattr(command, "read_patient", read)
    monkeypatch.setattr(store, "BLOCK", 3)
    return seen


def run(out: Path, *more: str) -> int:
    return command.main([str(out), "--scanner", "A,R", "--patients", "5", *more])


def test_every_patient_of_every_scanner_is_kept(tmp_path: Path, calls: Any) -> None:
    assert run(tmp_path / "out", "--seed", "2") == 0
    found = store.load(tmp_path / "out")
    assert list(found["scanner"]) == ["A"] * 5 + ["R"] * 5
    assert list(found["patient"]) == [*range(5)] * 2
    assert list(found["cube"][:, 0, 0]) == [2, 3, 4, 5, 6] * 2
    assert found["reason"][4, 1] == "xxxxx"


def test_only_what_is_missing_or_damaged_is_made_again(tmp_path: Path, calls: Any) -> None:
    run(tmp_path / "out")
    calls.clear()
    run(tmp_path / "out")
    assert calls == []
    (tmp_path / "out" / "A-00003.npz").unlink()
    damaged = tmp_path / "out" / "R-00000.npz"
    damaged.write_bytes(damaged.read_bytes()[:200])
    run(tmp_path / "out")
    assert calls == [("R", 0), ("R", 1), ("R", 2), ("A", 3), ("A", 4)]


def test_more_patients_can_be_added(tmp_path: Path, calls: Any) -> None:
    run(tmp_path / "out")
    calls.clear()
    assert run(tmp_path / "out", "--patients", "7") == 0
    assert len(store.load(tmp_path / "out")["patient"]) == 14
    assert ("A", 0) not in calls


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seed", "1"], "made with another seed"),
        (["--paired"], "made with another paired"),
        (["--margin_mm", "4"], "made with another patch"),
        (["--recipe", "quick"], "made with another recipe"),
        (["--scanner", "A,X"], "unknown scanner 'X'"),
        (["--patients", "0"], "at least 1"),
        (["--recipe", "nosuch"], "nosuch"),
        (["--recipe", "s2_cohorts", "--paired"], "cannot be paired"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    tmp_path: Path, calls: Any, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    run(tmp_path / "out")
    calls.clear()
    assert run(tmp_path / "out", *more) == 2
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("error: ")
    assert words in text
    assert calls == []


def test_other_folders_are_left_alone(
    tmp_path: Path, calls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run(tmp_path) == 2
    assert "holds no bench" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_a_folder_without_a_bench_or_with_a_damaged_one_is_named(
    tmp_path: Path, calls: Any
) -> None:
    with pytest.raises(ValueError, match="holds no bench"):
        store.load(tmp_path)
    run(tmp_path / "out")
    (tmp_path / "out" / "A-00000.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"A-00000\.npz is damaged"):
        store.load(tmp_path / "out")
    (tmp_path / "out" / store.SETTINGS_FILE).write_text("{")
    assert run(tmp_path / "out") == 2


def test_settings_are_written_beside_the_blocks(tmp_path: Path, calls: Any) -> None:
    run(tmp_path / "out", "--slice_step_mm", "3")
    content = json.loads((tmp_path / "out" / store.SETTINGS_FILE).read_text())
    assert content["patch"]["slice_step_mm"] == 3.0
    assert content["planes_mm"] == [*map(float, range(-5, 6))]
    assert content["recipe"]["name"] == "scanners"


def test_the_checksum_follows_what_reads(tmp_path: Path) -> None:
    package = tmp_path / "bmd_bundle"
    package.mkdir()
    (package / "patches.py").write_text("from bmd_bundle import slab\n")
    (package / "tissues.py").write_text("")
    (package / "slab.py").write_text("A = 1\n")
    (package / "other.py").write_text("A = 1\n")
    first = command.reading_sha256(tmp_path)
    (package / "other.py").write_text("A = 2\n")
    assert command.reading_sha256(tmp_path) == first
    (package / "slab.py").write_text("A = 2\n")
    assert command.reading_sha256(tmp_path) != first
