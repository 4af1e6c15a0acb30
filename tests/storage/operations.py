"""Small operations, and stores that clean up after themselves."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from storage.draft import Draft
from storage.entry import BlobRef, Delete, Put

if TYPE_CHECKING:
    from storage.draft import Operation
    from storage.store import Store
    from storage.view import View

CLUSTER = b"wheelyard-tests!"
CARRIED = b"small content"


def put(key: bytes, value: bytes) -> Operation[None]:
    return lambda _view: (Draft((Put(key, value),), actor="root", request_id="r1"), None)


def delete(key: bytes) -> Operation[None]:
    return lambda _view: (Draft((Delete(key),)), None)


def append_to(key: bytes, addition: bytes) -> Operation[bytes]:
    """Read-modify-write: shows whether an operation sees the ones before it."""

    def operation(view: View) -> tuple[Draft, bytes]:
        value = (view.get(key) or b"") + addition
        return Draft((Put(key, value),)), value

    return operation


def reference(content: bytes) -> BlobRef:
    return BlobRef(sha256(content).digest(), len(content))


def add_inline(key: bytes, content: bytes) -> Operation[None]:
    blob = reference(content)
    draft = Draft((Put(key, blob.sha256),), adds=(blob,), contents={blob.sha256: content})
    return lambda _view: (draft, None)


def add_reference(key: bytes, blob: BlobRef) -> Operation[None]:
    return lambda _view: (Draft((Put(key, blob.sha256),), adds=(blob,)), None)


def drop(key: bytes, digest: bytes) -> Operation[None]:
    return lambda _view: (Draft((Delete(key),), drops=(digest,)), None)


def read(store: Store, key: bytes) -> bytes | None:
    with store.view() as view:
        return view.get(key)


def everything(store: Store) -> list[tuple[bytes, bytes]]:
    with store.view() as view:
        return list(view.scan(b""))


def all_entries(store: Store, *, after: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while batch := store.entries_after(
        type(store.position.serial)(after + len(found)), max_entries=100, max_bytes=1 << 20
    ):
        found += batch
    return found


def carry(store: Store, content: bytes = CARRIED, key: bytes = b"key") -> None:
    store.submit(add_inline(key, content)).result()


def files(store: Store) -> set[bytes]:
    return {digest for digest, _ in store.blobs.stored()}
