"""The batches of a run, step by step: which sentences, in which order, with which pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mmseq.config.config import Config
from mmseq.model.batch import Batch
from mmseq.model.collate import Collator, Prepared
from mmseq.model.order import epoch_steps, hidden_pictures, lengths_of
from mmseq.processes import process_count, process_index
from mmseq.training.rounds import rounds_of


class TrainingBatches:
    """What one process trains on, drawn from seed and epoch alone."""

    def __init__(self, config: Config, sentences: Sequence[Prepared], collator: Collator) -> None:
        self.config, self.sentences, self.collator = config, sentences, collator
        self.rounds = rounds_of(config.train, len(sentences))
        self._lengths = lengths_of(sentences)

    def groups(self, steps: range) -> Iterator[list[Batch]]:
        """Of each step its micro-batches."""
        share, seed = self.config.data.image_dropout, self.config.train.seed
        for epoch, own in groupby(steps, key=lambda step: step // self.rounds.each):
            order = self.order(epoch)
            hidden = hidden_pictures(len(self.sentences), share, seed, epoch)
            for step in own:
                yield [self.batch(i, hidden) for i in order[step % self.rounds.each]]

    def once(self) -> Iterator[list[Batch]]:
        """Every sentence once with its pictures, in an order of its own."""
        for group in self.order(self.rounds.epochs):
            yield [self.batch(indexes) for indexes in group]

    def order(self, epoch: int) -> list[list[list[int]]]:
        """An epoch's steps: of each its micro-batches, as sentence numbers."""
        train = self.config.train
        return epoch_steps(self._lengths, train, epoch, process_index(), process_count())

    def batch(self, indexes: Sequence[int], hidden: Sequence[bool] = ()) -> Batch:
        """Those sentences; `hidden` says of all whose pictures to leave out."""
        own = [hidden[i] for i in indexes] if hidden else ()
        return self.collator.batch([self.sentences[i] for i in indexes], own)
