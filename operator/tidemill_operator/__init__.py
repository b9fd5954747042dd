"""The operator: what keeps DataFlow and DataFlowRun objects of a Kubernetes cluster going.

It watches the objects, opens their contexts in the store, keeps the workers' Deployments, and says in the status what
became of it all. It is never in the way of the work itself: workers and store go on while it is down. `handlers` is the
only module with kopf in it, `cluster` the only one that talks to the API server; what is to be done is decided by
modules that do neither.
"""
