"""Data flows of a cluster over HTTP: contexts are opened in bulk, added to, read, watched and ended by clients.

A process of its own, which may run many times: it keeps nothing that another one could not work out from the API
server and the store. `access` says who may do what (the API server decides), `flows` which data flow is meant,
`contexts` what a client does to its contexts, `events` tells how it goes on, `app` has the routes and `server` the
sockets.
"""
