"""A process that handles webhooks, told what to do line by line; killed in the middle by test_webhook_killed.

python webhook_process.py STORE LEASE LOG: for each line "EVENT COPIES SECONDS", so many copies of the event are delivered at
once, and the handler writes the event to LOG and takes so long. It prints "inside" once it is in the handler, if that takes any
time, and then the answers.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from authkit import Request, Response, verify_webhook
from authkit.stores import RedisStore, open_store
from authkit.webhooks import sign
from authkit.webhooks.replay import Replay

SECRET = "what both of us know, and nobody else does"


def main(store: str, lease: str, log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    takes = 0.0

    opened = RedisStore(store, timeout=10) if store.startswith("redis:") else open_store(store)  # a busy machine is no outage

    @verify_webhook("github", secret=SECRET, replay=Replay(opened, lease=float(lease)))
    def handler(request: Request, webhook: object) -> Response:
        os.write(file, request.body + b"\n")
        if takes:
            print("inside", flush=True)
            time.sleep(takes)
        return Response(200, body=b"handled")

    print("ready", flush=True)
    for line in sys.stdin:
        event, copies, seconds = line.split()
        takes = float(seconds)
        answers: list[str] = []

        def deliver(body: bytes = event.encode(), answers: list[str] = answers) -> None:
            answer = handler(Request.build("POST", "/hook", sign("github", SECRET, body), body))
            answers.append("handled" if answer.body == b"handled" else str(answer.status))

        threads = [threading.Thread(target=deliver) for _ in range(int(copies) - 1)]
        for thread in threads:
            thread.start()
        deliver()
        for thread in threads:
            thread.join()
        print(*answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
