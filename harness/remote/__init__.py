"""Calls to machines that are not ours: errors that say what may have been spent, patience, the kaggle client on a leash."""
