"""A table as text, in any of its forms."""

from __future__ import annotations

from mmseq.tables.grid import grid
from mmseq.tables.latex import latex
from mmseq.tables.markdown import markdown
from mmseq.tables.records import csv_text, json_text
from mmseq.tables.rich_table import plain_text
from mmseq.tables.table import Table

ENDINGS = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json"}
"""Of files -> form"""


def text_of(table: Table, form: str) -> str:
    """`form`: rich (as plain text), markdown, latex, csv or json."""
    if form in ("csv", "json"):
        return csv_text(table) if form == "csv" else json_text(table)
    return {"rich": plain_text, "markdown": markdown, "latex": latex}[form](grid(table))
