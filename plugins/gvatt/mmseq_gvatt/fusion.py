"""The fusion of GVATT: the sentence attends to image regions, a gate lets them into every word."""

from __future__ import annotations

from typing import Literal

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
)


class GvattFusion(Fusion):
    """GVATT's visual attention by the sentence, and its visual modulation gate for every word.

    Q is the sentence (B, S), h a word (D), v_i a region (E), i over the real regions of all the
    sentence's pictures; A is `attention`::

        P_t = tanh(W_t Q)    P_v,i = tanh(W_v v_i)                      A each
        alpha = softmax_i(W_a [P_t ; P_v,i] + b)                        one number a region
        v_c = sum_i alpha_i v_i                                         E, one a sentence

        beta_v = sigmoid(W_v' h + U_v v_c + b_v)                        D, as all that follow
        beta_w = sigmoid(W_w h + U_w v_c + b_w)
        m = tanh(W_m h + U_m v_c + b_m)
        w = beta_w * h + beta_v * m

    Gives F = w (B, W, D) and, as views for tasks, its two terms: ``text`` (beta_w * h) and
    ``image`` (beta_v * m), (B, W, D) each.

    A consequence of the printed attention: W_a [P_t ; P_v,i] is a sum of two dot products, and
    that with P_t is the same for every region. It cancels in the softmax, as b does, so alpha does
    not depend on the sentence: W_t, b and P_t's half of W_a change nothing and learn nothing.
    `join = "concatenate"` is that form, ``"add"`` the additive attention which does ask with the
    sentence: alpha = softmax_i(W_a tanh(W_t Q + W_v v_i)).

    A sentence without a picture has v_c = 0, and its visual term beta_v * m, which the biases and
    the word would otherwise keep alive, is 0: w = beta_w * h with beta_w = sigmoid(W_w h + b_w),
    the word through its own gate.

    `dropout` is on w. `UserError` where the text encoder has no sentence vector.

    Source: Lu et al. 2018, "Visual Attention Model for Name Tagging in Multimodal Social Media".
    The paper writes W_v for two maps, in P_v and in beta_v.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        attention: Count = 200,
        join: Literal["concatenate", "add"] = "concatenate",
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__()
        if not sizes.sentence:
            raise UserError(
                "fusion 'gvatt' needs a text encoder with a sentence vector, and this one has "
                "none; take a transformer with a token before the sentence (as BERT's [CLS]), "
                "bilstm with layers >= 1, or another fusion."
            )
        self.width = sizes.text
        self.views = {"text": sizes.text, "image": sizes.text}
        self.join = join
        self.sentence = nn.Linear(sizes.sentence, attention, bias=False)
        self.region = nn.Linear(sizes.image, attention, bias=False)
        # W_a and b: its half for regions, and where joined the half for the sentence.
        self.region_score = nn.Linear(attention, 1, bias=False)
        self.sentence_score = nn.Linear(attention, 1) if join == "concatenate" else None
        self.visual_gate = WordAndPicture(sizes.text, sizes.image)
        self.word_gate = WordAndPicture(sizes.text, sizes.image)
        self.modulation = WordAndPicture(sizes.text, sizes.image)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None  # needs_images
        assert text.vector is not None  # sizes.sentence
        words, context = text.words, self._context(text.vector, images)
        modulated = torch.tanh(self.modulation(words, context))
        word = torch.sigmoid(self.word_gate(words, context)) * words
        visual = torch.sigmoid(self.visual_gate(words, context)) * modulated
        visual = visual * images.present[:, None, None]
        return Fused(self.dropout(word + visual), {"text": word, "image": visual})

    def _context(self, sentence: Tensor, images: ImageStates) -> Tensor:
        """v_c (B, E) of sentence vectors (B, S); 0 without a picture."""
        asked = self.sentence(sentence)[:, None]
        seen = self.region(images.regions)
        if self.sentence_score is None:
            scores = self.region_score(torch.tanh(asked + seen))
        else:
            scores = self.region_score(torch.tanh(seen)) + self.sentence_score(torch.tanh(asked))
        shares = masked_softmax(scores, images.mask[..., None], dim=1)
        return (shares * images.regions).sum(dim=1)


class WordAndPicture(nn.Module):
    """W h + U v + b: (B, W, D) of words (B, W, D) and one picture vector a sentence (B, E)."""

    def __init__(self, text: int, image: int) -> None:
        super().__init__()
        self.word = nn.Linear(text, text)
        self.picture = nn.Linear(image, text, bias=False)

    def forward(self, words: Tensor, picture: Tensor) -> Tensor:
        result: Tensor = self.word(words) + self.picture(picture)[:, None]
        return result
