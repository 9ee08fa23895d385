"""python -m harness.play COMPETITION --hours H: the best submission that so many hours can buy, and the truth about it.

A stage above all others that owns no training: a plan of steps, each an existing command or a function below it, under a budget.

    budget.py      how much there is, how much is spent, what ends at the deadline
    journal.py     what was decided and done, so that a killed play goes on with the same plan
    costs.py       what a run will cost, from short timings and from what was measured so far
    plan/          what limits us, which runs may help, how large they may be: rules that can be read
    steps/         the steps themselves
    trainer.py     runs as steps: timed, trained, combined
    player.py      the order of the steps
    page.py        play.html
"""
