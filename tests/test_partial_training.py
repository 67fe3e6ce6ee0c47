"""Training on partly annotated sentences: what learns from them, and what refuses to."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file as load_tensors

import mmseq
from mmseq import Config, CrfDecoder, SoftmaxDecoder, UserError
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.model.assembly import build_model
from mmseq.model.partial import allowed_tags, has_partial_loss


class Own(CrfDecoder):
    """A loss of its own: the inherited partial loss does not belong to it."""

    def loss(self, emissions, tags, mask):
        return 2 * super().loss(emissions, tags, mask)


class Both(Own):
    def partial_loss(self, emissions, allowed, mask):
        return 2 * super().partial_loss(emissions, allowed, mask)


class Below(Both):
    """Neither of its own."""


class Doubled:
    def loss(self, emissions, tags, mask):
        return 2 * super().loss(emissions, tags, mask)


class Mixed(Doubled, SoftmaxDecoder):
    """The loss of the mixin stands before the partial loss of the softmax."""


class Alone(mmseq.Decoder):
    def loss(self, emissions, tags, mask):
        return emissions.sum()


@pytest.mark.parametrize(
    ("decoder", "has"),
    {
        CrfDecoder: True,
        SoftmaxDecoder: True,
        Own: False,
        Both: True,
        Below: True,
        Mixed: False,
        Alone: False,
        mmseq.Decoder: False,
    }.items(),
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_partial_loss_belongs_to_the_loss_beside_or_above_it(decoder, has):
    assert has_partial_loss(decoder) == has


def test_what_a_word_may_be_by_hand():
    tags, known = torch.tensor([[2, 0, 0]]), torch.tensor([[True, False, True]])
    assert allowed_tags(tags, known, 3).tolist() == [
        [[False, False, True], [True, True, True], [True, False, False]]
    ]


def config(encoder, data="", **settings):
    return Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(encoder)}}
        | {"fusion": {"name": "none"}},
        settings={"data.path": str(data), "train.device": "cpu", "train.epochs": 1} | settings,
    )


def test_the_loss_is_told_what_is_open_and_counts_what_is_known(tiny_encoder):
    sentences = [
        Example(("Anna", "Lee", "ran"), ("B-PER", "?", "O")),
        Example(("he", "ran"), ("O", "O")),
    ]
    labels = ("O", "B-PER", "I-PER")
    for name, count in {"crf": 2, "softmax": 4}.items():
        own = config(tiny_encoder, **{"decoder.name": name})
        model, _ = build_model(own, labels, examples=sentences)
        model.eval()
        collator = model.collator(None)
        prepared = collator.prepared(sentences)
        both, whole = collator.batch(prepared), collator.batch(prepared[1:])
        assert whole.targets.known is None
        assert both.targets.tags.tolist() == [[1, 0, 0], [0, 0, 0]]
        assert both.targets.known.tolist() == [[True, False, True], [True, True, False]]
        assert both.targets.tagged.equal(both.targets.known)
        assert whole.targets.tagged.equal(whole.targets.mask)
        assert both.to(torch.device("cpu")).targets.known.equal(both.targets.known)
        assert model.counts(both, ())["main"] == count
        output = model(both, ())
        allowed = torch.tensor(
            [[[0, 1, 0], [1, 1, 1], [1, 0, 0]], [[1, 0, 0], [1, 0, 0], [1, 1, 1]]]
        ).bool()
        right = model.decoder.partial_loss(output.emissions, allowed, both.targets.mask)
        assert output.losses["main"].equal(right)
        known = model(whole, ())
        assert known.losses["main"].equal(
            model.decoder.loss(known.emissions, whole.targets.tags, whole.targets.mask)
        )


@pytest.fixture
def partly(tiny_data, tmp_path):
    """The tiny data, of whose training words every third is open, and two sentences wholly."""
    folder = tmp_path / "data"
    shutil.copytree(tiny_data, folder)
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for number, record in enumerate(records):
        every = number < 2
        record["tags"] = [
            None if every or (number + i) % 3 == 0 else tag for i, tag in enumerate(record["tags"])
        ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "train.jsonl").write_text(text, encoding="utf-8")
    return folder


class Told(Reporter):
    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def line(self, text):
        self.lines.append(text)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
@pytest.mark.parametrize("cache", ["off", "kept"])
def test_a_run_learns_from_open_words(tiny_encoder, partly, tmp_path, decoder, cache):
    store = "off" if cache == "off" else str(tmp_path / "kept")
    settings = {"decoder.name": decoder, "data.cache": store}
    told = Told()
    run = mmseq.train(
        config(tiny_encoder, partly, **settings), output=tmp_path / "run", reporter=told
    )
    metrics = json.loads((run / "metrics.json").read_text())
    train = metrics["data"]["train"]
    assert train["sentences"] == 22
    told_words = f"{train['open_words']} of {train['words']} words are open"
    assert 0 < train["open_words"] < train["words"]
    assert told_words in (run / "README.md").read_text()
    assert any(told_words in line for line in told.lines)
    assert "open_words" not in metrics["data"]["valid"]
    assert any("left out: 2" in line for line in told.lines)
    with pytest.raises(UserError, match=r"train\.jsonl:\d+: the tag of .* is open"):
        mmseq.load(run).evaluate(split="train")


def test_weights_are_the_same_from_disk(tiny_encoder, partly, tmp_path):
    found = []
    for cache in ("off", str(tmp_path / "kept")):
        own = config(tiny_encoder, partly, **{"data.cache": cache})
        run = mmseq.train(own, output=tmp_path / f"run-{len(found)}", reporter=Reporter(quiet=True))
        found.append(load_tensors(run / "model.safetensors"))
    assert all(found[0][name].equal(found[1][name]) for name in found[0])


HOOK = """
import mmseq


@mmseq.hookimpl
def register_components(add):
    add.decoder("own", "mmseq_own.parts:Own")
    add.aux_task("heedless", "mmseq_own.parts:Heedless")
    add.aux_task("heeding", "mmseq_own.parts:Heeding")
"""
PARTS = """
import mmseq


class Own(mmseq.CrfDecoder):
    def loss(self, emissions, tags, mask):
        return 2 * super().loss(emissions, tags, mask)


class Heedless(mmseq.AuxTask):
    def __init__(self, sizes):
        super().__init__()

    def count(self, targets):
        return int(targets.tagged.sum())

    def forward(self, views, targets, emissions):
        return mmseq.AuxOutput(views["fused"][targets.tagged].square().sum())


class Heeding(Heedless):
    partial = True
"""


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--decoder", "own"), r"decoder 'own' cannot learn \(it has no partial_loss\)"),
        (("--aux", "heeding,heedless"), r"aux task 'heedless' would take for O \(.* leave"),
    ],
    ids=["decoder", "task"],
)
def test_what_cannot_learn_from_open_words_is_named_before_any_work(
    tiny_encoder, tiny_data, partly, tmp_path, site, run_cli, flags, named
):
    site.add("own", HOOK, parts=PARTS)
    run = tmp_path / "run"
    common = (*flags, "--text-encoder", "transformer", "--fusion", "none", "--output", run)
    settings = ("--set", f"text_encoder.model={tiny_encoder}", "--set", "train.device=cpu")
    done = run_cli("train", partly, *common, *settings, "--dry-run")
    assert done.code == 2
    assert re.search(
        rf"train\.jsonl:\d+: the first of \d+ open words \('\?'\), .*{named}", done.err
    )
    assert len(done.err.splitlines()) == 1
    assert not run.exists()
    # Where every word has its tag they are as good as any.
    assert run_cli("train", tiny_data, *common, *settings, "--dry-run").code == 0


@pytest.mark.parametrize(
    ("kind", "name", "knows"),
    [
        ("decoder", "crf", True),
        ("decoder", "own", False),
        ("aux-task", "heeding", True),
        ("aux-task", "heedless", False),
        ("fusion", "gate", False),
    ],
)
def test_show_tells_what_knows_open_words(site, run_cli, kind, name, knows):
    site.add("own", HOOK, parts=PARTS)
    shown = run_cli("show", kind, name)
    assert shown.code == 0
    assert ("It learns from sentences with open words, too." in shown.out) == knows


def test_a_task_that_heeds_open_words_learns_beside_them(tiny_encoder, partly, tmp_path, site):
    site.add("own", HOOK, parts=PARTS)
    own = Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
        | {"fusion": {"name": "none"}},
        aux=["heeding"],
        settings={"data.path": str(partly), "train.device": "cpu", "train.epochs": 1},
    )
    run = mmseq.train(own, output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert (run / "metrics.json").is_file()
