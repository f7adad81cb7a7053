"""The one form of a user name that look-up, uniqueness, limits and audit share."""

from __future__ import annotations

LONGEST = 128  # characters, in canonical form as well

# Seen as nothing, yet in no category that is refused as a whole: joiners, fillers, vowel and variation selectors (the
# Default_Ignorable_Code_Point property of Unicode, what is not Cf or Cn of it).
_UNSEEN = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)) | frozenset(
    (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
_REFUSED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def canonical(username: str) -> str | None:
    """`username` as compatibility-normalised, case-folded text (NFKC, Unicode section 3.13), spaces trimmed and single.

    None if it can be no user name: empty, too long, or with a character that is not seen or has no meaning of its own (NUL,
    controls, zero-width, direction marks, surrogates, unassigned). Look-alikes of other scripts stay different names.
    """
    if len(username) > LONGEST:
        return None
    if username.isascii():
        if not username.isprintable():
            return None
        return " ".join(username.lower().split()) or None
    import unicodedata

    name = unicodedata.normalize("NFKC", username)
    for _ in range(4):  # folding may undo the normal form and the other way round; it settles at once or at the second round
        folded = unicodedata.normalize("NFKC", name.casefold())
        if folded == name:
            break
        name = folded
    if any(unicodedata.category(char) in _REFUSED or ord(char) in _UNSEEN for char in username + name):
        return None
    name = " ".join(name.split())
    return name if 0 < len(name) <= LONGEST else None
