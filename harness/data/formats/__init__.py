"""One module for each `data.format` of competition.toml: from files to images.npy, ids.npy and labels.npy of the cache.

    files (FileTree, Decoder) -> image_folder | image_csv | captioned | csv_pixels | table_pixels | npz | arrays | custom -> cache folder

A new format is a module here and a line in `harness.data.build`.
"""
