"""harness.cv --log NAME: what a run tells in its folder as it goes, passed on to a tracker of experiments.

A tracker is a class with three methods in a module of its own (`Tracker`); `tracked` follows the run's progress files from the command's own
process, so that the workers that train know nothing of it. A tracker that fails is said so once and told nothing more: the run goes on.
"""

from harness.cv.tracking.follow import tracked
from harness.cv.tracking.tracker import TRACKERS, Subject, Tracker, open_tracker

__all__ = ["TRACKERS", "Subject", "Tracker", "open_tracker", "tracked"]
