"""A `DynamoStore` in a table of its own."""

from __future__ import annotations

import itertools

from authkit.stores import DynamoStore

_numbers = itertools.count()


def made(aws, **options):
    """A store in a table of its own."""
    store = DynamoStore(f"own-{next(_numbers)}", endpoint=aws.endpoint, **{"timeout": 5, **options})
    store.create_table()
    return store
