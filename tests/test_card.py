"""README.md of a run: the header that the Hub reads."""

import huggingface_hub
import pytest
import yaml

from mmseq.config.config import Config
from mmseq.runs.card import model_card

FACTS = {"sentences": 3, "entities": 2, "sha256": "c0ffee", "images_sha256": ""}


def scores(default, strict, repaired):
    """Of one split: P, R and F1 of each variant."""
    counts = {"gold": 3, "predicted": 4, "correct": 1}
    first, *others = (
        {**dict(zip(("precision", "recall", "f1"), figures, strict=True)), **counts}
        for figures in (default, strict, repaired)
    )
    return {**first, **dict(zip(("strict", "repaired"), others, strict=True))}


def card(path="data/twitter2017", fusion="concat", **splits):
    flags = {"fusion": {"name": fusion}}
    config = Config.from_layers(flags=flags, settings={"data.path": path})
    metrics = {**splits, "data": {"train": FACTS}, "best_epoch": 2}
    return model_card(config, metrics, ["O", "B-PER", "I-PER"])


def header(text):
    """What stands between the two lines of dashes, read as YAML."""
    start, written, _ = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(written)


def test_the_header_says_what_the_model_is():
    found = header(card())
    assert found["library_name"] == "mmseq"
    assert found["pipeline_tag"] == "token-classification"
    assert found["metrics"] == ["precision", "recall", "f1"]
    tags = ["mmseq", "named-entity-recognition", "token-classification", "multimodal"]
    assert found["tags"] == tags
    assert not {"license", "language", "model-index"} & found.keys()


def test_a_model_of_words_alone_is_not_multimodal():
    assert "multimodal" not in header(card(fusion="none"))["tags"]


def test_every_figure_of_every_split_and_variant_is_a_result():
    valid = scores((10, 20, 13.3333), (11, 21, 14.4375), (12, 22, 15.5294))
    test = scores((30, 40, 34.2857), (31, 41, 35.3056), (32, 42, 36.3243))
    (model,) = header(card(valid=valid, test=test))["model-index"]
    assert model["name"] == "twitter2017-concat"
    assert [result["dataset"] for result in model["results"]] == [
        {"name": "twitter2017", "type": "twitter2017", "split": split}
        for split in ("valid", "test")
    ]
    for result in model["results"]:
        assert result["task"]["type"] == "token-classification"
    first, second = (
        [(m["args"]["variant"], m["type"], m["name"], m["value"]) for m in result["metrics"]]
        for result in model["results"]
    )
    assert first[:3] == [
        ("default", "precision", "Precision (seqeval default, 0 to 100)", 10),
        ("default", "recall", "Recall (seqeval default, 0 to 100)", 20),
        ("default", "f1", "F1 (seqeval default, 0 to 100)", 13.33),
    ]
    values = [figure[3] for figure in second]
    assert values == [30, 40, 34.29, 31, 41, 35.31, 32, 42, 36.32]
    assert [figure[0] for figure in second] == [
        *["default"] * 3,
        *["strict"] * 3,
        *["repaired"] * 3,
    ]


@pytest.mark.parametrize(
    "name",
    [
        "a: b",
        "'single' and \"double\"",
        "two\nlines",
        "dashes\n---\nbelow",
        "# no comment",
        "[x] & *y",
        "yes",
        "2017",
        "Ünïcode 推特",
        "tab\there",
        "back\\slash",
    ],
)
def test_any_name_of_the_data_is_read_back(name, tmp_path):
    text = card(str(tmp_path / name), test=scores((1, 2, 3), (4, 5, 6), (7, 8, 9)))
    (model,) = yaml.safe_load(text.split("---\n", 1)[1].split("\n---\n\n# A tagger")[0])[
        "model-index"
    ]
    assert model["name"] == f"{name}-concat"
    assert model["results"][0]["dataset"]["name"] == name
    found = huggingface_hub.ModelCard(text).data
    assert found.model_name == f"{name}-concat"
    assert {result.dataset_name for result in found.eval_results} == {name}
    assert [r.metric_value for r in found.eval_results] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_page_follows_the_header():
    text = card(test=scores((30, 40, 34.2857), (31, 41, 35.3056), (32, 42, 36.3243)))
    _, _, page = text.split("---\n", 2)
    assert page.startswith("\n# A tagger made with mmseq\n\nLabels entities of the types PER in")
    assert "| test | strict (strict IOB2) | 31.00 | 41.00 | 35.31 | 3 | 4 | 1 |" in page
