"""Programs as students write them from the words of each dialect: plain sockets, nothing of labnet."""
