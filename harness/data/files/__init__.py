"""A competition's files as they lie on disk: in folders, zips, 7z; images, CSVs and the names that join them.

    archives (FileTree: folder or zip) <- packed (7z, zip in a folder)        decode (an image)        csv_tables        names

Knows files, not competitions: may use `harness.base` and [data]'s types.
"""
