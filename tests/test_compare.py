"""`mmseq compare`: what is one system, what is paired, what is said, what is refused."""

import json
import random
import re
from dataclasses import replace

import pytest
import tomli_w

import mmseq
from mmseq.bench.results import Result, append
from mmseq.comparison.pairs import compare
from mmseq.comparison.sources import read_runs
from mmseq.comparison.systems import gather
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.errors import UserError
from mmseq.model.prediction import Prediction
from mmseq.runs.predictions import write_predictions
from mmseq.scoring.counts import sentence_counts
from mmseq.scoring.significance import adjusted, difference


def sentences(number, seed=0):
    draw = random.Random(seed)
    found = []
    for index in range(number):
        words = tuple(f"w{draw.randrange(90)}" for _ in range(8))
        tags = tuple("B-PER" if draw.random() < 0.2 else "O" for _ in words)
        found.append(Example(tokens=words, tags=tags, id=str(index)))
    return found


def tagged(examples, hit, seed):
    """Tags that find each entity with probability `hit`, and nothing else."""
    draw = random.Random(seed)
    return [tuple(t if draw.random() < hit else "O" for t in e.tags) for e in examples]


def settings(seed, fusion="gate", renamed=None, **train):
    return {
        "data": {"path": f"/on/machine/{seed}", "map": renamed or {}},
        "fusion": {"name": fusion},
        "train": {"seed": seed, "epochs": 3, "device": "auto", **train},
    }


FACTS = {s: {"sha256": s * 3, "images_sha256": ""} for s in ("train", "valid", "test")}


@pytest.fixture
def make(tmp_path, monkeypatch):
    """`make("gate-seed1", 1, 0.9)`: a finished run's files, as far as a comparison needs them."""
    monkeypatch.chdir(tmp_path)

    def write(name, seed, hit, examples=None, config=None, facts=FACTS, versions=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        examples = examples or sentences(300)
        found = map(Prediction, tagged(examples, hit, f"{name}{seed}"))
        write_predictions(folder, "test", examples, list(found), folder / "images")
        (folder / "config.toml").write_text(tomli_w.dumps(config or settings(seed)))
        (folder / "metrics.json").write_text(
            json.dumps({"data": facts, "versions": versions or {}})
        )
        return folder

    return write


@pytest.fixture
def three(make):
    """Systems gate (seeds 1, 2), text (1, 2, 3) and like, which is as good as text."""
    for seed in (1, 2):
        make(f"gate-seed{seed}", seed, 0.9)
        make(f"like-seed{seed}", seed, 0.7, config=settings(seed, "like"))
    for seed in (1, 2, 3):
        make(f"text-seed{seed}", seed, 0.7, config=settings(seed, "none"))
    return [
        *("gate-seed1", "gate-seed2", "text-seed1", "text-seed2", "text-seed3"),
        *("like-seed1", "like-seed2"),
    ]


def result(system="gate", seed=1, hit=0.9, examples=None, **changes):
    examples = examples or sentences(300)
    tags = tagged(examples, hit, f"{system}{seed}")
    counts = sentence_counts([e.tags for e in examples], tags).to_json()
    made = Result(
        key=f"{system}{seed}{hit}",
        system=system,
        preset="",
        data="tweets",
        seed=seed,
        settings={},
        config=settings(seed, system),
        splits=FACTS,
        versions={},
        scores={},
        counts={"test": counts},
        curve=[],
        best_epoch=3,
        seconds={"training": 1.0, "all": 1.0},
        parameters={"all": 2, "trained": 1},
        threads=1,
        finished="2026-01-01T00:00:00Z",
    )
    return replace(made, **changes)


def told(found, *words):
    """The only line on standard error, of a user's mistake, with these words."""
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    for word in words:
        assert word in line
    return line


def test_runs_that_differ_in_the_seed_alone_are_one_system_and_every_pair_is_tested(
    run_cli, three, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "140")
    found = run_cli("compare", *three)
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert [row[:3] for row in rows] == [
        ["gate", "text", "2"],
        ["gate", "like", "2"],
        ["text", "like", "2"],
    ]
    statements = [line for line in lines if line.endswith(").") and "95 %" in line]
    assert [re.sub(r" by .*|: .*", "", line) for line in statements] == [
        "gate is better than text",
        "gate is better than like",
        "No difference shown between text and like",
    ]
    assert "Left out: seed 3 of text, which gate lacks." in lines
    assert "Left out: seed 3 of text, which like lacks." in lines
    assert "not of models of other training seeds" in found.out
    assert f"SHA-256 of the test file: {FACTS['test']['sha256']}." in found.out
    assert "seqeval's default reading" in found.out
    # Nothing but the tests' own sentences calls anything better.
    others = [line for line in lines if "better" in line and line not in statements]
    assert len(others) == 1
    assert others[0].startswith("Paired bootstrap")


def test_its_figures_are_those_of_the_tests_on_the_seeds_in_common(run_cli, three):
    found = json.loads(run_cli("compare", *three, "--json", "--resamples", "500").out)
    runs, _ = read_runs(three, "test")
    counts = [run.counts for run in runs]
    gate, text, like = counts[:2], counts[2:4], counts[5:7]
    expected = [difference(*p, resamples=500) for p in ((gate, text), (gate, like), (text, like))]
    for pair, wanted, p in zip(found["pairs"], expected, adjusted(expected), strict=True):
        assert pair["effect"] == wanted.effect
        assert pair["interval"] == [wanted.low, wanted.high]
        assert (pair["p_bootstrap"], pair["p_randomisation"]) == (
            wanted.p_bootstrap,
            wanted.p_randomisation,
        )
        assert pair["p_adjusted"] == p
    assert found["pairs"][0]["f1"]["text"] == {"1": text[0].f1, "2": text[1].f1}
    assert found["pairs"][0]["left_out"] == {"gate": [], "text": [3]}
    assert (found["split"], found["sentences"], found["sha256"]) == ("test", 300, ["testtesttest"])


def test_against_a_baseline_the_family_is_smaller(run_cli, three):
    found = json.loads(run_cli("compare", *three, "--json", "--baseline", "text").out)
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [
        ("gate", "text"),
        ("like", "text"),
    ]
    # The smaller p is doubled, the larger is as it was.
    gate, like = found["pairs"]
    assert gate["p_adjusted"] == 2 * max(gate["p_bootstrap"], gate["p_randomisation"])
    assert like["p_adjusted"] == max(like["p_bootstrap"], like["p_randomisation"])


def test_paths_and_what_is_kept_make_no_other_system_but_data_and_settings_do(make):
    make("a-1", 1, 0.8)
    make("a-2", 2, 0.8, config=settings(2, keep_last=True))
    make("longer", 1, 0.8, config=settings(1, epochs=4))
    make("fewer", 1, 0.8, facts=FACTS | {"train": {"sha256": "other", "images_sha256": ""}})
    runs, _ = read_runs(["a-1", "a-2", "longer", "fewer"], "test")
    found = {system.name: list(system.runs) for system in gather(runs)}
    assert found == {"a": [1, 2], "longer": [1], "fewer": [1]}


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["x/gate-seed1", "x/gate-seed2", "y/text_s1"], ["gate", "text"]),
        (["gate/1", "gate/2", "text/seed1"], ["gate", "text"]),
        (["twitter2017-gate.1", "twitter2017-gate.2", "text"], ["twitter2017-gate", "text"]),
        (["sample-gate-1", "", "sample-gate-2"], ["sample-gate-1", "sample-gate-2"]),
        (["x/gate", "", "y/gate"], ["x/gate", "y/gate"]),
        (["first", "second", "text"], ["first+second", "text"]),
    ],
)
def test_a_system_is_called_after_its_folders(make, folders, names):
    """The first two folders are one system, the third another."""
    for seed, (name, fusion) in enumerate(zip(folders, ("gate", "gate", "none"), strict=True), 1):
        if name:
            make(name, seed, 0.8, config=settings(seed, fusion))
    runs, _ = read_runs([name for name in folders if name], "test")
    assert [system.name for system in gather(runs)] == names


def test_named_runs_are_the_systems_they_are_said_to_be(run_cli, make):
    """Such as one configuration, trained with an older and a newer version."""
    for name, hit in (("old", 0.6), ("new", 0.9)):
        make(name, 1, hit)
    told(run_cli("compare", "old", "new"), "old and new: two runs of one system", "NAME=RUN")
    found = run_cli("compare", "before=old", "after=new")
    assert "after is better than before by" in found.out


def test_results_of_a_bench_and_run_folders_are_compared_with_each_other(run_cli, make, tmp_path):
    for seed in (1, 2):
        append(tmp_path / "bench" / "results.jsonl", result("gate", seed))
        append(tmp_path / "bench" / "results.jsonl", result("none", seed, 0.7))
        make(f"mine-seed{seed}", seed, 0.4)
    with (tmp_path / "bench" / "results.jsonl").open("a") as file:
        file.write('{"key": "cut o')
    for source in ("bench", "bench/results.jsonl"):
        found = run_cli("compare", source, "mine-seed1", "mine-seed2")
        assert "gate is better than none" in found.out
        assert "none is better than mine" in found.out
        assert "results.jsonl:5: half-written, dropped" in found.out
    as_json = run_cli("compare", "bench", "--json")
    assert [pair["a"] for pair in json.loads(as_json.out)["pairs"]] == ["gate"]
    assert "half-written" in as_json.err


def test_of_results_on_several_data_sets_one_is_chosen(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for data, size in (("tweets", 300), ("posts", 200)):
        for system, hit in (("gate", 0.9), ("none", 0.7)):
            made = result(system, 1, hit, sentences(size), data=data, key=data + system)
            append(tmp_path / "results.jsonl", made)
    told(run_cli("compare", "."), "Results on posts, tweets; choose one with --data")
    told(run_cli("compare", ".", "--data", "twets"), "Did you mean 'tweets'?")
    found = json.loads(run_cli("compare", ".", "--data", "posts", "--json").out)
    assert found["sentences"] == 200


def test_other_sentences_are_refused_with_the_first_difference(run_cli, make):
    examples = sentences(300)
    first = make("first", 1, 0.8)
    words = [*examples[:4], replace(examples[4], tokens=("other",) * 8), *examples[5:]]
    gold = [*examples[:6], replace(examples[6], tags=("B-LOC",) + ("O",) * 7), *examples[7:]]
    for name, changed, said in (
        ("fewer", examples[:250], "250 sentences, not 300"),
        ("words", words, "sentence 5 is 'other other"),
        ("gold", gold, "sentence 7 has the gold tags 'B-LOC O"),
    ):
        other = make(name, 1, 0.8, changed, settings(1, "none"))
        line = told(run_cli("compare", first, other), f"those of {first}", said)
        assert line.startswith(f"Error: {other}: its sentences are not")


def test_results_on_another_file_are_refused_by_what_they_tell_of_it(run_cli, make, tmp_path):
    make("first", 1, 0.8)
    renamed = settings(1, "none", {"LOC": "PER"})
    for file, changes, said in (
        ("entities.jsonl", {"examples": sentences(300, seed=9)}, "gold entities, not"),
        ("types.jsonl", {"config": renamed}, "types renamed as {'LOC': 'PER'}, not {}"),
        ("file.jsonl", {"splits": FACTS | {"test": {"sha256": "abc"}}}, "SHA-256 abc, not test"),
    ):
        append(tmp_path / file, result("none", 1, **changes))
        told(run_cli("compare", "first", file), said, f"{file} (none, seed 1)")


def test_a_name_in_results_means_one_configuration(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    append(tmp_path / "a.jsonl", result("gate", 1))
    append(tmp_path / "b.jsonl", result("gate", 2, config=settings(2, "gate", epochs=9)))
    append(tmp_path / "b.jsonl", result("none", 1))
    told(run_cli("compare", "a.jsonl", "b.jsonl"), "'gate'", "train.epochs is 3 and 9")


def test_of_a_system_and_seed_run_again_the_last_counts(tmp_path):
    """As a bench leaves them whose data or versions have changed: older lines come first."""
    for name, version, day in (("gate", "1.0", 1), ("none", "1.0", 1), ("gate", "1.1", 2)):
        one = result(name, 1, key=f"{name} {version}", versions={"mmseq-gate": version})
        append(tmp_path / "results.jsonl", replace(one, finished=f"2026-01-0{day}T00:00:00+00:00"))
    for order in ([0, 1, 2], [2, 1, 0]):
        lines = (tmp_path / "results.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "other.jsonl").write_text("".join(lines[i] for i in order))
        runs, notes = read_runs([str(tmp_path / "other.jsonl")], "test")
        versions = {run.system: run.identity["mmseq-gate"] for run in runs}
        assert versions == {"gate": "1.1", "none": "1.0"}
        assert notes == [
            "Left out, since the same system was run again later with other data, settings or "
            "versions: gate seed 1."
        ]


def test_runs_of_two_versions_are_no_one_system(run_cli, make, tmp_path):
    """But the interpreter's."""
    for seed, version in ((1, "1.0"), (2, "1.0"), (3, "1.1")):
        versions = {"mmseq-gate": version, "python": f"3.11.{seed}"}
        make(f"gate-seed{seed}", seed, 0.9, versions=versions)
        append(tmp_path / f"{seed}.jsonl", result("gate", seed, versions=versions))
    runs, _ = read_runs([f"gate-seed{seed}" for seed in (1, 2, 3)], "test")
    assert [list(system.runs) for system in gather(runs)] == [[1, 2], [3]]
    runs, _ = read_runs(["1.jsonl", "2.jsonl"], "test")
    assert [list(system.runs) for system in gather(runs)] == [[1, 2]]
    told(
        run_cli("compare", "1.jsonl", "3.jsonl"),
        "one system ('gate') of two configurations: mmseq-gate is 1.0 and 1.1",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["Missing argument 'RUN"]),
        (["gate-seed1", "gate-seed2"], ["'gate', seeds 1, 2"]),
        (["gate-seed1", "text-seed1", "--baseline", "txt"], ["baseline", "Did you mean 'text'?"]),
        (["gate-seed1", "txt-seed1"], ["'txt-seed1'", "'text-seed1'"]),
        (["gate-seed1", "text-seed1", "--split", "valid"], ["has no split 'valid'"]),
        (["gate-seed1", "text-seed3"], ["gate has seed 1, text has seed 3"]),
        (["gate-seed1", "text-seed1", "--data", "tweets"], ["--data tweets: "]),
        (["gate-seed1", "text-seed1", "--resamples", "19"], ["nothing", "20"]),
        (["gate-seed1", "text-seed1", "--alpha", "1"], ["--alpha"]),
        (["x=gate-seed1", "y=results.jsonl"], ["leave 'y=' out"]),
    ],
)
def test_what_cannot_be_compared_is_one_line(run_cli, three, tmp_path, arguments, words):
    append(tmp_path / "results.jsonl", result())
    told(run_cli("compare", *arguments), *words)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("metrics.json", None, ["metrics.json is missing"]),
        ("config.toml", None, ["config.toml is missing"]),
        ("metrics.json", "{}", ["metrics.json: damaged: data is missing"]),
        ("config.toml", "x = 1", ["config.toml: damaged: data is missing"]),
        ("config.toml", "x = ", ["not valid TOML"]),
        ("predictions/test.jsonl", None, ["test.jsonl: missing"]),
        ("predictions/test.jsonl", "{}", ["test.jsonl:1: damaged"]),
        (
            "predictions/test.jsonl",
            '{"tokens": ["a"], "tags": ["Q"], "gold": ["O"]}',
            ["damaged", "'Q' is not a tag"],
        ),
        ("predictions/test.jsonl", "", ["0 sentences, not 300"]),
    ],
)
def test_a_damaged_run_is_one_line(run_cli, three, tmp_path, file, text, words):
    path = tmp_path / "text-seed1" / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    told(run_cli("compare", "gate-seed1", "text-seed1"), "text-seed1", *words)


def test_runs_without_a_sentence_are_no_comparison(make):
    for name in ("a", "b"):
        (make(name, 1, 0.5) / "predictions" / "test.jsonl").write_text("")
    runs, _ = read_runs(["x=a", "y=b"], "test")
    with pytest.raises(UserError, match="no sentence"):
        compare(gather(runs))


def test_trained_runs_are_compared_as_they_lie(run_cli, tiny_encoder, tiny_data, tmp_path):
    """Two seeds of two systems, trained: their F1 in the table is that of their metrics.json."""
    folders = []
    for rate in (1e-2, 1e-5):
        for seed in (1, 2):
            config = mmseq.Config.from_layers(
                flags={
                    "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                    "fusion": {"name": "none"},
                },
                settings={
                    "data.path": str(tiny_data),
                    "train.device": "cpu",
                    "train.epochs": 6,
                    "train.batch_size": 4,
                    "train.seed": seed,
                    "train.learning_rate": rate,
                    "text_encoder.learning_rate": rate,
                },
            )
            folder = tmp_path / f"rate{rate}-seed{seed}"
            folders.append(mmseq.train(config, output=folder, reporter=Reporter(quiet=True)))
    found = json.loads(run_cli("compare", *folders, "--json", "--resamples", "100").out)
    (pair,) = found["pairs"]
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    scores = [m["test"]["f1"] for m in metrics]
    assert [*pair["f1"]["rate0.01"].values()] == pytest.approx(scores[:2])
    assert [*pair["f1"]["rate1e-05"].values()] == pytest.approx(scores[2:])
    assert min(scores[:2]) > max(scores[2:])
    assert found["sha256"] == [metrics[0]["data"]["test"]["sha256"]]
