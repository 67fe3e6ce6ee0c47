"""The text encoder `letters`: words and their letters through one LSTM."""

import json
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import mmseq


class Letters(mmseq.TextEncoder):
    """Word vectors, the mean of a word's letters and where it stands, through a BiLSTM.

    `least`: so often a word must occur in the training text to have a vector of its own.
    """

    epochs = 5
    offline = {"width": 16, "learning_rate": 5e-3}
    extras = {"boxes": mmseq.PerWord(4, 0, 1000)}

    def __init__(
        self,
        sizes: mmseq.Sizes,
        *,
        width: mmseq.Count = 16,
        least: mmseq.Count = 1,
        letter_factor: mmseq.Positive = 2.0,
        learning_rate: mmseq.NonNegative = 2e-2,
        fitted: dict,
        assets: Path | None = None,
    ) -> None:
        super().__init__()
        self.width = self.sentence = 2 * width
        self.learning_rate = learning_rate
        self.letter_factor = letter_factor
        self.parts = {"word": width, "char": width, "forward": width, "backward": width}
        self.ids = {word: 1 + place for place, word in enumerate(fitted["words"])}
        self.alphabet = (
            json.loads((assets / "alphabet.json").read_text()) if assets else fitted["alphabet"]
        )
        self.word = nn.Embedding(1 + len(self.ids), width)
        self.letter = nn.Embedding(2 + len(self.alphabet), width, padding_idx=0)
        self.place = nn.Linear(4, width)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)

    @classmethod
    def fit(cls, examples, **options):
        seen = Counter(token.lower() for example in examples for token in example.tokens)
        words = sorted(word for word, number in seen.items() if number >= options["least"])
        return {"words": words, "alphabet": "".join(sorted(set("".join(seen))))}

    def save_assets(self, folder: Path) -> None:
        (folder / "alphabet.json").write_text(json.dumps(self.alphabet))

    def rate_factors(self):
        return {"letter.weight": self.letter_factor}

    def embeddings(self):
        return self.word.weight

    def encode(self, tokens):
        ids = [self.ids.get(token.lower(), 0) for token in tokens]
        letters = [[2 + self.alphabet.find(c) for c in token.lower()[:12]] for token in tokens]
        return ids, [[max(1, place) for place in word] for word in letters]

    def length(self, encoded, words):
        return sum(len(word) for word in encoded[1])

    def collate(self, encoded):
        longest = max(len(word) for _, letters in encoded for word in letters)
        padded = [
            torch.tensor([word + [0] * (longest - len(word)) for word in letters])
            for _, letters in encoded
        ]
        ids = [torch.tensor(ids) for ids, _ in encoded]
        return {
            "words": pad_sequence(ids, batch_first=True),
            "letters": pad_sequence(padded, batch_first=True),
        }

    def forward(self, inputs, images):
        letters = inputs.tensors["letters"]
        number = (letters > 0).sum(dim=2).clamp(min=1)[..., None]
        char = self.letter(letters).sum(dim=2) / number
        word = self.word(inputs.tensors["words"])
        place = self.place(inputs.extras["boxes"] / 1000)
        states = mmseq.run_lstm(self.lstm, word + char + place, inputs.mask)
        forward, backward = states.chunk(2, dim=2)
        last = (inputs.mask.sum(dim=1) - 1).clamp(min=0)[:, None, None]
        ends = forward.gather(1, last.expand(-1, -1, forward.shape[2]))[:, 0]
        vector = torch.cat([ends, backward[:, 0]], dim=1)
        parts = {"word": word, "char": char, "forward": forward, "backward": backward}
        return mmseq.TextStates(states, inputs.mask, vector, parts)
