"""The one room with sockets: connections, the driver of protocol machines, listeners, TLS, PROXY, DNS."""
