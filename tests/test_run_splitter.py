"""The splitter of a run: learned, kept, said, and used when it tags plain text."""

import json
import shutil

import pytest

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.data.splitter import split_words
from mmseq.data.splitting.choosing import choose_splitter
from mmseq.training.splitting import say, splitting_of

SENTENCES = [
    (("Tony", "O'Neil", "is", "in", "Oslo", "."), ("B-PER", "I-PER", "O", "O", "B-LOC", "O")),
    (
        ("Ann", "'", "s", "#", "NBA", "team", ",", "yes"),
        ("B-PER", "O", "O", "O", "O", "O", "O", "O"),
    ),
    (("so", "tired", "!"), ("O", "O", "O")),
]
EARLIER = {
    "whitespace": ["Conan", "O'Brien:", "#NBA", "हि", "&amp;", "a.b@c.org!!"],
    "tweet": ["Conan", "O", "'", "Brien", ":", "#NBA", "हि", "&amp;", "a.b@c.org", "!", "!"],
    "tweet-split": [
        "Conan",
        "O",
        "'",
        "Brien",
        ":",
        "#",
        "NBA",
        "हि",
        "&amp;",
        "a.b@c.org",
        "!",
        "!",
    ],
}
TEXT = "Conan O'Brien: #NBA हि &amp; a.b@c.org!!"


class Kept(Reporter):
    """Keeps its lines, and which of them are warnings."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines, self.warnings = [], []

    def line(self, text):
        self.lines.append(text)

    def warning(self, text):
        self.warnings.append(text)


@pytest.fixture(scope="module")
def config(tiny_encoder, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    lines = [json.dumps({"tokens": words, "tags": tags}) for words, tags in SENTENCES]
    (data / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "fusion": {"name": "none"},
        },
        settings={"data.path": str(data), "train.device": "cpu", "train.epochs": 1},
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return mmseq.train(config, output=folder, reporter=Reporter(quiet=True))


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture
def earlier(copied):
    """`earlier(name)`: the run as it was written before splitters were learned."""

    def make(name):
        (copied / "assets" / "splitter.json").unlink()
        path = copied / "config.toml"
        text = path.read_text(encoding="utf-8")
        assert 'splitter = "auto"' in text
        path.write_text(text.replace('splitter = "auto"', f'splitter = "{name}"'), encoding="utf-8")
        return copied

    return make


def words(tagger, text):
    return list(tagger.predict([text])[0].words)


def test_what_a_run_keeps(run):
    record = json.loads((run / "assets" / "splitter.json").read_text(encoding="utf-8"))
    assert record["base"] == "tweet"
    assert record["joints"]["a|'aaa"] is True
    assert (record["longest"], record["scripts"]) == (6, ["Latin"])
    assert record["training"] == {"sentences": [3, 3], "entities": [3, 3]}
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "`assets/splitter.json` says (base `tweet`)" in card
    assert "3 of 3 sentences and 3 of 3 entities" in card
    assert mmseq.load(run).config.data.splitter == "auto"


def test_text_is_cut_as_in_training_and_its_characters_are_those_of_the_text(run):
    text = "  Conan O’Brien's #Lakers, (élan)\t👩‍🚀!"
    (tagged,) = mmseq.load(run).predict([text])
    assert list(tagged.words) == [
        *("Conan", "O’Brien", "'", "s", "#", "Lakers", ",", "(", "élan", ")", "👩‍🚀", "!")
    ]
    assert tagged.text == text
    for span in tagged.spans:
        assert text[span.start_char : span.end_char] == span.text
        assert text[span.start_char :].startswith(tagged.words[span.start])
        assert text[: span.end_char].endswith(tagged.words[span.end - 1])


@pytest.mark.parametrize("name", EARLIER)
def test_a_run_from_before_cuts_as_before(earlier, name):
    tagger = mmseq.load(earlier(name))
    assert words(tagger, TEXT) == EARLIER[name]
    texts = ["@anna in Oslo!", "R&amp;B &lt;3 :-) http://t.co/x", "555 123 4567", "हिन्दी। 我爱", ""]
    for text in texts:
        assert words(tagger, text) == [word.text for word in split_words(text, name)]


def test_a_run_from_before_says_nothing_about_its_text(earlier):
    tagger = mmseq.load(earlier("tweet"))
    tagger.reporter = kept = Kept()
    tagger.predict(["กรุงเทพ", "a" * 100])
    assert kept.warnings == []
    assert words(mmseq.load(tagger.folder, splitter="characters"), "我爱") == ["我", "爱"]


def test_another_base_can_be_asked_for(run, run_cli):
    assert words(mmseq.load(run, splitter="whitespace"), "O'Brien: yes!") == ["O'Brien:", "yes!"]
    assert words(mmseq.load(run, splitter="punctuation"), "O'B.")[:3] == ["O", "'", "B"]
    with pytest.raises(mmseq.UserError, match=r"splitter 'tweets'. Did you mean 'tweet'"):
        mmseq.load(run, splitter="tweets")
    result = run_cli("predict", run, "--text", "so tired", "--splitter", "tweets")
    assert (result.code, result.err.count("\n")) == (2, 1)
    output = run.parent / "tagged.jsonl"
    run_cli("predict", run, "--text", "so tired!", "--splitter", "whitespace", "--output", output)
    assert json.loads(output.read_text(encoding="utf-8"))["tokens"] == ["so", "tired!"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "damaged or unreadable"),
        ("[" * 100_000, "damaged or unreadable"),
        ("[]", "damaged: not an object"),
        ('{"base": "tweets", "joints": {}, "whole": [], "scripts": []}', "'tweets'"),
        ('{"base": "tweet", "joints": [], "whole": [], "scripts": []}', "damaged: joints"),
        (None, "assets/splitter.json is missing"),
    ],
)
def test_a_damaged_file_is_one_line(copied, run_cli, content, what):
    path = copied / "assets" / "splitter.json"
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    result = run_cli("predict", copied, "--text", "so tired")
    assert result.code == 2
    assert what in result.err
    assert result.err.count("\n") == 1


def test_the_base_alone(config, tmp_path):
    kept = Kept()
    alone = config.replaced({"data.splitter": "tweet-split"})
    tagger = mmseq.load(mmseq.train(alone, output=tmp_path / "run", reporter=kept))
    assert words(tagger, TEXT) == EARLIER["tweet-split"]
    assert tagger.config.data.splitter == "tweet-split"
    (line,) = [line for line in kept.lines if line.startswith("Text will be cut")]
    assert line == (
        "Text will be cut into words by 'tweet-split': 66.6 % of the training sentences and 66.6 % "
        "of the entities come back from their text."
    )
    (warning,) = [line for line in kept.warnings if "come back" in line]
    assert warning.startswith("Of the training entities 1 do not come back: ")
    assert warning.endswith("try data.splitter: whitespace, tweet, punctuation, characters.")


def test_what_is_said_where_all_comes_back(config):
    kept = Kept()
    say(splitting_of(config.data, [Example(*sentence) for sentence in SENTENCES]), kept)
    (line,) = kept.lines
    joints = len(choose_splitter([Example(*sentence) for sentence in SENTENCES]).joints)
    assert line == (
        f"Text will be cut into words by 'tweet' with {joints} joints from training: 100.0 % of "
        "the training sentences and 100.0 % of the entities come back from their text."
    )
    assert kept.warnings == []
    say(splitting_of(config.data, []), kept)
    say(splitting_of(config.data, [Example(("so", "tired"))]), kept)
    assert kept.lines[1:] == [
        "Text will be cut into words by 'whitespace': 100.0 % of the training sentences come back "
        "from their text."
    ]


def test_text_unlike_that_of_the_training_is_said_once_a_call(run):
    tagger = mmseq.load(run)
    tagger.reporter = kept = Kept()
    texts = ["so tired", "abcdefghijkl", "abcdefghijklm", "в Осло", "в Лиме"]
    for _ in range(2):
        tagger.predict(texts)
    long, script = kept.warnings[:2]
    assert kept.warnings == [long, script] * 2
    assert long.startswith(
        "The sentence: 'abcdefghijkl' is one word of 12 characters, and training had none of more "
        "than 6: is the text cut as it was there ('tweet')? --splitter NAME"
    )
    assert script == (
        "The sentence: has letters of a script that training lacks (Cyrillic; there it was Latin): "
        "do not trust its tags."
    )
    # Words that were given are not cut; eleven characters are not twice as many as six.
    kept.warnings.clear()
    tagger.predict([["abcdefghijkl", "Осло"], "abcdefghijk 12 👍"])
    assert kept.warnings == []


def test_the_command_says_it_on_standard_error(run, run_cli, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("so tired\nв Осло\n", encoding="utf-8")
    result = run_cli("predict", run, "--input", lines, "--format", "text")
    assert result.err.startswith("Sentence '2': has letters of a script that training lacks")
    assert len(result.out.splitlines()) == 2


def test_a_resumed_run_has_its_splitter(config, tmp_path, monkeypatch):
    from mmseq.training.loop import Trainer

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", lambda trainer: None)
        mmseq.train(config, output=folder, reporter=Reporter(quiet=True))
    (folder / "assets" / "splitter.json").unlink()
    mmseq.train(output=folder, resume=True, reporter=Reporter(quiet=True))
    assert words(mmseq.load(folder), "O'Brien!") == ["O'Brien", "!"]
