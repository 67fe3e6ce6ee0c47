"""A finished run, loaded to tag sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from mmseq.config.config import Config
from mmseq.console import Reporter, Warnings
from mmseq.contracts.example import Example
from mmseq.data.source import choose_split
from mmseq.data.splits import Split, require_whole
from mmseq.data.splitting.written import spaced_places
from mmseq.data.unknown_types import check_known
from mmseq.errors import UserError
from mmseq.files import at_home
from mmseq.layers.quantise import quantise
from mmseq.model.collate import Collator, Prepared
from mmseq.model.model import Model
from mmseq.model.prediction import Prediction, gives_k_best, predict
from mmseq.pictures.checksums import images_sha256
from mmseq.pictures.ready import ready_pictures
from mmseq.pictures.table import FeatureTable
from mmseq.runs import folder as runs
from mmseq.runs.splitter import AnySplitter, read_splitter
from mmseq.scoring.metrics import score
from mmseq.tagging.chunks import Refuse, TaggedChunk, raised, tagged_chunks
from mmseq.tagging.device import usable_device
from mmseq.tagging.given import Picture, given_sentences, picture_files, require_whole_text
from mmseq.tagging.least import check_min_score
from mmseq.tagging.other_processes import answer_in_children, require_same_weights, stamp
from mmseq.tagging.rebuilt import rebuilt
from mmseq.tagging.sentences import Sentence, TaggedSentence, require_numbers
from mmseq.tagging.unlike import Unlike

Unknown = Literal["refuse", "missed"]
"""What becomes of gold entities whose type a run does not know: an error, or they are missed"""

Pictures: TypeAlias = "Picture | Sequence[Picture] | None"
"""The pictures of one sentence: none, one or several."""


class Tagger:
    """A trained model that tags sentences; made by `mmseq.load`.

    Works offline from the run folder alone, whichever way the model was trained. It can be pickled
    (another process loads the run again) and used in children of a process that has used it.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        model: Model,
        device: torch.device,
        splitter: AnySplitter | None = None,
    ) -> None:
        """`splitter`: what cuts strings; without one the run's own."""
        self.folder = folder
        self.splitter = splitter or read_splitter(folder, config)
        self.config = config
        self.model = model.to(device).eval()
        self.device = device
        self.reporter: Reporter = Warnings()
        self._given: dict[str, Any] | None = None
        """What `load` was given beside the folder; None where another made the tagger"""

    def __repr__(self) -> str:
        types = sorted({label[2:] for label in self.labels if label != "O"})
        return (
            f"<Tagger of {str(self.folder)!r}: fusion '{self.config.component('fusion').name}', "
            f"types {', '.join(types)}, on {self.device}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle names the run, and loads it again."""
        if self._given is None:
            raise TypeError("only a tagger that mmseq.load has made can be pickled")
        again = partial(load, **self._given)
        return again, (str(self.folder.absolute()),), stamp(self.folder)

    def __setstate__(self, known: tuple[int, int]) -> None:
        require_same_weights(self.folder, known)

    @property
    def labels(self) -> tuple[str, ...]:
        """Tag names."""
        return self.model.labels

    def predict(
        self,
        sentences: Sequence[str | Sequence[str]],
        images: Sequence[Pictures] | None = None,
        extras: Sequence[dict[str, Any]] | None = None,
        *,
        best: int | None = None,
        min_score: float | None = None,
    ) -> list[TaggedSentence]:
        """Tag sentences, in order.

        `sentences`: strings (split by the run's word splitter) or lists of words. `images`: of each
        sentence a picture, several, or None: names of files, bytes of files, Pillow images. Those
        that cannot be used are told on standard error, as on the command line. `extras`: of each
        sentence the further fields that the run's components read, such as ``boxes``.
        `best`: also the `best` most probable ways to
        tag each sentence, its `alternatives`. `min_score`, 0 to 1: entities that score less are
        left out, and their words are O. Raises `mmseq.UserError` for a string in place of the list,
        where the lists differ in length, for `best` with a decoder that gives the best tags alone,
        and for both `best` and `min_score`.
        """
        made = [self.sentence(*one) for one in given_sentences(sentences, images, extras)]
        return list(self.stream(made, best, min_score))

    def sentence(
        self,
        sentence: str | Sequence[str],
        images: Pictures = None,
        extras: dict[str, Any] | None = None,
        name: str = "",
        *,
        file: Path | None = None,
        line: int = 0,
    ) -> Sentence:
        """One sentence in the form that `stream` takes; `file` and `line` for messages."""
        if isinstance(sentence, str):
            words = self.splitter.split(sentence)
            text, tokens = sentence, tuple(word.text for word in words)
            places = tuple((word.start, word.end) for word in words)
        else:
            tokens = tuple(sentence)
            text, places = spaced_places(tokens)
        require_whole_text(text)
        require_whole_text(name)
        files = picture_files("images", images)
        example = Example(tokens, None, files, name, extras or {}, file, line)
        return Sentence(example, text, places, raw=isinstance(sentence, str))

    def stream(
        self,
        sentences: Iterable[Sentence | None],
        best: int | None = None,
        min_score: float | None = None,
    ) -> Iterator[TaggedSentence]:
        """Tag any number of sentences, in order, a chunk at a time; the text encoder's form of
        the next chunk is made while the model works. `best` and `min_score` as in `predict`.
        """
        for chunk in self.chunks(sentences, best, min_score):
            yield from chunk.sentences

    def chunks(
        self,
        sentences: Iterable[Sentence | None],
        best: int | None = None,
        min_score: float | None = None,
        *,
        refuse: Refuse = raised,
    ) -> Iterator[TaggedChunk]:
        """The same by chunks. Where None stands among the sentences, no other is waited for, and
        those before it are tagged. An error comes behind the sentences before it; `refuse` says
        what becomes of one that the model cannot take, by default an error.
        """
        self._check_best(best)
        check_min_score(min_score, best)
        yield from tagged_chunks(
            sentences,
            Unlike(self.splitter, self.reporter).look,
            self.collator,
            partial(self._run, best=best or 0, min_score=min_score or 0.0),
            best,
            refuse,
        )

    def evaluate(
        self,
        data: str | Path | None = None,
        split: str = "test",
        *,
        images: str | Path | None = None,
        mapping: Mapping[str, str] | None = None,
        unknown: Unknown = "refuse",
        columns: Mapping[str, int | str] | None = None,
        scheme: str | None = None,
    ) -> dict[str, Any]:
        """Scores of a split, in percent, as in metrics.json.

        `data`: a data folder, or a file that is the split; by default the data that the run was
        trained on. `images`: the folder of its pictures. `mapping`: types to rename, ``"O"`` drops
        one. `columns` and `scheme`: of the files, as in section [data] of a config; by default
        those of the run's own data, and of other data what can be told from the files. `unknown`:
        what of entities whose type the run does not know; ``missed`` counts them as such, as is
        done with the run's own data. Raises `mmseq.UserError` for data that are missing or broken,
        have no tags, or a type that the run does not know.
        """
        found = choose_split(
            self.config.data, split, data, images, mapping, columns=columns, scheme=scheme
        )
        return self.scored(found, "missed" if data is None else unknown)[0]

    def scores(self, split: Split) -> dict[str, Any]:
        """Scores of a split that has been read."""
        return self.scored(split)[0]

    def scored(self, split: Split, unknown: Unknown = "refuse") -> tuple[dict[str, Any], str]:
        """Scores of a split, and the checksum of its pictures: empty where the run uses none.
        `unknown` as in `evaluate`, of any data.
        """
        if unknown == "refuse":
            check_known(split, self.labels, remedy="count it as missed (`--unknown missed`)")
        if split.facts.untagged is not None:
            untagged = split.examples[split.facts.untagged]
            raise UserError(f"{untagged.where}: has no tags to compare with; use mmseq predict.")
        require_whole(split)
        pictures = self.pictures(split.examples)
        collator = self.model.collator(pictures)
        predictions = self._run(collator, collator.prepared(split.examples), scores=False)
        gold = [list(e.tags or ()) for e in split.examples]
        checksum = images_sha256(split.examples, pictures.contents) if pictures else ""
        return score(gold, [list(p.tags) for p in predictions]), checksum

    def collator(self, examples: Sequence[Example]) -> Collator:
        """What makes batches of `examples`; their pictures are made ready here."""
        return self.model.collator(self.pictures(examples))

    def pictures(self, examples: Sequence[Example]) -> FeatureTable | None:
        """The pictures of `examples`, made ready; None where the run uses none."""
        if self.model.image_encoder is None:
            return None
        return ready_pictures(
            [examples],
            self.model.image_encoder,
            self.config.data,
            device=self.device,
            reporter=self.reporter,
        )

    def _check_best(self, best: int | None) -> None:
        """`UserError` for a number of ways that cannot be given."""
        if best is not None and (not isinstance(best, int) or best < 1):
            raise UserError(
                f"best = {best!r}: give a whole number from 1, of ways to tag a sentence."
            )
        if best is not None and not gives_k_best(self.model.decoder):
            raise UserError(
                f"{self.model.title('decoder')} gives the best tags alone (it has no k_best); "
                "leave out --best (in Python: best)."
            )

    def _run(
        self,
        collator: Collator,
        prepared: Sequence[Prepared],
        *,
        scores: bool = True,
        best: int = 0,
        min_score: float = 0.0,
    ) -> list[Prediction]:
        answer_in_children()
        with self.reporter.progress("sentences", len(prepared)) as advance:
            found = predict(
                self.model,
                collator,
                prepared,
                device=self.device,
                scores=scores,
                best=best,
                min_score=min_score,
                advance=advance,
            )
        for prediction in found if scores else ():
            require_numbers(self.folder, prediction)
        return found


def load(
    folder: str | Path, *, device: str = "auto", int8: bool = False, splitter: str | None = None
) -> Tagger:
    """Load a finished run. `device`: ``auto``, ``cpu``, ``cuda``. `int8`: the text encoder's linear
    layers in 8 bits, which is faster and takes less memory, at a small price in F1; CPU only.
    `splitter`: what cuts strings into words in place of what the run has learned: ``whitespace``,
    ``tweet``, ``tweet-split``, ``punctuation`` or ``characters``. Raises `mmseq.UserError` for a
    folder that is not a finished run, is damaged, or was made with a plugin that is not installed,
    where `device` or `int8` cannot be had, and for another splitter.
    """
    if not isinstance(folder, str | PathLike) or not str(folder):
        raise UserError(f"load: {folder!r} is no run folder; give its path, such as 'runs/a'.")
    folder = at_home(folder)
    config, labels = runs.open_run(folder)
    cutting = read_splitter(folder, config, splitter)
    place = usable_device(device, int8=int8)
    model = rebuilt(folder, config, labels)
    if int8:
        quantise(model.text_encoder, model.title("text_encoder"))
    tagger = Tagger(folder, config, model, place, cutting)
    tagger._given = {"device": device, "int8": int8, "splitter": splitter}
    return tagger
