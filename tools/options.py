"""Turns command-line words into the keyword arguments of a command, strictly.

python-fire calls a function first and rejects an unknown flag afterwards, and it reads values as
Python literals (`A,B,C` becomes a tuple, `123` an int). Here every word is checked against the
command's signature before anything runs, python-fire only sorts the words, and each value is read
as the type that the signature names.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import fire
from fire.decorators import SetParseFn

TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})

#: What python-fire takes for an option: "--name", "-n"; "-3" is a number and stays a value.
_FLAG = re.compile(r"^(--|-[a-zA-Z])")


class UsageError(ValueError):
    """The command line asks for something that does not exist or cannot be."""


def bind(command: Callable[..., Any], words: Iterable[str]) -> dict[str, Any]:
    """Read the words after a command's name as the command's arguments.

    Args:
        command: Function whose signature says which arguments exist and of which type.
        words: Command-line words, for example `["out", "--cases=20"]`.

    Returns:
        Keyword arguments to call `command` with; what was not given is left out.

    Raises:
        UsageError: If an option is unknown, given twice, lacks its value or has a value of the
            wrong type, or if a required argument is missing.
    """
    parameters = inspect.signature(command).parameters
    kinds = typing.get_type_hints(command)
    values, options = _sort(_with_values(list(words), parameters, kinds))
    positional = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    if len(values) > len(positional):
        raise UsageError(f"unexpected argument {values[len(positional)]!r}")
    given = dict(zip(positional, values, strict=False))
    for name, text in options.items():
        if name in given:
            raise UsageError(f"{flag(name)} is given twice")
        given[name] = text
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise UsageError(f"missing {name.upper()}")
    return {name: convert(text, kinds.get(name, str), flag(name)) for name, text in given.items()}


def flag(name: str) -> str:
    """Option as it is typed: `allow_contrast` is `--allow-contrast`."""
    return "--" + name.replace("_", "-")


def nearest(word: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """Hint at the most similar known word: `; did you mean 'x'?`, or nothing.

    Args:
        word: What was written.
        known: What could have been meant.
        likeness: Least similarity, 0 to 1, of what is named.
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"; did you mean {close[0]!r}?" if close else ""


def convert(text: str, kind: Any, what: str) -> Any:
    """Read one value as the type that the signature names.

    Args:
        text: The value as typed.
        kind: Type hint: str, int, float, bool, Path, a Literal, a list or tuple of one of these
            (comma-separated), or a union of them.
        what: Name for error messages.

    Returns:
        The value.

    Raises:
        UsageError: If the text does not denote such a value.
    """
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(text, typing.get_args(kind), what)
    if origin is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(kind)]
        if text not in choices:
            names = ", ".join(choices)
            hint = nearest(text, choices)
            raise UsageError(f"{what} takes one of {names}, not {text!r}{hint}")
        return typing.get_args(kind)[choices.index(text)]
    if origin is not None and issubclass(origin, Iterable):
        item = next((part for part in typing.get_args(kind) if part is not Ellipsis), str)
        items = [convert(part.strip(), item, what) for part in text.split(",") if part.strip()]
        return tuple(items) if origin is tuple else items
    readers = {bool: _boolean, int: _whole, float: _number, Path: _path}
    return readers[kind](text, what) if kind in readers else text


def _convert_union(text: str, kinds: tuple[Any, ...], what: str) -> Any:
    if type(None) in kinds and text.lower() == "none":
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    # Numbers first: a text can always be read as text.
    order = sorted(kinds, key=lambda kind: (kind is str, kind is Path))
    for kind in order[:-1]:
        if str in kinds and typing.get_origin(kind) is not None:
            continue  # `str | Sequence[str]`: the command takes the text apart itself
        try:
            return convert(text, kind, what)
        except UsageError:
            continue
    return convert(text, order[-1], what)


def _path(text: str, what: str) -> Path:
    if not text.strip():  # such as of a variable that is not set; Path("") is the folder one is in
        raise UsageError(f"{what} is empty, where a path is needed")
    return Path(text)


def _boolean(text: str, what: str) -> bool:
    word = text.lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise UsageError(f"{what} takes true or false, not {text!r}")
    return word in TRUE_WORDS


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)  # 1e3 is a whole number, too
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise UsageError(f"{what} takes a whole number, not {text!r}")
    return int(number)


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{what} takes a number, not {text!r}") from None


def _with_values(words: list[str], parameters: Iterable[str], kinds: dict[str, Any]) -> list[str]:
    """Check every option and write it as `--name=value`, so that no word can be misread."""
    names = list(parameters)
    checked: list[str] = []
    seen: set[str] = set()
    queue = list(reversed(words))
    while queue:
        word = queue.pop()
        if word in {"-", "--"}:
            raise UsageError(f"unexpected argument {word!r}")
        if not _FLAG.match(word):
            checked.append(word)
            continue
        typed, equals, value = word.partition("=")
        name = typed.lstrip("-").replace("-", "_")
        switched_off = not equals and name not in names and name[:2] == "no" and name[2:] in names
        if switched_off and kinds.get(name[2:]) is bool:
            name, equals, value = name[2:], "=", "false"
        if name not in names or not typed.startswith("--"):
            hint = nearest(flag(name), [flag(known) for known in names])
            raise UsageError(f"unknown option {typed}{hint}")
        if name in seen:
            raise UsageError(f"{flag(name)} is given twice")
        seen.add(name)
        if not equals:
            value = _value_after(name, queue, kinds)
        checked.append(f"--{name}={value}")
    return checked


def _value_after(name: str, queue: list[str], kinds: dict[str, Any]) -> str:
    """Take an option's value from the words that follow; a switch needs none."""
    follower = queue[-1] if queue else None
    if kinds.get(name) is bool:
        is_value = follower is not None and follower.lower() in TRUE_WORDS | FALSE_WORDS
        return queue.pop() if is_value else "true"
    if follower is None or _FLAG.match(follower):
        raise UsageError(f"{flag(name)} needs a value")
    return queue.pop()


def _sort(words: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Let python-fire tell positional values from options; all of them stay text."""
    found: list[tuple[tuple[str, ...], dict[str, str]]] = []

    @SetParseFn(str)
    def collect(*values: str, **options: str) -> None:
        found.append((values, options))

    fire.Fire(collect, command=words, name="python -m tools")
    return found[0]
