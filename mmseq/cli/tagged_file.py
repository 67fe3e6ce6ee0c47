"""`mmseq predict --output`: what has been tagged stays, and can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseq.errors import UserError
from mmseq.escaping import json_line

if TYPE_CHECKING:
    from mmseq.data.naming import Naming
    from mmseq.tagging.bad_lines import BadLines
    from mmseq.tagging.chunks import TaggedChunk
    from mmseq.tagging.part import Part
    from mmseq.tagging.sentences import TaggedSentence
    from mmseq.tagging.tagger import Tagger


def check_resumable(target: Path, source: str | None, *, resume: bool) -> None:
    """`UserError` where there is nothing to resume or, without `resume`, something that is to be
    resumed; call it before the work.
    """
    from mmseq.tagging.part import require_begun

    if resume and source in (None, "-"):
        raise UserError(
            "--resume belongs to --input with a file: standard input cannot be gone back to."
        )
    require_begun(target, resume=resume)


@contextmanager
def tagged_file(
    tagger: Tagger, target: Path, source: Path | None, options: dict[str, Any], *, resume: bool
) -> Iterator[Part]:
    """The output to write into. `source`: the input file, None for a pipe. `options`: what decides
    the output beside run and input, by flags, as JSON takes it.
    """
    from mmseq.tagging.input_head import input_of
    from mmseq.tagging.part import part_file
    from mmseq.tagging.part_record import Record, run_checksums

    record = Record(
        run=run_checksums(tagger.folder),
        input=input_of(source) if source else None,
        options=options,
    )
    with part_file(target, record, source, resume=resume) as (part, changed):
        if changed:
            tagger.reporter.warning(changed)
        yield part


def options_of(
    form: str,
    folder: Path,
    columns: dict[str, Any] | None,
    naming: Naming | None,
    **others: Any,
) -> dict[str, Any]:
    """Options that decide the output, by their flags. `folder`: the one of the pictures."""
    said = naming.said() if naming else {}
    return {
        "--format": form,
        "--images": str(folder.absolute()),
        "--columns": columns,
        "--fields": said.get("fields"),
        "--tag-names": said.get("tag_names"),
        **{f"--{name.replace('_', '-')}": value for name, value in others.items()},
    }


def write_chunks(
    chunks: Iterable[TaggedChunk], part: Part, bad: BadLines, folder: Path, target: Path
) -> None:
    """Write what is tagged; each whole chunk is noted as done."""
    line = _line_of(target, folder)
    for chunk in chunks:
        written: list[bytes] = []
        whole = chunk.whole
        try:
            for sentence in chunk.sentences:
                written.append(line(sentence).encode())
        # Columns cannot hold every sentence.
        except UserError:
            whole = False
            raise
        finally:
            last = chunk.last_line
            part.write(
                written,
                lines=last,
                left_out=bad.through(last),
                read=chunk.taken if whole else 0,
            )


def _line_of(target: Path, folder: Path) -> Callable[[TaggedSentence], str]:
    from mmseq.tagging.outputs import COLUMNS, columns, record

    if target.name.endswith(COLUMNS):
        return lambda sentence: columns(sentence, folder)
    return lambda sentence: json_line(record(sentence, folder)) + "\n"
