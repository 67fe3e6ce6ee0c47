"""The paper's tables and the published figures, as they are printed."""

import hashlib
import tomllib
from pathlib import Path

import mmseq_mlmner
import pytest

PACKAGE = Path(mmseq_mlmner.__file__).parent
DATA = Path(__file__).parents[4] / "shared" / "data"

# Li et al. 2022, Tables 3 and 4: P, R, F1 on Twitter-2017.
TABLE_3 = {
    "BiLSTM-CRF": (79.42, 73.43, 76.31),
    "CNN-BiLSTM-CRF": (80.00, 78.76, 79.37),
    "HBiLSTM-CRF": (82.69, 78.16, 80.37),
    "BERT-CRF": (83.32, 83.57, 83.44),
    "GVATT-HBiLSTM-CRF": (83.41, 80.38, 81.87),
    "AdaCAN-CNN-BiLSTM-CRF": (84.16, 80.24, 82.15),
    "UMT-BERT-CRF": (85.28, 85.34, 85.31),
    "MLMNER": (85.46, 85.71, 85.59),
}
TABLE_4 = {
    "mlmner": (85.46, 85.71, 85.59),
    "mlmner-no-cluster": (85.07, 84.75, 84.91),
    "mlmner-no-contrastive": (84.76, 84.38, 84.57),
    "mlmner-no-cluster-no-contrastive": (83.19, 84.23, 83.71),
}
# F1 alone: Twitter-2015, Twitter-2017.
QUOTED = {
    "bilstm-crf": (64.42, None),
    "cnn-bilstm-crf": (67.15, None),
    "hbilstm-crf": (69.17, None),
    "bert-softmax": (71.32, 82.95),
    "bert-crf": (71.81, None),
    "gvatt-hbilstm-crf": (70.80, None),
    "adacan-cnn-bilstm-crf": (70.69, None),
    "gvatt-bert-crf": (71.70, 84.01),
    "adacan-bert-crf": (72.15, 84.10),
    "mt-bert-crf": (72.58, 84.42),
    "umt-bert-crf": (73.41, None),
}
RELEASED_LOG = (73.20, 85.09)
TEXT_ONLY = (77.04, 89.11)


def load(path):
    return tomllib.loads((PACKAGE / path).read_text(encoding="utf-8"))


PUBLISHED = load("published/twitter.toml")


def figures(source, data):
    """{system: (P, R, F1)} of a source; None where it prints F1 alone."""
    return {
        f["system"]: (f.get("precision"), f.get("recall"), f["f1"])
        for f in PUBLISHED["figures"]
        if (f["source"], f["data"]) == (source, data)
    }


def test_tables_3_and_4_stand_as_printed():
    printed = {name.lower(): row for name, row in TABLE_3.items()} | TABLE_4
    assert figures("li2022", "twitter2017") == printed
    assert figures("li2022", "twitter2015") == {}


def test_quoted_figures_of_both_data_sets_stand_as_quoted():
    for index, data in enumerate(("twitter2015", "twitter2017")):
        expected = {s: (None, None, row[index]) for s, row in QUOTED.items() if row[index]}
        assert figures("yu2020", data) == expected
        assert figures("umt-log", data) == {"umt-bert-crf": (None, None, RELEASED_LOG[index])}
        assert figures("text-only", data) == {"xlm-r-large-crf": (None, None, TEXT_ONLY[index])}


def test_there_are_no_other_figures_and_each_has_a_citation():
    # 8 of Table 3, 3 more of Table 4; 11 and 4 quoted; 2 of the log, 2 of text alone.
    assert len(PUBLISHED["figures"]) == 8 + 3 + 11 + 4 + 2 + 2
    assert {f["source"] for f in PUBLISHED["figures"]} == PUBLISHED["sources"].keys()
    assert all(source["citation"] for source in PUBLISHED["sources"].values())
    assert PUBLISHED["sources"]["li2022"]["url"].endswith("10.19678/j.issn.1000-3428.0064087")


def test_the_papers_own_figure_comes_first_of_its_system():
    umt = [f for f in PUBLISHED["figures"] if f["system"] == "umt-bert-crf"]
    sources = [f["source"] for f in umt if f["data"] == "twitter2017"]
    assert sources == ["li2022", "umt-log"]
    assert [f["source"] for f in umt if f["data"] == "twitter2015"] == ["yu2020", "umt-log"]


def test_gold_counts_are_those_of_both_readings():
    gold = {name: data["gold"] for name, data in PUBLISHED["data"].items()}
    assert gold == {
        "twitter2017": {"default": 1351, "strict": 1351},
        "twitter2015": {"default": 5207, "strict": 5072},
    }


@pytest.mark.parametrize("name", ["twitter2017", "twitter2015"])
def test_checksums_are_those_of_the_standard_test_files(name):
    path = DATA / name / "test.txt"
    if not path.is_file():
        pytest.skip(f"needs the data set itself, {path}, which may not be distributed")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert PUBLISHED["data"][name]["test_sha256"] == digest


def test_the_plan_of_table_3_has_its_rows_in_order():
    plan = load("plans/table3.toml")
    assert [row["title"] for row in plan["systems"]] == list(TABLE_3)
    for row in plan["systems"]:
        assert row["name"] == row["preset"] == row["published"] == row["title"].lower()


def test_the_plan_of_table_4_has_its_rows_in_order():
    plan = load("plans/table4.toml")
    assert [row["published"] for row in plan["systems"]] == list(TABLE_4)
    for row in plan["systems"]:
        assert row["name"] == row["preset"] == row["published"]


@pytest.mark.parametrize("name", ["table3", "table4"])
def test_a_plan_compares_with_the_whole_system_over_five_seeds(name):
    plan = load(f"plans/{name}.toml")
    assert (plan["baseline"], plan["seeds"]) == ("mlmner", "1-5")
    assert (plan["published"], plan["published_data"]) == ("multimodal-ner-twitter", "twitter2017")
    first = (PACKAGE / f"plans/{name}.toml").read_text().partition("\n")[0]
    assert first.startswith(f"# Table {name[-1]} of Li et al. 2022: ")
