"""A finished run: loading, predicting, evaluating, from Python and from the command line."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
import warm
from huggingface_hub import ModelCard

import mmseq
from mmseq.config.config import Config
from mmseq.data.splits import load_folder
from mmseq.data.splitter import split_words
from mmseq.data.tags import spans
from mmseq.scoring.metrics import FIGURES, variants

UNFINISHED = ("model.safetensors", "metrics.json")
"""What a run gets last."""


@pytest.fixture(scope="module")
def run(tiny_encoder, tiny_data, run_once):
    """A multimodal run with a refining boundary task and the contrastive task."""
    config = Config.from_layers(
        flags={
            "text_encoder": {
                "name": "transformer",
                "model": str(tiny_encoder),
                "learning_rate": 1e-2,
            },
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "cross-transformer", "heads": 4},
        },
        aux=["contrastive", "boundary"],
        settings={
            "data.path": str(tiny_data),
            "data.splitter": "tweet",
            "aux.boundary.heads": 4,
            "aux.boundary.refine": True,
            "train.epochs": 8,
            "train.batch_size": 4,
            "train.device": "cpu",
        },
    )
    return run_once(config)


def test_evaluate_gives_the_run_s_own_figures_exactly(run, run_cli):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["f1"] > 0
    for split in ("valid", "test"):
        result = run_cli("evaluate", run, "--split", split, "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out)[split] == metrics[split]


def test_evaluate_says_every_variant_with_its_gold_count_and_the_checksums(run, run_cli):
    metrics = json.loads((run / "metrics.json").read_text())
    facts = metrics["data"]["test"]
    result = run_cli("evaluate", run, "--json")
    data = json.loads(result.out)["data"]
    assert (data["sha256"], data["images_sha256"]) == (facts["sha256"], facts["images_sha256"])
    assert len(data["images_sha256"]) == 64
    result = run_cli("evaluate", run)
    assert result.code == 0, result.err
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in result.out.splitlines()]
    figures = {row[1]: (row[4], row[5]) for row in rows if len(row) == 6}
    for variant, values in variants(metrics["test"]).items():
        # Those with equal figures are one row: "all, default = repaired".
        (name,) = [n for n in figures if n.startswith("all, ") and variant in n.split("(")[0]]
        assert figures[name] == (f"{values['f1']:.2f}", str(values["gold"]))
    assert facts["sha256"] in result.out
    assert facts["images_sha256"] in result.out


def test_the_model_card_has_every_variant_and_the_checksums_of_the_data(run):
    metrics = json.loads((run / "metrics.json").read_text())
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (run / "README.md").read_text().splitlines()
    ]
    for split in ("valid", "test"):
        for variant, values in variants(metrics[split]).items():
            scores = [f"{values[key]:.2f}" for key in FIGURES[:3]]
            counts = [str(values[key]) for key in FIGURES[3:]]
            found = [row[2:] for row in rows if row and row[0] == split and variant in row[1]]
            assert found == [[*scores, *counts]]
    for split, facts in metrics["data"].items():
        checksums = [f"`{facts[key]}`" for key in ("sha256", "images_sha256")]
        assert [split, str(facts["sentences"]), str(facts["entities"]), *checksums] in rows


def test_the_model_cards_header_has_the_figures_of_the_run(run, tiny_data):
    metrics = json.loads((run / "metrics.json").read_text())
    card = ModelCard((run / "README.md").read_text()).data
    assert card.model_name == f"{tiny_data.name}-cross-transformer"
    assert "multimodal" in card.tags
    found = {
        (r.dataset_split, r.metric_args["variant"], r.metric_type): r.metric_value
        for r in card.eval_results
    }
    assert found == {
        (split, variant, metric): round(figures[metric], 2)
        for split in ("valid", "test")
        for variant, figures in variants(metrics[split]).items()
        for metric in ("precision", "recall", "f1")
    }


def test_scoring_a_run_s_predictions_gives_its_own_figures(run, run_cli, tiny_data, tmp_path):
    gold, tagged = tiny_data / "test.jsonl", tmp_path / "tagged.jsonl"
    assert run_cli("predict", run, "--input", gold, "--output", tagged).code == 0
    expected = variants(json.loads((run / "metrics.json").read_text())["test"])
    for predicted in (run / "predictions" / "test.jsonl", tagged):
        result = run_cli("score", gold, predicted, "--json")
        assert result.code == 0, result.err
        assert json.loads(result.out)["variants"] == expected


def test_prediction_gives_words_characters_and_scores(run):
    text = "Omar Said was seen in Cape Town today"
    (tagged,) = mmseq.load(run).predict([text])
    assert tagged.text == text
    assert list(tagged.words) == text.split()
    assert len(tagged.tags) == len(tagged.scores) == 8
    assert all(0 <= score <= 1 for score in tagged.scores)
    assert tagged.spans, "the tiny run should find a name in a training sentence"
    for span in tagged.spans:
        assert text[span.start_char : span.end_char] == span.text
        assert span.text == " ".join(tagged.words[span.start : span.end])
        assert span.type in ("PER", "LOC")
        # No entity is likelier than any of its words' tags.
        assert 0 < span.score <= min(tagged.scores[span.start : span.end]) + 1e-6
        assert tagged.tags[span.start] == f"B-{span.type}" or tagged.tags[span.start][0] == "I"


def test_strings_and_lists_of_words_agree_and_order_is_kept(run, tiny_data):
    tagger = mmseq.load(run)
    examples = load_folder(tiny_data)["train"].examples
    images = [list(e.images) for e in examples]
    of_lists = tagger.predict([list(e.tokens) for e in examples], images)
    of_strings = tagger.predict([" ".join(e.tokens) for e in examples], images)
    for example, one, two in zip(examples, of_lists, of_strings, strict=True):
        assert one.words == two.words == example.tokens
        assert one.tags == two.tags
        assert [s.start_char for s in one.spans] == [s.start_char for s in two.spans]


def test_a_sentence_alone_is_tagged_as_among_others(run, tiny_data):
    tagger = mmseq.load(run)
    examples = load_folder(tiny_data)["test"].examples
    together = tagger.predict(
        [list(e.tokens) for e in examples], [list(e.images) for e in examples]
    )
    for example, expected in zip(examples, together, strict=True):
        (alone,) = tagger.predict([list(example.tokens)], [list(example.images)])
        assert alone.tags == expected.tags
        torch.testing.assert_close(
            torch.tensor(alone.scores), torch.tensor(expected.scores), atol=1e-5, rtol=0
        )


def test_a_stream_of_several_chunks_keeps_its_order(run, tiny_data, monkeypatch):
    monkeypatch.setattr("mmseq.tagging.chunks.CHUNK", 5)
    tagger = mmseq.load(run)
    examples = load_folder(tiny_data)["train"].examples
    made = [
        tagger.sentence("" if number % 7 == 3 else list(e.tokens), name=str(number))
        for number, e in enumerate(examples)
    ]
    found = list(tagger.stream(iter(made)))
    assert [t.id for t in found] == [str(number) for number in range(len(examples))]
    for sentence, tagged in zip(made, found, strict=True):
        (alone,) = tagger.stream([sentence])
        assert (tagged.text, tagged.words, tagged.tags) == (alone.text, alone.words, alone.tags)
        assert tagged.scores == pytest.approx(alone.scores, abs=1e-5)
    stream = tagger.stream(iter(made))
    assert next(stream).id == "0"
    stream.close()


def test_an_error_in_a_stream_comes_behind_all_sentences_before_it(run, monkeypatch):
    monkeypatch.setattr("mmseq.tagging.chunks.CHUNK", 2)
    tagger = mmseq.load(run)

    def given():
        for number in range(5):
            yield tagger.sentence("Jordan and friends", name=str(number))
        raise mmseq.UserError("in.jsonl:6: broken")

    found = []
    with pytest.raises(mmseq.UserError, match="in.jsonl:6: broken"):
        found.extend(tagged.id for tagged in tagger.stream(given()))
    # Those of the chunk that it breaks off, too.
    assert found == ["0", "1", "2", "3", "4"]


def test_an_error_in_making_a_later_chunk_ready_comes_through(run, monkeypatch):
    """Made beside the model, in another thread."""
    monkeypatch.setattr("mmseq.tagging.chunks.CHUNK", 2)
    tagger = mmseq.load(run)
    encode, threads = tagger.model.text_encoder.encode, set()

    def failing(tokens):
        threads.add(threading.current_thread())
        if "broken" in tokens:
            raise mmseq.UserError("a broken word")
        return encode(tokens)

    monkeypatch.setattr(tagger.model.text_encoder, "encode", failing)
    texts = ("Jordan", "so tired", "a", "b", "c", "broken", "d")
    made = [tagger.sentence(text) for text in texts]
    found = []
    with pytest.raises(mmseq.UserError, match="a broken word"):
        found.extend(tagged.text for tagged in tagger.stream(made))
    assert found == ["Jordan", "so tired", "a", "b", "c"]
    assert len(threads) == 2
    assert not any(t.is_alive() for t in threads - {threading.current_thread()})


def test_a_sentence_that_the_model_cannot_take_may_be_left_out(run, monkeypatch):
    """It takes none of its chunk along."""
    monkeypatch.setattr("mmseq.tagging.chunks.CHUNK", 3)
    tagger = mmseq.load(run)
    encode, told = tagger.model.text_encoder.encode, []

    def failing(tokens):
        if "broken" in tokens:
            raise mmseq.UserError("a broken word")
        return encode(tokens)

    monkeypatch.setattr(tagger.model.text_encoder, "encode", failing)
    texts = ("broken", "a", "", "b", "broken", "c", "d", "broken")
    made = [tagger.sentence(text, line=number) for number, text in enumerate(texts, 1)]
    chunks = list(tagger.chunks(made, refuse=lambda error, line: told.append((str(error), line))))
    assert [[s.text for s in chunk.sentences] for chunk in chunks] == [["a", ""], ["b", "c"], ["d"]]
    assert [(c.taken, c.whole, c.last_line) for c in chunks] == [
        (3, True, 3),
        (3, True, 6),
        (2, False, 8),
    ]
    assert told == [("a broken word", line) for line in (1, 5, 8)]


def test_one_picture_may_be_a_path_and_none_is_none(run, tiny_data):
    tagger = mmseq.load(run)
    picture = next((tiny_data / "images").iterdir())
    words = ["Jordan", "and", "friends"]
    as_path, as_list = tagger.predict([words, words], [picture, [picture]])
    # Two rows of one batch, whose sums may be rounded otherwise.
    assert as_path.scores == pytest.approx(as_list.scores, rel=1e-6)
    without, missing = tagger.predict([words, words], [None, tiny_data / "images" / "absent.jpg"])
    assert without.scores == missing.scores


def test_empty_string_has_no_entities_and_keeps_its_place(run):
    tagged = mmseq.load(run).predict(["Jordan and friends", "", "  ", "so tired"])
    assert [t.text for t in tagged] == ["Jordan and friends", "", "  ", "so tired"]
    assert tagged[1].words == tagged[1].tags == tagged[1].spans == ()


def test_lists_of_different_length_are_refused(run):
    with pytest.raises(mmseq.UserError, match="2 sentences .*1 "):
        mmseq.load(run).predict(["a", "b"], images=[None])


def test_the_run_is_whole_without_what_it_was_made_from(run, tiny_data, tmp_path):
    """Moved elsewhere, in a process that cannot see the encoder's folder or any package weights."""
    examples = load_folder(tiny_data)["test"].examples
    expected = mmseq.load(run).predict(
        [list(e.tokens) for e in examples], [list(e.images) for e in examples]
    )
    moved = shutil.copytree(run, tmp_path / "elsewhere")
    text = (moved / "config.toml").read_text()
    model = next(line for line in text.splitlines() if line.startswith("model = "))
    (moved / "config.toml").write_text(text.replace(model, 'model = "/nowhere/at/all"'))
    program = f"""
import json, sys, mmseq
from mmseq.data.splits import load_folder
from mmseq.scoring.metrics import FIGURES, variants
from pathlib import Path
examples = load_folder(Path({str(tiny_data)!r}))["test"].examples
tagged = mmseq.load({str(moved)!r}).predict(
    [list(e.tokens) for e in examples], [list(e.images) for e in examples]
)
print(json.dumps([[t.tags, t.scores] for t in tagged]))
"""
    done = warm.run("-c", program, check=True)
    assert json.loads(done.stdout) == [[list(t.tags), list(t.scores)] for t in expected]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "model.safetensors").write_bytes(b"\0" * 99), "model.safetensors: dam"),
        (lambda run: (run / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda run: [(run / n).unlink() for n in UNFINISHED], "unfinished"),
        (lambda run: (run / "labels.json").write_text("{"), "labels.json: damaged"),
        (lambda run: (run / "labels.json").write_text('["O", "B-PER"]'), "another model"),
        (lambda run: (run / "config.toml").unlink(), "config.toml is missing"),
        (lambda run: (run / "config.toml").write_text("[train"), "not valid TOML"),
        (lambda run: shutil.rmtree(run / "assets"), "assets"),
    ],
)
def test_damaged_run_folder_is_one_line(run, tmp_path, damage, words, run_cli):
    broken = shutil.copytree(run, tmp_path / "broken")
    damage(broken)
    result = run_cli("predict", broken, "--text", "Jordan and friends")
    assert result.code == 2
    assert words in result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.mark.process
def test_a_run_that_needs_a_plugin_names_its_distribution(run, tmp_path):
    command = ("-m", "mmseq", "predict", run, "--text", "Jordan")
    done = warm.run(*command, env={**os.environ, "MMSEQ_LOAD_PLUGINS": ""})
    assert done.returncode == 2
    assert "fusion 'cross-transformer' of mmseq-umt" in done.stderr
    assert "pip install mmseq-umt" in done.stderr


def test_no_run_folder_offers_the_closest(run, run_cli, tmp_path):
    (tmp_path / "run").symlink_to(run)
    result = run_cli("evaluate", tmp_path / "rum")
    assert result.code == 2
    assert f"Did you mean '{tmp_path / 'run'}'" in result.err


def test_predict_one_sentence_marks_its_entities(run, run_cli):
    text = "Omar Said was seen in Cape Town today"
    (tagged,) = mmseq.load(run).predict([text])
    result = run_cli("predict", run, "--text", text)
    assert result.code == 0
    line = result.out.strip()
    for span in tagged.spans:
        assert f"[{span.text} {span.type} {span.score:.2f}]" in line
    assert line.startswith(text[: tagged.spans[0].start_char])


def test_alternatives_are_the_best_ways_to_tag_a_sentence(run):
    tagger = mmseq.load(run)
    text = "Omar Said was seen in Cape Town today"
    several, empty, one = tagger.predict([text, "", "Jordan"], best=30)
    (without,) = tagger.predict([text])
    assert without.alternatives == ()
    assert "alternatives" not in without.to_dict()
    first = several.alternatives[0]
    assert (first.tags, first.spans) == (several.tags, several.spans)
    assert first.tags == without.tags
    shares = [other.probability for other in several.alternatives]
    assert len(shares) == len({other.tags for other in several.alternatives}) == 30
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1 + 1e-6
    for other in several.alternatives:
        assert [found[:2] for found in spans(other.tags)] == [(s.start, s.end) for s in other.spans]
        for span in other.spans:
            assert text[span.start_char : span.end_char] == span.text
    # An entity's score sums over all ways to tag the sentence: no less than over these.
    for span in several.spans:
        place = (span.start, span.end, span.type)
        holding = [
            other.probability
            for other in several.alternatives
            if place in [(s.start, s.end, s.type) for s in other.spans]
        ]
        assert sum(holding) <= span.score + 1e-5
    assert [(a.tags, a.spans, a.probability) for a in empty.alternatives] == [((), (), 1.0)]
    # One word has no more ways than tags, and a sentence begins with no I-.
    assert {a.tags for a in one.alternatives} == {("O",), ("B-PER",), ("B-LOC",)}


def test_entities_that_score_too_little_are_left_out(run):
    tagger = mmseq.load(run)
    texts = ["Omar Said was seen in Cape Town today", "", "Jordan", "Maria met Omar in Oslo"]
    all_of_them = tagger.predict(texts)
    scores = sorted(span.score for sentence in all_of_them for span in sentence.spans)
    assert len(scores) >= 3
    least = (scores[0] + scores[1]) / 2
    for before, after in zip(all_of_them, tagger.predict(texts, min_score=least), strict=True):
        kept = [span for span in before.spans if span.score >= least]
        assert [replace(s, score=0) for s in after.spans] == [replace(s, score=0) for s in kept]
        assert [s.score for s in after.spans] == pytest.approx([s.score for s in kept], rel=1e-4)
        dropped = {w for s in before.spans if s.score < least for w in range(s.start, s.end)}
        kept = [tag for word, tag in enumerate(before.tags) if word not in dropped]
        assert [tag for word, tag in enumerate(after.tags) if word not in dropped] == kept
        for word, (old, new) in enumerate(zip(before.scores, after.scores, strict=True)):
            # The score of O where the entity was: both are shares of one word.
            assert new <= 1 - old + 1e-4 if word in dropped else new == pytest.approx(old, rel=1e-4)
            assert word not in dropped or after.tags[word] == "O"
    assert not any(sentence.spans for sentence in tagger.predict(texts, min_score=1.0))


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan"), "0.5", True])
def test_a_least_score_that_cannot_be_is_one_line(run, wrong):
    with pytest.raises(mmseq.UserError, match="^min_score = .*0 to 1"):
        mmseq.load(run).predict(["Jordan"], min_score=wrong)


def test_predict_writes_no_entity_that_scores_too_little(run, tiny_data, tmp_path, run_cli):
    sentences, source = [], tiny_data / "test.jsonl"
    for name, extra in (("all", ()), ("some", ("--min-score", "0.97"))):
        target = tmp_path / f"{name}.jsonl"
        done = run_cli("predict", run, "--input", source, "--output", target, *extra)
        assert done.code == 0, done.err
        sentences.append([json.loads(line) for line in target.read_text().splitlines()])
    for whole, some in zip(*sentences, strict=True):
        # A file has four digits.
        assert all(e in whole["entities"] and e["score"] >= 0.97 for e in some["entities"])
        assert [(e["start"], e["end"]) for e in some["entities"]] == [
            place[:2] for place in spans(some["tags"])
        ]
    count = [sum(len(s["entities"]) for s in found) for found in sentences]
    assert count[1] < count[0]
    printed = run_cli("predict", run, "--text", "Omar met Maria", "--min-score", "1")
    assert printed.out == "Omar met Maria\n"
    for wrong, said in (
        (("--min-score", "2"), "min_score = 2.0: give a probability"),
        (("--min-score", "half"), "--min-score"),
        (("--min-score", "0.5", "--best", "2"), "--min-score and --best"),
    ):
        refused = run_cli("predict", run, "--text", "Omar", *wrong)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
        assert said in refused.err


@pytest.mark.parametrize("best", [0, -1, 2.5])
def test_a_number_of_alternatives_that_cannot_be_is_one_line(run, best):
    with pytest.raises(mmseq.UserError, match=f"best = {best}: .*1"):
        mmseq.load(run).predict(["Jordan"], best=best)


def test_one_string_is_not_taken_for_a_list_of_sentences(run):
    with pytest.raises(mmseq.UserError, match=r"\[sentence\]"):
        mmseq.load(run).predict("Jordan won")


def test_a_device_that_is_not_there_is_one_line(run):
    with pytest.raises(mmseq.UserError, match="^device 'nonsense' .*'cpu'"):
        mmseq.load(run, device="nonsense")


def test_a_decoder_that_gives_the_best_tags_alone_says_so(run):
    class Best(mmseq.SoftmaxDecoder):
        k_best = mmseq.Decoder.k_best

    tagger = mmseq.load(run)
    tagger.model.decoder = Best(mmseq.Sizes(labels=tagger.labels))
    assert tagger.predict(["Jordan"])[0].words == ("Jordan",)
    with pytest.raises(mmseq.UserError, match="alone .*--best"):
        tagger.predict(["Jordan"], best=2)


def test_predict_prints_and_writes_alternatives(run, tmp_path, run_cli):
    text = "Omar Said was seen in Cape Town today"
    (tagged,) = mmseq.load(run).predict([text], best=3)
    result = run_cli("predict", run, "--text", text, "--best", "3")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    for line, other in zip(lines, tagged.alternatives, strict=True):
        assert line.startswith(f"{other.probability:.4f}  ")
        for span in other.spans:
            assert f"[{span.text} {span.type} {span.score:.2f}]" in line
    target = tmp_path / "tagged.jsonl"
    assert run_cli("predict", run, "--text", text, "--best", "3", "--output", target).code == 0
    record = json.loads(target.read_text())
    assert record["alternatives"][0]["entities"] == record["entities"]
    for other, found in zip(tagged.alternatives, record["alternatives"], strict=True):
        assert found["tags"] == list(other.tags)
        assert found["probability"] == pytest.approx(other.probability, rel=1e-3)
    wrong = run_cli("predict", run, "--text", text, "--best", "0")
    assert wrong.code == 2
    assert "--best" in wrong.err


def test_predict_a_file_writes_json_lines_in_order(run, tiny_data, tmp_path, run_cli):
    target = tmp_path / "tagged.jsonl"
    result = run_cli("predict", run, "--input", tiny_data / "test.jsonl", "--output", target)
    assert result.code == 0, result.err
    given = [json.loads(line) for line in (tiny_data / "test.jsonl").read_text().splitlines()]
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [r["id"] for r in found] == [r["id"] for r in given]
    assert [r["tokens"] for r in found] == [r["tokens"] for r in given]
    tagged = mmseq.load(run).predict(
        [r["tokens"] for r in given],
        [[tiny_data / "images" / name for name in r["images"]] for r in given],
    )
    assert [r["tags"] for r in found] == [list(t.tags) for t in tagged]
    again = run_cli("predict", run, "--input", tiny_data / "test.jsonl", "--output", target)
    assert again.code == 2
    assert "exists" in again.err
    assert [json.loads(line) for line in target.read_text().splitlines()] == found


def test_predict_takes_text_objects_and_conll(run, tmp_path, run_cli):
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"text": "Jordan and friends", "id": "x"}\n{"tokens": ["so", "tired"]}\n')
    result = run_cli("predict", run, "--input", lines)
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [r["text"] for r in records] == ["Jordan and friends", "so tired"]
    assert [r["id"] for r in records] == ["x", "2"]
    columns = tmp_path / "in.txt"
    columns.write_text("Jordan\nand\nfriends\n\nso\tO\ntired\tO\n".replace("\tO", ""))
    result = run_cli("predict", run, "--input", columns)
    assert [json.loads(x)["text"] for x in result.out.splitlines()] == [
        "Jordan and friends",
        "so tired",
    ]


@pytest.mark.process
def test_predict_standard_input_line_by_line(run):
    lines = "Jordan and friends\n\nso tired\n"
    done = warm.run("-m", "mmseq", "predict", run, input=lines)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["text"] for r in records] == ["Jordan and friends", "", "so tired"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text", "a", "--input", "b"], "not both"),
        (["--image", "a.jpg", "--input", "b.jsonl"], "--image belongs to --text"),
        (["--text", "a", "--image", "absent.jpg"], "--image absent.jpg: "),
        (["--input", "absent.jsonl"], "--input absent.jsonl: "),
    ],
)
def test_predict_refuses_what_does_not_fit(run, run_cli, arguments, words):
    result = run_cli("predict", run, *arguments)
    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{oops", "in.jsonl:2: broken JSON"),
        ("[1]", "in.jsonl:2: not an object"),
        ("null", "in.jsonl:2: not an object"),
        ("{}", 'in.jsonl:2: needs "tokens" (a list of words) or "text" (a string).'),
        ('{"sentence": "a"}', "or \"text\" (a string); it has 'sentence'."),
        ('{"tokens": ["a", 3]}', 'in.jsonl:2: "tokens", entry 2 is 3 (int)'),
        ('{"tokens": ["a", null]}', 'in.jsonl:2: "tokens", entry 2 is null; make it a string'),
        ('{"tokens": ["a", ""]}', 'in.jsonl:2: "tokens", entry 2: an empty word'),
        ('{"tokens": [" \\t", "a"]}', 'in.jsonl:2: "tokens", entry 1: an empty word'),
        ('{"text": ["a", ""]}', 'in.jsonl:2: "text", entry 2: an empty word'),
        ('{"tokens": 5, "text": "a"}', 'in.jsonl:2: "tokens" is 5 (int)'),
        ('{"text": 5}', 'in.jsonl:2: "text" is 5 (int); make it a list of words, or a string'),
        ('{"text": "a", "id": [1]}', 'in.jsonl:2: "id" is [1] (list); make it a string'),
        ('{"text": "a", "id": {"b": 1}}', 'in.jsonl:2: "id" is {"b": 1} (dict)'),
        ('{"text": "a", "id": true}', 'in.jsonl:2: "id" is true (bool)'),
        ('{"text": "a", "id": NaN}', 'in.jsonl:2: "id" is NaN (float)'),
        ('{"text": "a", "images": true}', 'in.jsonl:2: "images" is true (bool)'),
        ('{"text": "a", "images": [null]}', 'in.jsonl:2: "images", entry 1 is null'),
        ('{"text": "a", "images": ""}', 'in.jsonl:2: "images" has an empty name'),
    ],
)
def test_bad_prediction_input_names_file_and_line(run, tmp_path, run_cli, line, words):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Jordan"}\n' + line + "\n")
    result = run_cli("predict", run, "--input", source)
    assert result.code == 2
    assert words in result.err


def test_odd_values_that_can_mean_one_thing_are_taken(run, tmp_path, run_cli):
    source = tmp_path / "in.jsonl"
    objects = [
        {"id": None, "text": "a b"},
        {"id": "", "tokens": None, "text": "a b"},
        {"id": 7, "text": ["a", "b c"]},
        {"id": 7.5, "tokens": "a b", "tags": 5, "images": None},
    ]
    source.write_text("".join(json.dumps(one) + "\n" for one in objects))
    result = run_cli("predict", run, "--input", source)
    assert result.code == 0, result.err
    found = [json.loads(line) for line in result.out.splitlines()]
    # Without an id it is the line's number.
    assert [row["id"] for row in found] == ["1", "2", "7", "7.5"]
    assert [row["tokens"] for row in found] == [["a", "b"], ["a", "b"], ["a", "b c"], ["a", "b"]]


def test_evaluating_a_type_the_run_does_not_know_is_an_error(run, tmp_path, run_cli):
    data = tmp_path / "test.txt"
    data.write_text("Jordan\tB-PER\n\nCUP\tB-PRIZE\n")
    result = run_cli("evaluate", run, data)
    assert result.code == 2
    assert "test.txt:3" in result.err
    assert "PRIZE" in result.err
    assert "--map" in result.err
    result = run_cli("evaluate", run, data, "--map", "PRIZE=O", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["test"]["gold"] == 1


def test_evaluate_says_which_types_were_not_there_to_rename(run, tmp_path, run_cli):
    data = tmp_path / "test.txt"
    data.write_text("Jordan\tB-PER\n\nOslo\tB-LOC\n")
    result = run_cli("evaluate", run, data, "--map", "PERS=O", "--map", "LOC=O", "--json")
    assert json.loads(result.out)["test"]["gold"] == 1
    line = "no type 'PERS' to rename (--map PERS=O); its types: LOC, PER."
    assert result.err.strip() == f"{data}: {line}"


def test_scores_of_one_file_bear_its_name(run, tmp_path, run_cli):
    data = tmp_path / "mine.txt"
    data.write_text("Jordan\tB-PER\n")
    result = run_cli("evaluate", run, data)
    assert result.code == 0, result.err
    (row,) = [line for line in result.out.splitlines() if "all, " in line]
    assert row.strip("│ ").startswith("mine.txt ")
    assert "all, default = strict = repaired" in row


def test_a_reader_may_be_named_for_scores(run, tmp_path, run_cli):
    data = tmp_path / "mine.dat"
    data.write_text("Jordan\tB-PER\n")
    assert "no reader for this ending" in run_cli("evaluate", run, data).err
    result = run_cli("evaluate", run, data, "--reader", "conll", "--json")
    assert json.loads(result.out)["test"]["gold"] == 1
    assert "Unknown reader 'connl'" in run_cli("evaluate", run, data, "--reader", "connl").err
    # The run's own data are JSON lines.
    assert run_cli("evaluate", run, "--reader", "jsonl", "--json").code == 0


def test_run_records_its_word_splitter(run):
    tagger = mmseq.load(run)
    assert tagger.config.data.splitter == "tweet"
    (tagged,) = tagger.predict(["@anna in Oslo!"])
    assert list(tagged.words) == [w.text for w in split_words("@anna in Oslo!", "tweet")]


@pytest.fixture
def picture_files_of(tmp_path):
    """Three pictures of other modes, as files."""
    from PIL import Image

    made = {}
    for mode, form in (("RGB", "png"), ("CMYK", "jpg"), ("RGBA", "png"), ("I;16", "png")):
        image = Image.new(mode, (40, 30), 200 if mode == "I;16" else None)
        if mode != "I;16":
            image.putdata([(i % 251, i % 83, i % 17, 90)[: len(mode)] for i in range(1200)])
        made[mode] = tmp_path / f"{mode.replace(chr(59), '')}.{form}"
        image.save(made[mode])
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.open(made["RGB"]).save(tmp_path / "side.jpg", exif=exif)
    return {**made, "side": tmp_path / "side.jpg"}


def test_bytes_and_pillow_images_are_as_good_as_files(run, picture_files_of):
    from PIL import Image

    from mmseq.pictures.opening import open_picture
    from mmseq.tagging.given import picture_files

    tagger = mmseq.load(run)
    for path in picture_files_of.values():
        expected = open_picture(path).tobytes()
        for given in (path.read_bytes(), Image.open(path), str(path)):
            (found,) = picture_files("images", given)
            assert open_picture(found).tobytes() == expected
        first, second = (
            tagger.predict([["Anna", "went"]], images=[given])[0]
            for given in (path, Image.open(path))
        )
        assert first.images == (path,)
        assert replace(second, images=first.images) == first


def test_what_is_no_sentence_or_picture_is_named_in_one_line(run):
    tagger = mmseq.load(run)
    for sentences, images, message in (
        (None, None, "sentences is None; give a list"),
        (3, None, "sentences is a int"),
        ([3], None, r"sentences\[0\]: 3 is no sentence"),
        ([None], None, r"sentences\[0\]: None is no sentence"),
        ([float("nan")], None, r"sentences\[0\]: nan is no sentence"),
        ([["a", 5]], None, r"sentences\[0\]: 5 is no word"),
        ([b"so"], None, r"sentences\[0\]: b'so' is no sentence"),
        (["so"], "a.jpg", "images is a str; give a list"),
        (["so"], [5], r"images\[0\]: 5 is no picture.*None"),
        (["so"], [[None]], r"images\[0\]: None is no picture"),
    ):
        with pytest.raises(mmseq.UserError, match=message):
            tagger.predict(sentences, images=images)


def test_a_missing_picture_is_told_in_python_too(run, capsys, tmp_path):
    mmseq.load(run).predict(["Anna went"], images=[tmp_path / "none.jpg"])
    told = capsys.readouterr()
    assert "1 of 1 pictures cannot be used (1 missing)" in told.err
    assert str(tmp_path / "none.jpg") in told.err
    assert told.out == ""


def test_a_tagger_says_what_it_is(run):
    shown = repr(mmseq.load(run, device="cpu"))
    for part in (str(run), "fusion 'cross-transformer'", "types ", "on cpu"):
        assert part in shown


def test_json_of_one_sentence_and_scores_without_more(run, run_cli, tmp_path):
    done = run_cli("predict", run, "--text", "Anna went", "--json")
    assert json.loads(done.out)["tokens"] == ["Anna", "went"]
    quiet, loud = run_cli("evaluate", run, "--quiet"), run_cli("evaluate", run)
    assert quiet.code == 0
    assert "SHA-256" in loud.out
    assert "SHA-256" not in quiet.out
    assert (
        quiet.out.splitlines()[:3]
        == [line for line in loud.out.splitlines() if "Pictures: " not in line][:3]
    )


def test_a_file_without_a_sentence_is_told(run, run_cli, tmp_path):
    source = tmp_path / "empty.txt"
    source.write_text("")
    done = run_cli("predict", run, "--input", source)
    assert (done.code, done.out) == (0, "")
    assert done.err.strip() == f"Nothing to tag: {source} holds no sentence."
    assert "--text has no word" in run_cli("predict", run, "--text", " ").err


def test_a_splitter_for_words_that_are_cut_already_is_told(run, run_cli, tmp_path):
    source = tmp_path / "a.conll"
    source.write_text("Anna O\n")
    done = run_cli("predict", run, "--input", source, "--splitter", "punctuation")
    assert done.code == 0
    assert f"{source} has its words already: --splitter does nothing." in done.err


def test_nothing_to_tag_is_told_before_a_model_is_loaded(run_cli, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    done = run_cli("predict", tmp_path / "no-run")
    assert done.code == 2
    assert "Nothing to tag" in done.err


def test_a_pickled_tagger_is_loaded_again_elsewhere(run, tmp_path):
    own = shutil.copytree(run, tmp_path / "run")
    tagger = mmseq.load(own, device="cpu", splitter="whitespace")
    sentences = ["Anna's dog ran to Oslo", "Bob stayed"]
    kept = pickle.dumps(tagger)
    assert len(kept) < 2000
    again = pickle.loads(kept)
    assert again.splitter.base == tagger.splitter.base
    assert again.predict(sentences) == tagger.predict(sentences)
    os.utime(own / "model.safetensors", (0, 0))
    with pytest.raises(mmseq.UserError, match="have changed since its tagger was pickled"):
        pickle.loads(kept)
    shutil.rmtree(own)
    with pytest.raises(mmseq.UserError, match="No run folder"):
        pickle.loads(kept)


FORK = """
import json, os, sys
import torch
torch.set_num_threads(2)
import mmseq
tagger = mmseq.load(sys.argv[1], device="cpu")
sentences = ["Anna ran to Oslo", "Bob stayed"] * 20
before = tagger.predict(sentences)
child = os.fork()
if not child:
    os._exit(0 if [t.tags for t in tagger.predict(sentences)] == [t.tags for t in before] else 1)
_, status = os.waitpid(child, 0)
after = tagger.predict(sentences)
print(json.dumps([status, after == before, torch.get_num_threads()]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_tagger_that_was_used_answers_in_children(run):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(run)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [0, True, 2]
