"""Many datagrams by one system call: their buffers, when a batch is waited for, and whether the machine can."""
