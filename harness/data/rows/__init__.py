"""Which rows there are, what their targets are, and in which files their images lie; no pixel is decoded here.

    tables.py   CSV, TSV, .xlsx, Parquet, JSON (records, COCO) -> columns of text
    listing.py  folders, file names and tables -> a Listing: ids, files, targets as text, groups
    targets.py  targets as text -> class indices, 0/1 per label, numbers; the classes where they are read from the data

Uses harness.data.files and the competition's contract.
"""
