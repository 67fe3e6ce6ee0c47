"""Writes the sample data set into a folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from mmseq.data.sample.ceiling import file_ceilings, spans
from mmseq.data.sample.deck import Deck
from mmseq.data.sample.grammar import Grammar
from mmseq.data.sample.names import hard_grammars
from mmseq.data.sample.pictures import CLUTTER, draw_cluttered_picture, draw_picture
from mmseq.data.sample.sentences import Sentence, SentenceWriter
from mmseq.data.sample.templates import NO_PICTURE, sample_grammar
from mmseq.data.sample.words import TYPES
from mmseq.drafts import draft_of
from mmseq.durable import put_folder
from mmseq.escaping import json_line

SAMPLE_VERSION: int = 1  # goes up when the same seed gives other files

_JPEG_QUALITY = 88
_SECOND_PICTURE = 0.04  # of the sentences with a telling picture, this share has another one


@dataclass(frozen=True)
class _Size:
    sentences: int
    scenes: int  # pictures of each type
    clutter: int  # pictures that say nothing


_SIZES: Mapping[str, _Size] = {
    "train": _Size(sentences=1200, scenes=85, clutter=24),
    "valid": _Size(sentences=200, scenes=12, clutter=5),
    "test": _Size(sentences=400, scenes=25, clutter=9),
}
_HARD_SIZES: Mapping[str, _Size] = {
    "train": _Size(sentences=600, scenes=85, clutter=24),
    "valid": _Size(sentences=200, scenes=25, clutter=9),
    "test": _Size(sentences=400, scenes=50, clutter=18),
}


@dataclass(frozen=True)
class SplitSummary:
    """What a split holds; `pictures` counts each picture once."""

    sentences: int
    entities: int
    pictures: int


@dataclass(frozen=True)
class SampleSummary:
    """What a sample data set holds and what can be reached on it.

    Attributes:
        version: the version of the generator.
        seed: the seed of this data set.
        hard: whether it is the hard one.
        splits: the counts of `train`, `valid` and `test`.
        text_ceiling: the best F1 (0 to 100) on the test split for the words alone.
        picture_ceiling: the best F1 (0 to 100) on the test split for words and pictures.
    """

    version: int
    seed: int
    hard: bool
    splits: Mapping[str, SplitSummary]
    text_ceiling: float
    picture_ceiling: float


def _picture_decks(
    sizes: Mapping[str, _Size], rng: Random
) -> tuple[dict[str, str], dict[str, dict[str, Deck[str]]]]:
    """The kind of every picture file, and each split's pictures by kind.

    The numbers of the files are shuffled over splits and kinds: a name says nothing.
    """
    total = sum(len(TYPES) * size.scenes + size.clutter for size in sizes.values())
    names = [f"{number:04d}.jpg" for number in rng.sample(range(1, total + 1), total)]
    kinds: dict[str, str] = {}
    decks: dict[str, dict[str, Deck[str]]] = {}
    for split, size in sizes.items():
        decks[split] = {}
        for kind in (*TYPES, CLUTTER):
            count = size.clutter if kind == CLUTTER else size.scenes
            files = [names.pop() for _ in range(count)]
            kinds |= dict.fromkeys(files, kind)
            decks[split][kind] = Deck(files, rng)
    return kinds, decks


def _images(shown: str, decks: Mapping[str, Deck[str]], rng: Random) -> list[str]:
    """The picture files of a sentence."""
    if shown == NO_PICTURE:
        return []
    images = [decks[shown].deal()]
    if shown != CLUTTER and rng.random() < _SECOND_PICTURE:
        images.insert(rng.randrange(2), decks[CLUTTER].deal())
    return images


def _write_split(
    file: Path, sentences: Sequence[Sentence], decks: Mapping[str, Deck[str]], rng: Random
) -> SplitSummary:
    lines, used = [], set()
    for number, sentence in enumerate(sentences, start=1):
        images = _images(sentence.shown, decks, rng)
        used |= set(images)
        row = {
            "id": f"{file.stem}-{number:04d}",
            "tokens": sentence.tokens,
            "tags": sentence.tags,
            "images": images,
        }
        lines.append(json_line(row) + "\n")
    file.write_text("".join(lines), encoding="utf-8", newline="\n")
    entities = sum(len(spans(sentence.tags)) for sentence in sentences)
    return SplitSummary(len(sentences), entities, len(used))


def _write_files(folder: Path, seed: int, hard: bool) -> SampleSummary:
    rng = Random(f"mmseq {'hard ' * hard}sample {SAMPLE_VERSION} {seed}")
    sizes = _HARD_SIZES if hard else _SIZES
    grammars: Mapping[str, Grammar]
    grammars = hard_grammars(sizes, rng) if hard else dict.fromkeys(sizes, sample_grammar())
    kinds, decks = _picture_decks(sizes, rng)
    (folder / "images").mkdir(parents=True)
    writer = SentenceWriter(rng, blocks=not hard)
    splits = {
        split: _write_split(folder / f"{split}.jsonl",
                            writer.split(grammars[split], size.sentences), decks[split], rng)
        for split, size in sizes.items()
    }  # fmt: skip
    draw = draw_cluttered_picture if hard else draw_picture
    for name, kind in sorted(kinds.items()):
        picture = draw(kind, Random(f"{rng.random()} {name}"))
        picture.save(folder / "images" / name, quality=_JPEG_QUALITY)
    best = file_ceilings(grammars["test"], folder / "test.jsonl", kinds)
    summary = SampleSummary(
        SAMPLE_VERSION, seed, hard, splits, round(best.text, 2), round(best.picture, 2)
    )
    # The kinds are here for whoever wants to check the pictures; no reader of data looks here.
    record = {**asdict(summary), "pictures": dict(sorted(kinds.items()))}
    text = json.dumps(record, indent=2) + "\n"
    (folder / "sample.json").write_text(text, encoding="utf-8", newline="\n")
    return summary


def write_sample(folder: Path, *, seed: int = 0, hard: bool = False) -> SampleSummary:
    """Writes the sample data set: the same files, byte for byte, for the same seed.

    The hard one has half the training sentences, names of which most are new in validation and
    test, and cluttered pictures whose telling part is small and anywhere. The folder appears when
    all of it is written; an interrupted run leaves nothing in its place.

    Args:
        folder: where to write `train.jsonl`, `valid.jsonl`, `test.jsonl`, `images/` and
            `sample.json`; it must be new or empty. Missing parents are made.
        seed: which data set to write.
        hard: write the hard one.

    Raises:
        FileExistsError: when the folder is a file or holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} exists and is not an empty folder: "
            "give the name of a new folder for the sample data set, or empty this one"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(folder) as unfinished:
        draft = unfinished / "sample"
        summary = _write_files(draft, seed, hard)
        if folder.exists():
            folder.rmdir()
        put_folder(draft, folder)
    return summary
