"""From runs to a submission file that is checked before anything is sent."""

from harness.base.python.callable_stage import make_callable

make_callable(__name__)
