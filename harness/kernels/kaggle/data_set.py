"""The private data set of a competition: made where there is none, renewed where its content is another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.base.errors import UserError
from harness.kernels.kaggle.account import Account
from harness.remote.errors import Refused, Unclear
from harness.remote.patience import grace_seconds, ready_seconds

Say = Callable[[str], None]


def ensure_data_set(account: Account, name: str, title: str, mark: str, files: Sequence[Path], say: Say) -> str:
    """Have a data set of that name hold just these files, ready to be attached; returns its owner/name.

    mark : of their content. A data set whose latest version has it is left as it is: nothing is uploaded.

    Raises
    ------
    UserError
        If a data set of that name is not ours, Kaggle does not take it, or nobody can tell; the same command may be given again.
    Refused, Unreachable
        As every call; nothing is lost, nothing runs.
    """
    ref = f"{account.user}/{name}"
    found = account.find_data_set(name)
    if found is not None and not found.mark:
        raise UserError(
            f"https://www.kaggle.com/datasets/{ref}: is a data set that the harness did not make; it is not written over. Rename it there"
        )
    if found is not None and found.mark == mark:
        say(f"data set {ref}: has it already (version {found.version}); nothing is uploaded")
    else:
        size = sum(path.stat().st_size for path in files)
        say(f"data set {ref}: {'new' if found is None else 'new version'}, {size / 2**20:.2f} MiB, private")
        tokens = [account.upload(path) for path in files]
        try:
            account.save_data_set(name, title, mark, tokens, new=found is None)
        except Unclear as error:
            say(f"the data set's last step had no clear answer ({error}); looks for it")
            _search(account, name, mark, ref, error)
    _wait(account, name, ref)
    return ref


def _search(account: Account, name: str, mark: str, ref: str, error: Unclear) -> None:
    for pause in pauses():
        found = account.find_data_set(name)
        if found is not None and found.mark == mark:
            return
        time.sleep(pause)
    raise UserError(
        f"https://www.kaggle.com/datasets/{ref}: Kaggle did not take the data set: {error}. Nothing runs there; give the same command again, "
        "and where its title is in use, delete what has it (https://www.kaggle.com/work/datasets)"
    ) from error


def _wait(account: Account, name: str, ref: str) -> None:
    ends, pause = time.monotonic() + ready_seconds(), pauses()[-1]
    while True:
        state = account.data_set_state(name)
        if state == "ready":
            return
        if state in ("failed", "deleted"):
            raise UserError(
                f"https://www.kaggle.com/datasets/{ref}: Kaggle says '{state}' of it. Delete it there, and give the same command again"
            )
        if time.monotonic() > ends:
            raise UserError(
                f"https://www.kaggle.com/datasets/{ref}: Kaggle is still busy with it. Nothing runs yet; give the same command again later"
            )
        time.sleep(min(pause, 10.0))


def pauses() -> list[float]:
    """Seconds between looks for what may turn up late, over the grace period."""
    return [grace_seconds() / 4] * 4


def refused_words(error: Refused) -> str:
    """What to say of a no."""
    return str(error.args[0])
