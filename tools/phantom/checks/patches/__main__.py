"""Start the bench: `python -m tools.phantom.checks.patches --help`."""

import sys

from tools.phantom.checks.patches.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
