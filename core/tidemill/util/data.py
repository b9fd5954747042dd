"""DFFML's import path ``dffml.util.data``."""

from tidemill.compat.data import (
    explore_directories,
    export,
    export_dict,
    export_list,
    ignore_args,
    merge,
    nested_apply,
    parser_helper,
    split_dot_seperated,
    traverse_config_get,
    traverse_config_set,
    traverse_get,
    traverse_set,
)

__all__ = [
    "explore_directories",
    "export",
    "export_dict",
    "export_list",
    "ignore_args",
    "merge",
    "nested_apply",
    "parser_helper",
    "split_dot_seperated",
    "traverse_config_get",
    "traverse_config_set",
    "traverse_get",
    "traverse_set",
]
