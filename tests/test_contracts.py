"""Every registered component keeps its contract, and the sensible pairs of them train.

A new component is checked by being registered; what it needs for that stands in `OPTIONS`.
"""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from mmseq import Config, UserError, list_components
from mmseq.model.assembly import build_model
from mmseq.registry.plugins import registry
from mmseq.testing import TINY_IMAGE_MODEL, check, tiny_bert, tiny_sentences
from mmseq.testing.world import EVERY, LABELS, image_sizes, prepare, tiny_image_encoder
from mmseq.training.optimiser import build_optimiser
from mmseq.training.step import Stepper

OPTIONS = {
    # A reader is checked on files with a mistake in that line, too.
    ("reader", "conll"): {
        "broken": {"Anna\tB-PER\nran\n": 2, b"Anna\tB-PER\n\xff\tO\n": 2, "IMGID:1\n\n": 1},
    },
    ("reader", "jsonl"): {"broken": {'{"tokens": ["a"]}\n{"tokens": 3}\n': 2}},
    # Its default reads a package of word vectors that need not be installed.
    ("text_encoder", "bilstm"): {"vectors": ""},
    # Making a database takes seconds: one for all.
    ("callback", "mlflow"): {"folder": "mlflow"},
}
VARIANTS = [
    ("text_encoder", "bilstm", {"vectors": "", "chars": "cnn", "variational": True}),
    ("text_encoder", "bilstm", {"vectors": "", "chars": "lstm", "layers": 2}),
    ("text_encoder", "bilstm", {"vectors": "", "layers": 0}),
    ("text_encoder", "transformer", {"pool": "mean", "window": 16, "word_dropout": 0.3}),
    ("image_encoder", "timm", {"train": "last-stage", "levels": True}),
    ("image_encoder", "timm", {"train": "all", "fit": "page"}),
    ("image_encoder", "timm", {"model": "test_vit", "levels": True, "normalize": False}),
    ("decoder", "crf", {"constrain": False}),
    ("decoder", "softmax", {"constrain": False}),
]
"""Options of the engine's components that take another way through them"""
TEXT = {
    "bilstm": {"vectors": "", "chars": "cnn", "hidden": 24},
    "bilstm without sentence": {"vectors": "", "word_width": 48, "layers": 0},
}
"""Tiny text encoders by name; one that is not here gets a random BERT by its option `model`"""
DECODERS = registry().names("decoder")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.getbasetemp())


def require_packages(entry):
    """Skip a callback whose packages, an extra of mmseq, are not installed."""
    for package in getattr(entry.load(), "packages", ()):
        pytest.importorskip(package, reason=f"pip install 'mmseq[{entry.name}]' brings {package}")


# mlflow's tables use an option of sqlalchemy that is on its way out.
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
@pytest.mark.parametrize("entry", list_components(), ids=lambda e: f"{e.kind}-{e.name}")
def test_every_registered_component_keeps_its_contract(entry):
    if entry.kind == "callback":
        require_packages(entry)
    check(entry, **OPTIONS.get((entry.kind, entry.name), {}))


@pytest.mark.parametrize(("kind", "name", "options"), VARIANTS, ids=str)
def test_the_engines_components_keep_it_with_other_options(kind, name, options):
    check(registry().get(kind, name), **options)


def config_of(text, fusion, decoder="crf", aux=(), images="timm"):
    """A run with tiny encoders."""
    name = text.split(" ")[0]
    chosen = {"name": name, **TEXT.get(text, {"model": str(tiny_bert(48))})}
    tiny = {**TINY_IMAGE_MODEL, "levels": True, "fit": "page"} if images == "timm" else {}
    return Config.from_layers(
        flags={
            "text_encoder": chosen,
            "image_encoder": {"name": images, **tiny},
            "fusion": {"name": fusion},
            "decoder": {"name": decoder},
        },
        aux=list(aux),
        settings={"train.device": "cpu"},
    )


def built(config):
    """The model of a config, its image encoder the one that the pictures went through."""
    model, _ = build_model(config, LABELS, examples=tiny_sentences())
    if model.image_encoder is not None:
        model.image_encoder = tiny_image_encoder()
    return model


def steps(model, config, count=2):
    """Losses of training steps on the six sentences, all tasks at work."""
    collator, prepared = prepare(model.text_encoder, {f.name: f.entries for f in model.extras})
    batch = collator.batch([prepared[i] for i in EVERY])
    for name in model.tasks:
        task = model.task(name)
        if task.preparation:
            with torch.no_grad():
                views, _ = model.views(batch)
                task.observe({view: views[view] for view in task.views}, batch.targets)
            task.finish()
    stepper = Stepper(model, build_optimiser(model, config.train), Accelerator(cpu=True), clip=1.0)
    model.train()
    return [stepper.step([batch], list(model.tasks), progress=0.5) for _ in range(count)]


TEXTS = sorted({*registry().names("text_encoder"), *TEXT})
FUSIONS = registry().names("fusion")


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_pair_trains_with_every_decoder_or_says_in_one_line_what_is_lacking(text, fusion):
    torch.manual_seed(0)
    try:
        models = {d: built(config_of(text, fusion, d)) for d in DECODERS}
    except UserError as error:
        refused_for_what_the_encoder_lacks(error, text, fusion)
        return
    for decoder, model in models.items():
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        done = steps(model, config_of(text, fusion, decoder))
        assert all(torch.tensor(step.losses["main"]).isfinite() for step in done)
        for part in ("text_encoder", "fusion", "head"):
            moved = [
                not torch.equal(p, before[name])
                for name, p in model.named_parameters()
                if name.startswith(part)
            ]
            # A fusion may have nothing to learn, as `none`.
            assert any(moved) or (part == "fusion" and not moved), f"{part} beside {decoder}"


def refused_for_what_the_encoder_lacks(error, text, fusion):
    """One line that names the fusion; were the encoder richer, it would be taken."""
    assert f"'{fusion}'" in str(error)
    assert "\n" not in str(error)
    model = built(config_of(text, "none"))
    lacking = replace(
        image_sizes(),
        text=model.text_encoder.width,
        sentence=model.text_encoder.sentence,
        parts=dict(model.text_encoder.parts),
    )
    cls = registry().get("fusion", fusion).load()
    with pytest.raises(UserError):
        cls(lacking)
    every = dict.fromkeys(("word", "char", "forward", "backward"), 16)
    cls(replace(lacking, sentence=lacking.sentence or 16, parts=every | lacking.parts))


@pytest.mark.parametrize("aux", registry().names("aux_task"))
def test_a_task_trains_beside_a_fusion_or_says_in_one_line_what_is_lacking(aux):
    trained, refused, named = [], [], []
    for text in TEXTS:
        for fusion in FUSIONS:
            torch.manual_seed(0)
            try:
                config = config_of(text, fusion, aux=[aux])
                model = built(config)
            except UserError as error:
                refused.append(str(error))
                named.append(f"'{aux}'" in str(error) or f"'{fusion}'" in str(error))
                continue
            (step,) = steps(model, config, count=1)
            assert torch.tensor(step.losses[aux]).isfinite()
            trained.append((text, fusion))
    assert trained
    assert all(named), refused
    assert not any("\n" in line for line in refused)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(e.kind, e.name) for k in ("fusion", "text_encoder") for e in list_components(k)],
)
def test_what_needs_pictures_says_so_without_an_image_encoder(kind, name):
    entry = registry().get(kind, name)
    text, fusion = ("transformer", name) if kind == "fusion" else (name, "none")
    if not entry.load().needs_images:
        model = built(config_of(text, fusion, images="none"))
        assert model.image_encoder is None
        return
    with pytest.raises(UserError, match=rf"'{name}' .*image_encoder .*'none'"):
        built(config_of(text, fusion, images="none"))
