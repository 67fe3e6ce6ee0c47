"""What goes wrong inside a plugin's component is told by its name, with the shapes it got."""

import errno
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

import mmseq
from mmseq.config.config import Config
from mmseq.console import Reporter
from mmseq.contracts.states import ImageStates, TextStates
from mmseq.errors import UserError
from mmseq.model.announcements import rated
from mmseq.model.guard import blamed, require, shapes

COMPONENTS = """
import torch
from torch import nn
import mmseq


class Fusion(mmseq.Fusion):
    needs_images = False

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        if fault == "constructor":
            raise KeyError("depth")
        self.fault, self.views = fault, {"half": 4}
        if fault != "no width":
            self.width = sizes.text
        self.sentence_views = {"half" if fault == "both" else "first": sizes.text}
        if fault == "views":
            self.views = ("half",)
        self.project = nn.Linear(sizes.text, sizes.text)
        self.narrow = nn.Linear(7, 7)

    def forward(self, text, images):
        states = self.project(text.words)
        views = {"half": states[..., :4]}
        if self.fault == "raises":
            self.narrow(text.words)
        if self.fault == "shape":
            states = states[..., :3]
        if self.fault == "double":
            states = states.double()
        if self.fault == "nan":
            states = states / 0.0 * 0.0
        if self.fault == "view":
            views = {"half": states}
        if self.fault == "unannounced":
            views["more"] = states
        if self.fault == "no view":
            views = {}
        if self.fault == "tensor":
            return states
        whole = {"first": states[:, 0]}
        if self.fault == "sentence view":
            whole = {"first": states[:, :1]}
        if self.fault == "no sentence view":
            whole = {}
        if self.fault == "unannounced sentence view":
            whole["more"] = states[:, 0]
        return mmseq.Fused(states, views, whole)


class Task(mmseq.AuxTask):
    views = ("half",)

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault

    def count(self, targets):
        return targets.mask.sum() if self.fault == "tensor" else int(targets.mask.sum())

    def forward(self, views, targets, emissions):
        if self.fault == "raises":
            raise RuntimeError("no such word")
        if self.fault == "nan":
            return mmseq.AuxOutput(views["half"].sum() * float("nan"))
        if self.fault == "unnamed":
            return mmseq.AuxOutput(views["words"].sum())
        loss = views["half"].square().sum(dim=2)
        return mmseq.AuxOutput(loss if self.fault == "not summed" else loss.sum())


class Decoder(mmseq.SoftmaxDecoder):
    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__(sizes)
        self.fault = fault

    def loss(self, emissions, tags, mask):
        if self.fault == "loss":
            raise RuntimeError("out of range")
        return super().loss(emissions, tags, mask)

    def decode(self, emissions, mask):
        if self.fault == "decode":
            raise IndexError("too long")
        tags = super().decode(emissions, mask)
        return {
            "pair": (tags, tags),
            "floats": tags.float(),
            "fewer": tags[:, :-1],
            "beyond": tags + 5,
            "below": tags - 1,
        }.get(self.fault, tags)

    def scores(self, emissions, tags, mask):
        scores = super().scores(emissions, tags, mask)
        return scores[:, :-1] if self.fault == "scores" else scores


class Detached(Decoder):
    def loss(self, emissions, tags, mask):
        return super().loss(emissions.detach(), tags, mask)


class Weighting(mmseq.Weighting):
    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        if fault == "rate":
            self.learning_rate = "high"

    def forward(self, losses, shared, progress):
        total, weights = sum(losses.values()), dict.fromkeys(losses, 1.0)
        if self.fault == "raises":
            raise RuntimeError("no such loss")
        if self.fault == "pair":
            return total, weights
        if self.fault == "number":
            total = total.item()
        if self.fault == "row":
            total = total[None]
        if self.fault == "detached":
            total = total.detach()
        if self.fault == "nan":
            total = total * float("nan")
        if self.fault == "unweighted":
            del weights["shaky"]
        if self.fault == "list":
            weights = list(weights.values())
        if self.fault == "tensor":
            weights["main"] = torch.ones(())
        return mmseq.Weighted(total, weights)

    def end_epoch(self, means):
        if self.fault == "end":
            raise KeyError("main")


class Encoder(mmseq.TextEncoder):
    width = 8

    def __init__(self, sizes: mmseq.Sizes, *, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.embedding = nn.Embedding(40, 8)
        if fault != "no rate":
            self.learning_rate = 1e-3

    def encode(self, tokens):
        if self.fault == "encode":
            raise KeyError(tokens[0])
        return [len(word) for word in tokens]

    def length(self, encoded, words):
        if self.fault == "length":
            raise TypeError("how long?")
        return len(encoded) / 2 if self.fault == "half" else len(encoded)

    def collate(self, encoded):
        if self.fault == "collate":
            return {"ids": torch.tensor(encoded)}
        ids = torch.zeros(len(encoded), max(map(len, encoded)), dtype=torch.long)
        for row, lengths in enumerate(encoded):
            ids[row, : len(lengths)] = torch.tensor(lengths)
        if self.fault == "bare":
            return ids
        return {"ids": ids.tolist() if self.fault == "list" else ids}

    def forward(self, inputs, images):
        return mmseq.TextStates(self.embedding(inputs.tensors["ids"]), inputs.mask)
"""
SOURCE = """
import mmseq


@mmseq.hookimpl
def register_components(add):
    add.fusion("shaky", "mmseq_shaky.parts:Fusion")
    add.aux_task("shaky", "mmseq_shaky.parts:Task")
    add.decoder("shaky", "mmseq_shaky.parts:Decoder")
    add.decoder("detached", "mmseq_shaky.parts:Detached")
    add.weighting("shaky", "mmseq_shaky.parts:Weighting")
    add.text_encoder("shaky", "mmseq_shaky.parts:Encoder")
"""


@pytest.fixture
def config(site, tiny_encoder, tiny_data):
    """`config("fusion", "raises")`: a run with that fault in that part of a plugin."""
    site.add("shaky", SOURCE, version="0.4", parts=COMPONENTS)

    def make(part, fault):
        table = "aux.shaky" if part == "task" else part
        text = {"name": "transformer", "model": str(tiny_encoder)}
        return Config.from_layers(
            flags={
                "text_encoder": {"name": "shaky"} if part == "text_encoder" else text,
                "image_encoder": {"name": "none"},
                "fusion": {"name": "shaky"},
                "decoder": {"name": "detached" if fault == "no graph" else "shaky"},
                "weighting": {"name": "shaky"},
            },
            aux=["shaky"],
            settings={
                "data.path": str(tiny_data),
                "train.epochs": 1,
                "train.device": "cpu",
                f"{table}.fault": fault,
            },
        )

    return make


FAULTS = {
    ("fusion", "constructor"): "constructor.* KeyError: 'depth'",
    ("fusion", "no width"): r"width is None.* self\.width",
    ("fusion", "views"): r"views are \('half',\)",
    ("fusion", "unannounced"): "views more",
    ("fusion", "raises"): r"RuntimeError: .*shapes.* text words \(24, \d+, 32\), mask \(24, \d+\), "
    r"vector \(24, 32\); images None",
    ("fusion", "shape"): r"states is \(24, (\d+), 3\).* \(24, \1, 32\)",
    ("fusion", "view"): r"view 'half' is \(24, (\d+), 32\).* \(24, \1, 4\)",
    ("fusion", "no view"): "view 'half' .*none",
    ("fusion", "sentence view"): r"sentence view 'first' is \(24, 1, 32\), not \(24, 32\)",
    ("fusion", "no sentence view"): "announces sentence view 'first' and gives none",
    ("fusion", "unannounced sentence view"): "sentence views more, .*in self.sentence_views",
    ("fusion", "both"): "sentence view 'half' has the name of another view",
    ("fusion", "double"): "states is float64.* float32",
    ("fusion", "nan"): "states .*not finite .*first step",
    ("fusion", "tensor"): "forward .*Tensor.* Fused",
    ("task", "tensor"): "count is Tensor.* int",
    ("task", "nan"): "loss .*not finite",
    ("task", "raises"): r"RuntimeError: no such word; .*views half \(24, (\d+), 4\); "
    r"emissions \(24, \1, 5\)",
    ("task", "unnamed"): r"LookupError: 'words' .*\('half', 'words'\).* views half",
    ("task", "not summed"): r"loss is \(24, \d+\).* \(\)",
    ("decoder", "loss"): r"RuntimeError: out of range; .*emissions \(24, (\d+), 5\); "
    r"tags \(24, \1\)",
    ("decoder", "decode"): r"IndexError: too long; .*emissions \(8, (\d+), 5\); mask \(8, \1\)",
    ("decoder", "pair"): "decode .*tuple.* Tensor",
    ("decoder", "floats"): "decode .*float32.* int64",
    ("decoder", "fewer"): r"decode .*\(8, \d+\).* \(8, \d+\)",
    ("decoder", "beyond"): "decode .* [5-9]; .*0 to 4",
    ("decoder", "below"): "decode .* -1; .*0 to 4",
    ("decoder", "no graph"): "loss has no gradient",
    ("weighting", "raises"): r"RuntimeError: no such loss; .*losses main \(\), shaky \(\); "
    r"shared \(24, \d+, 32\)",
    ("weighting", "pair"): "forward .*tuple.* Weighted",
    ("weighting", "number"): "total is float.* Tensor",
    ("weighting", "row"): r"total is \(1,\).* \(\)",
    ("weighting", "detached"): "total has no gradient",
    ("weighting", "nan"): "total .*not finite",
    ("weighting", "unweighted"): r"loss 'shaky' .*weights \(there: main\)",
    ("weighting", "list"): "weights is list.* Mapping",
    ("weighting", "tensor"): "weight of 'main' is Tensor.* float",
    ("weighting", "end"): "end_epoch: KeyError: 'main'",
    ("weighting", "rate"): r"learning_rate is 'high'.* self\.learning_rate",
    ("text_encoder", "no rate"): r"learning_rate is None.* self\.learning_rate",
    ("text_encoder", "encode"): r"encode of .*train\.jsonl:1: KeyError: '\w+'",
    ("text_encoder", "length"): r"length of .*train\.jsonl:1: TypeError: how long\?",
    ("text_encoder", "half"): "length .*float.* int",
    ("text_encoder", "collate"): "collate: ValueError: ",
    ("text_encoder", "bare"): "collate .*Tensor.* Mapping",
    ("text_encoder", "list"): "'ids' .*list.* Tensor",
}
"""Kind and fault, and how what is told goes on after the component and its distribution"""
TITLES = {"task": "aux task", "text_encoder": "text encoder"}


@pytest.mark.parametrize(("fault", "line"), FAULTS.items(), ids=lambda part: str(part)[:40])
def test_a_fault_is_told_with_component_distribution_and_shapes(config, tmp_path, fault, line):
    made = config(*fault)
    told = rf"^{TITLES.get(fault[0], fault[0])} '\w+' of mmseq-shaky 0\.4\b.*{line}"
    with pytest.raises(mmseq.ComponentError, match=told):
        mmseq.train(made, output=tmp_path / "run", reporter=Reporter(quiet=True))


def test_without_a_fault_the_plugin_trains(config, tmp_path):
    run = mmseq.train(config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True))
    assert (run / "metrics.json").is_file()


def test_a_fault_in_prediction_is_told_too(config, tmp_path):
    run = mmseq.train(config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True))
    toml = run / "config.toml"
    healthy = toml.read_text()
    # Of the decoder, whatever comments stand between.
    above, below = healthy.split("[decoder]\n")
    assert below.startswith('name = "shaky"\n')
    lines = {"scores": r"scores is \(1, 1\).* \(1, 2\)", "floats": "decode .*float32"}
    for fault, line in lines.items():
        own = below.replace('fault = ""', f'fault = "{fault}"', 1)
        toml.write_text(f"{above}[decoder]\n{own}")
        with pytest.raises(mmseq.ComponentError, match=f"^decoder 'shaky' of .*{line}"):
            mmseq.load(run).predict(["Anna Said"])


def test_on_the_command_line_it_is_one_line_and_exit_code_1(config, tmp_path, run_cli):
    config("task", "raises").save(tmp_path / "config.toml")
    command = ("train", "--config", tmp_path / "config.toml", "--quiet")
    done = run_cli(*command, "--output", tmp_path / "run")
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("Error: aux task 'shaky' of mmseq-shaky 0.4 ")
    assert line.endswith("(--debug shows where)")
    whole = run_cli(*command, "--output", tmp_path / "other", debug=True)
    assert 'raise RuntimeError("no such word")' in whole.err


def test_what_a_user_can_mend_and_memory_or_a_disk_used_up_keep_their_errors():
    full = OSError(errno.ENOSPC, "no space left")
    for error in (UserError("a word too many"), torch.OutOfMemoryError("2 GiB"), full):
        with pytest.raises(type(error)) as caught, blamed("fusion 'x'"):
            raise error
        assert caught.value is error


def test_the_cause_is_kept():
    cause = ValueError("2 is not 3.")
    with pytest.raises(mmseq.ComponentError) as caught, blamed("fusion 'x'"):
        raise cause
    assert caught.value.__cause__ is cause
    assert str(caught.value).startswith("fusion 'x' ")
    assert "ValueError: 2 is not 3" in str(caught.value)


def test_what_is_right_passes():
    require("x", "states", torch.zeros(2, 3), torch.Tensor, (2, 3))
    require("x", "loss", torch.zeros(()), torch.Tensor)
    require("x", "forward", {}, dict)


def test_a_rate_is_a_number_and_only_a_weighting_can_do_without():
    assert rated(SimpleNamespace(learning_rate=0)) == ""
    assert rated(SimpleNamespace(), needed=False) == ""
    assert rated(SimpleNamespace()).startswith("its learning_rate is None; set ")
    assert rated(SimpleNamespace(learning_rate=-1e-3), needed=False).endswith(", or None")


@dataclass
class Named:
    tensors: dict
    name: str = "x"


def test_shapes_of_what_components_get():
    text = TextStates(
        torch.zeros(2, 3, 4), torch.ones(2, 3), parts={"word": torch.zeros(2, 3, 1)}, extras={}
    )
    images = ImageStates(
        torch.zeros(2, 5, 6), torch.ones(2, 5), levels=(torch.zeros(2, 7, 1, 1), torch.zeros(1))
    )
    assert shapes({"text": text, "images": images}) == (
        "text words (2, 3, 4), mask (2, 3), parts word (2, 3, 1); "
        "images regions (2, 5, 6), mask (2, 5), levels (2, 7, 1, 1) (1,)"
    )
    assert shapes({"images": None}) == "images None"
    assert shapes({"inputs": Named({"ids": torch.zeros(9)})}) == "inputs tensors ids (9,)"


def test_a_run_made_with_another_version_is_told_when_it_is_loaded(config, site, tmp_path, capsys):
    folder = mmseq.train(
        config("fusion", ""), output=tmp_path / "run", reporter=Reporter(quiet=True)
    )
    capsys.readouterr()
    mmseq.load(folder)
    assert capsys.readouterr().err == ""
    path = folder / "assets" / "components.json"
    path.write_text(path.read_text().replace('"0.4"', '"0.3"'))
    mmseq.load(folder)
    # Three components of one distribution: one line.
    (line,) = capsys.readouterr().err.splitlines()
    for part in (str(folder), "mmseq-shaky 0.4", "pip install 'mmseq-shaky==0.3'"):
        assert part in line
