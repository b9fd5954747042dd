"""The verbs that speak to a cluster: ``tidemill VERB -n NAMESPACE …``, and the same as ``kubectl tidemill VERB …``.

They ask the HTTP API of an installation and know nothing of Kubernetes but how its kubectl makes a way there.
Neighbours: `options` (which API, who asks), a module for each verb, and `orchestrator.cluster`, which sends requests.
"""
