"""What all bundles need is one file, byte-identical in each of them."""

from pathlib import Path


def test_common_is_the_same_file_in_every_bundle(repository: Path) -> None:
    files = sorted(repository.glob("bundles/*/*_bundle/common.py"))
    packages = {path.parent for path in repository.glob("bundles/*/*_bundle/__init__.py")}
    assert {path.parent for path in files} == packages
    assert len(files) >= 2
    assert len({path.read_bytes() for path in files}) == 1
