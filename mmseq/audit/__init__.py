"""Does the picture help? A model tagged with true, shuffled, blank, noise and no pictures."""

from mmseq.audit.auditing import audit
from mmseq.audit.report import AuditReport

__all__ = ["AuditReport", "audit"]
