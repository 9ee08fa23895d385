"""python -m harness.board: all competitions, runs, studies, plays and submissions on one page; --serve follows what runs now.

Only small files are read (scores.json, recipe.json, environment.json, about.json, progress-K.jsonl, journals), never tables of predictions,
and nothing in a run is changed. What is unreadable or half-written is named in a line.
"""
