"""How RocksDB databases are opened: with memory that has a bound, for all of a process together.

RocksDB's own bound is 32 MiB of blocks for each database, 8 MiB once it is opened again. Blocks of
files that were compacted away fill it within ten minutes, whatever the database holds; a worker
with 64 partitions would keep 2 GB of them. And a database buffers 64 MiB of writes, twice.
"""

from pathlib import Path

from rocksdict import AccessType, BlockBasedOptions, Cache, Options, Rdict

__all__ = ["open_database"]

_WRITE_BUFFER = 4 << 20  # of a database, twice
_BLOOM_BITS = 10  # of a key, in memory: nine of ten reports are of a case that no file has
# A get out of 16 MiB takes no longer than out of 32: the system has the files in memory besides.
_BLOCKS = Cache(16 << 20)  # of all databases


def open_database(path: Path, *, read_only: bool = False) -> Rdict:
    """Open a database of bytes, or make one.

    Parameters
    ----------
    path
        Its folder.
    read_only
        Open what is there, also while a worker has it open.

    Raises
    ------
    Exception
        If it does not open; rocksdict raises nothing more special.
    """
    options, tables = Options(raw_mode=True), BlockBasedOptions()
    tables.set_block_cache(_BLOCKS)
    tables.set_bloom_filter(_BLOOM_BITS, False)
    options.set_block_based_table_factory(tables)
    options.set_write_buffer_size(_WRITE_BUFFER)
    # Said of the column family as well: else one that exists is opened as RocksDB wrote down.
    families = {"default": options}
    if read_only:
        return Rdict(str(path), options, families, AccessType.read_only())
    options.create_if_missing(True)
    return Rdict(str(path), options, families)
