"""Start the table: `python -m tools.phantom.checks.patches.tiers --help`."""

import sys

from tools.phantom.checks.patches.tiers.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
