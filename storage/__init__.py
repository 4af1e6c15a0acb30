"""Lowest floor: bytes on disk, synchronous; knows nothing of asyncio, HTTP, metrics, packages or users."""
