"""Texts as tests compare them."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """Return a text, or what holds texts, with plain spaces before per cent signs, which a reader cannot tell apart."""
    if isinstance(value, str):
        return value.replace("\N{NARROW NO-BREAK SPACE}%", " %")
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value
