"""Where Wheelyard answers otherwise than stock devpi-server: every request by its name, with the reason.

The test fails on a difference that is not listed here, on a listed one that does not occur, and on
one that is another than listed.
"""

from __future__ import annotations

from dataclasses import dataclass

DENIED = "devpi shows its framework's page with the name of a Python class; ours names permission and index"
NOT_FOUND = (
    "devpi shows its framework's page for a path that is not there; ours has one sentence in the envelope"
)
NAMED = "devpi's sentence has the repr of a Python object in it; ours has the name"
NO_CRASH = "devpi ends with an unhandled error; ours answers with one sentence, or does what was asked"
JSON_FOR_ALL = "devpi without its web plugin has no such page for HTML; ours answers with the JSON"
SENTENCE = "the reason phrase, which upload clients show, says what is wrong"
DIGESTS = "devpi ignores the digests of an upload; ours verifies them when they are sent"
EXISTS = "twine, poetry and pdm look for the words 'File already exists'; devpi's sentence follows them"
REFUSED = (
    "devpi changes the metadata of a release whose file it refuses; a rejected request changes nothing here"
)
IDENTICAL = "the same bytes again change nothing on a volatile index either, so a lost answer may be retried"
NEW_IDS = "a name that was deleted and made anew revives nothing: not its files' history, not its tokens"


@dataclass(frozen=True, slots=True)
class Difference:
    """One request that is answered otherwise, and how."""

    reason: str
    status: int  # ours
    parts: str  # those that differ: of "status", "reason" and "json"


DIFFERENCES = {
    "users/create-blocked-plus": Difference(NOT_FOUND, 404, "json"),
    "users/login-html": Difference(JSON_FOR_ALL, 200, "status reason json"),
    "users/login-get": Difference(NOT_FOUND, 404, "json"),
    "users/patch-anonymous": Difference(NAMED, 403, "json"),
    "users/patch-other": Difference(NAMED, 403, "json"),
    "users/patch-password-other": Difference(NAMED, 403, "json"),
    "users/delete-anonymous": Difference(DENIED, 403, "json"),
    "users/delete-other": Difference(DENIED, 403, "json"),
    "users/delete-root": Difference(DENIED, 403, "json"),
    "indexes/get-html": Difference(JSON_FOR_ALL, 200, "status reason json"),
    "indexes/patch-anonymous": Difference(DENIED, 403, "json"),
    "indexes/patch-other": Difference(DENIED, 403, "json"),
    "indexes/patch-unknown": Difference(DENIED, 403, "json"),
    "indexes/list-anonymous": Difference(DENIED, 403, "json"),
    "indexes/list-unknown-add": Difference(NO_CRASH, 400, "status reason json"),
    "indexes/delete-anonymous": Difference(DENIED, 403, "json"),
    "indexes/delete-other": Difference(DENIED, 403, "json"),
    "indexes/delete-unknown": Difference(DENIED, 403, "json"),
    "releases/anonymous": Difference(SENTENCE, 401, "reason"),
    "releases/members-anonymous": Difference(SENTENCE, 401, "reason"),
    "releases/submit-anonymous": Difference(SENTENCE, 401, "reason"),
    "releases/unknown-index": Difference(SENTENCE, 404, "reason"),
    "releases/submit-version-slash": Difference(SENTENCE, 400, "reason"),
    "releases/wrong-digest": Difference(DIGESTS, 400, "status reason"),
    "releases/file-short-hash": Difference(NOT_FOUND, 404, "json"),
    "releases/refused-no-action": Difference(SENTENCE, 400, "reason"),
    "releases/refused-no-name": Difference(NO_CRASH, 400, "status reason"),
    "releases/refused-no-version": Difference(NO_CRASH, 400, "status reason"),
    "releases/fixed-other-bytes": Difference(EXISTS, 409, "reason"),
    "releases/fixed-unchanged": Difference(REFUSED, 200, "json"),
    "releases/volatile-identical": Difference(IDENTICAL, 200, "reason"),
    "releases/volatile-identical-log": Difference(IDENTICAL, 200, "json"),
    "releases/project-html": Difference(JSON_FOR_ALL, 200, "status reason json"),
    "push/no-name": Difference(NO_CRASH, 400, "status reason json"),
    "push/no-version": Difference(NO_CRASH, 400, "status reason json"),
    "push/no-target": Difference(NO_CRASH, 400, "status reason json"),
    "bases/delete-inherited-version": Difference(NAMED, 404, "json"),
    "bases/old-file-of-anew": Difference(NEW_IDS, 404, "status reason"),
    "deletion/file-anonymous": Difference(DENIED, 403, "json"),
    "deletion/file-other": Difference(DENIED, 403, "json"),
    "deletion/file-unknown-index": Difference(DENIED, 403, "json"),
    "deletion/version-anonymous": Difference(DENIED, 403, "json"),
    "deletion/version-other": Difference(DENIED, 403, "json"),
    "deletion/version-unknown": Difference(NAMED, 404, "json"),
    "deletion/version-unknown-project": Difference(NAMED, 404, "json"),
    "deletion/version": Difference(NAMED, 200, "json"),
    "deletion/version-again": Difference(NAMED, 404, "json"),
    "deletion/version-slash-other-spelling": Difference(NAMED, 200, "json"),
    "deletion/last-version": Difference(NAMED, 200, "json"),
    "deletion/project-anonymous": Difference(DENIED, 403, "json"),
    "deletion/project-other": Difference(DENIED, 403, "json"),
    "deletion/fixed-project": Difference(NAMED, 403, "json"),
    "deletion/fixed-version-force": Difference(NAMED, 200, "json"),
    "deletion/fixed-force-other": Difference(DENIED, 403, "json"),
    "deletion/no-such-method-put-project": Difference(NOT_FOUND, 404, "json"),
    "deletion/put-project": Difference(NOT_FOUND, 404, "json"),
    "deletion/plus-unknown": Difference(NOT_FOUND, 404, "json"),
    "deletion/user-plus-unknown": Difference(NOT_FOUND, 404, "json"),
    "deletion/patch-root-list": Difference(NOT_FOUND, 404, "json"),
    "deletion/his-file": Difference(NEW_IDS, 404, "status reason"),
    "deletion/anew-with-old-token": Difference(NEW_IDS, 403, "status reason json"),
    "deletion/create-client-echo": Difference(NO_CRASH, 201, "status reason json"),
}
