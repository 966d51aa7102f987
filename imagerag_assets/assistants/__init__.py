"""`imagerag mcp`: the operations as tools for assistants, over the Model Context Protocol.

`server` puts the tools together, `stdio` and `http` let a client reach them.  What a tool does is done by the rooms
below; here are its arguments, the form of its result and its limits.
See https://py.sdk.modelcontextprotocol.io
"""
