from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# As in tests/c/growth.c: how many connections the pool holds at the two moments is chance, up to one for each worker, and
# each may have its buffers of 16 KiB in and out. The smallest block leaked by each of 10,000 sends is as much again.
CONNECTIONS_OF_CHANCE = 8 * 2 * 16 * 1024
# Python's caches move by some hundred blocks. One leaked by each send would be ten thousand.
BLOCKS_OF_CHANCE = 2_000


def test_ten_thousand_sends_leave_no_memory_behind(environment: dict[str, str]) -> None:
    program = str(Path(__file__).with_name("growth.py"))
    # What a thread's cache keeps would count as in use.
    environment["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
    run = subprocess.run([sys.executable, program], env=environment, stdout=subprocess.PIPE, timeout=300, check=True)
    grown = json.loads(run.stdout)
    print(grown)
    assert set(grown) == {"send", "submit", "await_all", "make_clients"}
    for c_heap, python_heap in grown.values():
        assert c_heap <= CONNECTIONS_OF_CHANCE
        assert python_heap <= BLOCKS_OF_CHANCE
