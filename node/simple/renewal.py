"""Making a kept page anew, at once, when nobody has to be asked for it.

After an upload the next installer finds its page out of date. Where only this node's state makes the
page, the step in front of the parser can make the new one right there, which is half the way.
"""

from node.errors import Refusal
from node.finished import Answer, Key
from node.simple.collect import collect_hosted, merge
from node.simple.pages import Wanted, finish_now, project_headers, written
from node.simple.render import render_project
from storage.errors import StorageError
from storage.store import Store

RENEWED_BYTES_MAX = 64 * 1024
"""A kept page up to this size is made anew in well under a millisecond; larger ones take the ordinary way."""


class PageRenewal:
    """Knows how to make the page that stands under a key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, key: Key, old: Answer) -> Answer | None:
        """Return what a page is now; None where the ordinary way has to answer.

        That is so for a page of a mirror, one that is not for everybody or gone, and a large one.
        """
        match key:
            case ("page", str(user), str(name), str(project), Wanted() as wanted, None):
                pass
            case _:
                return None
        if old.stamps.mirrors or len(old.body) > RENEWED_BYTES_MAX:
            return None
        try:
            with self._store.view() as view:
                part = collect_hosted(view, user, name, project)
            if part.mirrors or part.shown_to is not None:
                return None
            collected = merge(part, ())
        except (Refusal, StorageError):
            return None  # the ordinary way finds the same, and says it
        body = render_project(written(collected), wanted.form, root=wanted.root)
        return finish_now(
            body, project_headers(wanted, collected), wanted, collected.stamps, collected.serial
        )
