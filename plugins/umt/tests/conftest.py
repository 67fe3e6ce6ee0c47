"""A small model in the format of the published code's numbers, worked out from the definitions.

The reference knows the weights by the authors' names and none of the plugin's modules: it goes
sentence by sentence over the real keys alone, and over every path of a CRF.
"""

import json
import math

import pytest
import torch
from safetensors.torch import save_file

CONFIG = {
    "vocab_size": 11,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 9,
    "layer_norm_eps": 1e-3,
    "txt2img_layers": 2,
    "img2txt_layers": 1,
    "txt2txt_layers": 3,
    "num_tags": 5,
    "num_boundary_tags": 4,
    "emission_mix": 0.3,
    "boundary_loss_weight": 0.7,
}
STACKS = {
    "bert.encoder": 2,
    "self_attention": 2,
    "self_attention_v2": 3,
    "txt2img_attention": 2,
    "img2txt_attention": 1,
    "txt2txt_attention": 3,
}
LENGTHS = (5, 3, 1)
REGIONS = (6, 2, 3)  # width, height and width of the grid


def random_weights():
    """By the authors' names, in 32 bits; LayerNorms near 1."""
    shapes = {
        "bert.embeddings.word_embeddings.weight": (11, 32),
        "bert.embeddings.position_embeddings.weight": (9, 32),
        "bert.embeddings.token_type_embeddings.weight": (2, 32),
        "bert.pooler.dense.weight": (32, 32),
        "bert.pooler.dense.bias": (32,),
    }
    linear = {
        "vismap2text": (32, 6),
        "vismap2text_v2": (32, 6),
        "gate": (32, 64),
        "classifier": (5, 64),
        "aux_classifier": (4, 32),
    }
    norms = ["bert.embeddings.LayerNorm"]
    for stack, layers in STACKS.items():
        for place in (f"{stack}.layer.{i}" for i in range(layers)):
            for name in ("query", "key", "value"):
                linear[f"{place}.attention.self.{name}"] = (32, 32)
            linear[f"{place}.attention.output.dense"] = (32, 32)
            linear[f"{place}.intermediate.dense"] = (96, 32)
            linear[f"{place}.output.dense"] = (32, 96)
            norms += [f"{place}.attention.output.LayerNorm", f"{place}.output.LayerNorm"]
    shapes |= {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    shapes |= {f"{name}.{kind}": (32,) for name in norms for kind in ("weight", "bias")}
    for name, tags in (("crf", 5), ("aux_crf", 4)):
        shapes[f"{name}.transitions"] = (tags, tags)
        shapes |= {f"{name}.{end}_transitions": (tags,) for end in ("start", "end")}
    weights = {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}
    for name in norms:
        weights[f"{name}.weight"] += 1
    return weights


def random_inputs():
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return {
        "input_ids": torch.randint(1, 11, mask.shape) * mask,
        "attention_mask": mask.long(),
        "tags": torch.randint(5, mask.shape) * mask,
        "boundary_tags": torch.randint(4, mask.shape) * mask,
        "conversion_matrix": torch.rand(4, 5),
        "image_regions": torch.randn(len(LENGTHS), *REGIONS),
    }


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(w, name, x):
    centred = x - x.mean(-1, keepdim=True)
    deviation = ((centred**2).mean(-1, keepdim=True) + CONFIG["layer_norm_eps"]).sqrt()
    return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def layer(w, name, states, context):
    """BERT's layer: `states` (Q, 32) query `context` (K, 32), all of it real."""
    query = linear(w, f"{name}.attention.self.query", states)
    key, value = (linear(w, f"{name}.attention.self.{part}", context) for part in ("key", "value"))
    joined = []
    for q, k, v in zip(query.split(16, 1), key.split(16, 1), value.split(16, 1), strict=True):
        shares = (q @ k.T / math.sqrt(16)).exp()
        joined.append(shares / shares.sum(1, keepdim=True) @ v)
    attended = linear(w, f"{name}.attention.output.dense", torch.cat(joined, 1))
    middle = layer_norm(w, f"{name}.attention.output.LayerNorm", states + attended)
    inner = linear(w, f"{name}.intermediate.dense", middle)
    inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    outer = linear(w, f"{name}.output.dense", inner)
    return layer_norm(w, f"{name}.output.LayerNorm", middle + outer)


def among_themselves(w, stack, states, length):
    """The first `length` states are keys; those of the padding only query."""
    for i in range(STACKS[stack]):
        states = layer(w, f"{stack}.layer.{i}", states, states[:length])
    return states


def across(w, stack, states, context):
    for i in range(STACKS[stack]):
        states = layer(w, f"{stack}.layer.{i}", states, context)
    return states


def crf(w, name, emissions, tags):
    """-log of the tags' share of all paths, and the best path."""
    words, number = emissions.shape
    paths = torch.cartesian_prod(*[torch.arange(number)] * words).view(-1, words)

    def score(path):
        inside = emissions[torch.arange(words), path].sum(-1)
        steps = w[f"{name}.transitions"][path[..., :-1], path[..., 1:]].sum(-1)
        ends = w[f"{name}.start_transitions"][path[..., 0]]
        return inside + steps + ends + w[f"{name}.end_transitions"][path[..., -1]]

    every = score(paths)
    return every.exp().sum().log() - score(tags), paths[every.argmax()]


def sentence(w, inputs, length):
    """All outputs of one sentence, in 64 bits."""
    embeddings = "bert.embeddings"
    words = w[f"{embeddings}.word_embeddings.weight"][inputs["input_ids"]]
    places = w[f"{embeddings}.position_embeddings.weight"][: len(words)]
    kind = w[f"{embeddings}.token_type_embeddings.weight"][0]
    x = layer_norm(w, f"{embeddings}.LayerNorm", words + places + kind)
    x = among_themselves(w, "bert.encoder", x, length)
    regions = torch.stack([cell for row in inputs["image_regions"].unbind(1) for cell in row.T])
    r = among_themselves(w, "self_attention_v2", x, length)
    p = across(w, "img2txt_attention", linear(w, "vismap2text_v2", regions), r[:length])
    t = across(w, "txt2txt_attention", r, p)
    a = across(w, "txt2img_attention", r, linear(w, "vismap2text", regions))
    gate = 1 / (1 + (-linear(w, "gate", torch.cat([t, a], 1))).exp())
    f = torch.cat([t, gate * a], 1)
    main = linear(w, "classifier", f)
    h = among_themselves(w, "self_attention", x, length)
    boundary = linear(w, "aux_classifier", h)
    final = 0.7 * main + 0.3 * boundary @ inputs["conversion_matrix"]
    main_loss, best = crf(w, "crf", final[:length], inputs["tags"][:length])
    boundary_loss, _ = crf(w, "aux_crf", boundary[:length], inputs["boundary_tags"][:length])
    decoded = torch.full((len(words),), -1)
    decoded[:length] = best
    loss = main_loss + 0.7 * boundary_loss
    return {
        "text_X": x,
        "boundary_H": h,
        "boundary_emissions": boundary,
        "text_R": r,
        "image_queried_P": p,
        "image_A": a,
        "text_T": t,
        "fused_F": f,
        "main_emissions": main,
        "final_emissions": final,
        "loss": loss,
        "decoded": decoded,
    }


@pytest.fixture(scope="session")
def parity_tensors():
    """Weights, inputs, and the outputs that the reference gives, under a parity file's names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights, inputs = random_weights(), random_inputs()
    exact = {name: weight.double() for name, weight in weights.items()}
    each = []
    for i, length in enumerate(LENGTHS):
        own = {name: x if name == "conversion_matrix" else x[i] for name, x in inputs.items()}
        own = {name: x.double() if x.is_floating_point() else x for name, x in own.items()}
        each.append(sentence(exact, own, length))
    outputs = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    outputs["loss"] = outputs["loss"].mean()[None]
    outputs = {n: x.float() if x.is_floating_point() else x for n, x in outputs.items()}
    groups = {"weights": weights, "inputs": inputs, "outputs": outputs}
    return {f"{group}.{name}": x for group, own in groups.items() for name, x in own.items()}


@pytest.fixture
def write_parity(parity_tensors, tmp_path):
    """`write_parity({name: tensor or None}, config={…}, header={…})`: that file, changed.

    None leaves a tensor or a key of the config out; `header` replaces the whole header.
    """

    def write(changes=(), config=(), header=None):
        tensors = {n: x for n, x in {**parity_tensors, **dict(changes)}.items() if x is not None}
        settings = {n: x for n, x in {**CONFIG, **dict(config)}.items() if x is not None}
        path = tmp_path / "own.safetensors"
        save_file(tensors, path, {"config": json.dumps(settings)} if header is None else header)
        return path

    return write
