"""Which licence a package has, as an SPDX expression where that can be told, and of which kind it is.

`metadata` hands over what the package says in its three ways of saying it: the expression of today's standard, the free
text of before, and classifiers.
"""

import re
from collections.abc import Sequence

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

UNKNOWN = "unknown"
PERMISSIVE, WEAK, STRONG = "permissive", "weak copyleft", "copyleft"

_OSI = "License :: OSI Approved :: "
# BSD alone does not say which of its forms it is, so it gets a name that SPDX leaves to the user.
_BY_CLASSIFIER = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "LicenseRef-BSD",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
}
# What authors write in the free field, in lower case without "license", "the" and punctuation.
_BY_TEXT = {
    "mit": "MIT",
    "expat": "MIT",
    "bsd": "LicenseRef-BSD",
    "new bsd": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "bsd 2 clause": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "apache 2.0": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache version 2.0": "Apache-2.0",
    "apache software 2.0": "Apache-2.0",
    "isc": "ISC",
    "psf": "PSF-2.0",
    "mpl 2.0": "MPL-2.0",
    "public domain": "LicenseRef-Public-Domain",
    "gplv3": "GPL-3.0-only",
    "gpl v3": "GPL-3.0-only",
    "lgplv3": "LGPL-3.0-only",
}
_STRONG = ("GPL-", "AGPL-", "SSPL-", "OSL-", "EUPL-")
_WEAK = ("LGPL-", "MPL-", "EPL-", "CDDL-")
_MAX_TEXT = 100


def identify(expression: str | None, text: str | None, classifiers: Sequence[str]) -> tuple[str, str]:
    """The licence and where it was found: `expression`, `text`, `classifier`, or `unknown` twice."""
    for said, source in ((expression, "expression"), (text, "text")):
        known = _spdx(said) if said and len(said) <= _MAX_TEXT else None
        if known is not None:
            return known, source
    named = [c.removeprefix(_OSI) for c in classifiers if c.startswith(_OSI)]
    known_ids = sorted({_BY_CLASSIFIER[name] for name in named if name in _BY_CLASSIFIER})
    if known_ids and len(known_ids) == len(set(named)):
        # Nothing says whether several classifiers are a choice or a sum: take the stricter reading.
        return " AND ".join(known_ids), "classifier"
    return UNKNOWN, UNKNOWN


def kind(licence: str) -> str:
    """`permissive`, `weak copyleft`, `copyleft` or `unknown`: the mildest of a choice, the strictest of a sum."""
    if licence == UNKNOWN:
        return UNKNOWN
    order = (PERMISSIVE, WEAK, STRONG)
    choices = []
    for choice in licence.replace("(", "").replace(")", "").split(" OR "):
        choices.append(max((_kind_of_one(part) for part in choice.split(" AND ")), key=order.index))
    return min(choices, key=order.index)


def _kind_of_one(identifier: str) -> str:
    if identifier.strip().startswith(_STRONG):
        return STRONG
    return WEAK if identifier.strip().startswith(_WEAK) else PERMISSIVE


def _spdx(said: str) -> str | None:
    try:
        return str(canonicalize_license_expression(said.strip()))
    except InvalidLicenseExpression:
        words = re.sub(r"\b(the|license|licence|licensed|version v)\b", " ", re.sub(r"[^a-z0-9.+]", " ", said.lower()))
        return _BY_TEXT.get(" ".join(words.split()).rstrip("."))
