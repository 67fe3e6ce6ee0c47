from pathlib import Path

import pytest
import torch

from mmseq.config.config import TrainConfig
from mmseq.contracts.example import Example
from mmseq.contracts.states import PerWord, TextStates
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.errors import UserError
from mmseq.model.collate import Collator
from mmseq.model.fields import ExtraField
from mmseq.model.order import BUCKET, by_length, epoch_steps, lengths_of, training_order

LENGTHS = [(i * 7919) % 40 + 1 for i in range(1000)]


def field(name, *bounds):
    return ExtraField(name, PerWord(*bounds), "fusion")


def flat(batches):
    return [sentence for batch in batches for sentence in batch]


@pytest.mark.parametrize("size", [1, 7, 32, 2000])
def test_an_epoch_has_each_sentence_exactly_once(size):
    batches = training_order(LENGTHS, size, seed=3, epoch=0)
    assert sorted(flat(batches)) == list(range(1000))
    # Only the last of all buckets may end in a smaller batch.
    assert sum(len(batch) != size for batch in batches) <= 1
    assert max(map(len, batches)) <= size


def test_the_order_is_drawn_from_seed_and_epoch():
    order = training_order(LENGTHS, 8, seed=3, epoch=1)
    assert order == training_order(LENGTHS, 8, seed=3, epoch=1)
    assert order != training_order(LENGTHS, 8, seed=3, epoch=2)
    assert order != training_order(LENGTHS, 8, seed=4, epoch=1)
    assert {tuple(b) for b in order} != {tuple(b) for b in training_order(LENGTHS, 8, 3, 2)}


def test_sentences_of_a_batch_are_alike_in_length_and_batches_come_in_any_order():
    batches = training_order(LENGTHS, 10, seed=0, epoch=0)
    padded = sum(len(batch) * max(LENGTHS[i] for i in batch) for batch in batches)
    assert padded < 1.05 * sum(LENGTHS)
    longest = [max(LENGTHS[i] for i in batch) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def test_buckets_keep_the_order_random():
    """With more than a bucket, equally long sentences do not all meet."""
    count = 3 * BUCKET * 2
    batches = training_order([1] * count, 2, seed=0, epoch=0)
    assert any(abs(a - b) > count / 3 for a, b in batches)
    assert flat(batches) != sorted(flat(batches))


@pytest.mark.parametrize(("sentences", "processes"), [(17, 2), (19, 4), (3, 3), (1000, 7)])
def test_processes_share_every_sentence_and_none_is_idle(sentences, processes):
    """Also where the batch of the few that are left comes first."""
    train, lengths, few_first = TrainConfig(batch_size=4), LENGTHS[:sentences], 0
    for epoch in range(20):
        first = training_order(lengths, 4 * processes, train.seed, epoch)[0]
        few_first += len(first) < processes
        shares = [epoch_steps(lengths, train, epoch, p, processes) for p in range(processes)]
        assert len({len(share) for share in shares}) == 1
        assert all(batch for share in shares for step in share for batch in step)
        found = [i for share in shares for step in share for batch in step for i in batch]
        assert sorted(found) == list(range(sentences))
    assert few_first or sentences not in (17, 19)


def test_nothing_to_order():
    assert training_order([], 4, 0, 0) == []
    assert list(by_length([], 4)) == []


def test_evaluation_takes_the_longest_first():
    assert list(by_length([2, 5, 1, 5, 3], 2)) == [[1, 3], [4, 0], [2]]


class Lengths(TextEncoder):
    """A word is its number of characters."""

    width = 1
    learning_rate = 0.1

    def encode(self, tokens):
        return [len(token) for token in tokens]

    def collate(self, encoded):
        widest = max(map(len, encoded))
        return {"lengths": torch.tensor([row + [0] * (widest - len(row)) for row in encoded])}

    def forward(self, inputs, images):
        return TextStates(inputs.tensors["lengths"].float()[..., None], inputs.mask)


class Pictures:
    """Every picture is a number; bad.png cannot be used, and same.png is another 1.png."""

    def has(self, path):
        return path.name != "bad.png"

    def content(self, path):
        return path.stem.replace("same", "1")

    def rows(self, paths):
        return {"map": torch.tensor([[float(path.stem)] for path in paths])}


LABELS = ("O", "B-X", "I-X")


def example(tokens, tags=None, images="", **extras):
    paths = tuple(Path(f"{name}.png") for name in images.split())
    tags = None if tags is None else tuple(tags.split())
    return Example(tuple(tokens.split()), tags, paths, extras=extras, file=Path("f"), line=9)


EXAMPLES = [
    example("New York now", "B-X I-X O", "1 2"),
    example("no", "O"),
    example("in Oslo", "O B-X", "bad 3"),
]


def collate(examples, *, pictures=True, hidden=(), extras=()):
    collator = Collator(Lengths(), LABELS, Pictures() if pictures else None, extras)
    return collator.batch([collator.prepare(example) for example in examples], hidden)


def test_a_batch_by_hand():
    batch = collate(EXAMPLES)
    assert batch.text.tensors["lengths"].tolist() == [[3, 4, 3], [2, 0, 0], [2, 4, 0]]
    mask = [[True] * 3, [True, False, False], [True, True, False]]
    assert batch.text.mask.tolist() == batch.targets.mask.tolist() == mask
    assert batch.targets.tags.tolist() == [[1, 2, 0], [0, 0, 0], [0, 1, 0]]
    assert batch.targets.tags.dtype == torch.long
    assert batch.targets.tokens == (("New", "York", "now"), ("no",), ("in", "Oslo"))
    assert batch.targets.has_image.tolist() == [True, False, True]
    # The usable pictures are numbered anew.
    assert batch.pictures["map"].tolist() == [[1.0], [2.0], [3.0]]
    assert batch.owner.tolist() == [0, 0, 2]
    assert batch.slot.tolist() == [0, 1, 0]
    assert batch.row.tolist() == [0, 1, 2]


def test_a_picture_that_sentences_share_is_there_once():
    batch = collate([example("a", images="2 1"), example("b", images="same"), example("c")])
    assert batch.pictures["map"].tolist() == [[2.0], [1.0]]
    assert batch.owner.tolist() == [0, 0, 1]
    assert batch.slot.tolist() == [0, 1, 0]
    assert batch.row.tolist() == [0, 1, 1]


class Long(Lengths):
    """A sentence is as long as its characters."""

    def length(self, encoded, words):
        return sum(encoded)


def test_batches_go_by_the_length_that_the_text_encoder_finds():
    """Three words with 10 characters, one with 2, two with 6."""
    for encoder, expected in ((Lengths(), [3, 1, 2]), (Long(), [10, 2, 6])):
        collator = Collator(encoder, LABELS, None)
        assert lengths_of(collator.prepared(EXAMPLES)) == expected


def test_hidden_pictures_are_no_pictures():
    batch = collate(EXAMPLES, hidden=[True, True, False])
    assert batch.targets.has_image.tolist() == [False, False, True]
    assert batch.pictures["map"].tolist() == [[3.0]]
    assert batch.owner.tolist() == [2]


@pytest.mark.parametrize("options", [{"hidden": [True] * 3}, {"pictures": False}])
def test_a_batch_without_pictures(options):
    batch = collate(EXAMPLES, **options)
    assert batch.targets.has_image.tolist() == [False] * 3
    assert batch.pictures == {}
    assert batch.owner.shape == batch.slot.shape == batch.row.shape == (0,)
    assert batch.owner.dtype == batch.slot.dtype == batch.row.dtype == torch.long


def test_one_sentence_without_tags_makes_a_batch_without_tags():
    assert collate([*EXAMPLES, example("and this")]).targets.tags is None


def test_numbers_for_each_word_are_padded_with_zeros():
    examples = [
        example("a b c", boxes=[[1, 2], [3, 4], [5, 6]], size=[1, 2.5, 3]),
        example("d", boxes=[[7, 8]], size=[4]),
    ]
    batch = collate(examples, extras=(field("boxes"), field("size")))
    boxes = [[[1, 2], [3, 4], [5, 6]], [[7, 8], [0, 0], [0, 0]]]
    assert batch.text.extras["boxes"].tolist() == boxes
    assert batch.text.extras["size"].tolist() == [[[1], [2.5], [3]], [[4], [0], [0]]]
    assert batch.targets.extras["boxes"].equal(batch.text.extras["boxes"])


def test_a_field_that_no_component_reads_is_not_looked_at():
    assert collate([example("a b", boxes="anything")]).text.extras == {}


def test_a_field_of_another_width_than_before_is_a_users_error():
    examples = [example("a", boxes=[[1, 2]]), example("b", boxes=[[1, 2, 3]])]
    with pytest.raises(UserError, match="f:9: .*'boxes' .*3"):
        collate(examples, extras=(field("boxes"),))
    with pytest.raises(UserError, match="f:9: .*'boxes' .*missing"):
        collate([example("a")], extras=(field("boxes"),))


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (None, "'boxes' .*missing"),
        ([[1, 2, 3]], "3 .*4"),
        ([[1, 2, 3, 1001]], r"entry 1: \[1.0, 2.0, 3.0, 1001.0\] .*0 to 1000"),
        ([[-1, 2, 3, 4]], "0 to 1000"),
    ],
)
def test_a_field_that_is_not_what_its_reader_announces(boxes, message):
    extras = (field("boxes", 4, 0, 1000),)
    collate([example("a", boxes=[[0, 2, 3, 1000]])], extras=extras)
    with pytest.raises(UserError, match=f"^f:9: .*{message}"):
        collate([example("a", **({"boxes": boxes} if boxes else {}))], extras=extras)


def test_a_batch_moves_whole():
    batch = collate(
        [example("a b", "O O", "1", size=[1, 2]), example("c", "O", size=[3])],
        extras=(field("size"),),
    )
    moved = batch.to(torch.device("meta"))
    tensors = [
        *moved.text.tensors.values(),
        *moved.text.extras.values(),
        *moved.targets.extras.values(),
        *moved.pictures.values(),
        moved.text.mask,
        moved.targets.mask,
        moved.targets.has_image,
        moved.targets.tags,
        moved.owner,
        moved.slot,
    ]
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert len(tensors) == 10
    assert moved.targets.tokens == batch.targets.tokens
    assert collate([example("a")]).to(torch.device("meta")).targets.tags is None
