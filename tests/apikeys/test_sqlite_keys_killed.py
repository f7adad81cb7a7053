"""A process that makes and rotates keys is killed at any moment: whoever was shown a key has one that opens."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from authkit.apikeys import ApiKeys, SqliteKeys

# Rotates one key for ever, and prints each new one when it is made.
_ROTATES = """
import sys
from authkit.apikeys import ApiKeys, SqliteKeys
keys = ApiKeys(SqliteKeys(sys.argv[1], timeout=30))
made = keys.new("robot", scopes=["a"])
while True:
    print(made.reveal(), flush=True)
    made = keys.rotate(made.id, grace=3600)
"""


def rounds(place, count):
    for round_ in range(count):
        path = place / f"keys{round_}.db"
        process = subprocess.Popen([sys.executable, "-c", _ROTATES, str(path)], stdout=subprocess.PIPE, text=True)
        shown = [process.stdout.readline().strip()]
        time.sleep(0.007 * (round_ % 10))
        process.send_signal(signal.SIGKILL)
        shown += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.stdout.close()
        assert process.wait(10) == -signal.SIGKILL
        table = SqliteKeys(path, timeout=30)
        keys = ApiKeys(table)
        assert {keys.verify(key).subject for key in shown} == {"robot"}
        assert len(table.list(limit=1_000_000)) - len(shown) in (0, 1, 2)  # made, and never shown
        assert keys.revoke_subject("robot") >= len(shown)
        table.close()


def test_whoever_was_shown_a_key_has_one_that_opens(tmp_path):
    rounds(tmp_path, 5)


@pytest.mark.soak
def test_whoever_was_shown_a_key_has_one_that_opens_five_hundred_times(tmp_path):
    rounds(tmp_path, 500)
