from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# As in tests/c/growth.c: the number of pooled connections at the two moments varies by up to one per worker, and each
# may have two buffers of 16 KiB. If each of the 10,000 sends leaked the smallest block, this would be as much again.
CONNECTIONS_OF_CHANCE = 8 * 2 * 16 * 1024
# Python's caches vary by some hundred blocks. If each send leaked a block, this would be ten thousand blocks.
BLOCKS_OF_CHANCE = 2_000


def test_ten_thousand_sends_leave_no_memory_behind(environment: dict[str, str]) -> None:
    program = str(Path(__file__).with_name("growth.py"))
    # Without this, memory in the cache of a thread would count as used.
    environment["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
    run = subprocess.run([sys.executable, program], env=environment, stdout=subprocess.PIPE, timeout=300, check=True)
    grown = json.loads(run.stdout)
    print(grown)
    assert set(grown) == {"send", "submit", "await_all", "make_clients"}
    for c_heap, python_heap in grown.values():
        assert c_heap <= CONNECTIONS_OF_CHANCE
        assert python_heap <= BLOCKS_OF_CHANCE
