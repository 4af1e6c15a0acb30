"""Keys of the state: a letter for the kind, then 8-byte ids, then names.

============================================  ==================================================
key                                           value
============================================  ==================================================
``#``                                         8 bytes: the last id given to a user or an index
``@``                                         8 bytes: serial of the last change of configuration
``u`` user name                               8 bytes: user id
``U`` user id                                 user record
``t`` user id, token id                       token record
``T`` token id                                8 bytes: id of the user who owns the token
``i`` user id, index name                     8 bytes: index id
``I`` index id                                index record
``X`` index id                                empty: the index is deleted and its keys wait for the reaper
``p`` index id, project                       8 bytes: serial of its last change, then the project record
``v`` index id, project, NUL, version         version record
``f`` index id, project, NUL, filename        file record
``h`` index id, 8 bytes of sha256, filename   project; empty when the file was deleted
``l`` index id, project, NUL, filename, NUL,  log item
8-byte serial, 2-byte number
============================================  ==================================================

Ids are given once and never again, so a user or an index that is made anew under an old name
finds nothing of its predecessor. Names are bounded (``names.py``), so every key stays below
LMDB's 511 bytes: the longest is ``l`` with 1 + 8 + 128 + 1 + 255 + 1 + 10.
"""

LAST_ID = b"#"
CONFIGURATION_SERIAL = b"@"
USER_NAMES = b"u"
INDEXES = b"I"
DELETED_INDEXES = b"X"

INDEX_OWNED_KINDS = (b"p", b"v", b"f", b"h", b"l")
"""Kinds of keys that begin with an index id and go with their index."""


def pack_id(number: int) -> bytes:
    """Return an id or a serial as 8 bytes, big-endian, so that key order is number order."""
    return number.to_bytes(8, "big")


def unpack_id(value: bytes) -> int:
    """Return the number that ``pack_id`` packed."""
    return int.from_bytes(value, "big")


def user_name_key(user: str) -> bytes:
    """Return the key that maps a user name to an id."""
    return b"u" + user.encode()


def user_key(user_id: int) -> bytes:
    """Return the key of a user record."""
    return b"U" + pack_id(user_id)


def tokens_prefix(user_id: int) -> bytes:
    """Return what the API tokens of one user begin with."""
    return b"t" + pack_id(user_id)


def token_key(user_id: int, token_id: str) -> bytes:
    """Return the key of an API token's record."""
    return tokens_prefix(user_id) + token_id.encode()


def token_owner_key(token_id: str) -> bytes:
    """Return the key that maps an API token's id to its owner's."""
    return b"T" + token_id.encode()


def index_names_prefix(user_id: int) -> bytes:
    """Return what the names of one user's indexes begin with."""
    return b"i" + pack_id(user_id)


def index_name_key(user_id: int, index: str) -> bytes:
    """Return the key that maps an index name to an id."""
    return index_names_prefix(user_id) + index.encode()


def index_key(index_id: int) -> bytes:
    """Return the key of an index record."""
    return INDEXES + pack_id(index_id)


def deleted_index_key(index_id: int) -> bytes:
    """Return the key that marks an index whose contents the reaper removes."""
    return DELETED_INDEXES + pack_id(index_id)


def projects_prefix(index_id: int) -> bytes:
    """Return what all project records of an index begin with."""
    return b"p" + pack_id(index_id)


def project_key(index_id: int, project: str) -> bytes:
    """Return the key of a project record; ``project`` is normalised."""
    return b"p" + pack_id(index_id) + project.encode()


def versions_prefix(index_id: int, project: str) -> bytes:
    """Return what all versions of a project begin with."""
    return b"v" + pack_id(index_id) + project.encode() + b"\0"


def version_key(index_id: int, project: str, version: str) -> bytes:
    """Return the key of a version record."""
    return versions_prefix(index_id, project) + version.encode()


def files_prefix(index_id: int, project: str) -> bytes:
    """Return what all files of a project begin with."""
    return b"f" + pack_id(index_id) + project.encode() + b"\0"


def file_key(index_id: int, project: str, filename: str) -> bytes:
    """Return the key of a file record."""
    return files_prefix(index_id, project) + filename.encode()


def file_address_key(index_id: int, sha256_start: bytes, filename: str) -> bytes:
    """Return the key that maps a file's URL, of 8 bytes of its sha256 and its name, to a project."""
    return b"h" + pack_id(index_id) + sha256_start[:8] + filename.encode()


def log_prefix(index_id: int, project: str, filename: str) -> bytes:
    """Return what the log of one file begins with."""
    return b"l" + pack_id(index_id) + project.encode() + b"\0" + filename.encode() + b"\0"


def log_key(index_id: int, project: str, filename: str, *, serial: int, number: int) -> bytes:
    """Return the key of one item in a file's log."""
    return log_prefix(index_id, project, filename) + pack_id(serial) + number.to_bytes(2, "big")
