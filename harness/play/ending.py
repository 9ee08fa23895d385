"""The last steps of every play: the final choice judged, its file written, checked and forecast. The time for them was kept."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from harness.base.storage.manifest import sha256_of
from harness.competition import Recipe
from harness.ledger import Ledger
from harness.play.journal import DONE, Journal
from harness.play.spending.accounts import Accounts, recipe_of_run
from harness.play.spending.budget import OutOfTime
from harness.play.spending.costs import with_epochs
from harness.play.stepping import ANYWAY, Stepper
from harness.play.steps import finish, judge
from harness.play.steps.folds import given_folds
from harness.play.steps.table import Outcome

_JUDGED_LATER = 0.9
"""Of what is left in the end."""


@dataclass(frozen=True)
class Ending:
    """Does the last steps."""

    accounts: Accounts
    steps: Stepper
    journal: Journal
    ledger: Ledger

    def play(self, final: str, first: Recipe) -> None:
        """Judge the final choice, write and forecast its file; without one, what the first recipe's finished folds give.

        final : the run that would be sent now, "" where there is none
        """
        table = self.accounts.table
        self.accounts.budget.reserve = 0.0
        if not final:
            self._unfinished(first)
            return
        names = list(dict.fromkeys([*self.accounts.runs, final]))
        self.steps.do(
            f"choice/{len(names)}/{final}",
            "the choice among the runs, cross-fitted",
            "the OOF score of what was chosen flatters",
            lambda: judge.cross_fitted_choice(table, names),
            most=ANYWAY,
        )
        self._measure_falls(final)
        self._judge_anew(final)
        self.steps.do(
            f"submission/{final}",
            "the submission of the final choice",
            "checked and forecast",
            lambda: (
                self._forecast_before(final)
                or finish.told(finish.prepare(table, finish.load(table, final), self.ledger))
            ),
            most=ANYWAY,
        )
        if not (table.sample or table.hidden):
            self.steps.do(
                f"plan/{len(names)}/{final}",
                "what to send, and which two to choose in the end",
                "by expected gain; the second helps most where the first fails",
                lambda: finish.plan_of_submissions(table, self.ledger),
                most=ANYWAY,
            )
        self._judge_more(final)

    def _forecast_before(self, final: str) -> Outcome | None:
        """What the forecast of the baseline wrote, where it was the baseline that was chosen, its file stands, and nothing is known beside."""
        step, falls = self.journal.ended("forecast"), self.journal.ended(f"falls/{final}")
        if falls is not None and falls.state == DONE:
            return None
        if step is None or step.state != DONE or (step.outcome.get("forecast") or {}).get("run") != final:
            return None
        path = Path(step.outcome["file"])
        stands = path.is_file() and sha256_of(path) == step.outcome["sha256"]
        return step.outcome if stands else None

    def _unfinished(self, first: Recipe) -> None:
        """No run was finished in time: the folds of the baseline that were are better than nothing."""
        epochs = self.journal.decisions.get("epochs of the baseline")
        recipe = with_epochs(first, epochs) if epochs else first
        if epochs and finish.finished_folds(self.accounts.table, recipe):
            self.steps.do(
                f"unfinished/{self.accounts.budget.total:g}",  # more hours may have finished another fold
                "the submission of the baseline's finished folds",
                "better than the shares alone",
                lambda: finish.write_unfinished(self.accounts.table, recipe) or {},
                most=ANYWAY,
            )

    def _measure_falls(self, final: str) -> None:
        """The noise suite of the final choice, where there is time for it, and for one fold that judges it: without it a forecast does not
        know what other images cost."""
        accounts, table = self.accounts, self.accounts.table
        if not accounts.costs.in_seconds:
            return  # what costs no arithmetic would always be done
        runs, names = accounts.runs, finish.without_suite(table, final)
        if not names or any(name not in runs for name in names):
            return
        cost = sum(accounts.noise(recipe_of_run(runs[name])) for name in names)
        cost += accounts.combining(len(names) + 1) if final not in runs else 0.0
        kept = 2 * accounts.finishing + (accounts.judging(final) if accounts.is_worth_judging(final) else 0.0)
        try:
            self.steps.do(
                f"falls/{final}",
                f"{'the final choice' if final in runs else 'members of the final choice'} under the corruptions",
                "its forecast learns what other images would cost",
                lambda: finish.measure_falls(table, final, accounts.noise_rows),
                cost,
                ANYWAY if cost <= accounts.budget.left - kept else 0.0,
            )
        except OutOfTime:
            return

    def _judge_anew(self, final: str) -> None:
        """On one fold, or on as many as fit: what is left then buys nothing better."""
        one, left = self.accounts.judging(final), self.accounts.budget.left - 2 * self.accounts.finishing
        fitting = min(int(0.95 * left / one), self.accounts.costs.k - 1) if one > 0 else 1  # one is for what is fitted
        folds = self.journal.decide(f"folds that judge {final}", lambda: max(fitting, 1)) or 1
        most = ANYWAY if one <= self.accounts.budget.left else 0.0
        try:
            self.steps.do(
                f"judge/{final}",
                f"the final choice, trained anew on {folds} fold{'s' if folds > 1 else ''} {self._of_what}",
                "how much of its OOF score is luck?",
                lambda: judge.judge_anew(self.accounts.table, final, folds),
                folds * one,
                most,
            )
        except OutOfTime:
            return

    @property
    def _of_what(self) -> str:
        """What the final choice is judged on."""
        return "of another split" if given_folds(self.accounts.table) is None else "of the data's own, from other seeds"

    def _judge_more(self, final: str) -> None:
        """On further folds, where everything else is done and time is left: of more rows the optimism is known better, or at all, where the
        metric had no value on the first ones."""
        accounts, key = self.accounts, f"judge/{final}"
        if self.journal.ended(key) is None:
            return
        begun = self.journal.decisions[f"folds that judge {final}"]
        one = self.steps.seconds(key) / begun if accounts.costs.in_seconds else accounts.judging(final)
        fitting = int(_JUDGED_LATER * accounts.budget.left / one) if one > 0 else 0
        most = accounts.costs.k - 1  # one fold is for what is fitted
        folds = (
            self.journal.decide(f"folds that judge {final} in the end", lambda: min(begun + max(fitting, 0), most))
            or begun
        )
        if folds <= begun:
            return
        with contextlib.suppress(OutOfTime):
            self.steps.do(
                f"{key}/{folds}",
                f"the same on {folds} folds",
                "time is left: of more rows the optimism is known better",
                lambda: judge.judge_anew(accounts.table, final, folds),
                (folds - begun) * one,
                ANYWAY,
            )
