"""python -m benchmarks.coverage: how many real image competitions can be played without writing Python.

Each fixture is one competition: tens of drawn images in its true file layout, the competition.toml that an informed user would write,
and a grader of its own that knows the hidden answers. Two ways are tried: `hand` (that competition.toml and a built-in recipe) and
`init` (what `python -m harness.data init` writes, untouched). Both cross-validate, write a submission and hand it to the grader.

    kit.py       draws images and writes tables, zips and DICOM files as platforms deliver them
    graders.py   the platforms' checks and metrics, written anew; nothing of harness is imported
    one_class.py, by_columns.py, folders.py, file_names.py, many_classes.py, ranks.py, probabilities.py, labels.py, grades.py,
    nested.py, numbers.py, unplayable.py
                 the fixtures, by family
    fixtures.py  all of them
    play.py      the two ways; stages.py: every stage on what init writes (--stages)
"""
