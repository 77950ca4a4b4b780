"""Which files a result depends on."""

from pathlib import Path

from tools import sources


def test_a_patient_depends_on_what_draws_it_and_no_more():
    found = {path.as_posix() for path in sources.reached(["tools/phantom/case.py"])}
    assert {
        "tools/phantom/case.py",
        "tools/phantom/imaging/scanner.py",
        "tools/volumes.py",
    } <= found
    assert "tools/phantom/cohort.py" not in found


def test_imports_are_followed_through_packages_and_in_circles(tmp_path):
    package = tmp_path / "own"
    package.mkdir()
    (package / "__init__.py").write_text("from own.b import value\n")
    (package / "a.py").write_text("import numpy\nimport own\n")
    (package / "b.py").write_text("def late():\n    from own import c\n")
    (package / "c.py").write_text("import own.a\n")
    (package / "apart.py").write_text("")
    names = ("__init__", "a", "b", "c")
    assert sources.reached(["own/a.py"], tmp_path) == {Path(f"own/{name}.py") for name in names}
