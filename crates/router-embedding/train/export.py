"""The file format of a table, as `src/table.rs` describes it."""

import struct

import numpy as np

MAGIC = b"MCPEMB01"
HEAD = struct.Struct("<8sIII")


def write(file, vocabulary, table):
    """Writes the table, each row as signed bytes times a scale."""
    scales = np.abs(table).max(1) / 127
    scales[scales == 0] = 1e-9
    rows = np.round(table / scales[:, None]).astype(np.int8)
    text = "\n".join(vocabulary).encode()
    head = HEAD.pack(MAGIC, *table.shape, len(text))
    file.write_bytes(head + text + scales.astype("<f4").tobytes() + rows.tobytes())


def read(file):
    """A table's vocabulary and rows."""
    content = file.read_bytes()
    magic, size, dimensions, length = HEAD.unpack_from(content)
    if magic != MAGIC:
        raise SystemExit(f"{file} is no table: it does not begin with {MAGIC.decode()}")
    vocabulary = content[HEAD.size :][:length].decode().split("\n")
    scales = np.frombuffer(content, "<f4", size, HEAD.size + length)
    rows = np.frombuffer(content, np.int8, size * dimensions, HEAD.size + length + 4 * size)
    return vocabulary, rows.reshape(size, dimensions) * scales[:, None]
