"""A `DynamoStore` in a table of its own."""

from __future__ import annotations

import itertools

from authkit.stores import DynamoStore

_numbers = itertools.count()


def made(aws, **options):
    """A store in a table of its own."""
    name = f"own-{next(_numbers)}"
    DynamoStore(name, endpoint=aws.endpoint, timeout=30).create_table()  # however short the timeout that is tried
    return DynamoStore(name, endpoint=aws.endpoint, **{"timeout": 30, **options})
