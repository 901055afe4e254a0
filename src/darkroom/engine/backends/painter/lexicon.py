"""The words the painter knows: each list maps a word to what it means in a scene."""

from __future__ import annotations


def _table(**meanings: str) -> dict[str, str]:
    return {
        word.strip(): meaning for meaning, words in meanings.items() for word in words.split(",")
    }


SUBJECTS = _table(
    sea="sea,ocean,beach,coast,shore,seascape,waves,wave,seaside,surf,pacific,atlantic,bay,"
    "tropical,island,coastline,coastal,lagoon,tide,water,cliff",
    lake="lake,pond,reservoir,fjord,tarn,loch,lakeside,river",
    mountains="mountain,alps,alpine,peak,summit,hill,valley,ridge,cliffside,highland,himalaya,"
    "volcano,glacier,canyon,mountainous,landscape,scenery,dolomite,everest,rockies,nature,range",
    forest="forest,wood,woodland,jungle,tree,rainforest,grove,pine,birch,oak,taiga,bamboo,"
    "redwood,park,orchard",
    desert="desert,dune,sahara,sand dunes,arid,oasis,sandstorm,wasteland,mars",
    city="city,skyline,town,street,skyscraper,building,downtown,urban,metropolis,cyberpunk,"
    "cityscape,village,tokyo,york,paris,london,shanghai,alley,architecture,futuristic,"
    "hong kong,new york,manhattan,dubai,tower",
    flowers="flower,rose,tulip,garden,blossom,bouquet,meadow flowers,daisy,poppy,sunflower,"
    "lavender,wildflower,bloom,cherry blossom,sakura,peony,orchid,lily,petal,floral,botanical",
    field="field,meadow,wheat,grass,prairie,farm,countryside,farmland,grassland,crop,barley,"
    "plain,savanna,savannah,pasture,hay,wheat field,rice field,corn",
    sky="sky,cloud,cloudscape,heaven,sun,space,star,galaxy,universe,cosmos,starry",
    abstract="abstract,pattern,fractal,geometric,shapes,swirl,fluid,gradient,texture,psychedelic,"
    "kaleidoscope,marble,mandala,wallpaper,generative,surreal",
)  # fmt: skip

TIMES = _table(
    dawn="dawn,daybreak,first light,early morning,blue hour morning",
    sunrise="sunrise,morning",
    day="day,noon,midday,afternoon,daylight,sunny,daytime",
    golden="golden hour,evening,late afternoon,sunlit,warm light,magic hour",
    sunset="sunset,sundown,setting sun",
    dusk="dusk,twilight,blue hour,nightfall,gloaming",
    night="night,midnight,moonlit,moonlight,nighttime,nocturnal,starry,milky way,starlight,"
    "aurora,northern lights,galaxy,space,cosmos,universe,starlit",
)

WEATHERS = _table(
    clear="clear,cloudless,sunny,clear sky,blue sky",
    cloudy="cloudy,cloud,partly cloudy,cumulus",
    overcast="overcast,gloomy,grey sky,gray sky",
    rain="rain,rainy,drizzle,downpour,monsoon",
    storm="storm,stormy,thunderstorm,tempest,hurricane,lightning,thunder",
    fog="fog,foggy,mist,misty,haze,hazy",
    snow="snowfall,blizzard,snowstorm,snowing,falling snow",
)

SEASONS = _table(
    spring="spring,springtime,blossom,cherry blossom,sakura",
    summer="summer,summertime,tropical",
    autumn="autumn,fall,autumnal,october,november,fall colors,fall colours,maple",
    winter="winter,snow,wintry,frozen,icy,ice,december,january,frost,frosty,snowy,arctic,christmas",
)

MOODS = _table(
    calm="calm,peaceful,serene,tranquil,quiet,still,relaxing,gentle,zen",
    dramatic="dramatic,epic,majestic,moody,intense,cinematic,powerful,stormy,breathtaking",
    dreamy="dreamy,ethereal,soft,magical,mystical,fantasy,fairytale,dreamlike,romantic,enchanted",
    dark="dark,gloomy,ominous,sombre,somber,eerie,haunting,gothic",
    joyful="joyful,happy,cheerful,bright,playful,sunny,fun",
)

STYLES = _table(
    photo="photo,photograph,photography,photorealistic,realistic,dslr,hdr,photoreal",
    watercolour="watercolour,watercolor,aquarelle,gouache",
    oil="oil,oil painting,canvas,renaissance,acrylic",
    pixel="pixel,pixel art,8 bit,16 bit,8bit,16bit,retro game",
    line="line art,line drawing,lineart,outline,sketchy,blueprint,engraving",
    impressionist="impressionist,impressionism,monet,van gogh,painterly,post impressionist",
    poster="poster,flat,minimalist,vector,screen print,travel poster,flat design,illustration",
    ink="ink,sumi,sumi e,ink wash,calligraphy",
    pencil="pencil,sketch,charcoal,graphite,drawing",
)

EXTRAS = _table(
    aurora="aurora,northern lights,aurora borealis,polar lights",
    stars="star,starry,starlit,starlight,space,galaxy,universe,cosmos",
    milky_way="milky way,galaxy",
    moon="moon,full moon,moonlit,moonlight,crescent",
    rainbow="rainbow",
    birds="bird,seagull,gull,geese,flock,eagle",
    boat="boat,sailboat,ship,yacht,sail,sailing,vessel,dhow",
    lighthouse="lighthouse,beacon",
    palm="palm,palm tree,tropical,coconut",
    cabin="cabin,hut,cottage,chalet,lodge,log cabin,house,barn",
    snow_caps="snow capped,snowcapped,alps,himalaya,snow caps,glacier,everest",
    reflection="reflection,reflecting,mirror,reflected,mirrored,reflective",
    neon="neon,cyberpunk,neon lights,synthwave,vaporwave",
    path="path,trail,road,walkway,pathway,footpath,lane",
    ice="frozen,ice,icy,iceberg,glacier",
    trees="pine,fir,spruce,conifer",
    beach="beach,seaside,sandy",
    lightning="lightning,thunder,thunderstorm",
    fireflies="firefly",
    sunrays="god rays,sunray,sunbeam,rays,light rays,light shafts,sunbeams",
    clear_sky="clear sky,blue sky,cloudless",
    island="island",
    rain_reflections="wet,puddle",
    rose="rose", tulip="tulip", daisy="daisy", poppy="poppy", sunflower="sunflower",
    lavender="lavender,lavender field",
    cosmos="cosmos flower", sakura="sakura,cherry blossom,blossom",
    bamboo="bamboo", birch="birch", jungle="jungle,rainforest",
    wheat="wheat,wheat field,barley,hay,crop,corn",
)  # fmt: skip

VIVID = _table(
    more="vibrant,vivid,colorful,colourful,saturated,rich,vibrant colors,vibrant colours,bold,"
    "brilliant,bright colors,neon,psychedelic",
    less="muted,pale,faded,desaturated,pastel,subtle,monochrome,"
    "black and white,vintage,soft colors",
)

_TABLES = (SUBJECTS, TIMES, WEATHERS, SEASONS, MOODS, STYLES, EXTRAS, VIVID)
PHRASES = frozenset(word for table in _TABLES for word in table if " " in word)

_SKY = frozenset({"aurora", "stars", "milky_way", "moon", "clear_sky"})
_FIGURES = _SKY | {"birds", "lighthouse", "palm", "cabin", "rainbow", "lightning"}
# The extras that each subject can really show; the others are owned up to as ignored.
SHOWN: dict[str, frozenset[str]] = {
    "sea": _FIGURES | {"boat", "beach", "island", "hills"},
    "lake": _FIGURES | {"boat", "ice", "snow_caps", "reflection", "trees", "hills"},
    "mountains": _FIGURES | {"snow_caps", "trees", "hills"},
    "desert": _FIGURES,
    "field": _FIGURES | {"wheat"},
    "sky": _FIGURES,
    "city": _SKY | {"neon", "reflection", "rain_reflections"},
    "forest": frozenset(
        {"path", "trees", "sunrays", "fireflies", "birch", "bamboo", "jungle", "sakura"}
    ),
    "flowers": _SKY
    | {"rose", "tulip", "daisy", "poppy", "sunflower", "lavender", "sakura", "cosmos"},
    "abstract": frozenset(),
}
# The other subjects that stand around each subject.
AROUND: dict[str, frozenset[str]] = {
    "sea": frozenset({"mountains", "sky"}),
    "lake": frozenset({"mountains", "forest", "sky"}),
    "mountains": frozenset({"forest", "field", "sky"}),
    "city": frozenset({"sea", "lake", "sky"}),
    "flowers": frozenset({"field", "sky"}),
    "field": frozenset({"mountains", "sky"}),
    "desert": frozenset({"sky"}),
}

# Words that carry no picture of their own; they are neither used nor worth a remark.
PLAIN_WORDS = frozenset(
    _table(
        plain="a,an,the,of,in,on,at,over,under,above,below,with,without,and,or,to,from,by,for,into,"
        "is,are,as,its,it,near,beside,behind,between,through,across,against,around,this,that,some,"
        "very,beautiful,nice,pretty,stunning,gorgeous,amazing,wonderful,lovely,high,quality,"
        "detailed,highly,ultra,4k,8k,hd,uhd,view,scene,picture,image,painting,art,style,colors,"
        "colours,color,colour,light,lighting,wide,angle,shot,masterpiece,best,background,"
        "foreground,there,lit,full"
    )
)
