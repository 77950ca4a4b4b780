"""YAML that means what it looks like: a loader that refuses the traps of YAML 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
"""Whole numbers that YAML 1.1 reads as people do; it takes 012 for ten and 1:30 for ninety."""

_MERGE_TAG = "tag:yaml.org,2002:merge"
_INT_TAG = "tag:yaml.org,2002:int"

_SHOWN_CHARACTERS = 60
"""An error repeats no more than this of a key or value, whatever file was taken for a recipe."""


class StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses what would silently mean something else.

    That is a key given twice, of which PyYAML keeps the last, an alias, a merge key and a whole
    number that is not decimal.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Build a node.

        Raises:
            yaml.constructor.ConstructorError: it is an alias, which could hold itself.
        """
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.constructor.ConstructorError(
                None, None, f"alias '*{event.anchor}' is not allowed", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping.

        Raises:
            yaml.constructor.ConstructorError: a key stands twice or merges another mapping.
        """
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE_TAG:
                raise yaml.constructor.ConstructorError(
                    None, None, "merge key '<<' is not allowed", key_node.start_mark
                )
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{short(key)}' stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """Build a whole number.

        Raises:
            yaml.constructor.ConstructorError: it is octal, hexadecimal, binary or to base 60.
        """
        value = self.construct_yaml_int(node)
        if not _DECIMAL.fullmatch(node.value):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"YAML reads {short(node.value)} as {short(value)}; write a decimal number, "
                "without a leading zero",
                node.start_mark,
            )
        return int(value)


StrictLoader.add_constructor(_INT_TAG, StrictLoader.construct_decimal)


def short(value: Any) -> str:
    """Write a key or value on one line, cut where it is long.

    >>> short("x" * 100)[-3:]
    'xx…'
    """
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
