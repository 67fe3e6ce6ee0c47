"""Files that hold no text: archives, workbooks and tables of other programs, named as they are."""

from __future__ import annotations

from pathlib import Path

from mmseq.errors import UserError

_UNPACK = "unpack it and give what was in it"
_KINDS = {
    b"PK\x03\x04": ("a ZIP archive", _UNPACK),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"BZh": ("a bzip2 archive", _UNPACK),
    b"\xfd7zXZ\x00": ("an xz archive", _UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"Rar!": ("a RAR archive", _UNPACK),
    b"PAR1": (
        "a Parquet table",
        "open it with the package datasets, save_to_disk, and `mmseq data import datasets`",
    ),
    b"\xd0\xcf\x11\xe0": ("a file of Microsoft Office", "save it as CSV or plain text in UTF-8"),
    b"%PDF": ("a PDF", "give its text"),
}
"""First bytes -> what it is, and the remedy"""
_OFFICE = {".xlsx", ".xlsm", ".docx", ".ods", ".odt"}
_PICKLES = {".pkl", ".pickle", ".pt", ".bin"}


def refuse_foreign(path: Path, head: bytes) -> None:
    """`UserError` for a file whose first bytes, `head`, are those of something else than text."""
    for signature, (kind, remedy) in _KINDS.items():
        if head.startswith(signature):
            if path.suffix.lower() in _OFFICE:
                kind, remedy = "a workbook or document", "save it as CSV or plain text in UTF-8"
            raise UserError(f"{path}: is {kind}; {remedy}.")
    if head[:1] == b"\x80" and path.suffix.lower() in _PICKLES:
        raise UserError(f"{path}: is a pickle, which is never opened; save it as JSON lines.")
