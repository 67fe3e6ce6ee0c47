"""The fusion of AdaCAN: words and regions attend to each other, two gates let the picture in."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mmseq import Count, Dropout, Fused, Fusion, ImageStates, Sizes, TextStates, masked_softmax


class AdacanFusion(Fusion):
    """AdaCAN's adaptive co-attention of words and regions, with a fusion and a filtration gate.

    h_t are the words (B, W, D), v_i the regions of all the sentence's pictures (B, R, E); t and j
    run over the real words, i over the real regions; A is `attention`::

        z_t,i = tanh([W_vI v_i ; W_ht h_t + b])                 2A      word-guided visual
        alpha_t = softmax_i(W_alpha z_t,i + b)                  R
        vhat_t = sum_i alpha_t,i v_i                            E

        z'_t,j = tanh([W_x h_j ; W_xv vhat_t + b])              2A      image-guided textual
        beta_t = softmax_j(W_beta z'_t,j + b)                   W
        hhat_t = sum_j beta_t,j h_j                             D

        a = tanh(W_v vhat_t + b)     b_ = tanh(W_h hhat_t + b)  D       gated fusion
        g_t = sigmoid(W_g [a ; b_])                             D
        m_t = g_t * a + (1 - g_t) * b_

        s_t = sigmoid(W_sh h_t + W_ms m_t + b)                  D       filtration gate
        u_t = s_t * tanh(W_m m_t + b)
        mhat_t = W_mhat [h_t ; u_t]                             D

    Gives F = mhat (B, W, D) and, as views for tasks, the terms of m: ``text`` ((1 - g) * b_) and
    ``image`` (g * a), (B, W, D) each.

    A consequence of the printed attention: W [key ; query] is a sum of two dot products, and that
    with the query is the same for every key. It cancels in the softmax, as the biases beside it
    do: alpha_t is the same for every word t, and so are vhat_t, beta_t, hhat_t and m_t; W_ht, W_xv
    and the queries' halves of W_alpha and W_beta change nothing and learn nothing. Only s_t tells
    words apart. `join = "concatenate"` is that form, ``"add"`` the additive attention that does
    ask: alpha_t = softmax_i(W_alpha tanh(W_vI v_i + W_ht h_t + b)), beta_t likewise; it holds
    (B, W, R, A) and (B, W, W, A) numbers in memory.

    A sentence without a picture has vhat_t = 0. Its query W_xv vhat_t + b is left out of z', and
    the mixture has one part left: g_t = 0, so m_t = b_, the words attended to by no picture. No
    bias stands in for the picture.

    `dropout` is on mhat.

    Source: Zhang et al. 2018, "Adaptive Co-attention Network for Named Entity Recognition in
    Tweets".
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
        text, image = sizes.text, sizes.image
        self.width = text
        self.views = {"text": text, "image": text}
        self.region_keys = nn.Linear(image, attention, bias=False)
        self.word_queries = nn.Linear(text, attention)
        self.visual_attention = JoinedAttention(attention, join)
        self.word_keys = nn.Linear(text, attention, bias=False)
        self.image_queries = nn.Linear(image, attention)
        self.textual_attention = JoinedAttention(attention, join)
        self.visual = nn.Linear(image, text)
        self.textual = nn.Linear(text, text)
        self.fusion_gate = nn.Linear(2 * text, text, bias=False)
        self.word_filter = nn.Linear(text, text)
        self.fused_filter = nn.Linear(text, text, bias=False)
        self.reserved = nn.Linear(text, text)
        self.output = nn.Linear(2 * text, text, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: TextStates, images: ImageStates | None) -> Fused:
        assert images is not None  # needs_images
        words, regions, present = text.words, images.regions, images.present[:, None, None]
        queries, keys = self.word_queries(words), self.region_keys(regions)
        seen = self.visual_attention(queries, keys, images.mask) @ regions
        queries, keys = self.image_queries(seen) * present, self.word_keys(words)
        read = self.textual_attention(queries, keys, text.mask) @ words

        visual, textual = torch.tanh(self.visual(seen)), torch.tanh(self.textual(read))
        gate = torch.sigmoid(self.fusion_gate(torch.cat([visual, textual], dim=-1))) * present
        visual, textual = gate * visual, (1 - gate) * textual
        fused = visual + textual

        share = torch.sigmoid(self.word_filter(words) + self.fused_filter(fused))
        kept = share * torch.tanh(self.reserved(fused))
        states = self.dropout(self.output(torch.cat([words, kept], dim=-1)))
        return Fused(states, {"text": textual, "image": visual})


class JoinedAttention(nn.Module):
    """Attention scored by w tanh of key and query: joined end to end as printed, or added.

    Concatenated, w [tanh(key) ; tanh(query)] + b is the sum of two dot products, and is computed
    so: the joined vectors of all pairs would take far more memory and time.
    """

    def __init__(self, width: int, join: Literal["concatenate", "add"]) -> None:
        super().__init__()
        self.key = nn.Linear(width, 1, bias=False)
        self.query = nn.Linear(width, 1) if join == "concatenate" else None

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Shares (B, Q, K) of `queries` (B, Q, A) and `keys` (B, K, A); `mask` (B, K): real keys.

        All 0 where a sentence has no key.
        """
        if self.query is None:
            scores = self.key(torch.tanh(queries[:, :, None] + keys[:, None])).squeeze(-1)
        else:
            own = self.key(torch.tanh(keys)).transpose(1, 2)
            scores = own + self.query(torch.tanh(queries))
        return masked_softmax(scores, mask[:, None])
