"""How a finished run is handed in: what cv, ensembles and plays offer at their end."""

from __future__ import annotations

from harness.competition import Competition


def submission_offer(contest: Competition, run: str, flags: str, hidden: bool) -> list[str]:
    """Lines for `next_lines`: a file of the run's test predictions; code where the test is hidden.

    run : its name; "" = the best by OOF that is no ensemble, since code is of one run
    flags : further words of the command, with the blank before them
    hidden : whether no images of the test are there
    """
    words = f"{contest.called}{f' --run {run}' if run else ''}"
    if not hidden:
        return [f"python -m harness.submit {words}{flags}"]
    if contest.platform != "kaggle":
        return [f"python -m harness.submit {words} --bundle{flags}"]
    return [  # the run is of data without a test: another is needed
        "Kaggle's notebook is tried on example images of the test: name their place by data.test, train again, then:",
        f"python -m harness.submit {contest.called} --code{flags}",
    ]
