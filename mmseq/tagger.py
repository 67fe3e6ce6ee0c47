"""A finished run, loaded to tag sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from mmseq import runs
from mmseq.checkpoint import load_weights
from mmseq.collate import Collator
from mmseq.config import Config
from mmseq.console import Reporter
from mmseq.data import Split, check_known
from mmseq.errors import UserError
from mmseq.evaluation import Prediction, predict
from mmseq.example import Example
from mmseq.labels import spans
from mmseq.metrics import score
from mmseq.model import Model, build_model
from mmseq.pictures import ready_pictures
from mmseq.setup import choose_split
from mmseq.splitter import split_words

CHUNK = 512
"""Sentences taken from a stream at once: enough to batch sentences alike in length."""

Pictures = str | Path | Sequence[str | Path] | None
"""The pictures of one sentence: none, one or several files."""


@dataclass(frozen=True)
class Span:
    """One entity."""

    type: str
    text: str
    start: int
    """First word"""
    end: int
    """After the last word"""
    start_char: int
    """First character in the sentence's text"""
    end_char: int
    """After the last character"""
    score: float
    """Probability that this entity is there, with these borders and this type"""


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence with its entities."""

    text: str
    """As given; of a list of words: the words joined by spaces"""
    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    """Probability of each word's tag"""
    spans: tuple[Span, ...]
    id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``id``, ``text``, ``tokens``, ``tags``, ``scores``, ``entities``."""
        return {
            "id": self.id,
            "text": self.text,
            "tokens": list(self.words),
            "tags": list(self.tags),
            "scores": [round(value, 4) for value in self.scores],
            "entities": [asdict(span) | {"score": round(span.score, 4)} for span in self.spans],
        }


@dataclass(frozen=True)
class Sentence:
    """What is to be tagged: words with their places in a text, pictures, extras."""

    example: Example
    text: str
    places: tuple[tuple[int, int], ...]


class Tagger:
    """A trained model that tags sentences; made by `mmseq.load`.

    Works offline from the run folder alone, whichever way the model was trained.
    """

    def __init__(self, folder: Path, config: Config, model: Model, device: torch.device) -> None:
        self.folder = folder
        self.config = config
        self.model = model.to(device).eval()
        self.device = device
        self.reporter = Reporter(quiet=True)

    @property
    def labels(self) -> tuple[str, ...]:
        """Tag names."""
        return self.model.labels

    def predict(
        self,
        sentences: Sequence[str | Sequence[str]],
        images: Sequence[Pictures] | None = None,
        extras: Sequence[dict[str, Any]] | None = None,
    ) -> list[TaggedSentence]:
        """Tag sentences, in order.

        `sentences`: strings (split by the run's word splitter) or lists of words. `images`: of each
        sentence a file, several files, or None. `extras`: of each sentence the further fields that
        the run's components read, such as ``boxes``. Raises `mmseq.UserError` where the lists
        differ in length.
        """
        for name, values in (("images", images), ("extras", extras)):
            if values is not None and len(values) != len(sentences):
                raise UserError(
                    f"{len(sentences)} sentences but {len(values)} {name}: give one entry a "
                    "sentence (None for a sentence without)."
                )
        made = [
            self.sentence(
                sentence,
                images[index] if images is not None else None,
                extras[index] if extras is not None else {},
            )
            for index, sentence in enumerate(sentences)
        ]
        return list(self.stream(made))

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
        paths = () if images is None else (images,) if isinstance(images, str | Path) else images
        if isinstance(sentence, str):
            words = split_words(sentence, self.config.data.splitter)
            text, tokens = sentence, tuple(word.text for word in words)
            places = tuple((word.start, word.end) for word in words)
        else:
            tokens = tuple(sentence)
            text, places = " ".join(tokens), _joined(tokens)
        _require_whole(text)
        _require_whole(name)
        files = tuple(Path(path) for path in paths)
        example = Example(tokens, None, files, name, extras or {}, file, line)
        return Sentence(example, text, places)

    def stream(self, sentences: Iterable[Sentence]) -> Iterator[TaggedSentence]:
        """Tag any number of sentences, in order, a chunk at a time."""
        iterator = iter(sentences)
        while chunk := list(islice(iterator, CHUNK)):
            # A string without a word is a sentence without entities.
            filled = [s for s in chunk if s.example.tokens]
            found = iter(self._predict([s.example for s in filled]))
            for sentence in chunk:
                prediction = next(found) if sentence.example.tokens else Prediction(())
                yield _tagged(sentence, prediction)

    def evaluate(
        self,
        data: str | Path | None = None,
        split: str = "test",
        *,
        images: str | Path | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Scores of a split, in percent, as in metrics.json.

        `data`: a data folder, or a file that is the split; by default the data that the run was
        trained on. `images`: the folder of its pictures. `mapping`: types to rename, ``"O"`` drops
        one. Raises `mmseq.UserError` for data that are missing or broken, have no tags, or a type
        that the run does not know.
        """
        return self.scores(choose_split(self.config.data, split, data, images, mapping))

    def scores(self, split: Split) -> dict[str, Any]:
        """Scores of a split that has been read."""
        check_known(split, self.labels)
        if split.facts.untagged is not None:
            untagged = split.examples[split.facts.untagged]
            raise UserError(f"{untagged.where}: has no tags to compare with; use mmseq predict.")
        predictions = self._predict(split.examples, scores=False)
        gold = [list(e.tags or ()) for e in split.examples]
        return score(gold, [list(p.tags) for p in predictions])

    def collator(self, examples: Sequence[Example]) -> Collator:
        """What makes batches of `examples`; their pictures are made ready here."""
        pictures = None
        if self.model.image_encoder is not None:
            pictures = ready_pictures(
                [examples],
                self.model.image_encoder,
                self.config.data,
                device=self.device,
                reporter=self.reporter,
            )
        return self.model.collator(pictures)

    def _predict(self, examples: Sequence[Example], *, scores: bool = True) -> list[Prediction]:
        collator = self.collator(examples)
        prepared = collator.prepared(examples)
        with self.reporter.progress("sentences", len(prepared)) as advance:
            return predict(
                self.model,
                collator,
                prepared,
                device=self.device,
                scores=scores,
                progress=lambda count: advance(count, ""),
            )


def load(folder: str | Path, *, device: str = "auto") -> Tagger:
    """Load a finished run. `device`: ``auto``, ``cpu``, ``cuda``.

    Raises `mmseq.UserError` for a folder that is no finished run, is damaged, or was made with a
    plugin that is not installed.
    """
    folder = Path(folder)
    config, labels = runs.open_run(folder)
    try:
        model, _ = build_model(config, labels, assets=folder / "assets")
    # What a library says to a JSON file of another shape.
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{folder / 'assets'}: damaged or incomplete ({reason}).") from error
    load_weights(model, folder / "model.safetensors")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Tagger(folder, config, model, torch.device(device))


def _require_whole(text: str) -> None:
    """`UserError` for half a surrogate pair, which no tokenizer and no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{text!a}: holds half a character (\\ud800 to \\udfff) or bytes that are not UTF-8."
        ) from error


def _joined(tokens: Sequence[str]) -> tuple[tuple[int, int], ...]:
    places, start = [], 0
    for token in tokens:
        places.append((start, start + len(token)))
        start += len(token) + 1
    return tuple(places)


def _tagged(sentence: Sentence, prediction: Prediction) -> TaggedSentence:
    found = []
    entities = spans(prediction.tags)
    for (start, end, kind), probability in zip(entities, prediction.span_scores, strict=True):
        begin, finish = sentence.places[start][0], sentence.places[end - 1][1]
        text = sentence.text[begin:finish]
        found.append(Span(kind, text, start, end, begin, finish, probability))
    return TaggedSentence(
        sentence.text,
        sentence.example.tokens,
        prediction.tags,
        prediction.scores,
        tuple(found),
        sentence.example.id,
    )
