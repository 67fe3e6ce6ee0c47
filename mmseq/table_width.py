"""Tables as wide as there is room for: no word, name or number is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mmseq.prose import wrapped


def print_table(console: Console, table: Table) -> None:
    """Title, table and caption on `console`.

    A table that does not fit loses its borders, then its cells are broken between words; cells of
    figures (columns set to the right) stay whole. Where that is still too wide, the further columns
    follow below, beside the same names.
    """
    _print_prose(console, table.title, "table.title")
    for number, part in enumerate(fitted(table, console.width)):
        if number:
            console.print()
        # Soft wrap would let a terminal break lines that are too long after all.
        console.print(part, soft_wrap=False)
    _print_prose(console, table.caption, "table.caption")


def fitted(table: Table, width: int) -> list[Table]:
    """`table`, without title and caption, as one or several tables of at most `width` columns.

    Only what is one word and wider than `width` is broken inside, and nothing of it is left out.
    """
    columns = table.columns
    least = [min(_least(column), width) for column in columns]
    whole = [max(least[i], *_widths(column)) for i, column in enumerate(columns)]
    every = list(range(len(columns)))
    if sum(whole) + _room(table, len(columns)) <= width:
        return [_part(table, every, whole, close=False)]
    parts = [every] if _needed(least, every) <= width else _parts(columns, least, width)
    return [
        _part(
            table,
            part,
            _shared_out(
                [whole[i] for i in part], [least[i] for i in part], width - _close_room(len(part))
            ),
            close=True,
        )
        for part in parts
    ]


def _shared_out(whole: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fill `room` at most: the widest columns give way, and below its least a column
    only where all have given what they can.
    """
    widths = list(whole)
    while sum(widths) > room and max(widths) > 1:
        yielding = [i for i, width in enumerate(widths) if width > least[i]] or range(len(widths))
        widths[max(yielding, key=lambda i: widths[i])] -= 1
    return widths


def _parts(columns: Sequence[Column], least: Sequence[int], width: int) -> Iterator[list[int]]:
    """Columns of each part: the names in front, in each of them, and as many more as fit."""
    names = [0]
    for index in range(1, len(columns)):
        named = columns[index].justify == "left"
        if not named or _needed(least, [*names, index]) > width // 2:
            break
        names.append(index)
    part = list(names)
    for index in range(len(names), len(columns)):
        if len(part) > len(names) and _needed(least, [*part, index]) > width:
            yield part
            part = list(names)
        part.append(index)
    yield part


def _needed(least: Sequence[int], part: Sequence[int]) -> int:
    return sum(least[i] for i in part) + _close_room(len(part))


def _room(table: Table, columns: int) -> int:
    """Columns of borders and of the spaces beside them."""
    return 3 * columns + 1 if table.box and table.pad_edge else _close_room(columns)


def _close_room(columns: int) -> int:
    """The same of a table without borders: two spaces between columns."""
    return 2 * (columns - 1)


def _part(table: Table, chosen: Sequence[int], widths: Sequence[int], *, close: bool) -> Table:
    """Some columns of a table, each so wide; `close`: without borders."""
    part = Table(
        box=box.SIMPLE_HEAD if close else table.box,
        show_edge=table.show_edge and not close,
        pad_edge=table.pad_edge and not close,
        collapse_padding=table.collapse_padding or close,
        header_style=table.header_style,
    )
    columns = [table.columns[index] for index in chosen]
    for column, width in zip(columns, widths, strict=True):
        part.add_column(
            column.header, justify=column.justify, style=column.style, width=width, overflow="fold"
        )
    rows = zip(*(column.cells for column in columns), strict=True)
    for row, cells in zip(table.rows, rows, strict=True):
        part.add_row(*cells, style=row.style, end_section=row.end_section)
    return part


def _least(column: Column) -> int:
    """Columns that it needs: of its longest word, in figures of the longest cell."""
    header = max((len(word) for word in _text(column.header).plain.split()), default=0)
    if column.justify == "right":
        return max([header, *(w for cell in column.cells for w in _line_widths(cell))])
    words = (word for cell in column.cells for word in _text(cell).plain.split())
    # White space in front of a cell sets it in.
    indents = (len(t) - len(t.lstrip()) for cell in column.cells if (t := _text(cell).plain))
    return max([header, *map(len, words)]) + max(indents, default=0)


def _widths(column: Column) -> list[int]:
    cells = (column.header, *column.cells)
    return [width for cell in cells for width in _line_widths(cell)]


def _line_widths(cell: object) -> list[int]:
    return [Text(line).cell_len for line in _text(cell).plain.split("\n")]


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def _print_prose(console: Console, text: object, style: str) -> None:
    if text:
        lines = wrapped(_text(text).plain, console.width)
        console.print(Text(lines, style=style), soft_wrap=True)
