"""The engine's own components, registered through the same hook as everybody else's."""

from __future__ import annotations

from mmseq.hookspecs import Add, hookimpl


@hookimpl
def register_components(add: Add) -> None:
    """Register every component that comes with the engine."""
    add.text_encoder("bilstm", "mmseq.builtins.text_recurrent:BiLstmEncoder")
    add.text_encoder("transformer", "mmseq.builtins.text_transformer:TransformerEncoder")
    add.image_encoder("timm", "mmseq.builtins.image_timm:TimmEncoder")
    add.fusion("none", "mmseq.builtins.fusion:NoFusion")
    add.fusion("concat", "mmseq.builtins.fusion:ConcatFusion")
    add.fusion("gate", "mmseq.builtins.fusion:GateFusion")
    add.decoder("crf", "mmseq.builtins.decoders:CrfDecoder")
    add.decoder("softmax", "mmseq.builtins.decoders:SoftmaxDecoder")
    add.weighting("dynamic-average", "mmseq.builtins.weighting:DynamicAverageWeighting")
    add.weighting("fixed", "mmseq.builtins.weighting:FixedWeighting")
    add.weighting("gradnorm", "mmseq.builtins.gradnorm:GradNormWeighting")
    add.weighting("ramp", "mmseq.builtins.weighting:RampWeighting")
    add.weighting("uncertainty", "mmseq.builtins.uncertainty:UncertaintyWeighting")
    add.reader("conll", "mmseq.builtins.readers:ConllReader")
    add.reader("jsonl", "mmseq.builtins.readers:JsonlReader")
    add.callback("conflict", "mmseq.builtins.callbacks:Conflict")
    add.callback("early-stopping", "mmseq.builtins.callbacks:EarlyStopping")
    add.callback("history", "mmseq.builtins.callbacks:History")
    add.callback("mlflow", "mmseq.builtins.tracker_mlflow:MLflow")
    add.callback("tensorboard", "mmseq.builtins.tracker_tensorboard:TensorBoard")
    add.callback("wandb", "mmseq.builtins.tracker_wandb:Wandb")
    add.preset("bert-crf", "mmseq:builtins/presets/bert-crf.toml")
    add.preset("bert-softmax", "mmseq:builtins/presets/bert-softmax.toml")
    add.preset("bilstm-crf", "mmseq:builtins/presets/bilstm-crf.toml")
    add.preset("cnn-bilstm-crf", "mmseq:builtins/presets/cnn-bilstm-crf.toml")
    add.preset("hbilstm-crf", "mmseq:builtins/presets/hbilstm-crf.toml")
    add.preset("quick", "mmseq:builtins/presets/quick.toml")
