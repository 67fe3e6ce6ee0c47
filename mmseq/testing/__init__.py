"""Contract checks"""

from mmseq.testing.contract import ContractError
from mmseq.testing.fusion import check_fusion
