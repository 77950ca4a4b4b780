"""The bundles' packages on the path."""

import sys
from pathlib import Path

for bundle in sorted((Path(__file__).resolve().parents[2] / "bundles").glob("*/LICENSE")):
    sys.path.insert(1, str(bundle.parent))
