"""A decoder that reads the fused states: no head, and all that runs over emissions elsewhere."""

import json

import pytest
import torch

import mmseq
from mmseq.model import calls
from mmseq.model.assembly import build_model
from mmseq.runs.weights import load_weights, save_weights
from mmseq.testing import TINY_IMAGE_MODEL, tiny_sentences
from mmseq.testing.world import EVERY, LABELS, prepare

PLUGIN = """
import mmseq

@mmseq.hookimpl
def register_components(add):
    add.decoder("states", "mmseq_states.parts:States")
    add.decoder("lost", "mmseq_states.parts:Lost")
    add.aux_task("seen", "mmseq_states.parts:Seen")
    add.aux_task("louder", "mmseq_states.parts:Louder")
"""
PARTS = '''
import torch
from torch import nn

import mmseq


class States(mmseq.CrfDecoder):
    """A CRF over a layer of its own."""

    reads = "fused"

    def __init__(self, sizes: mmseq.Sizes, *, constrain: bool = True) -> None:
        super().__init__(sizes, constrain=constrain)
        self.own = nn.Linear(sizes.views["fused"], len(sizes.labels))

    def loss(self, emissions, tags, mask):
        return super().loss(self.own(emissions), tags, mask)

    def decode(self, emissions, mask):
        return super().decode(self.own(emissions), mask)

    def scores(self, emissions, tags, mask):
        return super().scores(self.own(emissions), tags, mask)

    def span_scores(self, emissions, tags, mask, spans):
        return super().span_scores(self.own(emissions), tags, mask, spans)

    def k_best(self, emissions, mask, k):
        return super().k_best(self.own(emissions), mask, k)


class Lost(States):
    """Takes states for emissions."""

    def loss(self, emissions, tags, mask):
        return mmseq.CrfDecoder.loss(self, emissions, tags, mask)


class Seen(mmseq.AuxTask):
    """Keeps the emissions that it gets, and draws the states to 0."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()

    def count(self, targets):
        return int(targets.mask.sum())

    def forward(self, views, targets, emissions):
        self.given = emissions
        return mmseq.AuxOutput(views["fused"][targets.mask].square().sum())


class Louder(Seen):
    """Doubles emissions, where it refines."""

    def __init__(self, sizes: mmseq.Sizes, *, refine: bool = False) -> None:
        super().__init__(sizes)
        self.refines = refine

    def forward(self, views, targets, emissions):
        refined = 2 * emissions if self.refines else None
        return mmseq.AuxOutput(views["fused"][targets.mask].square().sum(), refined)
'''


@pytest.fixture
def states(site):
    site.add("states", PLUGIN, parts=PARTS)


@pytest.fixture
def config_of(tiny_encoder, tiny_data):
    def make(decoder="states", aux=("seen",), fusion="gate", **settings):
        return mmseq.Config.from_layers(
            flags={
                "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
                "image_encoder": {"name": "timm", **TINY_IMAGE_MODEL},
                "fusion": {"name": fusion},
                "decoder": {"name": decoder},
            },
            aux=list(aux),
            settings={
                "data.path": str(tiny_data),
                "train.device": "cpu",
                "train.epochs": 2,
                "train.batch_size": 12,
                **settings,
            },
        )

    return make


def batch_of(model):
    collator, prepared = prepare(model.text_encoder, {})
    return collator.batch([prepared[i] for i in EVERY])


def test_there_is_no_head_and_the_decoder_gets_the_states(states, config_of):
    model, _ = build_model(config_of(), LABELS, examples=tiny_sentences())
    model.eval()
    assert not [name for name in model.state_dict() if name.startswith("head")]
    assert model.decoder.own.in_features == model.fusion.width
    batch = batch_of(model)
    views, _ = model.views(batch)
    output = model(batch, ["seen"])
    assert output.emissions.equal(views["fused"])
    right = model.decoder.loss(views["fused"], batch.targets.tags, batch.text.mask)
    assert output.losses["main"].item() == pytest.approx(right.item(), rel=1e-6)
    given = model.tasks["seen"].given
    assert given.shape == (*batch.text.mask.shape, len(LABELS))
    assert not given.any()
    assert given.dtype == torch.float32


def test_a_task_that_refines_is_refused_beside_it(states, config_of):
    with pytest.raises(mmseq.UserError) as caught:
        build_model(config_of(aux=["louder"], **{"aux.louder.refine": True}), LABELS)
    assert str(caught.value) == (
        "aux task 'louder' of mmseq-states 1.0 refines emissions, and decoder 'states' of "
        "mmseq-states 1.0 reads none, but fused states; choose another decoder, or let the task "
        "not refine."
    )
    build_model(config_of(aux=["louder"]), LABELS)
    build_model(config_of("crf", aux=["louder"], **{"aux.louder.refine": True}), LABELS)


def test_what_it_raises_is_told_with_the_states_that_it_got(states, config_of):
    model, _ = build_model(config_of("lost"), LABELS)
    with pytest.raises(mmseq.ComponentError, match=r"decoder 'lost' .*it got states \(6, 8, 64\)"):
        model(batch_of(model), [])


def test_tags_are_held_to_the_labels_and_not_to_the_width_of_the_states(states, config_of):
    model, _ = build_model(config_of(), LABELS)
    given, mask = torch.zeros(1, 2, 64), torch.ones(1, 2, dtype=torch.bool)
    model.decoder.decode = lambda emissions, mask: mask.long() * len(LABELS)
    with pytest.raises(mmseq.ComponentError, match="holds 5; the 5 labels are 0 to 4"):
        model.decode(given, mask)
    with pytest.raises(mmseq.ComponentError, match="the 5 labels"):
        calls.decode("it", model.decoder, given[..., :5], mask)


def test_what_is_no_kind_of_input_is_refused(states, config_of, monkeypatch):
    from mmseq_states.parts import States

    monkeypatch.setattr(States, "reads", "words")
    with pytest.raises(mmseq.ComponentError, match="its reads is 'words'; write one of"):
        build_model(config_of(), LABELS)


def test_it_trains_resumes_predicts_and_is_a_start_for_another_run(
    states, config_of, tmp_path, run_cli
):
    config = config_of(
        **{
            "weighting.name": "gradnorm",
            "callbacks.conflict.steps": 1,
            "train.keep_last": True,
            "train.gradient_clip": 1.0,
        }
    )
    run = mmseq.train(config, output=tmp_path / "run")
    steps = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert {"main", "seen"} <= set(steps[0]["losses"])
    conflicts = (run / "conflict.jsonl").read_text().splitlines()
    assert all("seen" in json.loads(line)["cosines"] for line in conflicts)
    assert len(conflicts) == 4
    tagger = mmseq.load(run)
    (found,) = tagger.predict(["Jordan was seen in Oslo"], best=3)
    assert len(found.alternatives) == 3
    assert found.alternatives[0].tags == found.tags
    assert all(0 <= score <= 1 for score in found.scores)
    assert mmseq.load(run, int8=True).predict(["Jordan was seen"])[0].tags
    assert tagger.evaluate()["sentences"] == 8
    audited = run_cli("audit", run, "--permutations", "1", "--resamples", "100")
    assert audited.code == 0, audited.err
    again = mmseq.train(
        config_of(**{"train.init": str(run), "train.learning_rate": 1e-9}),
        output=tmp_path / "again",
    )
    assert (again / "metrics.json").is_file()


def test_weights_of_a_model_with_a_head_are_told_by_what_differs(states, config_of, tmp_path):
    """Not by the number of tags, of which a model without a head says nothing."""
    files = {}
    for name in ("crf", "states"):
        model, _ = build_model(config_of(name), LABELS)
        save_weights(model, tmp_path / name)
        files[name] = model
    with pytest.raises(mmseq.UserError, match="another model .*decoder.own.weight is missing"):
        load_weights(files["states"], tmp_path / "crf")
    with pytest.raises(mmseq.UserError, match="another model .*head.weight is missing"):
        load_weights(files["crf"], tmp_path / "states")


def test_it_is_shown(states, run_cli, config_of, tmp_path):
    assert "It reads fused states, no emissions" in run_cli("show", "decoder", "states").out
    config_of().save(tmp_path / "c.toml")
    done = run_cli("train", "--config", tmp_path / "c.toml", "--dry-run")
    assert done.code == 0, done.err
    assert "of fused states" in " ".join(done.out.replace("│", " ").split())
    assert "linear" not in done.out


def test_it_keeps_the_contract(states):
    from mmseq.testing import check_decoder

    check_decoder("states")
