"""What a search has found: the best config, all trials as a table, the best of them for people."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from mmseq.config.comments import commented
from mmseq.escaping import csv_cell
from mmseq.files import write_text
from mmseq.tune.space import Space
from mmseq.tune.study import settings_of

SHOWN = 10
STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "under way",
}


def save_best(path: Path, space: Space, best: FrozenTrial, trials: int) -> None:
    """The best trial's whole config, for `mmseq train --config`: it reads the test split again."""
    config = space.whole(settings_of(space, best))
    which = f"The best of {trials_text(trials)}: trial {best.number}"
    head = f"{which}, validation F1 (default) {best.value:.2f}"
    write_text(path, commented(config.tables(), config.texts(), head))


def save_trials(path: Path, space: Space, trials: Sequence[FrozenTrial]) -> None:
    """A line a trial: how it ended, validation F1 of its best epoch (of a pruned one: of its
    last), seconds, settings, and why it failed.
    """
    keys = [parameter.key for parameter in space.parameters]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["trial", "state", "valid_f1", "best_epoch", "epochs", "seconds", *keys, "error"]
    )
    for trial in trials:
        attributes, settings = trial.user_attrs, settings_of(space, trial)
        writer.writerow(
            [
                trial.number,
                STATES[trial.state],
                "" if trial.value is None else trial.value,
                attributes.get("best_epoch", ""),
                trial.last_step or "",
                attributes.get("seconds", ""),
                *(csv_cell(_cell(settings[key])) if key in settings else "" for key in keys),
                csv_cell(attributes.get("error", "")),
            ]
        )
    write_text(path, text.getvalue())


def best_table(space: Space, trials: Sequence[FrozenTrial]) -> Table:
    """The best completed trials, best first."""
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    done.sort(key=lambda trial: (-(trial.value or 0.0), trial.number))
    table = Table(title="Best trials", title_justify="left")
    for heading in ("trial", "valid F1 (default)", "epoch", "s"):
        table.add_column(heading, justify="right")
    for parameter in space.parameters:
        table.add_column(parameter.key, justify="right", overflow="fold")
    for trial in done[:SHOWN]:
        settings = settings_of(space, trial)
        table.add_row(
            str(trial.number),
            f"{trial.value:.2f}",
            str(trial.user_attrs["best_epoch"]),
            f"{trial.user_attrs['seconds']:.0f}",
            *(_short(settings.get(parameter.key, "")) for parameter in space.parameters),
        )
    return table


def counts(trials: Sequence[FrozenTrial]) -> str:
    """``20 trials: 15 done, 4 pruned, 1 failed``."""
    states = [trial.state for trial in trials]
    parts = [f"{states.count(s)} {name}" for s, name in STATES.items() if s in states]
    return f"{trials_text(len(trials))}: {', '.join(parts) or 'none'}"


def trials_text(number: int) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number} trial{'' if number == 1 else 's'}"


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else json.dumps(value)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(_cell(value))
