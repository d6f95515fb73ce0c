"""Open RocksDB databases with bounded memory for all databases of a process.

RocksDB's default block cache is 32 MiB for each database, 8 MiB once it is reopened. Blocks of
compacted files fill it within ten minutes, whatever the size of the database; a worker with 64
partitions would use 2 GB. By default a database also has two write buffers of 64 MiB.
"""

from pathlib import Path

from rocksdict import AccessType, BlockBasedOptions, Cache, Options, Rdict

from streams.runtime.owner_only import owner_only_folder

__all__ = ["open_database"]

_WRITE_BUFFER = 4 << 20  # bytes; two for each database
_BLOOM_BITS = 10  # bits a key, in memory: nine of ten reports are of a case that no file has
# Bytes, shared by all databases. 32 MiB make reads no faster: the files are in the page cache too.
_BLOCKS = Cache(16 << 20)


def open_database(path: Path, *, read_only: bool = False) -> Rdict:
    """Open a database of bytes, or create it.

    Parameters
    ----------
    path
        Folder of the database.
    read_only
        Whether to open an existing database read-only, even while a worker has it open.

    Raises
    ------
    Exception
        If it does not open; rocksdict raises nothing more specific.
    """
    options, tables = Options(raw_mode=True), BlockBasedOptions()
    tables.set_block_cache(_BLOCKS)
    tables.set_bloom_filter(_BLOOM_BITS, False)
    options.set_block_based_table_factory(tables)
    options.set_write_buffer_size(_WRITE_BUFFER)
    # Set for the column family too: else an existing one is opened with its stored options.
    families = {"default": options}
    if read_only:
        return Rdict(str(path), options, families, AccessType.read_only())
    options.create_if_missing(True)
    owner_only_folder(path)
    return Rdict(str(path), options, families)
