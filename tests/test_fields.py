"""Further fields of the data: read as components ask for them, and where these can have them."""

from pathlib import Path

import pytest
import torch

from mmseq.contracts.aux_task import AuxOutput, AuxTask
from mmseq.contracts.example import Example
from mmseq.contracts.states import PerSentence, PerWord, Text, TextStates
from mmseq.contracts.text_encoder import TextEncoder
from mmseq.data.splits import load_file
from mmseq.data.store import ExampleStore
from mmseq.errors import ComponentError, UserError
from mmseq.model.collate import Collator
from mmseq.model.field_values import per_sentence, read_field, text_of
from mmseq.model.fields import ExtraField, FieldReader, fields_read, told
from mmseq.model.guard import ReadFields

MOOD = PerSentence(1, 0, 2, training_only=True)
CAPTION = Text(training_only=True)


def test_numbers_of_a_sentence_are_a_list():
    found = Example(("a", "b"), extras={"mood": 2, "scores": [0.5, -1]})
    assert per_sentence(found, "mood") == [2.0]
    assert per_sentence(found, "scores") == [0.5, -1.0]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (MOOD, None, r"'mood' is missing; task reads it, a number or a list of numbers .*add it"),
        (MOOD, "good", "'mood': 'good' is not a number"),
        (MOOD, True, "True is not a number"),
        (MOOD, float("inf"), "inf is not a number"),
        # What a float does not hold, and what one of 32 bits does not.
        (MOOD, 10**400, "10+ … is not a number"),
        (MOOD, 1e39, r"1e\+39 is not a number"),
        (MOOD, [], r"\[\] is not a number"),
        (MOOD, [[1]], r"\[\[1\]\] is not a number"),
        (MOOD, [1, 2], "has 2 numbers; task reads 1: give as many"),
        (MOOD, 3, r"'mood': \[3.0\] has a number outside 0 to 2, which task reads; scale or"),
        (MOOD, list(range(99)) + ["x"], r"\[0, 1, .* … is not a number"),
        (CAPTION, None, r"'mood' is missing; task reads it, a text \(a string\): add it"),
        (CAPTION, 7, "'mood': 7 is not a string"),
        (CAPTION, ["a"], r"\['a'\] is not a string"),
        (CAPTION, "\ud800", "half a character"),
        (PerWord(1, 0, 1), [1, 2], r"'mood', entry 2: \[2.0\] has a number outside 0 to 1"),
    ],
)
def test_a_field_that_is_not_what_its_reader_asks_for(field, value, message):
    found = Example(("a", "b"), extras={"mood": value}, file=Path("train.jsonl"), line=4)
    with pytest.raises(UserError, match=f"^train.jsonl:4: .*{message}"):
        read_field(found, "mood", field, "task")


def test_a_text_may_be_empty_and_of_no_file_the_remedy_is_another():
    assert text_of(Example(("a",), extras={"caption": ""}), "caption") == ""
    with pytest.raises(UserError, match=r"^the sentence: .*--input FILE.jsonl; in Python `extras`"):
        text_of(Example(("a",)), "caption")


class Bare(TextEncoder):
    """A word is 0."""

    width = 1
    learning_rate = 0.1

    def encode(self, tokens):
        return len(tokens)

    def collate(self, encoded):
        return {"words": torch.zeros(len(encoded), max(encoded), 1)}

    def forward(self, inputs, images):
        return TextStates(inputs.tensors["words"], inputs.mask)


def example(words, **extras):
    return Example(tuple(words.split()), extras=extras, file=Path("f"), line=9)


def collator_of(*fields):
    return Collator(Bare(), ("O",), None, fields)


FIELDS = (
    ExtraField("boxes", PerWord(2), "fusion"),
    ExtraField("mood", MOOD, "task", True),
    ExtraField("ranks", PerWord(1, training_only=True), "task", True),
    ExtraField("place", PerSentence(2), "task", True),
    ExtraField("caption", CAPTION, "task", True),
)
EXAMPLES = [
    example("a b", boxes=[[1, 2], [3, 4]], mood=1, ranks=[5, 6], place=[0.5, 7], caption="a cat"),
    example("c", boxes=[[5, 6]], mood=2, ranks=[7], place=[1, 2], caption=""),
]


def test_a_batch_of_training_data_by_hand():
    collator = collator_of(*FIELDS)
    batch = collator.batch(collator.prepared(EXAMPLES, training=True))
    # Encoder and fusion see what they have asked for, and nothing of the tasks'.
    assert list(batch.text.extras) == ["boxes"]
    targets = batch.targets
    assert targets.extras["boxes"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert targets.extras["mood"].tolist() == [[1], [2]]
    assert targets.extras["ranks"].tolist() == [[[5], [6]], [[7], [0]]]
    assert targets.extras["place"].tolist() == [[0.5, 7], [1, 2]]
    assert targets.extras["mood"].dtype == torch.float32
    assert targets.texts == {"caption": ("a cat", "")}
    moved = batch.to(torch.device("meta")).targets
    assert {n: t.device.type for n, t in moved.extras.items()} == dict.fromkeys(
        ("boxes", "mood", "ranks", "place"), "meta"
    )
    assert moved.texts == targets.texts


def test_elsewhere_training_only_fields_are_absent_and_need_not_be_there():
    collator = collator_of(*FIELDS)
    bare = [example("a b", boxes=[[1, 2], [3, 4]], place=[0, 0]), EXAMPLES[1]]
    targets = collator.batch(collator.prepared(bare)).targets
    assert sorted(targets.extras) == ["boxes", "place"]
    assert targets.texts == {}
    with pytest.raises(UserError, match="^f:9: field 'mood' is missing; task reads it"):
        collator.prepare(bare[0], training=True)


def test_a_field_that_another_component_needs_is_read_everywhere():
    fields = (ExtraField("mood", MOOD, "a", True), ExtraField("mood", PerSentence(1, 0, 2), "b"))
    assert [f.reader for f in FieldReader(fields).needed(training=False)] == ["b"]
    assert [f.reader for f in FieldReader(fields).needed(training=True)] == ["a", "b"]


def test_a_field_of_any_size_has_one_in_all_sentences():
    collator = collator_of(ExtraField("place", PerSentence(0), "task", True))
    collator.prepare(example("a", place=[1, 2]))
    with pytest.raises(UserError, match="^f:9: .*'place' has 3 numbers, in earlier sentences 2"):
        collator.prepare(example("a", place=[1, 2, 3]))


def test_a_field_that_nobody_named_is_told_where_to_name_it():
    with pytest.raises(LookupError, match=r"'mood' .*\('boxes'\).*extras = \{'mood': …\}"):
        ReadFields({"boxes": 1})["mood"]
    assert "mood" not in ReadFields({"boxes": 1})


def test_sentences_on_disk_have_the_fields_of_training_where_they_are_training_data(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"tokens": ["a"], "tags": ["O"], "mood": 2, "caption": "é"}\n')
    examples = load_file(path, store=ExampleStore(tmp_path / "store", least=0)).examples
    collator = collator_of(FIELDS[1], FIELDS[4])
    (sentence,) = collator.prepared(examples, training=True)
    assert sentence.extras == {"mood": [2.0], "caption": "é"}
    assert collator.prepared(examples)[0].extras == {}
    assert collator.prepared(examples, training=True)[:1][0].extras["caption"] == "é"


class Task(AuxTask):
    def count(self, targets):
        return 0

    def forward(self, views, targets, emissions):
        return AuxOutput(emissions.new_zeros(()))


def task_of(refines=False, **extras):
    task = Task()
    task.extras, task.refines = extras, refines
    return task


def test_who_reads_what():
    encoders = {"encoder": {"boxes": PerWord(4)}, "fusion": {"boxes": PerWord(0)}}
    assert fields_read(encoders, {"task": task_of(mood=MOOD)}) == (
        ExtraField("boxes", PerWord(4), "encoder"),
        ExtraField("boxes", PerWord(0), "fusion"),
        ExtraField("mood", MOOD, "task", True),
    )


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (PerWord(4), PerWord(2), "as 4 numbers a word, one as 2 numbers a word"),
        (PerWord(1, 0, 1), PerWord(1, 0, 2), "as 1 number a word, 0 to 1, one as 1 .*, 0 to 2"),
        (PerWord(1), PerSentence(1), "as 1 number a word, one as 1 number a sentence"),
        (PerWord(0), Text(), "as numbers a word, one as text"),
    ],
)
def test_a_field_that_is_read_in_two_ways_is_refused_naming_both(one, other, message):
    with pytest.raises(UserError, match=f"'x' is read in two ways: fusion reads it {message}"):
        fields_read({"fusion": {"x": one}}, {"one": task_of(x=other)})
    with pytest.raises(UserError, match=f"two ways: first reads it {message}"):
        fields_read({}, {"first": task_of(x=one), "one": task_of(x=other)})


def test_that_one_alone_needs_it_outside_of_training_is_no_other_way():
    fields = fields_read(
        {"fusion": {"x": PerWord(1)}}, {"task": task_of(x=PerWord(1, training_only=True))}
    )
    assert [f.reader for f in FieldReader(fields).needed(training=False)] == ["fusion"]


@pytest.mark.parametrize(
    ("encoders", "tasks", "message"),
    [
        ({"f": {"x": PerSentence()}}, {}, "^f: its field 'x' is not PerWord"),
        ({"f": {"x": PerWord(1, training_only=True)}}, {}, "^f: its field 'x' is training_only"),
        ({"f": {"x": 4}}, {}, r"^f: its extras are \{'x': 4\}; map names"),
        ({}, {"t": task_of(True, x=CAPTION)}, "^t: it refines, .*'x' would be absent; leave out"),
    ],
)
def test_a_component_that_asks_for_what_it_cannot_have(encoders, tasks, message):
    with pytest.raises(ComponentError, match=message):
        fields_read(encoders, tasks)


def test_extras_that_are_no_mapping_are_told():
    task = Task()
    task.extras = ("mood",)
    with pytest.raises(ComponentError, match=r"its extras are \('mood',\); map names of fields"):
        fields_read({}, {"t": task})


def test_a_kind_in_words():
    assert told(PerWord(4, 0, 1000)) == "4 numbers a word, 0 to 1000"
    assert told(PerSentence()) == "1 number a sentence"
    assert told(PerSentence(0, low=0)) == "numbers a sentence, 0 to inf"
    assert told(Text()) == "text"
