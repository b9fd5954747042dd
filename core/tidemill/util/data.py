"""DFFML's import path ``dffml.util.data``."""

from tidemill.compat.data import (
    export,
    export_dict,
    export_list,
    ignore_args,
    merge,
    split_dot_seperated,
    traverse_config_get,
    traverse_config_set,
    traverse_get,
    traverse_set,
)

__all__ = [
    "export",
    "export_dict",
    "export_list",
    "ignore_args",
    "merge",
    "split_dot_seperated",
    "traverse_config_get",
    "traverse_config_set",
    "traverse_get",
    "traverse_set",
]
