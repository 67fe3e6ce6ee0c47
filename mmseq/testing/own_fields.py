"""The fields that a task gives its checks."""

from __future__ import annotations

from collections.abc import Mapping

from mmseq.errors import UserError
from mmseq.model.fields import ExtraField, FieldReader
from mmseq.testing.drawn import with_fields
from mmseq.testing.subject import Subject
from mmseq.testing.tiny import tiny_sentences


def require_own_fields(subject: Subject) -> None:
    """What its `check_fields` gives are fields of its `extras`, as the data may have them."""
    cls, contract = subject.cls, "check_fields"
    fields = [ExtraField(name, field, "it", True) for name, field in cls.extras.items()]
    reader = FieldReader(fields)
    for example in tiny_sentences():
        with subject.running(contract):
            own = cls.check_fields(example)
        right = "a dict from names of its extras to values as in the data"
        subject.require(isinstance(own, Mapping), contract, f"it gives {own!r}", right)
        strange = sorted(own.keys() - cls.extras.keys())
        subject.require(not strange, contract, f"it gives {strange}", right)
        try:
            reader.read(with_fields(example, cls.extras, cls), training=True)
        except UserError as error:
            subject.fail(contract, str(error).rstrip("."), "values that its extras allow")
