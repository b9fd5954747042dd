"""The code of what is measured; in the cluster it is a ConfigMap, outside a module beside this one."""


def double(number: int) -> dict[str, int]:
    """Double a number."""
    return {"double": number * 2}
