"""Times as they are written: milliseconds inside, text outside."""

from datetime import UTC, datetime


def iso_seconds(time_ms: int) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SSZ``, as devpi writes the times of users."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_micros(time_ms: int) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SS.ffffffZ``, the form of PEP 700's ``upload-time``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def six_numbers(time_ms: int) -> list[int]:
    """Return year, month, day, hour, minute, second in UTC, as devpi's logs have it."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
