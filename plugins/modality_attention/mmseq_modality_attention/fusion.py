"""Each word weighs its word vector, its characters and the picture; a BiLSTM reads the mixture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmseq import (
    Count,
    Dropout,
    Fused,
    Fusion,
    ImageStates,
    Sizes,
    TextStates,
    UserError,
    masked_softmax,
    run_lstm,
)


class ModalityAttentionFusion(Fusion):
    """Modality attention: each word weighs word, characters and picture before a BiLSTM.

    The modalities m are the text encoder's parts ``word`` and, where it has it, ``char``, and the
    picture v, one vector a sentence. Each is mapped to `width`; for every word, with P_m, b_m, W
    and b learned, and a_m a number::

        x_m = P_m u_m + b_m                       u: the part of the word, the picture's vector
        a   = sigmoid(W [x_word ; x_char ; x_v] + b)
        s_m = exp(a_m) / sum_k exp(a_k)
        x   = sum_m s_m x_m
        F   = BiLSTM(x of the words in order)       (B, W, 2 * hidden), padding left out

    v is the image encoder's pooled vector, or the mean of the regions where it gives none. Without
    a picture x_v is 0, b_v included, and v has no share: the others share the weight. The word
    vectors themselves (`TextStates.words`) are not read, so that the encoder needs no context.

    The sigmoid stands inside the softmax, as printed: a_m lies in 0 to 1, hence of three
    modalities each keeps a share from 1/(1 + 2e) = 0.16 to e/(e + 2) = 0.58, of two from 0.27 to
    0.73. A modality that is there can be turned down, never off, by its share alone.

    `dropout` acts on x and on F. `UserError`: an encoder without the part ``word``.

    Source: Moon et al. 2018. The maps to one width are linear; all sizes are our choice.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        width: Count = 100,
        hidden: Count = 100,
        layers: Count = 1,
        dropout: Dropout = 0.5,
    ) -> None:
        super().__init__()
        owner = "fusion 'modality-attention'"
        if "word" not in sizes.parts:
            raise UserError(
                f"{owner} weighs each word's vector from before it is put into context (part "
                "'word'), which this text encoder does not give; take --text-encoder bilstm."
            )
        self.parts = [name for name in ("word", "char") if name in sizes.parts]
        self.project = nn.ModuleDict({p: nn.Linear(sizes.parts[p], width) for p in self.parts})
        self.project["picture"] = nn.Linear(sizes.image, width)
        modalities = len(self.project)
        self.score = nn.Linear(modalities * width, modalities)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(
            width,
            hidden,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0,
        )
        self.width = 2 * hidden

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None  # needs_images
        mixed = self.mix(text, images)
        states = run_lstm(self.lstm, self.dropout(mixed), text.mask)
        return Fused(self.dropout(states))

    def mix(self, text: TextStates, images: ImageStates) -> Tensor:
        """(B, W, width): x of every word, the sum of its modalities by their shares."""
        present = images.present[:, None]
        picture = self.project["picture"](images.pooled) * present
        words = [self.project[name](text.parts[name]) for name in self.parts]
        modalities = torch.stack([*words, picture[:, None].expand_as(words[0])], dim=2)
        scores = torch.sigmoid(self.score(modalities.flatten(start_dim=2)))
        there = torch.cat([present.new_ones(len(present), len(words)), present], dim=1)
        shares = masked_softmax(scores, there[:, None])
        return (shares[..., None] * modalities).sum(dim=2)
