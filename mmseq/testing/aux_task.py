"""The contract of an auxiliary task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmseq.contracts.aux_task import AuxOutput, AuxTask
from mmseq.errors import ComponentError, UserError
from mmseq.testing.contract import Outputs
from mmseq.testing.device import check_device
from mmseq.testing.gradients import check_weights, gradients
from mmseq.testing.invariance import check_batches, check_inputs_kept, check_repeats, undrawn
from mmseq.testing.own_fields import require_own_fields
from mmseq.testing.stage import Case, Stage, stages
from mmseq.testing.state import check_state
from mmseq.testing.subject import Subject
from mmseq.testing.tensors import changed, copied, filled
from mmseq.testing.world import DRAWN, EVERY, PICTURELESS

SHOWN = 3
"""Reasons that a message gives; the others are much the same"""


def check_aux_task(
    component: type[AuxTask] | str, *, unused: Sequence[str] = (), **options: Any
) -> None:
    """Check an auxiliary task, a class or a registered name, with `options` of its constructor.

    Its views come from tiny encoders and from a registered fusion that offers them; the fields that
    it reads are drawn within their bounds, or are what its `check_fields` gives. A task that
    compares the items of a batch says so by ``additive = False``. `unused`: weights that get no
    gradient. Raises `mmseq.testing.ContractError` for a broken contract, `mmseq.UserError` for a
    wrong name or option.
    """
    subject = Subject("aux_task", component, options)
    views = subject.cls.views
    found, right = f"they are the string '{views}'", f"a tuple: ('{views}',)"
    subject.require(not isinstance(views, str), "views", found, right)
    offered = sorted({view for stage in stages() for view in stage.offered})
    for view in views:
        right = f"one of {', '.join(offered)} (of what is installed here)"
        subject.require(view in offered, "views", f"nothing offers '{view}'", right)
    require_own_fields(subject)
    learned = subject.fit()
    reasons = []
    for stage in stages():
        missing = sorted(set(subject.cls.views) - stage.offered.keys())
        if missing:
            reasons.append(f"{stage.name} has no view {', '.join(missing)}")
            continue
        try:
            stage.require_fields(subject.title, subject.build(stage.sizes, fitted=learned))
        except UserError as error:
            reasons.append(f"{stage.name}: {error}")
            continue
        except ComponentError as error:
            found = str(error).removeprefix(f"{subject.title}: ").rstrip(".")
            subject.fail("extras", found, "fields that are there wherever the task is called")
        _Check(subject, stage, learned, unused).run()
        return
    told = "; ".join(list(dict.fromkeys(reasons))[:SHOWN])
    right = "one text encoder and one fusion beside which it has all its views and can be built"
    subject.fail("constructor", f"it cannot be built: {told}", right)


class _Check:
    def __init__(self, subject: Subject, stage: Stage, learned: Any, unused: Sequence[str]) -> None:
        self.subject, self.stage, self.learned, self.unused = subject, stage, learned, unused
        self.task: Any = self.build()

    def build(self, seed: int = 17) -> Any:
        return self.subject.build(self.stage.sizes, fitted=self.learned, seed=seed)

    def case(self, indexes: Sequence[int]) -> Case:
        return self.stage.case(indexes, self.subject.cls)

    def output(self, case: Case, task: Any = None) -> AuxOutput:
        output: AuxOutput = (task or self.task)(case.views, case.targets, case.emissions)
        return output

    def outputs(self, indexes: Sequence[int], task: Any = None) -> Outputs:
        """The refined emissions, and the loss of the whole batch in every row."""
        case = self.case(indexes)
        output = self.output(case, task)
        words = {} if output.emissions is None else {"emissions": output.emissions}
        loss = output.loss.expand(len(indexes))
        return Outputs(case.targets.mask, words, {"loss": loss})

    def emissions(self, indexes: Sequence[int]) -> Outputs:
        found = self.outputs(indexes)
        return Outputs(found.mask, found.words)

    def run(self) -> None:
        subject, task = self.subject, self.task
        case = self.case(EVERY)
        self.prepared()
        for indexes in (EVERY, DRAWN, PICTURELESS, [0], [1], [2], [5]):
            self.shapes(indexes)
        check_inputs_kept(subject, case, lambda: self.output(case))
        with torch.no_grad():
            check_repeats(subject, task, lambda: self.outputs(EVERY))
            # First, since a loss that reads padding is not the sum of its sentences' either.
            self.padding(case)
            self.sums()
            if subject.cls.partial:
                self.partly(case)
            self.predicted()
            check_batches(subject, self.emissions)
            check_state(
                subject,
                task,
                lambda: self.build(seed=18),
                lambda module: self.outputs(EVERY, module),
            )
            check_device(subject, task, lambda: self.output(case))
        self.reached()
        check_weights(subject, task, lambda: self.everything(case), self.unused)

    def everything(self, case: Case) -> Tensor:
        output = self.output(case)
        return output.loss + (0.0 if output.emissions is None else output.emissions.sum())

    def prepared(self) -> None:
        """A task with a preparation phase observes the data, and finishes."""
        subject, task = self.subject, self.task
        epochs = task.preparation
        right = "an int, at least 0"
        subject.require(
            type(epochs) is int and epochs >= 0, "preparation", f"it is {epochs!r}", right
        )
        if epochs:
            with subject.running("preparation (observe, finish)"), torch.no_grad():
                for indexes in (EVERY[:4], EVERY[4:]):
                    case = self.case(indexes)
                    before = copied(case)
                    task.observe(case.views, case.targets)
                    wrong = changed(before, case)
                    subject.require(not wrong, "observe", f"it changes {wrong}", "it only reads")
                task.finish()

    def count(self, indexes: Sequence[int]) -> int:
        count = self.task.count(self.case(indexes).targets)
        right = "an int, at least 0: int(mask.sum()), say"
        self.subject.require(type(count) is int and count >= 0, "count", f"it is {count!r}", right)
        return int(count)

    def shapes(self, indexes: Sequence[int]) -> None:
        """The loss is a scalar, 0 without items; refined emissions have their shape."""
        subject = self.subject
        where = f"sentences {list(indexes)}"
        case = self.case(indexes)
        with subject.running(f"count of {where}"), undrawn(subject, "count (randomness)"):
            count = self.count(indexes)
        with subject.running(f"forward of {where}", views=case.views, emissions=case.emissions):
            output = self.output(case)
        given = isinstance(output, AuxOutput)
        subject.require(given, "forward", f"it gives {type(output).__name__}", "mmseq.AuxOutput")
        subject.tensor(f"loss (a scalar) of {where}", "it", output.loss, ())
        if not count:
            loss = output.loss.item()
            right = "0, since its count is 0 there: another part of the step may have items"
            subject.require(loss == 0, f"loss of {where}", f"it is {loss:.4g}", right)
        if output.emissions is not None:
            shape = tuple(case.emissions.shape)
            subject.tensor(f"refined emissions of {where}", "they", output.emissions, shape)
            right = "self.refines = True, so that prediction refines as training does"
            subject.require(
                self.task.refines, "refines", "it gives refined emissions unannounced", right
            )

    def sums(self) -> None:
        """The loss is a sum over the items, and the count their number."""
        subject = self.subject
        order, twice = EVERY[::-1], EVERY + EVERY
        loss, double, turned = (self.output(self.case(i)).loss for i in (EVERY, twice, order))
        count = self.count(EVERY)
        parts = sum(self.count([i]) for i in EVERY)
        right = "the count of a batch is the sum of its sentences'"
        subject.require(count == parts, "count", f"{count}, sentence by sentence {parts}", right)
        subject.require(count, "count", "it is 0 for all six sentences", "a task has items in them")
        subject.alike(
            "loss of the sentences in another order", {"it": turned}, {"it": loss}, "the same"
        )
        size = loss.item()
        found = f"the batch twice has {double.item():.4g}, once {size:.4g}"
        if not subject.cls.additive:
            right = (
                "at least about twice as much: the SUM over count items, which the engine divides"
            )
            subject.require(size <= 0 or double.item() > 1.5 * size, "loss (a sum)", found, right)
            return
        right = (
            f"{2 * size:.4g}, the SUM over count items, which the engine divides (reduction='sum', "
            "no mean); a task that compares the items of a batch has additive = False"
        )
        contract = "loss (a sum)"
        subject.alike(f"{contract}: {found}", {"it": double}, {"it": 2 * loss}, right)
        single = torch.stack([self.output(self.case([i])).loss for i in EVERY]).sum()
        right = f"the sum of its sentences', {single.item():.4g} here; else additive = False"
        subject.alike(
            contract, {"that of six sentences": loss}, {"that of six sentences": single}, right
        )

    def partly(self, case: Case) -> None:
        """Where tags are open, what stands there has no influence; all known is as ever."""
        subject, task, targets = self.subject, self.task, case.targets
        whole = replace(case, targets=replace(targets, known=targets.mask))
        contract = "Targets.known (partial = True)"
        before, after = self.output(case), self.output(whole)
        right = "the same as with known = None"
        subject.alike(contract, {"loss": after.loss}, {"loss": before.loss}, right)
        words = torch.arange(targets.mask.shape[1])
        known = targets.mask & (words % 2 == 0)
        assert targets.tags is not None
        tags = torch.where(known, targets.tags, 0)
        losses, counts = [], []
        for others in (0, 1, 2):
            # The engine has 0 there, which is O: a task that reads it learns what nobody said.
            own = torch.where(targets.mask & ~known, others, tags)
            partly = replace(targets, tags=own, known=known)
            with subject.running(contract):
                counts.append(task.count(partly))
                losses.append(self.output(replace(case, targets=partly)).loss)
        right = "tags are read at the words of targets.tagged alone, in count and in the loss"
        same = len(set(counts)) == 1 and type(counts[0]) is int
        subject.require(same, contract, f"counts {counts} for other tags at open words", right)
        for loss in losses[1:]:
            changed_tags = {"loss with other tags at open words": loss}
            subject.alike(contract, changed_tags, dict.fromkeys(changed_tags, losses[0]), right)

    def padding(self, case: Case) -> None:
        """Padding words have no influence."""
        mask = case.targets.mask
        views = {
            name: filled(view, mask) if view.dim() > 2 else view
            for name, view in case.views.items()
        }
        large = replace(case, views=views, emissions=filled(case.emissions, mask))
        before, after = self.output(case), self.output(large)
        right = "what reads the views looks at targets.mask"
        contract = "mask (padding words changed)"
        self.subject.alike(contract, {"loss": after.loss}, {"loss": before.loss}, right)
        if before.emissions is not None and after.emissions is not None:
            same = ({"emissions": a.emissions[mask]} for a in (after, before))  # type: ignore[index]
            self.subject.alike(contract, next(same), next(same), right)

    def predicted(self) -> None:
        """Without tags there is no loss, and emissions are refined as with tags."""
        if not self.task.refines:
            return
        subject = self.subject
        case = self.case(EVERY)
        blind = replace(case, targets=replace(case.targets, tags=None))
        contract = "prediction (targets.tags is None)"
        with subject.running(contract):
            output = self.output(blind)
        loss = output.loss.item()
        subject.require(loss == 0, contract, f"its loss is {loss:.4g}", "emissions.new_zeros(())")
        given = output.emissions is not None
        subject.require(given, contract, "no refined emissions", "the same as with tags")
        expected = self.output(case).emissions
        if expected is not None and output.emissions is not None:
            right = "the same as with tags"
            subject.alike(contract, {"emissions": output.emissions}, {"emissions": expected}, right)

    def reached(self) -> None:
        """The loss trains what the task reads; gradients are finite in every batch."""
        for indexes in (EVERY, PICTURELESS, [1], [2]):
            case = self.case(indexes)
            inputs: Mapping[str, Tensor] = {
                name: view.clone().requires_grad_()
                for name, view in {**case.views, "emissions": case.emissions}.items()
            }
            views = {name: inputs[name] for name in case.views}
            output = self.output(Case(views, case.targets, inputs["emissions"]))
            where = f" (sentences {list(indexes)})"
            found = gradients(self.subject, output.loss, inputs, where)
            if indexes is EVERY:
                reach = sum(float(gradient.abs().sum()) for gradient in found.values())
                right = "the loss depends on views or emissions (no detach on the way)"
                self.subject.require(reach, "gradients of its inputs", "none for any view", right)
