"""Fields of JSON objects that others call otherwise: what is read as what, by hand."""

import json
from pathlib import Path

import pytest

from mmseq.builtins.readers import JsonlReader
from mmseq.data.naming import Naming
from mmseq.data.splits import load_file, load_folder
from mmseq.errors import UserError

NAMES = ["O", "B-PER", "I-PER", "B-LOC"]


@pytest.fixture
def read(tmp_path):
    def examples(*records, fields=None, tag_names=None):
        path = tmp_path / "train.jsonl"
        path.write_text("\n".join(map(json.dumps, records)))
        return list(JsonlReader(fields, tag_names).read(path))

    return examples


@pytest.mark.parametrize("name", ["words", "word", "token", "Tokens", "WORDS"])
def test_words(read, name):
    (example,) = read({name: ["Anna", "ran"]})
    assert example.tokens == ("Anna", "ran")
    assert example.extras == {name: ["Anna", "ran"]}


@pytest.mark.parametrize(
    "name", ["ner_tags", "labels", "label", "ner", "ner-labels", "tag", "bio_tags", "NER Tags"]
)
def test_tags(read, name):
    record = {"tokens": ["Anna", "ran"], name: ["B-PER", "O"]}
    (example,) = read(record)
    assert example.tags == ("B-PER", "O")
    assert example.extras == {name: ["B-PER", "O"]}


@pytest.mark.parametrize(
    ("name", "value", "pictures"),
    [
        *((name, "a.jpg", ["a.jpg"]) for name in ("image", "img", "picture", "photo", "Images")),
        *(
            (name, "a.jpg", ["a.jpg"])
            for name in ("image_path", "imagePath", "img-path", "file_name")
        ),
        ("image_id", "17_06_1", ["17_06_1"]),
        ("image_id", 17, ["17"]),
        ("img_ids", [1, 2], ["1", "2"]),
        ("pictures", ["a.jpg", "b.png"], ["a.jpg", "b.png"]),
        ("image", {"path": "a.jpg", "bytes": None}, ["a.jpg"]),
        # What is none: a class of pictures, features, the document's name.
        ("image", 3, []),
        ("image", [0.1, 0.2], []),
        ("image", None, []),
        ("picture", "", []),
        ("filename", "report.txt", []),
    ],
)
def test_pictures(read, name, value, pictures):
    (example,) = read({"tokens": ["a"], "tags": ["O"], name: value})
    assert example.images == tuple(map(Path, pictures))
    assert example.extras == {name: value}


def test_the_proper_field_wins(read):
    record = {"tokens": ["Anna"], "words": ["no"], "tags": ["B-PER"], "ner_tags": ["O"]}
    (example,) = read(record | {"images": ["a.jpg"], "image": "b.jpg"})
    assert (example.tokens, example.tags) == (("Anna",), ("B-PER",))
    assert example.images == (Path("a.jpg"),)
    assert example.extras == {"words": ["no"], "ner_tags": ["O"], "image": "b.jpg"}
    (example,) = read({"tokens": ["Anna"], "tags": None, "ner_tags": ["O"], "images": None})
    assert (example.tags, example.images) == (None, ())


@pytest.mark.parametrize(
    "value",
    ["positive", 1, ["positive"], [0.1, 0.9], [[0, 4, "PER"]], {"a": 1}, [], [True, False], None],
)
def test_a_class_of_the_sentence_is_no_tags(read, value):
    (example,) = read({"tokens": ["Anna", "ran"], "label": value})
    assert example.tags is None
    assert example.extras == {"label": value}


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"words": ["a"], "token": ["b"]}, ("words", "token")),
        ({"tokens": ["a"], "ner_tags": ["O"], "labels": ["O"]}, ("ner_tags", "labels")),
        ({"tokens": ["a"], "image": "a.jpg", "image_id": 3}, ("image", "image_id")),
    ],
)
def test_two_fields_that_may_be_it_are_an_error_that_names_both(read, record, names):
    with pytest.raises(UserError) as caught:
        read({"tokens": ["fine"]}, record)
    message = str(caught.value)
    assert ":2: " in message
    assert all(f'"{name}"' in message for name in names)
    own = {"words": "tokens", "ner_tags": "tags", "image": "images"}[names[0]]
    assert f"--fields {own}={names[0]}" in message


def test_which_field_it_is_can_be_said(read):
    record = {"form": ["Anna"], "ner_tags": ["O"], "labels": ["B-PER"], "tags": ["I-X"]}
    record |= {"image": "a.jpg", "image_id": 3}
    (example,) = read(record, fields={"tokens": "form", "tags": "labels", "images": "image"})
    assert (example.tokens, example.tags) == (("Anna",), ("B-PER",))
    assert example.images == (Path("a.jpg"),)
    # An empty name: none of them.
    (example,) = read(record, fields={"tokens": "form", "tags": "labels", "images": ""})
    assert example.images == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tag": "x"}, r"unknown 'tag'\. Did you mean 'tags'\?"),
        ({"tags": 3}, "data.fields.tags is 3"),
    ],
)
def test_unknown_fields_are_refused(fields, reason):
    with pytest.raises(UserError, match=reason):
        JsonlReader(fields)


@pytest.mark.parametrize("name", ["tags", "ner_tags", "labels"])
def test_numbers_are_tags_by_their_names(read, name):
    record = {"tokens": ["Anna", "Lee", "ran"], name: [1, 2, 0]}
    (example,) = read(record, tag_names=NAMES)
    assert example.tags == ("B-PER", "I-PER", "O")
    with pytest.raises(UserError, match=rf'"{name}", entry 1 is 1: numbers need .*--tag-names O,B'):
        read(record)
    for wrong in (4, -1, -100):
        with pytest.raises(UserError, match=rf"entry 3 is {wrong}, but .* 4 names, 0 to 3"):
            read({"tokens": ["Anna", "Lee", "ran"], name: [1, 2, wrong]}, tag_names=NAMES)


def test_names_of_tags_without_a_number_are_said_to_do_nothing(tmp_path):
    path = tmp_path / "train.jsonl"
    for tags, told in ((["B-PER"], 1), ([1], 0), (None, 0)):
        path.write_text(json.dumps({"tokens": ["Anna"], "tags": tags}))
        notes = load_file(path, naming=Naming({}, NAMES)).notes
        assert len(notes) == told
        assert all("no tag is a number: data.tag_names" in note for note in notes)


def test_names_of_tags_are_tags():
    with pytest.raises(UserError, match="data.tag_names: 'B-', number 1, is not a tag"):
        JsonlReader(None, ["O", "B-"])


def test_too_few_tags_under_another_name_are_an_error(read):
    with pytest.raises(UserError, match='2 "tokens" but 1 "ner_tags"'):
        read({"tokens": ["Anna", "ran"], "ner_tags": ["B-PER"]})


def test_what_was_read_as_what_is_said(tmp_path):
    path = tmp_path / "train.jsonl"
    lines = ({"words": ["a"], "labels": ["O"], "img": "a"}, {"words": ["b"], "labels": ["O"]})
    path.write_text("\n".join(map(json.dumps, lines)))
    assert load_file(path).notes == (
        f"{path}: field 'words' is read as 'tokens' (2 of the objects).",
        f"{path}: field 'labels' is read as 'tags' (2 of the objects).",
        f"{path}: field 'img' is read as 'images' (1 of the objects).",
    )
    assert load_file(path, naming=Naming({"images": "photo"})).notes[0] == (
        f"{path}: no object has the field 'photo', which data.fields names for 'images'."
    )


def test_names_are_refused_where_no_reader_takes_them(tmp_path):
    (tmp_path / "train.txt").write_text("a\tO\n")
    said = Naming({"tags": "mine"})
    with pytest.raises(UserError, match=r"reader 'conll' .*--fields"):
        load_folder(tmp_path, naming=said)
    (tmp_path / "test.jsonl").write_text('{"tokens": ["a"], "mine": ["O"]}')
    splits = load_folder(tmp_path, naming=said)
    assert splits["test"].examples[0].tags == ("O",)


@pytest.mark.parametrize("name", ["sentence", "text", "tokenized_text", "chars"])
def test_words_under_names_of_texts(read, name):
    (example,) = read({name: ["Anna", "ran"], "labels": ["B-PER", "O"]})
    assert (example.tokens, example.tags) == (("Anna", "ran"), ("B-PER", "O"))


@pytest.mark.parametrize("tags", [[1.0, 0.0], ["1", "0"], [1, "O"]])
def test_numbers_as_pandas_and_others_write_them(read, tags):
    (example,) = read({"tokens": ["Anna", "ran"], "tags": tags}, tag_names=NAMES)
    assert example.tags == ("B-PER", "O")


def test_a_picture_whose_number_became_a_fraction(read):
    assert read({"tokens": ["a"], "image_id": 12.0})[0].images == (Path("12"),)
    assert read({"tokens": ["a"], "image_id": 12.5})[0].images == ()
    # Without "id" it is a class.
    assert read({"tokens": ["a"], "image": 1.0})[0].images == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ner", [[0, 0, "PER"]]),
        ("ner_tags", "B-PER O"),
        ("entities", [{"type": "PER", "start": 0, "end": 1}]),
        ("label", "positive"),
    ],
)
def test_what_should_be_tags_and_is_not_is_told(tmp_path, name, value):
    path = tmp_path / "a.jsonl"
    record = {"tokens": ["Anna", "ran"], name: value}
    path.write_text(json.dumps({"tokens": ["a"], "tags": ["O"], name: value}) + "\n")
    assert load_file(path).notes == ()
    path.write_text(f"{json.dumps(record)}\n{json.dumps({'tokens': ['a'], name: []})}\n" * 2)
    split = load_file(path)
    assert [e.tags for e in split.examples] == [None] * 4
    assert split.notes == (
        f"{path}:1: no tags: '{name}' is not a list of one for each word (2 of the objects; this "
        "is the first). Spans of a text are converted by `mmseq data import`.",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"tokens": ["a"]}]', "not a JSON object but an array; "),
        ('[\n {"tokens": ["a"]}\n]', "JSON over several lines, or an array: "),
        ('{\n "tokens": ["a"]\n}', "JSON over several lines, or an array: "),
    ],
)
def test_json_that_is_no_lines_names_the_command_that_makes_them(tmp_path, text, reason):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UserError) as caught:
        load_file(tmp_path / "a.jsonl")
    assert reason in str(caught.value)
    assert "`mmseq data import json` makes lines of it" in str(caught.value)


def test_tokens_that_are_objects_are_annotations_over_a_text(tmp_path):
    words = [{"text": "Anna", "start": 0, "end": 4}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "Anna", "tokens": words}))
    with pytest.raises(UserError, match="holds objects, not words. .* `mmseq data import`"):
        load_file(tmp_path / "a.jsonl")


def test_numbers_that_mean_types_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["Anna", "Li", "ran"], "ner_tags": [1, 1, 0]}')
    named = Naming({}, ["O", "person"])
    assert load_file(path, naming=named, scheme="io").examples[0].tags == (
        "B-person",
        "I-person",
        "O",
    )
    with pytest.raises(UserError, match="'person' is not a tag; .* scheme io"):
        load_file(path, naming=named)


def test_a_comma_behind_an_object_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a"]},\n{"tokens": ["b"]}\n')
    with pytest.raises(UserError, match="a.jsonl:1: a comma behind the object; remove it"):
        load_file(tmp_path / "a.jsonl")
