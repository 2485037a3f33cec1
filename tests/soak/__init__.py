"""A long life under faults: memory, threads and sockets stay as they are, the store grows by what happened only."""
