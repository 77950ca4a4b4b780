"""Runs one command of a command table, with one-line errors and honest exit codes.

0: done. 1: the machine would not let it (disk, permission). 2: the request was unusable; nothing
was started. 130: stopped with Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools import __version__
from tools.helptext import PROGRAM, command_page, overview
from tools.options import UsageError, bind, nearest

EXIT_DONE, EXIT_MACHINE, EXIT_REQUEST, EXIT_STOPPED = 0, 1, 2, 130

HELP_WORDS = frozenset({"--help", "-h", "help"})

#: Set to anything to see the traceback behind a one-line error.
TRACEBACK_VARIABLE = "OSTEOCT_TRACEBACK"


@dataclass(frozen=True)
class Command:
    """One line of the command table.

    Attributes:
        target: "module:function"; imported only when the command is used, so that help is quick.
        summary: What the command does, for a radiology researcher.
        example: Words to type after the program, as `python -m tools`.
    """

    target: str
    summary: str
    example: str

    def load(self) -> Callable[..., Any]:
        """Import the function behind the command."""
        module, _, function = self.target.partition(":")
        return getattr(importlib.import_module(module), function)


def main(
    commands: Mapping[str, Command], intro: str, words: Sequence[str], program: str = PROGRAM
) -> int:
    """Run one command line.

    Args:
        commands: Command table: name -> command.
        intro: What the program is, for the head of the overview.
        words: Command-line words after the program's name.
        program: What a user types to start the program.

    Returns:
        Exit code, see the module's head.
    """
    try:
        _dispatch(commands, intro, words, program)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("stopped", EXIT_STOPPED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, but do not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except ValueError as error:
        return _fail(f"error: {error}", EXIT_REQUEST)
    except OSError as error:
        return _fail(f"error: {_os_error(error)}", EXIT_MACHINE)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "can't allocate memory" not in str(error):
            raise
        return _fail("error: out of memory; ask for fewer workers or a coarser scan", EXIT_MACHINE)
    return EXIT_DONE


def _dispatch(
    commands: Mapping[str, Command], intro: str, words: Sequence[str], program: str
) -> None:
    if not words or words[0] in HELP_WORDS:
        print(overview(commands, intro, program))
        return
    name, *rest = words
    if name == "--version":
        print(__version__)
        return
    if name not in commands:
        what = "option" if name.startswith("-") else "command"
        raise UsageError(f"unknown {what} {name!r}{nearest(name, commands)}")
    function = commands[name].load()
    if HELP_WORDS.intersection(rest[:1]) or "--help" in rest or "-h" in rest:
        print(command_page(name, function, commands[name].example, program))
        return
    try:
        arguments = bind(function, rest)
    except UsageError as error:
        raise UsageError(f"{error} (see `{program} {name} --help`)") from None
    function(**arguments)


def _os_error(error: OSError) -> str:
    """Say what the system refused, and about which file."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _fail(message: str, code: int) -> int:
    if os.environ.get(TRACEBACK_VARIABLE):
        raise
    print(" ".join(message.split()), file=sys.stderr)
    return code
