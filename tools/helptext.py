"""Help pages of the command line, written from the command table and the docstrings."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tools.options import flag

if TYPE_CHECKING:
    from tools.cli import Command

PROGRAM = "python -m tools"  # what a user types
MAX_WIDTH = 96  # columns; longer lines are tiring to read
INDENT = 22  # columns, where the descriptions of options begin


def overview(commands: Mapping[str, Command], intro: str, program: str = PROGRAM) -> str:
    """Write the page that a program prints: what each command does, and an example."""
    lines = [*_wrap(intro), "", f"usage: {program} COMMAND [arguments]", "", "commands"]
    for name, command in commands.items():
        lines += [
            "",
            *_wrap(command.summary, name),
            *_wrap(f"{program} {command.example}", ""),
        ]
    lines += ["", *_wrap(f"`{program} COMMAND --help` explains a command's arguments.")]
    return "\n".join(lines)


def command_page(
    name: str, function: Callable[..., Any], example: str, program: str = PROGRAM
) -> str:
    """Write a command's page from its signature and its Google-style docstring.

    Args:
        name: Name of the command.
        function: The function behind it; the arguments come from its `Args:` section.
        example: Words to type after the program.
        program: What a user types to start the program.

    Returns:
        The page.
    """
    description, explained = parse_docstring(inspect.getdoc(function) or "")
    kinds = typing.get_type_hints(function)
    required, optional = [], []
    for key, parameter in inspect.signature(function).parameters.items():
        text = explained.get(key, "")
        if parameter.default is parameter.empty:
            required += _wrap(text, key.upper())
        else:
            default = _default(parameter.default)
            optional += _wrap(f"{text} {default}".strip(), f"{flag(key)} {_kind(kinds.get(key))}")
    names = [
        key.upper()
        for key, p in inspect.signature(function).parameters.items()
        if p.default is p.empty
    ]
    lines = [" ".join([f"usage: {program}", name, *names, "[options]"]), ""]
    for paragraph in description:
        lines += [*_wrap(paragraph), ""]
    if required:
        lines += ["arguments", *required, ""]
    lines += ["options", *optional, "", "example", f"  {program} {example}"]
    return "\n".join(lines)


def parse_docstring(text: str) -> tuple[list[str], dict[str, str]]:
    """Take a Google-style docstring apart.

    Args:
        text: Docstring with its common indentation removed.

    Returns:
        Paragraphs before the first section, and argument name -> explanation.
    """
    head, *sections = re.split(r"^([A-Z][a-z]+):$", text, flags=re.MULTILINE)
    paragraphs = [" ".join(part.split()) for part in head.split("\n\n") if part.strip()]
    body = dict(zip(sections[::2], sections[1::2], strict=True)).get("Args", "")
    found = re.findall(
        r"^(\w+)(?: \([^)]*\))?:(.*(?:\n(?:[ \t]+\S.*|[ \t]*$))*)",
        textwrap.dedent(body.strip("\n")),
        flags=re.MULTILINE,
    )
    return paragraphs, {name: " ".join(words.split()) for name, words in found}


def _wrap(text: str, label: str | None = None) -> list[str]:
    """Fold a text to the terminal; with a label, into a hanging column beside it."""
    width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
    text = text.replace("`", "")
    if label is None:
        return textwrap.wrap(text, width)
    column = textwrap.wrap(text, max(30, width - INDENT), break_on_hyphens=False)
    lines = [" " * INDENT + line for line in column]
    head = f"  {label}"
    if not lines or len(head) > INDENT - 2:
        return [head.rstrip(), *lines]
    return [head.ljust(INDENT) + column[0], *lines[1:]]


def _default(value: object) -> str:
    if value is None or value is False or value == "":
        return ""
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    return f"(default: {shown})"


def _kind(kind: Any) -> str:
    """Placeholder for a value of this type: N, NUMBER, a|b, PATH, TEXT; nothing for a switch."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(map(str, typing.get_args(kind)))
    names = {bool: "", int: "N", float: "NUMBER", str: "TEXT"}
    return names.get(kind, "PATH" if getattr(kind, "__name__", "") == "Path" else "TEXT")
