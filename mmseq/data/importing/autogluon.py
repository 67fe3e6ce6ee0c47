"""AutoGluon's tables for entities, as its MultiModalPredictor takes them.

    text_snippet,entity_annotations,image
    "Anna lives","[{""entity_group"": ""PER"", ""start"": 0, ""end"": 4}]",1.jpg

The columns may have other names, which the user says; a cell may name several pictures, with ``;``
between. Where every span is a word with a prefix (``B-PER``, ``I-PER``), such spans become one.
"""

from __future__ import annotations

from mmseq.data.importing.csv_table import read

__all__ = ["read"]
