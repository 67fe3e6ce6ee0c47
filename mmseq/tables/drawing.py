"""Plots: one look for all of them, and files that repeat byte for byte."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmseq.escaping import harmless

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442")
"""Told apart by the colour-blind (Okabe and Ito 2008)"""


@contextmanager
def plot_style() -> Iterator[None]:
    """The same picture whatever the user's own settings are; for drawing and for rendering.

    Names are text, never a formula, and stay text in an SVG.
    """
    from matplotlib import style

    own = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "mmseq"}
    with style.context(["default", own]):
        yield


def render_figure(figure: Figure, form: str) -> bytes:
    """The figure as ``png`` or ``svg``; equal figures give equal bytes. What no font can draw of
    the texts in it, and no XML may hold, is written out, as ``\\u001b``.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(harmless(text.get_text()))
    buffer = io.BytesIO()
    with plot_style():
        figure.savefig(
            buffer, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None
        )
    return buffer.getvalue()
