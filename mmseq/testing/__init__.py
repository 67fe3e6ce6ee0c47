"""Contract checks for components: each one call over one class or registered name.

::

    from mmseq.testing import check_fusion

    def test_film_keeps_the_contract():
        check_fusion(FilmFusion, width=8)

A check builds the component as the engine does, beside tiny real parts (a random BERT, a timm
`test_resnet`, six sentences with none to three pictures), and raises `ContractError` with what is
broken, where, what was found and what would be right. Options are the component's own. It needs no
network and no GPU.

Checked are, where they make sense: shapes and announced widths, 32-bit and finite numbers;
gradients to every weight and back to what was read; no change of inputs in place; padding words and
absent regions without influence; none, one and several pictures; a sentence alone, in another
order, in a batch with or without pictures; equal seeds and evaluation; `state_dict` loaded into a
new one; tensors made on the CPU.
"""

from mmseq.testing.aux_task import check_aux_task
from mmseq.testing.callback import check_callback
from mmseq.testing.contract import ContractError
from mmseq.testing.decoder import check_decoder
from mmseq.testing.fusion import check_fusion
from mmseq.testing.image_encoder import check_image_encoder
from mmseq.testing.reader import check_reader
from mmseq.testing.registered import check
from mmseq.testing.text_encoder import check_text_encoder
from mmseq.testing.tiny import TINY_IMAGE_MODEL, tiny_bert, tiny_sentences
from mmseq.testing.toml_files import check_plan, check_preset, check_published
from mmseq.testing.weighting import check_weighting

__all__ = [
    "TINY_IMAGE_MODEL",
    "ContractError",
    "check",
    "check_aux_task",
    "check_callback",
    "check_decoder",
    "check_fusion",
    "check_image_encoder",
    "check_plan",
    "check_preset",
    "check_published",
    "check_reader",
    "check_text_encoder",
    "check_weighting",
    "tiny_bert",
    "tiny_sentences",
]
