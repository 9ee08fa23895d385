"""What a folder or zip of an unknown competition holds, and the competition.toml that fits it: guesses, each with its reason.

    inventory.py     tables with their columns, folders of images, arrays; nothing is interpreted
    guess.py         which of the layouts it is; images in files with a table or class folders
    pixel_tables.py  tables that hold the images: numbers, Parquet, TFRecords
    stacks.py        arrays of all images; arrays.py: of an .npz with its labels
    layout.py        which images, which ids, which file of a row
    targets.py       which columns are targets, of which task, how they are handed in
    groups.py        which rows belong together; splits.py: which are the test's; features.py: what else is known
    looks.py         what some images look like: sizes.py: data.size; framing.py: data.resize; symmetries.py
    platform.py      what the platform's page says; texts.py: what a text beside the data says; named_metrics.py: of the metric
    like.py          a competition that comes with the harness, copied
    written.py       competition.toml with a comment for every guess, recipes, README

Uses harness.data.rows and harness.data.files.
"""
