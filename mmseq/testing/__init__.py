"""Contract checks"""

from mmseq.testing.aux_task import check_aux_task as check_aux_task
from mmseq.testing.contract import ContractError as ContractError
from mmseq.testing.decoder import check_decoder as check_decoder
from mmseq.testing.fusion import check_fusion as check_fusion
from mmseq.testing.image_encoder import check_image_encoder as check_image_encoder
from mmseq.testing.reader import check_reader as check_reader
from mmseq.testing.text_encoder import check_text_encoder as check_text_encoder
from mmseq.testing.weighting import check_weighting as check_weighting
