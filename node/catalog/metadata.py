"""The metadata of a release: the fields that devpi keeps, from an upload's form to the version JSON."""

from collections.abc import Mapping, Sequence

from node.catalog.names import check_release_name
from node.catalog.records import Fields

SCALAR_FIELDS = (
    "name",
    "version",
    "metadata_version",
    "summary",
    "home_page",
    "author",
    "author_email",
    "maintainer",
    "maintainer_email",
    "license",
    "description",
    "keywords",
    "download_url",
    "comment",
    "requires_python",
    "description_content_type",
    "license_expression",
)
LIST_FIELDS = (
    "platform",
    "classifiers",
    "supported_platform",
    "provides",
    "requires",
    "obsoletes",
    "project_urls",
    "provides_dist",
    "obsoletes_dist",
    "requires_dist",
    "requires_external",
    "provides_extras",
    "dynamic",
    "license_file",
)

Form = Mapping[str, Sequence[str]]
"""The text fields of an upload: every value of every name, in the order they were sent."""


def metadata_from_form(form: Form, *, only_sent: bool) -> Fields:
    """Return the metadata of a form; fields that were not sent are empty, or left out.

    Raises:
        BadRequest: ``invalid metadata: ...`` when name or version cannot name a release.

    """
    metadata: Fields = {}
    for field in SCALAR_FIELDS:
        if field in form or not only_sent:
            value = form[field][-1] if form.get(field) else ""
            metadata[field] = "" if value == "UNKNOWN" else value
    for field in LIST_FIELDS:
        if field in form or not only_sent:
            metadata[field] = [item for item in form.get(field, ()) if item]
    check_release_name(metadata.get("name", ""), metadata.get("version", ""))
    return metadata


def merged_metadata(existing: Fields | None, form: Form) -> Fields:
    """Return a release's metadata after an upload: the fields it sent win, the others stay.

    Raises:
        BadRequest: ``invalid metadata: ...`` when name or version cannot name a release.

    """
    if existing is None:
        return metadata_from_form(form, only_sent=False)
    return {**existing, **metadata_from_form(form, only_sent=True)}
