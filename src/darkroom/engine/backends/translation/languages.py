"""Languages that text is translated into: by code or English name, with letters of theirs."""

from __future__ import annotations

import msgspec

from darkroom.errors import BadInput

# Code, English name, and letters that a font needs for it beside those of ASCII.
_TABLE = """
af Afrikaans êëïôû
sq Albanian ëç
ar Arabic ابتثجحسشصضعغفقكلمنهوي
az Azerbaijani əğışçöü
eu Basque ñç
be Belarusian абвгдеёжзіўшыэюя
bn Bengali অআকখগঘচছজ
bs Bosnian čćđšž
bg Bulgarian абвгдежзийклмнопрстуфхцчшщъьюя
ca Catalan àçéèíïóòúü
zh Chinese 的一是不了人我在有他这为之大来
zh-tw Traditional_Chinese 的一是不了人我在有他這為之大來
hr Croatian čćđšž
cs Czech áčďéěíňóřšťúůýž
da Danish æøå
nl Dutch éëïó
en English abc
eo Esperanto ĉĝĥĵŝŭ
et Estonian äõöüšž
fi Finnish äöå
fr French àâæçéèêëîïôœùûü
gl Galician áéíñóú
ka Georgian აბგდევზთიკლმნ
de German äöüß
el Greek αβγδεζηθικλμνξοπρστυφχψωάέήίόύώ
gu Gujarati અઆકખગઘચછજ
he Hebrew אבגדהוזחטיכלמנסעפצקרשת
hi Hindi अआइकखगघचछज
hu Hungarian áéíóöőúüű
is Icelandic áðéíóúýþæö
id Indonesian abc
ga Irish áéíóú
it Italian àèéìíòóù
ja Japanese あいうえおアイウエオ日本語文字
kk Kazakh әғқңөұүһі
kn Kannada ಅಆಕಖಗಘಚಛಜ
km Khmer កខគឃង
ko Korean 가나다라마바사한글
lo Lao ກຂຄງຈ
la Latin āē
lv Latvian āčēģīķļņšūž
lt Lithuanian ąčęėįšųūž
mk Macedonian абвгдѓежзѕијклљњќџ
ms Malay abc
ml Malayalam അആകഖഗഘചഛജ
mt Maltese ċġħż
mr Marathi अआइकखगघचछज
mn Mongolian абвгдеёжзөү
my Burmese ကခဂဃင
ne Nepali अआइकखगघचछज
no Norwegian æøå
fa Persian ابپتجچحخدذرزژسشکگلمنوهی
pl Polish ąćęłńóśźż
pt Portuguese ãáâàçéêíõóôú
pa Punjabi ਅਆਕਖਗਘਚਛਜ
ro Romanian ăâîșț
ru Russian абвгдеёжзийклмнопрстуфхцчшщъыьэюя
sr Serbian абвгдђежзијклљњћџ
si Sinhala අආකඛගඝ
sk Slovak áäčďéíĺľňóôŕšťúýž
sl Slovenian čšž
es Spanish áéíñóúü¿¡
sw Swahili abc
sv Swedish åäö
tl Filipino ñ
ta Tamil அஆகஙசஞட
te Telugu అఆకఖగఘచఛజ
th Thai กขคงจฉชซ
tr Turkish çğıİöşü
uk Ukrainian абвгґдеєжзиіїйклмн
ur Urdu ابپتٹجچحخدڈرڑزژسشکگلمنںوہی
uz Uzbek ʻ
vi Vietnamese ăâđêôơưạảấầẩẫậ
cy Welsh âêîôûŵŷ
"""
_ALSO = {
    "nb": "no",
    "nn": "no",
    "fil": "tl",
    "iw": "he",
    "zh-hant": "zh-tw",
    "zh-hk": "zh-tw",
    "zh-mo": "zh-tw",
    "simplified chinese": "zh",
    "farsi": "fa",
    "cn": "zh",
    "jp": "ja",
    "kr": "ko",
}
_LEFTWARD = frozenset({"ar", "fa", "he", "ur"})
_SHAPED = frozenset({"bn", "gu", "hi", "kn", "km", "lo", "ml", "mr", "my", "ne", "pa", "si", "ta"})
_SHAPED_ALSO = frozenset({"te", "th"})
_EAST_ASIAN = frozenset({"zh", "zh-tw", "ja", "ko"})


class Language(msgspec.Struct, frozen=True):
    """A language: its code, its English name, and letters that a font must have for it."""

    code: str
    name: str
    letters: str

    @property
    def is_leftward(self) -> bool:
        """Whether it is written from right to left."""
        return self.code in _LEFTWARD

    @property
    def is_shaped(self) -> bool:
        """Whether its letters change with their neighbours, or their direction, when set."""
        return self.code in _LEFTWARD | _SHAPED | _SHAPED_ALSO

    @property
    def fonts(self) -> str:
        """The Debian package that has letters for it."""
        return "fonts-noto-cjk" if self.code in _EAST_ASIAN else "fonts-noto-core"


def _read() -> dict[str, Language]:
    found = {}
    for entry in _TABLE.split("\n")[1:-1]:
        code, name, letters = entry.split(" ")
        found[code] = Language(code, name.replace("_", " "), letters)
    return found


LANGUAGES = _read()
_NAMED = {one.name.casefold(): one for one in LANGUAGES.values()}


def language(said: str, field: str) -> Language:
    """The language that a caller names, `de`, `de-AT` or `German`; raises `BadInput` for none."""
    word = said.strip().casefold().replace("_", "-")
    word = _ALSO.get(word, word)
    found = LANGUAGES.get(word) or _NAMED.get(word)
    if found is None:
        part = word.partition("-")[0]
        found = LANGUAGES.get(_ALSO.get(part, part)) if len(part) in (2, 3) else None
    if found is None:
        raise BadInput(
            f"{field}: this language is not known here. Send a code or an English name, such as "
            "en, zh-TW or German."
        )
    return found
