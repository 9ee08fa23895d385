"""What reading a damaged file may raise: zip, numpy, JSON and their decompressors each have words of their own for it."""

from __future__ import annotations

import csv
import errno
import lzma
import tokenize
import zipfile
import zlib

DAMAGED = (
    ValueError,  # JSON, Unicode, numpy's headers, impossible sizes
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,
    SyntaxError,
    RecursionError,
    MemoryError,  # a header that claims gigabytes
    NotImplementedError,  # compression methods that do not exist
    RuntimeError,  # an "encrypted" flag
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
    csv.Error,
    SystemError,  # numpy's text with characters that are none
)
"""Not OSError: most of those are of the disk. Where a lying offset may be followed, see `is_of_content`."""


def is_of_content(error: OSError) -> bool:
    """Whether an OSError is about what a file holds (a seek before its beginning, a bad bz2 stream), not about the disk."""
    return error.errno in (None, errno.EINVAL)
