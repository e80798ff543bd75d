"""Words of an earlier vocabulary stay out of code, documents and messages: each has a standard word."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = "airflow_provider_renderbus", "dev", "docs", "example_dags", "tests"
FILES = sorted(
    file
    for pattern in (*(f"{folder}/**/*" for folder in FOLDERS), "*.md", "*.toml", "Makefile", ".ci/run")
    for file in ROOT.glob(pattern)
    if file.suffix in {"", ".py", ".md", ".toml", ".js"} and file.is_file() and file != Path(__file__)
)

# Each word is found in any case and also as a part of a name between underscores.
INSTEAD = {
    "another try": "retry",
    "anew": "again",
    "arrears": "unpaid, insufficient funds",
    "at_stake": "owned",
    "bears?": "tolerate",
    "by asking": "verified with the farm",
    "condemn|doomed|heed": "schedule",
    "couriers?": "file transfer",
    "crew": "worker pool",
    "desk": "context",
    "enrol(led|ment)?": "register",
    "fall_back": "handle_error",
    "for[ _](good|ever)": "permanently",
    "forg[ei]v(e|es|ing)": "ignore, tolerate",
    "forgets?|remembers?": "store, drop",
    "giv(e|es|en|ing)[ _]up": "cancel, abandon, release, time out",
    "glances?": "snapshot",
    "go(es)?[ _]on": "continue, resume",
    "halfway": "staging",
    "hand(s|ed)?[ _](on|over)": "pass on, release, deliver",
    "haste": "use cached settings",
    "heal(s|ing|able)?": "recommit",
    "hears?|heard": "be notified of",
    "judges?": "evaluate",
    "knows": "has, serves",
    "lets?[ _]go": "release",
    "mend(s|ed)?": "correct, fix",
    "onevoice|one_voice|voice": "warn once",
    "patience": "error handler, timeout",
    "persons?": "user",
    "poking": "polling",
    "reapers?": "process killer",
    "rooms?": "package",
    "sees?[ _](it )?through": "wait",
    "stands? in": "is in",
    "tak(e|es|en|ing)[ _]up(?! to)": "reattach",
    "tells?|told|telling": "notify, show",
    "undisturbed": "shielded",
    "(is|are) left out": "omitted",
    "wanted": "target, required",
    "without a word": "without a message",
}
WORD = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(INSTEAD)})(?![A-Za-z])", re.IGNORECASE)
# Names such as MOST_TASKS, TASKS_A_PAGE, AT_ONCE and PIECE: MAX_, _PER_, MAX_CONCURRENCY, CHUNK instead.
CONSTANT = re.compile(
    r"\b_?(?:MOST|LARGEST|LONGEST|SHORTEST|LEAST)_[A-Z]+|\b[A-Z]+S_AN?_[A-Z]+|\b[A-Z_]*(?:AT_ONCE|PIECE)\b"
)

# What a file may have, and why.
ALLOWED = {
    "api/models/": (r"\b(in_)?arrears(_fee)?\b", "the farm's own fields"),
    "farm/": (r"in_arrears", "likewise"),
    "docs/farm.md": (r"arrears", "explains these fields"),
    "farm/pictures/palettes.py": (r"person=SALT", "hashlib names this argument"),
}


def words_in(file):
    """Return the words of a file, with what surrounds them."""
    # A phrase may be wrapped, also in a comment.
    text = " ".join(line.strip("# ") for line in file.read_text("utf-8").splitlines())
    for path, (allowed, _) in ALLOWED.items():
        if path in file.as_posix():
            text = re.sub(allowed, "", text)
    matches = [*WORD.finditer(text), *CONSTANT.finditer(text)]
    return [text[max(0, match.start() - 30) : match.end() + 30] for match in matches]


def test_files_have_no_word_of_the_earlier_vocabulary():
    found = [f"{file.relative_to(ROOT)}: … {words} …" for file in FILES for words in words_in(file)]
    assert not found, "\n".join(("INSTEAD has the standard words.", *found))
