"""The genres: each one's tempo, chords, drums, bass, rhythms and instruments, as plain data.

Drums are one bar of steps: x loud, o soft, - lighter still, . nothing. Melody rhythms are one bar:
x begins a tone, - holds it, . rests. Bass lines name a chord's tones: R root, 5 fifth, 8 octave,
3 third, a the step that leads to the next root. Progressions have one string a bar.
"""

from __future__ import annotations

import msgspec

Progressions = dict[str, tuple[tuple[str, ...], ...]]


def _bars(*lines: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in lines)


class Genre(msgspec.Struct, frozen=True):
    """How a genre goes. `chords` are by section and mode: "A major", "B minor", "bridge major"."""

    tempo: int
    chords: Progressions
    cadence: dict[str, tuple[str, str, str]]
    cells: tuple[str, ...]
    bass: tuple[str, ...]
    drums: dict[str, tuple[str, ...]]
    lead: str
    comp: str
    pad: str
    low: str
    comping: str = "chords"
    swing: float = 0.5
    grid: float = 1.0
    minor: str = "minor"
    major: str = "major"
    ritard: bool = False
    ducked: bool = False


_PLAIN = {"major": ("IV", "V", "I"), "minor": ("bVI", "bVII", "i")}
_CLASSIC = {"major": ("ii", "V7", "I"), "minor": ("iv", "V7", "i")}
_MODAL = {"major": ("IV", "bVII", "I"), "minor": ("bVI", "bVII", "i")}

POP = Genre(
    tempo=108,
    chords={
        "A major": _bars("I V vi IV", "I iii IV V", "vi IV I V", "Iadd9 vi7 IVadd9 V"),
        "B major": _bars("IV I V vi", "IV V iii vi", "I V vi IV"),
        "bridge major": _bars("ii iii IV V", "vi V IV V"),
        "A minor": _bars("i bVI bIII bVII", "i iv bVI bVII", "i bVII bVI bVII"),
        "B minor": _bars("bVI bVII i bIII", "bIII bVII i bVI"),
        "bridge minor": _bars("iv i bVI V", "bVI bIII iv V"),
    },
    cadence=_PLAIN,
    cells=("x-xxx-x-", "xxx-x---", "x--xx-x-", "..x-xxx-", "x--x--x-", "x-x-x---"),
    bass=("R.RRR.5a", "R--RR-8a", "R-.RR-5a"),
    drums={
        "kick": ("x.....x.x.......", "x..x....x.x.....", "x.....x.x..x...."),
        "snare": ("....x.......x...",),
        "hat": ("x.o.x.o.x.o.x.o.", "x-o-x-o-x-o-x-o-"),
    },
    lead="piano", comp="piano", pad="strings", low="bass", ducked=False,
)  # fmt: skip

ROCK = Genre(
    tempo=126,
    chords={
        "A major": _bars("I bVII IV I", "I IV I V", "I V bVII IV"),
        "B major": _bars("IV V I vi", "I V vi IV"),
        "bridge major": _bars("vi IV vi V", "ii IV ii V"),
        "A minor": _bars("i bVI bVII i", "i bIII bVII iv", "i bVII bVI bVII"),
        "B minor": _bars("bVI bVII i bIII", "bVI bIII bVII i"),
        "bridge minor": _bars("iv bVI iv V", "bVI bVI bVII V"),
    },
    cadence=_PLAIN,
    cells=("x-xxx-x-", "x--xx---", "xx.xx-x-", "x-x-xx--", "x---x-xx"),
    bass=("RRRRRRRR", "RRRRRR5a", "R.RRR.RR"),
    drums={
        "kick": ("x.....x.x.x.....", "x.x.....x.x...x.", "x.......x.x....."),
        "snare": ("....x.......x...",),
        "hat": ("x.o.x.o.x.o.x.o.",),
    },
    lead="drive", comp="drive", pad="organ", low="bass", comping="power",
)  # fmt: skip

RAP = Genre(
    tempo=86,
    chords={
        "A major": _bars("Imaj7 vi7 ii7 V7", "IVmaj7 iii7 vi7 vi7"),
        "B major": _bars("IVmaj7 V7 iii7 vi7",),
        "bridge major": _bars("ii7 iii7 IVmaj7 V7",),
        "A minor": _bars("i7 i7 bVImaj7 V7", "i7 iv7 bVImaj7 V7", "i bVI iv V"),
        "B minor": _bars("bVImaj7 bVII i7 iv7", "i7 bVImaj7 bIII bVII"),
        "bridge minor": _bars("iv7 i7 bVImaj7 V7",),
    },
    cadence={"major": ("ii7", "V7", "Imaj7"), "minor": ("iv7", "V7", "i7")},
    cells=("x--x--x-x-----x-", "x-x-..x-x--x----", "..x-x-x---x-x---", "x-------x--x--x-"),
    bass=("R-----.R--.R----", "R--..R--R---..a-"),
    drums={
        "kick": ("x..x......x.....", "x.....x...x..x..", "x......x..x....."),
        "snare": ("....x.......x...",),
        "clap": ("....o.......o...",),
        "hat": ("x.o.x.o.x.ooo.x.", "x.oox.o.x.o.xooo", "x.o.x.x.o.x.x.o."),
    },
    lead="bells", comp="epiano", pad="pad", low="sub", comping="sparse", swing=0.57, grid=0.5,
)  # fmt: skip

ELECTRONIC = Genre(
    tempo=122,
    chords={
        "A major": _bars("vi IV I V", "IV I V vi", "I vi IV V"),
        "B major": _bars("IV V vi I", "I V vi IV"),
        "bridge major": _bars("IVadd9 IVadd9 vi7 Vsus4",),
        "A minor": _bars("i bVI bIII bVII", "i bVII bVI bVII", "i bIII bVII iv"),
        "B minor": _bars("bVI bVII i bIII", "bVI bIII bVII i"),
        "bridge minor": _bars("bVImaj7 bVImaj7 iv7 V",),
    },
    cadence=_PLAIN,
    cells=("x--x--x---x-x---", "x-x-..x-..x-x---", "x--x--x-x--x--x-", "..x---x---x-x---"),
    bass=("..R...R...R...R.", "..RR..RR..RR..8R", "R.R8R.R8R.R8R.R8"),
    drums={
        "kick": ("x...x...x...x...",),
        "clap": ("....x.......x...",),
        "hat": ("..x...x...x...x.",),
        "shaker": ("o-o-o-o-o-o-o-o-",),
    },
    lead="lead", comp="pluck", pad="pad", low="synthbass", comping="arpeggio", ducked=True,
)  # fmt: skip

RNB = Genre(
    tempo=78,
    chords={
        "A major": _bars("Imaj9 iii7 vi9 IVmaj7", "ii9 V13 Imaj9 vi7"),
        "B major": _bars("IVmaj7 iii7 ii9 V7sus", "IVmaj9 V7sus iii7 vi9"),
        "bridge major": _bars("ii9 iii7 IVmaj9 V13",),
        "A minor": _bars("i9 iv9 bVImaj7 V7", "i9 bVImaj9 iv9 V7"),
        "B minor": _bars("bVImaj9 bVII9 i9 bIIImaj7", "iv9 bVII9 bIIImaj9 bVImaj7"),
        "bridge minor": _bars("iv9 i9 bVImaj9 V7",),
    },
    cadence={"major": ("ii9", "V13", "Imaj9"), "minor": ("iv9", "V7b9", "i9")},
    cells=("x--xx-x-..x-x---", "..x-x-xxx---x---", "x-x---x-xx------", "x--x--x-----x-x-"),
    bass=("R-----.R..5-.R8.", "R--.R---..R-..a-"),
    drums={
        "kick": ("x......x..x.....", "x.....ox..x..o.."),
        "snare": ("....x.......x..-",),
        "clap": ("....o.......o...",),
        "hat": ("x-o-x-o-x-o-x-oo", "x.o-x.o-x.o-x.o-"),
    },
    lead="epiano", comp="epiano", pad="pad", low="bass", comping="soft", swing=0.57, grid=0.5,
)  # fmt: skip

JAZZ = Genre(
    tempo=132,
    chords={
        "A major": _bars(
            "Imaj7 vi7 ii7 V7 iii7 VI7b9 ii7 V7", "Imaj9 IV9 iii7 VI7b9 ii9 V13 Imaj7,vi7 ii7,V7"
        ),
        "B major": _bars(
            "IVmaj7 iv6 iii7 VI7b9 ii7 V7 Imaj7 I7", "v7 I7 IVmaj7 IVmaj7 vi7 II7 ii7 V7b9"
        ),
        "bridge major": _bars("III7 VI7 II7 V7",),
        "A minor": _bars(
            "i6 i6 iiø V7b9 i6 bVImaj7 iiø V7b9", "iv7 bVII7 bIIImaj7 bVImaj7 iiø V7b9 i6 i6"
        ),
        "B minor": _bars("iv7 bVII7 bIIImaj7 bVImaj7 iiø V7b9 i6 V7b9",),
        "bridge minor": _bars("v7 I7b9 iv7 V7b9",),
    },
    cadence={"major": ("ii9", "V13", "Imaj9"), "minor": ("iiø", "V7b9", "i6")},
    cells=("x-xxx-.x", ".xxxxx--", "x--xx.x-", "..xxx-x-", "x-x-.xx-", ".x-x-x--"),
    bass=("walk",),
    drums={
        "ride": ("x...x.o.x...x.o.",),
        "pedal": ("....x.......x...",),
        "brush": ("o...x...o...x...",),
        "kick": ("-...-...-...-...",),
        "snare": (".......-......-.", "..........-.....", "...-......-...-."),
    },
    lead="piano", comp="piano", pad="", low="upright", comping="jazz", swing=0.64, minor="dorian",
    ritard=True,
)  # fmt: skip

FOLK = Genre(
    tempo=100,
    chords={
        "A major": _bars("I IV I V", "I V vi IV", "I vi IV V"),
        "B major": _bars("IV I V I", "vi IV I V", "IV V I vi"),
        "bridge major": _bars("vi iii IV V", "ii IV I V"),
        "A minor": _bars("i bVII i v", "i IV i bVII", "i bIII bVII i"),
        "B minor": _bars("bIII bVII IV i", "bVII i bVII i"),
        "bridge minor": _bars("IV i IV v",),
    },
    cadence={"major": ("IV", "V", "I"), "minor": ("IV", "bVII", "i")},
    cells=("x-xxx-x-", "x--xx-x-", "x-x-xxx-", "xxx-x-x-", "x-x-x---"),
    bass=("R---5---", "R---5-a-"),
    drums={
        "kick": ("o.......o.......",),
        "shaker": ("o.-.x.-.o.-.x.-.",),
        "tambourine": ("....o.......o...",),
    },
    lead="flute", comp="guitar", pad="", low="upright", comping="picking", minor="dorian",
    ritard=True,
)  # fmt: skip

CLASSIC = Genre(
    tempo=84,
    chords={
        "A major": _bars("I V vi iii IV I ii V", "I IV V7 I vi ii V7 V7", "I vi IV V7 I ii V7 V7"),
        "B major": _bars("vi ii V I IV ii V7 I", "V I II7 V vi IV V7 I"),
        "bridge major": _bars("iv I II7 V7", "vi iii IV V7"),
        "A minor": _bars("i iv V7 i bVI iv V7 V7", "i iv bVII bIII bVI iiø V7 V7"),
        "B minor": _bars("bIII bVII i V7 bVI iv V7 i", "iv bVII bIII bVI iiø V7 i i"),
        "bridge minor": _bars("bVI bIII iv V7", "iv i iiø V7"),
    },
    cadence=_CLASSIC,
    cells=("x---x-x-", "x--xx-x-", "x-x-x-x-", "x-----xx", "x-xxx---", "x---x---"),
    bass=("R-------", "R---5---", "R---8---"),
    drums={},
    lead="piano", comp="piano", pad="strings", low="cello", comping="alberti", ritard=True,
)  # fmt: skip

WORLD = Genre(
    tempo=104,
    chords={
        "A major": _bars("I bVII I bVII", "I IV bVII I"),
        "B major": _bars("IV bVII I I", "bVII IV I I"),
        "bridge major": _bars("ii IV bVII bVII",),
        "A minor": _bars("i bVII i bVII", "i i IV i", "i bVII IV i"),
        "B minor": _bars("bIII bVII i i", "IV bVII i i"),
        "bridge minor": _bars("IV IV bVII bVII",),
    },
    cadence=_MODAL,
    cells=("x-xx--x-xx--x---", "x--x--x-x-x-x---", "..x-xxx-x---x-x-", "x-x-x--x--x-x---"),
    bass=("R--5--8-R--5--8-", "R-----5-8---5---"),
    drums={
        "drum": ("x..-..x.x...x.-.", "x.....x.x..x..-."),
        "conga": ("..o.xx..o.-.xx.o", "-.o.x.oo-.o.x.o."),
        "shaker": ("x-o-x-o-x-o-x-o-",),
    },
    lead="flute", comp="kalimba", pad="strings", low="upright", comping="arpeggio",
    minor="dorian", major="mixolydian",
)  # fmt: skip

GENRES = {
    "POP": POP, "ROCK": ROCK, "RAP": RAP, "ELECTRONIC": ELECTRONIC, "RNB": RNB, "JAZZ": JAZZ,
    "FOLK": FOLK, "CLASSIC": CLASSIC, "WORLD": WORLD,
}  # fmt: skip
