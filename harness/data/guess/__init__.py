"""What a folder or zip of an unknown competition holds, and the competition.toml that fits it: guesses, each with its reason.

    inventory.py  tables with their columns, folders of images, arrays; nothing is interpreted
    layout.py     which images, which ids, which file of a row
    targets.py    which columns are targets, of which task, how they are handed in
    framing.py    how images of unlike sizes meet the frame: data.resize
    like.py       a competition that comes with the harness, copied
    written.py    competition.toml with a comment for every guess, recipes, README

Uses harness.data.rows and harness.data.files.
"""
