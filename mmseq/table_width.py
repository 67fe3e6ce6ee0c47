"""Tables as wide as there is room for: no word, name or number is cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mmseq.escaping import harmless, on_one_line
from mmseq.prose import wrapped


def print_table(console: Console, table: Table) -> None:
    """Title, table and caption on `console`; strings in it are data, never markup.

    A table that does not fit loses its borders, then its cells are broken between words; cells of
    figures (columns set to the right) stay whole. Where that is still too wide, the further columns
    follow below, beside the same names; and where that is no table any more, every cell stands on
    a line of its own behind its heading.
    """
    _print_prose(console, on_one_line(_plain(table.title)), "table.title")
    parts = fitted(table, console.width)
    for number, part in enumerate(parts):
        if number:
            console.print()
        # Soft wrap would let a terminal break lines that are too long after all.
        console.print(part, soft_wrap=False)
    if not parts:
        for line in _listed(table):
            console.print(Text(wrapped(line, console.width)), soft_wrap=True)
    _print_prose(console, harmless(_plain(table.caption)), "table.caption")


def fitted(table: Table, width: int) -> list[Table]:
    """`table`, without title and caption, as one or several tables of at most `width` columns;
    none where a figure would be broken, or nobody could tell whose figures the further ones are.

    Only what is one word and wider than `width` is broken inside, and nothing of it is left out.
    """
    columns = table.columns
    needed = [_least(column) for column in columns]
    least = [min(one, width) for one in needed]
    whole = [max(least[i], *_widths(column)) for i, column in enumerate(columns)]
    every = list(range(len(columns)))
    if sum(whole) + _room(table, len(columns)) <= width:
        return [_part(table, every, whole, close=False)]
    parts = [every] if _needed(least, every) <= width else [*_parts(columns, least, width)]
    if len(parts) > 1 and not _told_apart(columns, set.intersection(*map(set, parts))):
        return []
    made = []
    for part in parts:
        room = width - _close_room(len(part))
        widths = _shared_out([whole[i] for i in part], [least[i] for i in part], room)
        figures = zip(part, widths, strict=True)
        if any(columns[i].justify == "right" and wide < needed[i] for i, wide in figures):
            return []
        made.append(_part(table, part, widths, close=True))
    return made


def _told_apart(columns: Sequence[Column], names: Collection[int]) -> bool:
    """Whether the columns `names` tell rows apart, as far as all columns of words do."""
    words = [i for i, column in enumerate(columns) if column.justify == "left"]
    every, few = (
        set(zip(*([_text(cell).plain for cell in columns[i].cells] for i in chosen), strict=True))
        for chosen in ({*words, *names}, names)
    )
    return len(every) == len(few)


def _listed(table: Table) -> Iterator[str]:
    """Every row as lines of a heading and a cell; a blank line between rows."""
    headings = [_text(column.header).plain for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for heading, cell in zip(headings, map(_text, row), strict=True):
            named = f"{' '.join(heading.split())}: ".removeprefix(": ")
            if cell.plain.strip():
                yield named + "  ".join(cell.plain.split("\n"))


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
            _text(column.header),
            justify=column.justify,
            style=column.style,
            width=width,
            overflow="fold",
        )
    rows = zip(*(column.cells for column in columns), strict=True)
    for row, cells in zip(table.rows, rows, strict=True):
        part.add_row(*map(_text, cells), style=row.style, end_section=row.end_section)
    return part


def _least(column: Column) -> int:
    """Columns that it needs: of its longest word, in figures of the longest cell."""
    header = max(map(cell_len, _text(column.header).plain.split()), default=0)
    if column.justify == "right":
        return max([header, *(w for cell in column.cells for w in _line_widths(cell))])
    words = (word for cell in column.cells for word in _text(cell).plain.split())
    # White space in front of a cell sets it in.
    indents = (len(t) - len(t.lstrip()) for cell in column.cells if (t := _text(cell).plain))
    return max([header, *map(cell_len, words)]) + max(indents, default=0)


def _widths(column: Column) -> list[int]:
    cells = (column.header, *column.cells)
    return [width for cell in cells for width in _line_widths(cell)]


def _line_widths(cell: object) -> list[int]:
    return [cell_len(line) for line in _text(cell).plain.split("\n")]


def _text(cell: object) -> Text:
    """A cell or heading: a string is a name or figure on one line, and no markup; a `Text` has the
    lines and the looks that it was given.
    """
    return harmless_text(cell) if isinstance(cell, Text) else Text(on_one_line(str(cell)))


def harmless_text(text: Text) -> Text:
    """`harmless`, in the same looks."""
    if harmless(text.plain) == text.plain:
        return text
    made = text.blank_copy()
    for piece in text.divide(range(1, len(text))):
        shown = Text(harmless(piece.plain), piece.style)
        for span in piece.spans:
            shown.stylize(span.style)
        made.append_text(shown)
    return made


def _plain(text: object) -> str:
    return text.plain if isinstance(text, Text) else str(text or "")


def _print_prose(console: Console, text: str, style: str) -> None:
    if text:
        console.print(Text(wrapped(text, console.width), style=style), soft_wrap=True)
