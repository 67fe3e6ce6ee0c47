"""The engine's own components, registered through the same hook as everybody else's."""

from __future__ import annotations

from mmseq.hookspecs import Add, hookimpl


@hookimpl
def register_components(add: Add) -> None:
    """Register every component that comes with the engine."""
    add.text_encoder("bilstm", "mmseq.builtins.text.recurrent:BiLstmEncoder")
    add.text_encoder("transformer", "mmseq.builtins.text.transformer:TransformerEncoder")
    add.image_encoder("timm", "mmseq.builtins.images.timm:TimmEncoder")
    add.fusion("none", "mmseq.builtins.fusion:NoFusion")
    add.fusion("concat", "mmseq.builtins.fusion:ConcatFusion")
    add.fusion("gate", "mmseq.builtins.fusion:GateFusion")
    add.decoder("crf", "mmseq.builtins.decoding.decoders:CrfDecoder")
    add.decoder("softmax", "mmseq.builtins.decoding.decoders:SoftmaxDecoder")
    add.weighting("dynamic-average", "mmseq.builtins.weighting.computed:DynamicAverageWeighting")
    add.weighting("fixed", "mmseq.builtins.weighting.computed:FixedWeighting")
    add.weighting("gradnorm", "mmseq.builtins.weighting.gradnorm:GradNormWeighting")
    add.weighting("ramp", "mmseq.builtins.weighting.computed:RampWeighting")
    add.weighting("uncertainty", "mmseq.builtins.weighting.uncertainty:UncertaintyWeighting")
    add.reader("conll", "mmseq.builtins.conll:ConllReader")
    add.reader("jsonl", "mmseq.builtins.readers:JsonlReader")
    add.callback("conflict", "mmseq.builtins.callbacks.history:Conflict")
    add.callback("early-stopping", "mmseq.builtins.callbacks.history:EarlyStopping")
    add.callback("history", "mmseq.builtins.callbacks.history:History")
    add.callback("mlflow", "mmseq.builtins.callbacks.mlflow:MLflow")
    add.callback("tensorboard", "mmseq.builtins.callbacks.tensorboard:TensorBoard")
    add.callback("wandb", "mmseq.builtins.callbacks.wandb:Wandb")
    add.preset("bert-crf", "mmseq:builtins/presets/bert-crf.toml")
    add.preset("bert-softmax", "mmseq:builtins/presets/bert-softmax.toml")
    add.preset("bilstm-crf", "mmseq:builtins/presets/bilstm-crf.toml")
    add.preset("cnn-bilstm-crf", "mmseq:builtins/presets/cnn-bilstm-crf.toml")
    add.preset("hbilstm-crf", "mmseq:builtins/presets/hbilstm-crf.toml")
    add.preset("picture", "mmseq:builtins/presets/picture.toml")
    add.preset("picture-clip", "mmseq:builtins/presets/picture-clip.toml")
    add.preset("quick", "mmseq:builtins/presets/quick.toml")
