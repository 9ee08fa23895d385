"""The ledger: every submission that was meant, tried, answered and scored. submissions/ledger.sqlite, or $HARNESS_LEDGER."""

from harness.ledger.entry import Entry, Intent, Notebook, State
from harness.ledger.ledger import Ledger, open_ledger

__all__ = ["Entry", "Intent", "Ledger", "Notebook", "State", "open_ledger"]
