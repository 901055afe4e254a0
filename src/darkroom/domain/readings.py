"""Reading: a text as a person would read it, without the disguises that its letters may wear."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Unicode's Default_Ignorable_Code_Point, which people do not see and machines trip over, and the
# marks that Hebrew and Arabic may leave out; also two ligatures that NFKC makes 18 times as long.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u0591-\u05c7\u0640\u064b-\u065f\u0670\ufdfa\ufdfb]"
)
# The blocks of combining diacritical marks; not every mark, for some scripts spell with them.
_DIACRITICS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# Letters of other alphabets, and of phonetic ones, drawn like Latin letters. Greek capitals are
# listed because their small letters look like others (Ν is N, ν is v).
LOOK_ALIKES = str.maketrans(
    "аАвВеЕзЗіІјЈкКмМнНоОпрРсСтТуУхХѕЅһҺԁԛԝӏӀьЬ"
    "αΑβΒγεΕΖηΗιΙκΚΜνΝοΟρΡτΤυΥχΧωϲօսոհցıłŁøØđĐħŧɑɡɩɪɴʀʏʜʟʙꜰɢꜱᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ",
    "aAbBeEzZiIjJkKmMhHoOnpPcCtTyYxXsShHdqwlIbB"
    "aAbByeEZnHiIkKMvNoOpPtTuYxXwcounhgilLoOdDhtagiinryhlbfgsacdejkmoptuvwz",
) | {
    # Letters in black circles, in black squares, and the halves of flags: NFKC leaves them.
    start + place: chr(ord("a") + place)
    for start in (0x1F150, 0x1F170, 0x1F1E6)
    for place in range(26)
}
# Symbols that stand for letters become the digit that stands for the same letter.
_SYMBOLS = str.maketrans({"@": "4", "$": "5", "€": "3", "£": "1", "|": "1", "¢": "c", "¥": "y"})
DIGITS = str.maketrans("abegilostz", "4839110572")

# Thai, and all that begins with the symbols at U+2000, among which are the scripts of China, Japan
# and Korea: they put no space between words, so their phrases are found anywhere.
UNSPACED = r"\u0e00-\u0e7f\u2000-\U0010ffff"
_SEAM = re.compile(
    rf"(?<=\w)(?<=[{UNSPACED}])(?=[^\W{UNSPACED}])|(?<=[^\W{UNSPACED}])(?=\w)(?=[{UNSPACED}])"
)
_BANG = re.compile(r"!(?=[a-z0-9])")
# The first letters of a run, but for three.
_RUN_ON = re.compile(r"(\S)(?=\1{3})")
_SPELLED = re.compile(r"(?<!\w)(?:\w\W{1,3}){2,}\w(?!\w)")
# The look behind stands second, so that the search can skip to the next mark.
_INNER = re.compile(r"[^\w\s](?<=\w.)[^\w\s]{0,2}(?=\w)")


def folded(text: str) -> str:
    """Returns the text without case, diacritics, invisible characters and look-alikes."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
        text = _DIACRITICS.sub("", unicodedata.normalize("NFD", text))
        text = _SEAM.sub(" ", unicodedata.normalize("NFC", text)).translate(LOOK_ALIKES)
    return text.casefold().replace("_", "-")


def views(text: str) -> Iterable[str]:
    """Returns the ways to read a text: folded; symbols as letters; broken words joined."""
    plain = _RUN_ON.sub("", folded(text))
    drawn = _BANG.sub("1", plain).translate(_SYMBOLS)
    if drawn != plain:
        drawn = _RUN_ON.sub("", drawn)
    joined = _INNER.sub("", _SPELLED.sub(_joined, drawn))
    return dict.fromkeys((plain, drawn, joined))


def _joined(spelled: re.Match[str]) -> str:
    """Returns a word that was written letter by letter; wider gaps stay between words."""
    letters, gaps = re.findall(r"\w", spelled[0]), re.findall(r"\W+", spelled[0])
    narrow = min(map(len, gaps))
    rest = "".join(
        (" " if len(gap) > narrow else "") + letter
        for gap, letter in zip(gaps, letters[1:], strict=True)
    )
    # "I k i l l" is read both ways: a lone a or i may be a word before the spelled one.
    return f"{letters[0]}{rest} {rest}" if letters[0] in "ai" else letters[0] + rest
