"""The contracts: what passes between components, and what each kind must do.

Shapes: B sentences, W words (padded), R regions (padded, over all pictures of a sentence), N
pictures in the batch, D text width, E image width, F fused width, L labels. Masks are bool, true
where something is. Components get tensors in these small frozen dataclasses; never the model, the
trainer or the config.

Constructor arguments named `sizes`, `assets` and `fitted` are filled in by the engine; every other
argument is an option of the component, validated from its annotation. `assets` is None when the
component is new, and the folder that its `save_assets` filled when a finished run is loaded: then
only the structure is rebuilt, the weights come from the run. `fitted` is what the classmethod `fit`
learned from the training text (JSON; kept in the run).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor, nn


@dataclass(frozen=True)
class Sizes:
    """What a component must know of the others to build its layers."""

    labels: tuple[str, ...]
    """Tag names, index = id; ``O`` is first."""
    text: int = 0
    """D, the width of word vectors."""
    sentence: int = 0
    """Width of the text encoder's sentence vector; 0 where it has none."""
    image: int = 0
    """E, the width of region vectors; 0 without an image encoder."""
    levels: tuple[int, ...] = ()
    """Widths of the image encoder's pyramid levels, finest first."""
    whole_page: bool = False
    """The image encoder does not crop: `ImageStates.grid` covers the whole of a picture."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Widths of the text encoder's named parts (``word``, ``char``, …)."""
    views: Mapping[str, int] = field(default_factory=dict)
    """Widths of the views that tasks may read; ``words`` (D) and ``fused`` (F) always exist."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Configured weight of each loss; ``main`` is first."""


@dataclass(frozen=True)
class PerWord:
    """What a component reads of each word beside the word itself: numbers, one entry a word."""

    size: int = 0
    """Numbers in an entry; 0: any, the same for all words"""
    low: float = -math.inf
    high: float = math.inf
    """A number outside low to high is an error that names the sentence"""


@dataclass(frozen=True)
class ImageStates:
    """Pictures as the image encoder gives them, gathered by sentence.

    A sentence without a picture has an all-false row in `mask` and a zero `vector`; R is at
    least 1.
    """

    regions: Tensor
    """(B, R, E)"""
    mask: Tensor
    """(B, R) bool: a real region"""
    vector: Tensor | None = None
    """(B, E): pooled pictures, their mean where a sentence has several"""
    grid: Tensor | None = None
    """(B, R, 4): x0 y0 x1 y1 of each region as shares of its picture"""
    image_index: Tensor | None = None
    """(B, R) long: which of the sentence's pictures a region is from"""
    levels: tuple[Tensor, ...] = ()
    """Pyramid maps (B, C, h, w), mean over the sentence's pictures, on request"""

    @property
    def present(self) -> Tensor:
        """(B,) bool: the sentence has a picture."""
        return self.mask.any(dim=1)

    @property
    def pooled(self) -> Tensor:
        """(B, E): `vector`, or the mean over the real regions where the encoder gives none; 0
        without a picture.
        """
        if self.vector is not None:
            return self.vector
        number = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.regions.masked_fill(~self.mask[..., None], 0).sum(dim=1) / number


@dataclass(frozen=True)
class TextInputs:
    """A batch of sentences as a text encoder gets it."""

    tensors: Mapping[str, Tensor]
    """What the encoder's own `collate` made"""
    mask: Tensor
    """(B, W) bool: a real word"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """Per-word fields a component asked for, padded with 0: (B, W, k), k = 1 for plain numbers"""


@dataclass(frozen=True)
class TextStates:
    """One vector a word, whatever the encoder works on inside."""

    words: Tensor
    """(B, W, D)"""
    mask: Tensor
    """(B, W) bool"""
    vector: Tensor | None = None
    """(B, width): the sentence, where the encoder announces such a state by its `sentence`"""
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """Named parts (B, W, width), as announced by the encoder's `parts`"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """As in `TextInputs`; the engine passes them on to the fusion"""


@dataclass(frozen=True)
class Fused:
    """What a fusion gives: one vector a word, and views for auxiliary tasks."""

    states: Tensor
    """(B, W, F)"""
    views: Mapping[str, Tensor] = field(default_factory=dict)
    """(B, W, width) each, as announced by the fusion's `views`"""


@dataclass(frozen=True)
class Targets:
    """What losses are computed against."""

    mask: Tensor
    """(B, W) bool: a real word"""
    has_image: Tensor
    """(B,) bool: the sentence has a picture"""
    tags: Tensor | None = None
    """(B, W) long, 0 at padding; None in prediction"""
    tokens: tuple[tuple[str, ...], ...] = ()
    """The words themselves"""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """As in `TextInputs`"""


@dataclass(frozen=True)
class AuxOutput:
    """What a task gives for a batch."""

    loss: Tensor
    """Scalar: the SUM over the task's items; their number is the task's `count`"""
    emissions: Tensor | None = None
    """(B, W, L): the emissions as refined by the task, where it refines"""


@dataclass(frozen=True)
class Weighted:
    """What a weighting gives."""

    total: Tensor
    """Scalar to call backward on"""
    weights: Mapping[str, float]
    """Weight of each loss at this step, for the log"""


class TextEncoder(nn.Module, ABC):
    """Words to vectors. Sub-words and characters begin and end in here."""

    width: int
    """D; the constructor sets it"""
    sentence: int = 0
    """Width of `TextStates.vector`, the state of the whole sentence; 0: it gives none"""
    learning_rate: float
    """Rate of the encoder's weights; most encoders make it an option"""
    epochs: ClassVar[int] = 8
    """Epochs of training where the user names none"""
    offline: ClassVar[Mapping[str, Any]] = {}
    """Options by which it takes packaged weights instead of a download, with their own rate"""
    parts: Mapping[str, int] = {}
    """Widths of the named parts of its `TextStates`. ``word``: words before they are put into
    context; ``char``: what their characters give; ``forward`` and ``backward``: states that have
    seen nothing after, and nothing before their word
    """
    extras: ClassVar[Mapping[str, PerWord]] = {}
    """Fields of an example it reads from `TextInputs.extras`"""
    needs_images: ClassVar[bool] = False
    """True: `forward` reads pictures (the image encoder runs first)"""

    def rate_factors(self) -> Mapping[str, float]:
        """Factors on `learning_rate`, by parameter name; parameters not named have 1."""
        return {}

    def embeddings(self) -> nn.Parameter | None:
        """The matrix whose rows are looked up for words or sub-words, which `train.adversarial`
        moves; None: there is none, and that setting is refused.
        """
        return None

    @abstractmethod
    def encode(self, tokens: Sequence[str]) -> Any:
        """One sentence in the encoder's own form; computed once and kept. At least one word."""

    @abstractmethod
    def collate(self, encoded: Sequence[Any]) -> Mapping[str, Tensor]:
        """A batch of `encode` results, padded. Runs on the CPU."""

    def length(self, encoded: Any, words: int) -> int:
        """How long the encoder finds a sentence: those of like length make a batch, so that little
        of it is padding. `encoded`: what `encode` gave; `words`: their number, the default.
        """
        return words

    @abstractmethod
    def forward(self, inputs: TextInputs, images: ImageStates | None) -> TextStates:
        """One vector for every word; the padding may hold anything finite."""

    def save_assets(self, folder: Path) -> None:  # noqa: B027
        """Write what rebuilding needs besides weights (tokenizer, structure) into `folder`."""


class ImageEncoder(nn.Module, ABC):
    """A picture to region vectors, in a frozen part that runs once per picture and the rest."""

    width: int
    """E; the constructor sets it"""
    learning_rate: float
    offline: ClassVar[Mapping[str, Any]] = {}
    """As a text encoder's"""
    levels: tuple[int, ...] = ()
    """Widths of the pyramid levels it gives, if asked to"""
    whole_page: bool = False
    """True: pictures are resized without cropping, so that `grid` covers the page"""

    @property
    @abstractmethod
    def fingerprint(self) -> str | None:
        """Names all that `precompute` depends on (weights, transform); None: do not store."""

    @abstractmethod
    def transform(self, image: Image.Image) -> Tensor:
        """(3, H, W), one size for every picture. Runs on the CPU."""

    @abstractmethod
    def precompute(self, pixels: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to named tensors (N, …): the frozen part, run without gradient."""

    @abstractmethod
    def forward(self, precomputed: Mapping[str, Tensor]) -> Pictures:
        """The part that runs at each step."""

    def save_assets(self, folder: Path) -> None:  # noqa: B027
        """Write what rebuilding needs besides weights into `folder`."""


@dataclass(frozen=True)
class Pictures:
    """N pictures as an image encoder gives them; the engine gathers them by sentence."""

    regions: Tensor
    """(N, r, E)"""
    vector: Tensor
    """(N, E)"""
    grid: Tensor
    """(r, 4): x0 y0 x1 y1 of each region as shares of the picture"""
    levels: tuple[Tensor, ...] = ()
    """(N, C, h, w) each"""


class Fusion(nn.Module, ABC):
    """Word and region vectors to one fused vector a word.

    Attention over no region contributes 0: a sentence without a picture gives the same whether
    its batch has pictures or not (`mmseq.masked_softmax` and `mmseq.attend` do that).
    """

    width: int
    """F; the constructor sets it"""
    views: Mapping[str, int] = {}
    """Further views offered to tasks: name -> width"""
    needs_images: ClassVar[bool] = True
    """False: it can be used without an image encoder, and then gets None for the pictures"""
    extras: ClassVar[Mapping[str, PerWord]] = {}
    """Fields of an example it reads from `TextStates.extras`"""

    @abstractmethod
    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        """(B, W, F) and the announced views. `images` is None without an image encoder."""


class AuxTask(nn.Module, ABC):
    """A further loss on the model's views, at training; it may refine the emissions, always."""

    views: ClassVar[tuple[str, ...]] = ("fused",)
    """The views it reads: ``words``, ``fused``, one the fusion offers or a part of the text
    encoder's
    """
    lacking: ClassVar[Mapping[str, str]] = {}
    """What to tell a user where a view is missing, by view: why, and what to choose instead"""
    weight: ClassVar[float] = 1.0
    """Its weight in the total where the config names none"""
    refines: bool = False
    """True: it is also called in prediction, for its `AuxOutput.emissions`"""
    preparation: int = 0
    """Epochs of main-task training before the task can begin; then `observe` and `finish`"""
    additive: ClassVar[bool] = True
    """False: an item's loss depends on the batch's other items, as with negatives from the batch;
    otherwise the loss of a batch is the sum of its sentences' losses
    """

    @abstractmethod
    def count(self, targets: Targets) -> int:
        """Number of the task's items in the batch; 0: absent. Known before the forward pass, so
        that sums are divided by the number over all accumulation steps and processes.
        """

    @abstractmethod
    def forward(
        self, views: Mapping[str, Tensor], targets: Targets, emissions: Tensor
    ) -> AuxOutput:
        """The loss summed over the items (0 in prediction, where `targets.tags` is None)."""

    def observe(self, views: Mapping[str, Tensor], targets: Targets) -> None:  # noqa: B027
        """Called with every training batch after the preparation epochs, without gradient.
        Accumulate in buffers: they are checkpointed.
        """

    def finish(self) -> None:  # noqa: B027
        """Called once after the last `observe`; `mmseq.all_sum` adds over processes."""


class Decoder(nn.Module, ABC):
    """Emissions to tags."""

    likelihood: bool = True
    """`loss` is -log p of the tags; False for a loss that is none, such as focal or dice loss and
    label smoothing: `mmseq check` then holds decoding and scores against nothing that it gives
    """

    @abstractmethod
    def count(self, targets: Targets) -> int:
        """Number of items the loss sums over."""

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Scalar: negative log-likelihood (natural log; but see `likelihood`), SUMMED over the
        items.
        """

    @abstractmethod
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best tags: (B, W) long, 0 at padding."""

    @abstractmethod
    def scores(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Probability of the given tag at each word: (B, W), 0 at padding."""

    def span_scores(self, emissions: Tensor, tags: Tensor, mask: Tensor, spans: Tensor) -> Tensor:
        """Probability of each entity in `tags`: (N,), of `spans` (N, 3), rows (sentence, first
        word, word behind the last).

        Here the least of its words' probabilities, which it cannot exceed; a decoder that knows the
        probability that all its words bear these tags, and that the entity ends there, gives that.
        """
        scores = self.scores(emissions, tags, mask)
        return scores.new_tensor(
            [float(scores[row, start:end].min()) for row, start, end in spans.tolist()]
        )

    def k_best(self, emissions: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The `k` most probable tag sequences of each sentence that the decoder may give, best
        first: (B, k, W) long, 0 at padding, and the natural logarithms of their probabilities,
        (B, k). The first is what `decode` gives; equal ones come in an order that is always the
        same. Where a sentence has fewer than `k`, the rest are 0 throughout, and -inf. A sentence
        without words has one, the empty one.

        A decoder need not have it: `mmseq predict --best` then says so.
        """
        raise NotImplementedError(f"{type(self).__name__} gives the best tags alone")


class Weighting(nn.Module, ABC):
    """Several losses to one. Absent losses are not in `losses`.

    Its parameters are trained with the model's, without weight decay and apart from the limit on
    the gradient norm; what else it must remember belongs in buffers, which are checkpointed. In
    several processes each calls it equally often, with the same names.
    """

    learning_rate: float | None = None
    """Rate of its own parameters; None: `train.learning_rate`"""

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor], shared: Tensor, progress: float) -> Weighted:
        """`losses`: mean of each, scalar; `shared` (B, W, D): the text encoder's states;
        `progress`: share of the training done, 0 to 1.

        Called for each micro-batch: a process's means are scaled so that their average over all
        micro-batches and processes is the step's, and the totals are averaged the same way.
        """

    def end_epoch(self, means: Mapping[str, float]) -> None:  # noqa: B027
        """Called in every process after each epoch. `means`: of each loss seen in the epoch, over
        all items of all processes.
        """


@dataclass(frozen=True)
class StepEvent:
    """After an optimiser step."""

    step: int
    epoch: int
    losses: Mapping[str, float]
    """Mean of each loss over the step's items; absent ones left out"""
    weights: Mapping[str, float]
    learning_rates: Mapping[str, float]
    """Of each part of the model; the highest, where its parameters have several"""
    gradient_norm: float
    cosines: Mapping[str, float] = field(default_factory=dict)
    """Where a callback asked: cosine of each task's gradient with the main task's, on the text
    encoder's word states; tasks without a gradient there left out"""


@dataclass(frozen=True)
class EpochEvent:
    """After an epoch and its validation."""

    epoch: int
    step: int
    preparing: bool
    """An epoch of the preparation phase: no candidate for the best"""
    losses: Mapping[str, float]
    valid: Mapping[str, Any] | None
    """Scores as in metrics.json; None without a validation split"""
    best_epoch: int


class Callback:
    """Told what happens in training; sees numbers and paths. May ask to stop by a reason."""

    def on_start(self, folder: Path, resumed_step: int) -> None:
        """Training begins, or goes on after `resumed_step` steps."""

    def wants_cosines(self, step: int) -> bool:
        """Does it read `StepEvent.cosines` of that step? Asked in every process: the answer may
        depend on the options and the step alone.
        """
        return False

    def on_step(self, event: StepEvent) -> str | None:
        """After each optimiser step; a returned reason stops training after the epoch's end."""
        return None

    def on_epoch(self, event: EpochEvent) -> str | None:
        """After each epoch; a returned reason stops training."""
        return None

    def on_end(self, folder: Path) -> None:
        """Training has ended and the run folder is whole."""

    def close(self) -> None:
        """Called last, whether training has ended or was broken off by an error or Ctrl-C: let go
        of files and connections. `on_start` may not have been called.
        """

    def state(self) -> dict[str, Any]:
        """JSON to be kept in checkpoints."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up `state` when resuming."""
