"""The brief: words and style keys read into tempo, key, mood and instruments."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import numpy as np

from darkroom.engine.backends.synth.genres import GENRES, Genre
from darkroom.engine.backends.synth.harmony import NAMES
from darkroom.engine.backends.synth.tones import Random
from darkroom.engine.backends.synth.words import listed, table

TEMPO_MIN, TEMPO_MAX = 60.0, 172.0


_GENRES = table(
    POP="pop,radio,catchy,chart,ballad,song,anthem,love song,kpop,jpop,disco,funk",
    ROCK="rock,punk,metal,grunge,band,riff,indie,garage,electric guitar",
    RAP="rap,hip hop,hiphop,trap,beat,beats,boom bap,lofi,lo fi,street,drill",
    ELECTRONIC="electronic,edm,techno,house,trance,dance,club,synthwave,ambient,dubstep,rave,neon,"
    "cyberpunk,chill,futuristic,8 bit,chiptune,game",
    RNB="rnb,r&b,soul,soulful,groove,smooth,sensual,neo soul,motown",
    JAZZ="jazz,jazzy,swing,bebop,blues,bluesy,lounge,bossa,saxophone,brushes,cocktail,cafe,coffee",
    FOLK="folk,acoustic,country,campfire,ukulele,singer songwriter,celtic,bluegrass,cabin,village",
    CLASSIC="classic,classical,orchestra,orchestral,symphony,symphonic,sonata,waltz,baroque,mozart,"
    "bach,chopin,cinematic,film,soundtrack,trailer,epic,nocturne,lullaby,quartet",
    WORLD="world,african,latin,indian,arabic,oriental,reggae,tribal,tropical,asian,chinese,"
    "flamenco,samba,salsa,caribbean,desert,jungle,ethnic",
)
_EMOTIONS = table(
    HAPPY="happy,joy,joyful,cheerful,sunny,bright,fun,playful,upbeat,summer,smile,party,birthday",
    RELAXED="relaxed,relaxing,calm,chill,peaceful,gentle,quiet,sleep,meditation,soft,sea,lofi,"
    "ambient,lullaby,evening,lounge",
    WARM="warm,cozy,cosy,home,tender,sunset,autumn,hearth,golden",
    ROMANTIC="romantic,love,lover,wedding,kiss,valentine,heart,rose,candle",
    TOUCHING="touching,emotional,moving,nostalgic,memory,memories,hope,hopeful,inspiring",
    SAD="sad,tears,cry,sorrow,melancholy,melancholic,rain,rainy,goodbye,blue,heartbreak,winter",
    LONELY="lonely,alone,solitude,empty,lost,distant,nocturne",
    DEPRESSED="depressed,dark,despair,grief,bleak,gloomy,funeral",
    TENSE="tense,suspense,thriller,danger,chase,horror,scary,anxious,urgent,battle",
    EXCITED="excited,energetic,exciting,energy,powerful,fast,workout,sport,running,wild,dance,"
    "party,rave",
    EPIC="epic,heroic,hero,cinematic,trailer,war,victory,glory,majestic,triumphant,adventure",
    MYSTERIOUS="mysterious,mystery,magic,magical,space,night,dream,dreamy,fog,moon,forest,ocean,"
    "stars,cosmic",
)
_INSTRUMENTS = table(
    PIANO="piano,keys,keyboard,pianist",
    GUITAR="guitar,ukulele,strum,banjo",
    BASS="bass,bassline,808",
    DRUMS="drums,drum,percussion,beat,beats",
    STRINGS="strings,violin,cello,viola,orchestra,quartet,orchestral",
    WIND="flute,wind,clarinet,oboe,saxophone,whistle,woodwind,recorder,pipe",
    SYNTHESIZER="synth,synthesizer,synthesiser,synthwave,moog,arpeggio",
    ELECTRONIC_SOUND="8 bit,chiptune,glitch,robot,game",
    FOLK_INSTRUMENT="kalimba,harp,mandolin,bells,marimba,sitar,koto,guzheng,fiddle",
    MIXED_ORCHESTRATION="orchestra,orchestral,symphony,symphonic,cinematic",
)
_FASTER = listed("fast faster quick upbeat energetic driving")
_SLOWER = listed("slow slower ballad gentle calm sleepy lullaby")
_WALTZ = frozenset(("waltz", "three four", "valse"))
_PLAIN_WORDS = listed(
    "a an the of in on at by to with and or for from my your his her our some about into over "
    "under is are be it that this music song piece track tune melody like very style"
)
_WORD = re.compile(r"[^\W_]+(?:['&][^\W_]+)?|r&b")
_BPM = re.compile(r"\b(\d{2,3})\s*(?:bpm|beats per minute)\b")
_KEY = re.compile(r"\b(?:in|key of)\s+([A-G])(?:\s*(sharp|flat|#|b|♯|♭))?\s+(major|minor)\b")


class Emotion(msgspec.Struct, frozen=True):
    """A mood: its mode, a factor on the tempo, its force and its brightness, 0 to 1."""

    mode: str
    pace: float
    energy: float
    bright: float


EMOTIONS = {
    "HAPPY": Emotion("major", 1.08, 0.75, 0.8),
    "RELAXED": Emotion("major", 0.87, 0.35, 0.4),
    "WARM": Emotion("major", 0.92, 0.45, 0.45),
    "ROMANTIC": Emotion("major", 0.85, 0.4, 0.5),
    "TOUCHING": Emotion("major", 0.84, 0.45, 0.5),
    "SAD": Emotion("minor", 0.82, 0.35, 0.4),
    "LONELY": Emotion("minor", 0.8, 0.28, 0.35),
    "DEPRESSED": Emotion("minor", 0.76, 0.25, 0.25),
    "TENSE": Emotion("minor", 1.06, 0.75, 0.65),
    "EXCITED": Emotion("major", 1.14, 0.95, 0.9),
    "EPIC": Emotion("minor", 1.0, 0.95, 0.7),
    "MYSTERIOUS": Emotion("minor", 0.9, 0.4, 0.4),
}


class Brief(msgspec.Struct, frozen=True):
    """What a piece shall be: read from the caller's words, the rest left to the seed."""

    genre_name: str
    emotion_name: str
    instruments: tuple[str, ...]
    tempo: float
    tonic: int
    mode: str
    meter: int
    words_used: tuple[str, ...]
    words_ignored: tuple[str, ...]

    @property
    def genre(self) -> Genre:
        """The genre's ways."""
        return GENRES[self.genre_name]

    @property
    def emotion(self) -> Emotion:
        """The mood's numbers."""
        return EMOTIONS[self.emotion_name]

    @property
    def is_minor(self) -> bool:
        """Whether chords are those of the minor side."""
        return self.mode in ("minor", "dorian", "phrygian")

    @property
    def key(self) -> str:
        """The key in words, such as "A minor"."""
        return f"{NAMES[self.tonic]} {self.mode}"


def read(description: str, styles: Mapping[str, str], rng: Random) -> Brief:
    """Returns the brief of a description and style keys (see `STYLES` of the kind).

    Style keys win over words; what neither says, `rng` decides. It never fails.
    """
    terms = _terms(description + " " + " ".join(styles.values()))
    genres = [key for key in styles if key in GENRES] or _found(terms, _GENRES)
    emotions = [key for key in styles if key in EMOTIONS] or _found(terms, _EMOTIONS)
    instruments = [key for key in styles if key in _INSTRUMENTS.values()]
    instruments = instruments or list(dict.fromkeys(_found(terms, _INSTRUMENTS)))
    genre_name = genres[0] if genres else str(rng.choice(["POP", "FOLK", "CLASSIC", "ELECTRONIC"]))
    emotion_name = emotions[0] if emotions else str(rng.choice(["WARM", "HAPPY", "TOUCHING"]))
    genre, emotion = GENRES[genre_name], EMOTIONS[emotion_name]
    meter = 3 if _WALTZ & set(terms) and genre_name in ("CLASSIC", "FOLK", "JAZZ", "POP") else 4
    told = _BPM.search(description.lower())
    tempo = float(told[1]) if told else _tempo(genre, emotion, terms, rng)
    tonic, mode = _key(description, genre, emotion, rng)
    return Brief(
        genre_name=genre_name,
        emotion_name=emotion_name,
        instruments=tuple(instruments),
        tempo=round(min(max(tempo, TEMPO_MIN), TEMPO_MAX), 1),
        tonic=tonic,
        mode=mode,
        meter=meter,
        words_used=tuple(term for term in terms if _is_known(term)),
        words_ignored=tuple(
            term for term in terms if not _is_known(term) and term not in _PLAIN_WORDS
        ),
    )


def _terms(text: str) -> list[str]:
    """The words in lower case, known phrases of two words as one."""
    words = [one.lower() for one in _WORD.findall(text.lower())][:400]
    terms: list[str] = []
    at = 0
    while at < len(words):
        pair = " ".join(words[at : at + 2])
        joined = at + 1 < len(words) and _is_known(pair)
        terms.append(pair if joined else words[at])
        at += 2 if joined else 1
    return list(dict.fromkeys(terms))


def _is_known(term: str) -> bool:
    tables = (_GENRES, _EMOTIONS, _INSTRUMENTS)
    return any(term in table for table in tables) or term in _FASTER | _SLOWER | _WALTZ


def _found(terms: list[str], table: dict[str, str]) -> list[str]:
    return [table[term] for term in terms if term in table]


def _tempo(genre: Genre, emotion: Emotion, terms: list[str], rng: Random) -> float:
    pace = emotion.pace * (1.12 if _FASTER & set(terms) else 1.0)
    pace *= 0.9 if _SLOWER & set(terms) else 1.0
    return float(genre.tempo * pace * rng.uniform(0.96, 1.04))


def _key(description: str, genre: Genre, emotion: Emotion, rng: Random) -> tuple[int, str]:
    side = emotion.mode
    # Keys that lie well for the instruments, not too sharp or flat.
    tonic = int(rng.choice([0, 2, 4, 5, 7, 9, 10] if side == "major" else [0, 2, 4, 5, 7, 9, 11]))
    if told := _KEY.search(description):
        bend = {"sharp": 1, "#": 1, "♯": 1, "flat": -1, "b": -1, "♭": -1}.get(told[2] or "", 0)
        tonic = ("C D EF G A B".index(told[1]) + bend) % 12
        side = told[3]
    return tonic, genre.major if side == "major" else genre.minor


def title(given: str, description: str, brief: Brief, rng: np.random.Generator) -> str:
    """The piece's title: the caller's, else the first words of the description, else a mood's."""
    if given.strip():
        return " ".join(given.split())[:80]
    words = description.split()
    while words and words[-1].lower().strip(".,") in _PLAIN_WORDS:
        words.pop()
    if 1 <= len(words) <= 6:
        text = " ".join(words).strip(" .,;:!?")
        return text[:1].upper() + text[1:60]
    kept = [one for one in brief.words_used if one in _EMOTIONS][:1] or [brief.emotion_name.lower()]
    things = {
        "major": ["Morning", "Garden", "Road", "Light"],
        "minor": ["Night", "Rain", "Harbour"],
    }
    noun = rng.choice(things["minor" if brief.is_minor else "major"])
    return f"{kept[0].title()} {noun}"
