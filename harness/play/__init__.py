"""python -m harness.play COMPETITION --hours H: the best submission that so many hours can buy, and the truth about it.

A stage above all others that owns no training: a plan of steps, each an existing command or a function below it, under a budget.

    journal.py     what was decided and done, so that a killed play goes on with the same plan
    spending/      how much there is, what a run will cost, what is left for the next step
    plan/          what limits us, which runs may help, how large they may be: rules that can be read
    steps/         the steps themselves
    trainer.py     runs as steps: timed, trained, combined
    player.py      the order of the steps; baseline.py: the first run, racing.py: races, ending.py: the last steps
    page.py        play.html
"""

from harness.base.python.callable_stage import make_callable

make_callable(__name__)
