"""UMT as its authors' code runs it, put together from this project's parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertTokenizer

from mmseq import CrfDecoder, ImageStates, Sizes, Targets, TextInputs, TransformerEncoder
from mmseq_umt.boundary import BoundaryTask
from mmseq_umt.cross_transformer import CrossTransformerFusion
from mmseq_umt.parity.file import ParityFile


class PublishedTagger(nn.Module):
    """The parts of a UMT run, in the sizes and with the tag sets of a `ParityFile`.

    Gives every output of such a file by name. The loss is the mean over sentences of the main
    task's, taken of the refined emissions, plus `boundary_loss_weight` times the boundary task's.
    """

    def __init__(self, file: ParityFile) -> None:
        super().__init__()
        structure = file.structure
        # The tags have no names in the file, and no step between them is forbidden.
        sizes = Sizes(
            labels=("O",) * structure.num_tags,
            text=structure.hidden_size,
            image=file.inputs["image_regions"].shape[1],
        )
        heads = structure.num_attention_heads
        expansion = structure.intermediate_size // structure.hidden_size
        self.boundary_weight = structure.boundary_loss_weight
        self.text_encoder = _text_encoder(file)
        self.fusion = CrossTransformerFusion(
            sizes,
            heads=heads,
            text_layers=_layers(file, "self_attention_v2"),
            image_to_text_layers=structure.img2txt_layers,
            text_to_text_layers=structure.txt2txt_layers,
            text_to_image_layers=structure.txt2img_layers,
            expansion=expansion,
        )
        self.head = nn.Linear(self.fusion.width, structure.num_tags)
        self.boundary = BoundaryTask(
            sizes,
            heads=heads,
            layers=_layers(file, "self_attention"),
            expansion=expansion,
            refine=True,
            refine_share=structure.emission_mix,
        )
        self._use_boundary_tags(structure.num_boundary_tags, file.inputs["conversion_matrix"])
        self.decoder = CrfDecoder(sizes, constrain=False)
        # An option in BERT, fixed at 1e-12 in the plugin's own layers.
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = structure.layer_norm_eps
        self.inside: dict[str, Tensor] = {}
        for name, module in (
            ("text_R", self.fusion.text),
            ("image_queried_P", self.fusion.image_to_text),
            ("image_A", self.fusion.text_to_image),
            ("boundary_H", self.boundary.text),
            ("boundary_emissions", self.boundary.emissions),
        ):
            module.register_forward_hook(partial(_keep, self.inside, name))

    def _use_boundary_tags(self, number: int, conversion: Tensor) -> None:
        """In place of O, B, I and what the task derives from them: the file's own.

        `forward` gives the task its boundary tags, so that they need no mapping.
        """
        task = self.boundary
        task.emissions = nn.Linear(task.emissions.in_features, number)
        task.crf = CrfDecoder(Sizes(labels=("O",) * number), constrain=False)
        task.boundary_ids = torch.arange(number)
        task.conversion = conversion

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`inputs` and outputs: names and shapes in `mmseq_umt.parity.file`."""
        mask = inputs["attention_mask"].bool()
        text = self.text_encoder(_text_inputs(inputs), None)
        regions = inputs["image_regions"].flatten(2).transpose(1, 2)
        images = ImageStates(regions, torch.ones(regions.shape[:2], dtype=torch.bool))
        fused = self.fusion(text, images)
        emissions = self.head(fused.states)
        targets = Targets(mask, images.present, inputs["boundary_tags"])
        boundary = self.boundary({"words": text.words}, targets, emissions)
        final = boundary.emissions
        loss = self.decoder.loss(final, inputs["tags"], mask) / self.decoder.count(targets)
        boundary_loss = boundary.loss / self.boundary.count(targets)
        return {
            **self.inside,
            "text_X": text.words,
            "text_T": fused.views["text"],
            "fused_F": fused.states,
            "main_emissions": emissions,
            "final_emissions": final,
            "loss": (loss + self.boundary_weight * boundary_loss)[None],
            "decoded": self.decoder.decode(final, mask),
        }


def _keep(
    inside: dict[str, Tensor], name: str, module: nn.Module, arguments: object, output: Tensor
) -> None:
    """Forward hook: what a module inside a component gives."""
    inside[name] = output


def _text_encoder(file: ParityFile) -> TransformerEncoder:
    """Built as for a finished run, its structure from a folder; the weights are yet to come."""
    structure = file.structure
    types = file.weights.get("bert.embeddings.token_type_embeddings.weight")
    config = BertConfig(
        vocab_size=structure.vocab_size,
        hidden_size=structure.hidden_size,
        num_hidden_layers=structure.num_hidden_layers,
        num_attention_heads=structure.num_attention_heads,
        intermediate_size=structure.intermediate_size,
        max_position_embeddings=structure.max_position_embeddings,
        type_vocab_size=2 if types is None or types.dim() == 0 else len(types),
        layer_norm_eps=structure.layer_norm_eps,
    )
    # An encoder has a tokenizer. This one has nothing to do: the file's sentences are ids.
    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return TransformerEncoder(Sizes(labels=("O",)), case="off", assets=Path(folder))


def _text_inputs(inputs: Mapping[str, Tensor]) -> TextInputs:
    """Every sub-word is a word: word j of sentence i lies at j of row i."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    row, first = torch.meshgrid(*(torch.arange(size) for size in ids.shape), indexing="ij")
    tensors = {"input_ids": ids, "attention_mask": mask, "row": row, "first": first}
    return TextInputs({**tensors, "last": first + 1}, mask.bool())


def _layers(file: ParityFile, stack: str) -> int:
    """Layers of a text stack, counted: the header does not give them."""
    parts = [name.split(".") for name in file.weights if name.startswith(f"{stack}.layer.")]
    return len({layer for _, _, layer, *_ in parts}) or 1
