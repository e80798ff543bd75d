"""Which characters no name of a file has that is sent or written."""

import re

_NOT_ONE_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
CONTROL = re.compile(f"[{_NOT_ONE_LINE}]")
"""What breaks a line of output: control characters, line and paragraph ends, halves of characters."""
NOT_CARRIED = re.compile(rf"[{_NOT_ONE_LINE}\\]")
"""That, and the backslash, which is a slash on some machines."""
