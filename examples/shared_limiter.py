"""One limit in three processes: whichever of them a request reaches, together they admit what the limit says.

    redis-server &
    AUTHKIT_STORE=redis://127.0.0.1:6379 python -m examples.shared_limiter     # 20 of 120
    AUTHKIT_STORE=memory: python -m examples.shared_limiter                    # 60 of 120: each process counts for itself

While it runs, or afterwards, in another terminal:

    authkit limits show ip:203.0.113.7 --app examples.shared_limiter:limit
    authkit limits reset ip:203.0.113.7 --app examples.shared_limiter:limit
"""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import TYPE_CHECKING

from authkit import Request, Response, rate_limit
from authkit.settings import get
from authkit.stores import open_store

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

PROCESSES, EACH, PAUSE = 3, 40, 0.005  # PAUSE: seconds

# The name says which limit it is: whoever uses the same name, rates and store shares it.
limit = rate_limit("20/hour", name="hello", store=open_store(get("AUTHKIT_STORE") or "redis://127.0.0.1:6379"))


@limit
def hello(request: Request) -> Response:
    return Response(200, body="Hello.")


def ask(together: Barrier, answers: SimpleQueue[tuple[int, int]]) -> None:
    """One process: the same client asks it so many times. It tells how often it admitted it."""
    together.wait()
    admitted = 0
    for _ in range(EACH):
        admitted += hello(Request.build(peer="203.0.113.7")).status == 200
        time.sleep(PAUSE)
    answers.put((os.getpid(), admitted))


def main() -> None:
    fresh = multiprocessing.get_context("spawn")
    together, answers = fresh.Barrier(PROCESSES), fresh.SimpleQueue()
    processes = [fresh.Process(target=ask, args=(together, answers)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    said = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    for number, admitted in said:
        print(f"process {number} admitted {admitted} of {EACH}")
    print(f"together they admitted {sum(admitted for _, admitted in said)} of {PROCESSES * EACH}")


if __name__ == "__main__":
    main()
