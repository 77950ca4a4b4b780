"""Command-line tools of the project: `python -m tools` lists the commands."""

__version__ = "0.1.0"
