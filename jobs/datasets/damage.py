"""What Python's readers raise at files that are damaged."""

import lzma
import struct
import zipfile
import zlib

#: Of a zip file and the arrays in it. A RuntimeError is that of a member that seems to be encrypted, or to be
#: packed in a way that is not known here: one bit makes it so.
OF_ARCHIVES: tuple[type[Exception], ...] = (
    *(ValueError, KeyError, EOFError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
