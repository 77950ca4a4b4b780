"""The check of squeezed bodies asks for every level, kind and loss once."""

from collections import Counter

from tools.phantom.checks.fractures import squeezed
from tools.phantom.checks.fractures.squeezed import Row


def test_positives_and_evidence_are_counted_apart():
    rows = [
        Row("", "", 0.0, 0.1, "L3", 0.0),
        Row("L1", "", 0.0, 0.6, "L3", 0.0),
        Row("L1", "wedge", 0.4, 0.9, "L1", 0.0),
        Row("L2", "wedge", 0.4, 0.9, "L1", 0.0),
        Row("L3", "wedge", 0.4, 0.2, "L3", 4.0),
        Row("L4", "wedge", 0.4, 0.9, "L4", 9.0),
    ]
    found = squeezed.table(rows)
    assert "| as it came | 0 of 1 |" in found
    assert "| squeezed by nothing | 1 of 1 |" in found
    assert "| wedge, 40% | 3 of 4 | 2 of 4 |" in found
    assert "| crush, 25% | 0 of 0 |" in found


def test_every_squeeze_is_made_once(monkeypatch):
    monkeypatch.setattr(squeezed, "squeeze", lambda *_, **__: (None, None))
    made = [each[:3] for each in squeezed.scans(None, None, None, {})]
    assert made[0] == ("", "", 0.0)
    assert Counter(level for level, _, _ in made[1:]) == dict.fromkeys(("L1", "L2", "L3", "L4"), 7)
    assert len(set(made)) == len(made) == 29


def test_a_missing_file_is_one_line(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("ct.nii.gz", "bodies.nii.gz", "out")]
    assert squeezed.main([*paths, "--weights", str(tmp_path / "none.pt")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
