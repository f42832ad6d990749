"""Runs set beside their controls: what a perturbation costs, paired by episode."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

from vlm4vla.core.comparability import CONTRAST, conflicts
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.board.board import Board, played
from vlm4vla.reports.scores import Row
from vlm4vla.store import Store


def beside_controls(store: Store, found: Board) -> Board:
    """The board, with the difference of each run to its control in the rows, both finished.

    A control is a run under a protocol that states a `contrast`, of what was played likewise.
    """
    losses: dict[tuple[str, str, str], dict[str, Any]] = {}
    notices = list(found.notices)
    shown = {row.run for row in found.rows}
    for run, control in permutations([run for run in store.runs() if run.id in shown], 2):
        facts = run.comparability, control.comparability
        meant = CONTRAST not in facts[0] and CONTRAST in facts[1]
        if not meant or conflicts(facts) or played(run) != played(control):
            continue
        from vlm4vla.reports.compare.comparison import comparison  # and with it scipy

        try:
            compared = comparison(store, run.id, control.id)
        except BadInput as error:
            notices.append(("unpaired", f"{run.suite}: {error.message}"))
            continue
        for one in (*compared.contrasts, *compared.by_task) if compared.finished else ():
            losses[run.id, one.metric, one.task] = {
                "control": control.id,
                "less_control": one.difference,
                "less_control_low": one.low,
                "less_control_high": one.high,
                "control_p": one.p if one.p_adjusted is None else one.p_adjusted,
                "control_test": one.test,
            }

    def told(row: Row) -> Row:
        return replace(row, **losses.get((row.run, row.metric, row.task), {}))

    return replace(found, rows=tuple(map(told, found.rows)), notices=tuple(notices))
