"""Odd places: links, names of any letters, inputs that cannot be written, disks that are full."""

import shutil
import subprocess

import numpy as np
import pytest

from tests.tools.screen.runs import entries, run
from tools.volumes import save_nifti


@pytest.fixture
def mounted(tmp_path):
    """Mount a memory disk of a size; needs root."""
    mount, places = shutil.which("mount"), []

    def make(name, size):
        place = tmp_path / name
        place.mkdir()
        words = [str(mount), "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if mount is None or subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a disk here")
        places.append(place)
        return place

    yield make
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def remount(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_inputs_in_odd_places_are_read_and_left_as_they_are(mounted, tmp_path):
    """A link, a path with spaces and other scripts, and a disk that cannot be written to."""
    air = np.random.default_rng(0).normal(-1000, 9, (50, 50, 50)).astype(np.int16)
    disk = mounted("only to read", "4m")
    real = disk / "扫描 Größe №1.nii.gz"
    save_nifti(real, air, np.diag([3.0, 3.0, 3.0, 1.0]))
    (tmp_path / "link.nii.gz").symlink_to(real)
    (tmp_path / "folder").symlink_to(disk, target_is_directory=True)
    odd = tmp_path / "Ω mega" / "ct of a b.nii.gz"
    odd.parent.mkdir()
    shutil.copy(real, odd)
    remount(disk, "ro")
    before = sorted(disk.iterdir())
    listing = tmp_path / "my list.txt"
    listing.write_text(f"link.nii.gz\n{odd}\nbroken.nii.gz\n")
    (tmp_path / "broken.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    out = tmp_path / "Ergebnisse für 2026"
    assert run(listing, out) == 0
    assert run(tmp_path / "folder", out) == 0
    found = entries(out)
    assert {name: entry["status"] for name, entry in found.items()} == {
        "link": "refused", "ct of a b": "refused", "broken": "failed", "扫描 Größe №1": "refused",
    }  # fmt: skip
    assert all(entry["reason"] == "level_not_found" for entry in found.values() if
               entry["status"] == "refused")  # fmt: skip
    assert sorted(disk.iterdir()) == before
    assert (out / "扫描 Größe №1" / "report.html").is_file()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="here"),
        pytest.param(["--workers=1"], id="worker", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(words, ct, mounted, tmp_path,
                                                                capfd):  # fmt: skip
    disk = mounted("small disk", "64k")
    out = disk / "out"
    (tmp_path / "text.nii.gz").write_text("no volume")  # fits, and is told all the same
    listing = tmp_path / "list.txt"
    listing.write_text(f"text.nii.gz\n{ct}\n")
    assert run(listing, out, *words) == 1
    error = capfd.readouterr().err
    assert "No space left on device" in error.splitlines()[-1]
    assert "Traceback" not in error
    assert not list(out.rglob(".part-*"))
    assert not (out / "small" / "case.json").exists()
    assert entries(out)["text"]["status"] == "failed"
    assert entries(out)["small"]["reason"].startswith("not measured")
    remount(disk, "size=16m")
    assert run(listing, out, *words) == 0
    assert entries(out)["small"]["status"] == "done"
