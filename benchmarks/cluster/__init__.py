"""What a cluster adds to the engine: throughput beside the same workers without one, seconds from `kubectl apply` to
`Succeeded`, and what an operator needs for many objects. It needs a cluster with Tidemill in it.
"""
