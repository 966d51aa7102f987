"""`imagerag serve`: the operations over HTTP, on a port and on the socket of the resident process (`resident`)."""
