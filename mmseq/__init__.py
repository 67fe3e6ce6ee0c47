"""mmseq: label sequences of words with the help of pictures.

Everything a plugin or a script needs is a name of this module. Names that need torch are imported
when first used, so that the command line starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmseq.errors import ComponentError, UserError
from mmseq.hookspecs import Add, hookimpl
from mmseq.registry.ranges import Count, Dropout, Natural, NonNegative, Positive, Share
from mmseq.version import __version__ as __version__

if TYPE_CHECKING:
    from mmseq.builtins.decoding.decoders import CrfDecoder, SoftmaxDecoder
    from mmseq.builtins.text.transformer import TransformerEncoder
    from mmseq.builtins.weighting.computed import weighted_sum
    from mmseq.config.config import Config
    from mmseq.console import Reporter
    from mmseq.contracts.aux_task import AuxOutput, AuxTask
    from mmseq.contracts.callback import Callback, EpochEvent, RunAhead, StepEvent
    from mmseq.contracts.decoder import Decoder
    from mmseq.contracts.example import OPEN, Example
    from mmseq.contracts.fusion import Fused, Fusion
    from mmseq.contracts.image_encoder import ImageEncoder, Pictures
    from mmseq.contracts.reader import Reader
    from mmseq.contracts.states import (
        ImageStates,
        PerSentence,
        PerWord,
        Sizes,
        Targets,
        Text,
        TextStates,
    )
    from mmseq.contracts.text_encoder import TextEncoder, TextInputs
    from mmseq.contracts.weighting import Weighted, Weighting
    from mmseq.layers.attention import attend, check_heads, masked_softmax
    from mmseq.layers.recurrent import run_lstm
    from mmseq.processes import all_sum, gather
    from mmseq.registry.plugins import list_components
    from mmseq.tables.drawing import PLOT_COLOURS, plot_style, render_figure
    from mmseq.tagging.sentences import Alternative, Span, TaggedSentence
    from mmseq.tagging.states import EntityStates, entity_states
    from mmseq.tagging.tagger import Tagger, load
    from mmseq.training.train import train

_LAZY = {
    "mmseq.builtins.decoding.decoders": ("CrfDecoder", "SoftmaxDecoder"),
    "mmseq.builtins.text.transformer": ("TransformerEncoder",),
    "mmseq.builtins.weighting.computed": ("weighted_sum",),
    "mmseq.config.config": ("Config",),
    "mmseq.console": ("Reporter",),
    "mmseq.contracts.aux_task": ("AuxOutput", "AuxTask"),
    "mmseq.contracts.callback": ("Callback", "EpochEvent", "RunAhead", "StepEvent"),
    "mmseq.contracts.decoder": ("Decoder",),
    "mmseq.contracts.example": ("OPEN", "Example"),
    "mmseq.contracts.fusion": ("Fused", "Fusion"),
    "mmseq.contracts.image_encoder": ("ImageEncoder", "Pictures"),
    "mmseq.contracts.reader": ("Reader",),
    "mmseq.contracts.states": (
        "ImageStates",
        "PerSentence",
        "PerWord",
        "Sizes",
        "Targets",
        "Text",
        "TextStates",
    ),
    "mmseq.contracts.text_encoder": ("TextEncoder", "TextInputs"),
    "mmseq.contracts.weighting": ("Weighted", "Weighting"),
    "mmseq.layers.attention": ("attend", "check_heads", "masked_softmax"),
    "mmseq.layers.recurrent": ("run_lstm",),
    "mmseq.processes": ("all_sum", "gather"),
    "mmseq.registry.plugins": ("list_components",),
    "mmseq.tables.drawing": ("PLOT_COLOURS", "plot_style", "render_figure"),
    "mmseq.tagging.sentences": ("Alternative", "Span", "TaggedSentence"),
    "mmseq.tagging.states": ("EntityStates", "entity_states"),
    "mmseq.tagging.tagger": ("Tagger", "load"),
    "mmseq.training.train": ("train",),
}
_HOME = {name: module for module, names in _LAZY.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mmseq' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "OPEN",
    "PLOT_COLOURS",
    "Add",
    "Alternative",
    "AuxOutput",
    "AuxTask",
    "Callback",
    "ComponentError",
    "Config",
    "Count",
    "CrfDecoder",
    "Decoder",
    "Dropout",
    "EntityStates",
    "EpochEvent",
    "Example",
    "Fused",
    "Fusion",
    "ImageEncoder",
    "ImageStates",
    "Natural",
    "NonNegative",
    "PerSentence",
    "PerWord",
    "Pictures",
    "Positive",
    "Reader",
    "Reporter",
    "RunAhead",
    "Share",
    "Sizes",
    "SoftmaxDecoder",
    "Span",
    "StepEvent",
    "TaggedSentence",
    "Tagger",
    "Targets",
    "Text",
    "TextEncoder",
    "TextInputs",
    "TextStates",
    "TransformerEncoder",
    "UserError",
    "Weighted",
    "Weighting",
    "all_sum",
    "attend",
    "check_heads",
    "entity_states",
    "gather",
    "hookimpl",
    "list_components",
    "load",
    "masked_softmax",
    "plot_style",
    "render_figure",
    "run_lstm",
    "train",
    "weighted_sum",
]
