"""Plain counters of the mirror; ``node/metrics.py`` and the status page read the same object."""

from dataclasses import dataclass


@dataclass(slots=True)
class MirrorCounters:
    """What the mirrors of this node did since it started; only ever growing, except the ``_now`` ones."""

    page_requests: int = 0  # asked of Mirror.page
    page_memory_hits: int = 0  # of these, answered from memory
    page_fetches: int = 0  # conversations with upstream about pages
    page_not_modified: int = 0
    page_missing: int = 0
    page_failures: int = 0
    page_stale: int = 0  # a stale page was given out because upstream failed or was slow
    page_older: int = 0  # upstream's copy had a smaller serial than ours and was ignored
    pages_from_primary: int = 0
    list_requests: int = 0  # asked of Mirror.project_list
    list_fetches: int = 0  # conversations with upstream about its list of all projects
    list_not_modified: int = 0
    list_failures: int = 0
    list_stale: int = 0
    lists_from_primary: int = 0
    file_requests: int = 0
    file_cache_hits: int = 0
    file_joins: int = 0  # joined a download already under way
    file_downloads: int = 0
    file_downloads_from_peers: int = 0
    file_download_bytes: int = 0
    file_failures: int = 0
    file_corrupt: int = 0
    range_requests: int = 0
    metadata_requests: int = 0
    metadata_cache_hits: int = 0
    metadata_by_sidecar: int = 0
    metadata_by_range: int = 0
    metadata_by_file: int = 0
    metadata_failures: int = 0
    downloads_now: int = 0
