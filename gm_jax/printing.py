"""Values as people read them: in a terminal, and as tables in a notebook."""

import base64
import dataclasses
import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def brief(value: Any) -> str:
    """A config as the call that makes it, without what is as it is by default."""
    if isinstance(value, tuple):
        inner = ", ".join(map(brief, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value.__name__ if callable(value) else repr(value)
    fields = [f for f in dataclasses.fields(value) if getattr(value, f.name) != _default(f)]
    said = ", ".join(f"{f.name}={brief(getattr(value, f.name))}" for f in fields)
    return f"{type(value).__name__}({said})"


def text_table(title: str, rows: Mapping[str, str]) -> str:
    """A title, and a line a row below it."""
    width = max(map(len, rows))
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows.items())])


def html_table(title: str, rows: Mapping[str, str], picture: Path | None = None) -> str:
    """The same as HTML, with a picture (a PNG, if it is there) below."""
    cell = '<td style="text-align:left">'
    lines = (
        f"<tr>{cell}{html.escape(name)}</td>{cell}{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    table = f"<b>{html.escape(title)}</b><table>{''.join(lines)}</table>"
    if picture is None:
        return table
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'{table}<img style="max-width:640px" src="data:image/png;base64,{data}">'


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
