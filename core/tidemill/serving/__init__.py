"""Data flows over HTTP: a flow is served at a path, inputs come from the request, the result is the response.

`channel` says how a flow is served and `directory` reads that from files, as DFFML has it; `intake` makes inputs of a
request and `answers` makes a response of results, both without I/O; `flows` and `background` run, in memory or over a
store; `app` has the routes, `server` the sockets. This package is above the orchestrators and below the command line.
"""
