"""What `mmseq predict --output` writes is read back: words, tags and pictures' names."""

import json
from pathlib import Path

import pytest

from mmseq.data.splits import load_file
from mmseq.errors import UserError
from mmseq.tagging.outputs import columns, record
from mmseq.tagging.sentences import TaggedSentence


def tagged(words, tags, *images, name="a"):
    zeros = (1.0,) * len(words)
    return TaggedSentence(
        " ".join(words), tuple(words), tuple(tags), zeros, (), name, images=tuple(images)
    )


FOLDER = Path("data/images")
SENTENCES = [
    tagged(["Anna", "ran", "#1"], ["B-PER", "O", "O"], FOLDER / "sub/1.jpg", FOLDER / "2.png"),
    tagged(["#", "a b", "\u200d"], ["O", "B-X", "I-X"], Path("/elsewhere/3.jpg"), name="b"),
    tagged(["Oslo"], ["B-LOC"], name="c"),
]


def test_columns_are_as_a_person_would_write_them():
    assert columns(SENTENCES[0], FOLDER) == (
        "IMGID:sub/1.jpg\nIMGID:2.png\nAnna\tB-PER\nran\tO\n#1\tO\n\n"
    )
    assert columns(tagged([], [])) == ""


def json_line(sentence, folder):
    return json.dumps(record(sentence, folder), ensure_ascii=False)


@pytest.mark.parametrize(("ending", "write"), [("conll", columns), ("jsonl", json_line)])
def test_what_is_written_is_read_back(ending, write, tmp_path):
    file = tmp_path / f"x.{ending}"
    end = "\n" if ending == "jsonl" else ""
    file.write_text("".join(write(s, FOLDER) + end for s in SENTENCES), encoding="utf-8")
    examples = load_file(file, image_folder=tmp_path).examples
    assert [e.tokens for e in examples] == [s.words for s in SENTENCES]
    assert [e.tags for e in examples] == [s.tags for s in SENTENCES]
    assert [e.images for e in examples] == [
        (tmp_path / "sub/1.jpg", tmp_path / "2.png"),
        (Path("/elsewhere/3.jpg"),),
        (),
    ]


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "IMGID:1", "-DOCSTART-", "\u00a0"])
def test_what_columns_cannot_hold_is_refused(word):
    with pytest.raises(UserError, match=r"^sentence 'a': .*write a \.jsonl file"):
        columns(tagged([word], ["O"]))


def test_the_command_keeps_the_pictures_and_score_reads_both(
    text_run, tiny_data, tmp_path, run_cli
):
    gold = tiny_data / "test.jsonl"
    images = [json.loads(line).get("images", []) for line in gold.read_text().splitlines()]
    assert any(images)
    scores = []
    for name in ("x.conll", "x.jsonl"):
        target = tmp_path / name
        done = run_cli("predict", text_run, "--input", gold, "--output", target)
        assert done.code == 0, done.err
        shown = run_cli("data", "show", target, "--json", "--images", tiny_data / "images")
        found = [json.loads(line) for line in shown.out.splitlines()]
        assert [row["images"] for row in found] == images
        score = run_cli("score", gold, target, "--json")
        assert score.code == 0, score.err
        scores.append(json.loads(score.out))
    assert scores[0]["variants"] == scores[1]["variants"]
    assert scores[0]["errors"] == scores[1]["errors"]


def test_ways_to_tag_do_not_fit_into_columns(text_run, tmp_path, run_cli):
    done = run_cli(
        "predict", text_run, "--text", "a", "--best", "2", "--output", tmp_path / "x.conll"
    )
    assert done.code == 2
    assert "columns hold one way to tag" in done.err
