"""How a port is opened: what is listened on, by whom the socket was made, and what the process may hold."""
