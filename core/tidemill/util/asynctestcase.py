"""DFFML's import path ``dffml.util.asynctestcase``."""

from tidemill.compat.testing import AsyncTestCase, non_existant_tempfile, relative_chdir, relative_path

__all__ = ["AsyncTestCase", "non_existant_tempfile", "relative_chdir", "relative_path"]
