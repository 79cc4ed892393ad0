//! Word lists: what kind of word a word is, as far as captions need to know.

use std::{collections::HashMap, sync::LazyLock};

/// `a`, `the`, `some`.
pub(crate) const DET: u64 = 1;
/// `her`, `its`.
pub(crate) const POSS: u64 = 1 << 1;
/// `two`, `several`, `25`.
pub(crate) const NUM: u64 = 1 << 2;
/// `of`, `with`, `behind`.
pub(crate) const PREP: u64 = 1 << 3;
/// `and`, `while`.
pub(crate) const CONJ: u64 = 1 << 4;
/// `who`, `that`.
pub(crate) const REL: u64 = 1 << 5;
/// `is`, `has`, `appears`.
pub(crate) const AUX: u64 = 1 << 6;
/// `she`, `it`, `there`.
pub(crate) const PRON: u64 = 1 << 7;
/// A finite verb or a past participle: `sits`, `worn`.
pub(crate) const VERB: u64 = 1 << 8;
/// `very`, `slightly`, `back`.
pub(crate) const ADV: u64 = 1 << 9;
/// An adjective of any kind.
pub(crate) const ADJ: u64 = 1 << 10;
/// An adjective that stands behind its noun or tells a state: `asleep`, `shirtless`.
pub(crate) const STATE: u64 = 1 << 11;
/// `happy`, `serious`.
pub(crate) const MOOD: u64 = 1 << 12;
/// What a person is like whatever she does: `young`, `blonde`, `Asian`.
pub(crate) const LOOKS: u64 = 1 << 13;
/// What a thing is like: colours, sizes, materials.
pub(crate) const MAKE: u64 = 1 << 14;
/// One person: `woman`.
pub(crate) const PERSON: u64 = 1 << 15;
/// Several: `people`.
pub(crate) const PERSONS: u64 = 1 << 16;
/// A person by what she does: `nurse`. Also a `PERSON`.
pub(crate) const ROLE: u64 = 1 << 17;
/// A part of a person that tells who she is: `hair`, `beard`.
pub(crate) const FEATURE: u64 = 1 << 18;
/// Where features are: `face`, `shoulders`, and what hair is made into: `bun`.
pub(crate) const PLACE: u64 = 1 << 19;
/// A part of a thing or an animal: `fur`, `handle`.
pub(crate) const PART: u64 = 1 << 20;
/// Letters in a picture: `watermark`, `text`.
pub(crate) const LETTERING: u64 = 1 << 21;
/// A kind of picture: `photo`, `painting`.
pub(crate) const MEDIUM: u64 = 1 << 22;
/// A plain kind of picture, which goes without saying: `photo`, `image`.
pub(crate) const PLAIN: u64 = 1 << 23;
/// A picture by its frame: `portrait`, `close-up`. Never style.
pub(crate) const FRAME: u64 = 1 << 24;
/// A word of style: `watercolor`, `anime`.
pub(crate) const STYLE: u64 = 1 << 25;
/// Praise: `masterpiece`, `8k`.
pub(crate) const QUALITY: u64 = 1 << 26;
/// `showing`, `depicts`, as said of a picture.
pub(crate) const SHOW: u64 = 1 << 27;
/// Ends in `-ing` and is a verb.
pub(crate) const ING: u64 = 1 << 28;
/// Ends in `-ed` and is a participle.
pub(crate) const ED: u64 = 1 << 29;
/// `tied`, `cascading`: what hair does.
pub(crate) const HAIR: u64 = 1 << 30;
/// The placeholder of the concept.
pub(crate) const CONCEPT: u64 = 1 << 31;
/// `'s`
pub(crate) const GENITIVE: u64 = 1 << 32;
/// No letters in it.
pub(crate) const PUNCT: u64 = 1 << 33;
/// Names of people that are also words, and months.
pub(crate) const NAME: u64 = 1 << 34;
/// Holds things: `cup`, `bowl`.
pub(crate) const VESSEL: u64 = 1 << 35;
/// A female, a male.
pub(crate) const FEMALE: u64 = 1 << 36;
/// See `FEMALE`.
pub(crate) const MALE: u64 = 1 << 37;
/// What can follow a noun without being a part of its compound: any of these ends a noun phrase at once.
pub(crate) const STOP: u64 = PREP | CONJ | REL | AUX | PRON | GENITIVE | PUNCT;
/// Begins a noun phrase.
pub(crate) const OPENS: u64 = DET | POSS | NUM;

const LISTS: &[(u64, &str)] = &[
    (DET, "a an the this these those some any each every another no"),
    (POSS, "his her its their my your our"),
    (NUM, "one two three four five six seven eight nine ten several many multiple various both few numerous"),
    (
        PREP,
        "of in on at by with from to into onto over under behind beside near next against through between among \
         around along across above below inside beneath beyond toward towards during without within upon off up \
         down out as like about atop amid amidst underneath alongside via for past",
    ),
    (CONJ, "and or but while & nor plus whilst"),
    (REL, "that which who whose where whom when"),
    (
        AUX,
        "is are was were be been being has have had does do did can could may might will would should must seems \
         seem appears appear",
    ),
    (PRON, "she he it they him them i you we us me there here himself herself itself themselves something nothing"),
    (
        VERB,
        "sits stands lies lays looks holds wears walks runs jumps plays sleeps eats rests poses smiles stares leans \
         rides gazes faces carries drinks reads swims flies crosses rises shows depicts features captures displays \
         presents portrays contains includes illustrates showcases highlights represents reflects adds creates gives \
         suggests indicates says overlooks surrounds covers drives hangs floats grows gets goes comes makes takes \
         uses touches reaches points kneels crouches dances sings works cooks laughs cries yawns licks chases \
         watches waits hugs kisses sat stood lay worn held taken seen made shown drawn hung sleep sit stand wear \
         hold looked sprawls naps curls climbs peeks peers hides perches shines glows leads remains extends",
    ),
    (
        ADV,
        "very really also just quite so too rather back away outside outdoors indoors together apart alone upside \
         forward forwards upward upwards downward sideways still only almost somewhat more most less again",
    ),
    (
        ADJ,
        "other different same similar new modern big large small little tiny huge long short tall wide narrow thick \
         thin round square bright dark light soft hard warm cold hot wet dry clean dirty open closed full empty \
         high low deep shallow heavy sunny cloudy rainy snowy foggy blurry blurred blue-green traditional casual \
         formal elegant simple plain colorful busy quiet calm peaceful lush natural left right top bottom main \
         front slight subtle gentle wide-open straight wavy curly messy loose neat front-facing visible distant \
         sleeveless sheer floral plaid denim",
    ),
    (
        STATE | ADJ,
        "asleep awake glowing barefoot shirtless topless nude naked masked blindfolded hooded veiled seated \
         parked upside-down blurred lit wrapped",
    ),
    (
        MOOD | ADJ,
        "happy sad angry serious surprised worried scared excited tired calm confident shy bored confused thoughtful \
         pensive cheerful joyful nervous shocked relaxed",
    ),
    (
        LOOKS | ADJ,
        "young old elderly middle-aged older younger teenage adult mature aged senior petite slim skinny slender \
         muscular fat chubby overweight plump stocky athletic curvy tattooed bald balding bearded mustached freckled \
         wrinkled blonde blond brunette redhead redheaded ginger pale tan tanned asian african african-american \
         american european caucasian hispanic latina latino indian chinese japanese korean arab arabic \
         middle-eastern mixed-race female male beautiful pretty handsome attractive cute gorgeous lovely sexy \
         good-looking youthful stunning adorable year years russian french german italian spanish british \
         brazilian mexican thai vietnamese turkish persian scandinavian nordic slavic mid-aged",
    ),
    (
        MAKE | ADJ,
        "red orange yellow green blue purple pink brown black white gray grey beige cream golden gold silver tan \
         turquoise teal navy maroon violet dark light bright pale big large small little tiny huge long short tall \
         fluffy furry striped spotted shiny glossy matte wooden metal metallic plastic ceramic glass leather fabric \
         round square fat thin thick stuffed knitted old new cute adorable tabby calico ginger tuxedo vintage modern \
         multicolored colorful patterned checkered soft smooth rusty antique handmade decorative",
    ),
    (
        PERSON | FEMALE,
        "woman girl lady female mother daughter sister wife girlfriend grandmother aunt businesswoman schoolgirl \
         queen princess brunette blonde redhead mom grandma",
    ),
    (
        PERSON | MALE,
        "man boy guy gentleman male father son brother husband boyfriend grandfather uncle businessman schoolboy \
         king prince dad grandpa dude",
    ),
    (PERSON, "person human child kid baby toddler teenager teen adult infant individual someone youth celebrity"),
    (PERSON | ROLE | FEMALE, "bride nun waitress actress ballerina witch mermaid"),
    (PERSON | ROLE | MALE, "groom monk priest waiter cowboy"),
    (
        PERSON | ROLE,
        "nurse doctor soldier chef firefighter astronaut pirate clown dancer singer musician guitarist player athlete \
         student teacher worker farmer model actor cyclist skier surfer skateboarder snowboarder boxer runner knight \
         samurai pilot photographer artist scientist policeman policewoman officer warrior mechanic barista \
         graduate ninja vampire superhero wizard fisherman fisherwoman fireman craftsman horseman cameraman \
         sportsman bodybuilder swimmer climber hiker skater gymnast wrestler golfer drummer pianist violinist \
         cellist rapper dj conductor butcher baker barber hairdresser sculptor potter carpenter blacksmith \
         engineer lawyer judge journalist politician sailor captain biker motorcyclist jockey shepherd vendor \
         tourist passenger pedestrian commuter bartender maid butler bishop geisha gladiator viking elf surgeon \
         dentist librarian gardener tailor welder plumber electrician paramedic",
    ),
    (
        PERSONS,
        "people women men girls boys ladies guys persons children kids babies adults teenagers couple family \
               crowd friends humans players students soldiers dancers gentlemen",
    ),
    (FEMALE, "women girls ladies"),
    (MALE, "men boys guys gentlemen"),
    (
        FEATURE,
        "hair eyes eye beard mustache moustache goatee stubble freckles freckle eyebrows eyelashes skin complexion \
         bangs ponytail pigtails braids braid dreadlocks hairstyle haircut hairdo wrinkles cheekbones jawline build \
         physique sideburns bob curls afro dimples mole birthmark irises iris lips appearance locks fringe mohawk \
         tattoo tattoos scar scars",
    ),
    (
        PLACE,
        "face chin cheek cheeks nose forehead head shoulder shoulders neck ear ears waist scalp jaw temples brow bun \
         buns ponytail ponytails braid braids pigtails updo knot curls waves bangs bob dreadlocks style fringe \
         arm arms chest wrist wrists",
    ),
    (
        PART,
        "fur eyes eye ears ear tail nose paws paw whiskers legs feet stripes spots markings coat mane snout beak \
         feathers wings horns muzzle handle lid wheels strap straps laces sole soles buttons zipper petals rim \
         spout base stem pattern patches teeth claws hooves trunk tusks shell scales knob trim finish",
    ),
    (
        LETTERING,
        "watermark watermarks signature signatures text texts lettering logo logos username caption subtitles subtitle \
         timestamp copyright url website watermarked writing inscription word words letters",
    ),
    (
        MEDIUM | PLAIN,
        "photo photograph image picture pic photos pictures images photography snapshot scene view photographs stock",
    ),
    (
        MEDIUM | STYLE,
        "painting illustration drawing sketch artwork art render rendering anime manga comic cartoon print etching \
         engraving woodcut watercolor watercolour fresco mural mosaic lithograph doodle paintings drawings \
         illustrations",
    ),
    (MEDIUM | FRAME, "portrait close-up closeup headshot selfie screenshot self-portrait shot poster portraits"),
    (
        STYLE,
        "style styled stylized digital oil acrylic gouache pastel pencil charcoal ink pixel vector lowpoly low-poly \
         3d cgi impressionist impressionistic expressionist cubist surreal surrealist surrealistic minimalist \
         baroque renaissance ukiyo-e realistic photorealistic hyperrealistic hyper-realistic photo-realistic \
         semi-realistic cinematic painterly cel-shaded cel shaded shading lineart line artstation deviantart pixiv \
         monochrome retro vintage brushstrokes brushstroke brushwork strokes canvas flat aesthetic \
         fantasy-art claymation ghibli pixar disney unreal engine octane trending abstract hand-drawn hand-painted \
         watercolors oils crayon",
    ),
    (
        QUALITY,
        "masterpiece quality hd uhd hdr 4k 8k 16k highres absurdres detailed intricate award-winning best highly \
         ultra ultra-detailed hi-res high-res high-resolution high-quality sharp focus professional raw resolution \
         trending artstation amazing breathtaking",
    ),
    (
        SHOW,
        "shows depicts features captures displays presents portrays contains illustrates showcases showing depicting \
         featuring capturing displaying presenting portraying of",
    ),
    (
        HAIR,
        "tied pulled styled braided parted slicked swept cut worn curled combed gathered falling flowing cascading \
         framing hanging blowing covering pinned dyed trimmed flowing reaching",
    ),
    (
        VESSEL,
        "cup mug bowl glass bottle plate vase jar pot basket bucket box tray bag pitcher teapot kettle can jug \
         container dish pan",
    ),
    (
        NAME,
        "may june april august march rose summer will mark faith grace hope joy jade ruby amber violet daisy lily iris \
         ivy olive pearl dawn eve autumn sky brook forest river stone hunter mason chase grant drew pat sue bill jack \
         art ray guy dean earl duke angel star sunny happy melody harmony charity cherry candy ginger pepper rusty \
         misty sandy rocky buddy shadow smokey tiger bear fox wolf lion raven robin jay cat dog bird horse rabbit \
         car bike house tree flower bottle shoe bag hat dress shirt lamp chair table teapot mug cup toy doll robot \
         coco peach honey cookie oreo biscuit snow rain storm sun moon bean olive",
    ),
];

/// Ends like a participle but is a noun or adjective.
const NO_ING: &str = "building ceiling painting clothing evening morning ring string king wing wedding earring railing \
    lighting drawing setting thing spring sibling pudding sling awning bedding during rendering \
    engraving etching stocking swing stuffing shading writing lettering nothing something everything anything \
    being viking darling sterling icing dressing frosting topping flooring filling duckling";
const NO_ED: &str = "red bed shed seed sled weed reed hundred speed breed blurred need feed steed bobsled";
const NO_LY: &str = "family fly belly curly lovely friendly ugly silly jelly lily butterfly wooly woolly holy early \
    lonely elderly chilly assembly supply italy bully rally dragonfly jolly hilly burly trolley firefly";

static CLASSES: LazyLock<HashMap<&'static str, u64>> = LazyLock::new(|| {
    let mut classes = HashMap::new();
    for (class, words) in LISTS {
        for word in words.split_whitespace() {
            *classes.entry(word).or_default() |= class;
        }
    }
    for word in NO_ING.split_whitespace().chain(NO_ED.split_whitespace()).chain(NO_LY.split_whitespace()) {
        classes.entry(word).or_default();
    }
    classes
});

/// What kind of word this is; `key` is in lower case.
pub(crate) fn class(key: &str) -> u64 {
    let listed = CLASSES.get(key).copied();
    let looks = ["-haired", "-eyed", "-skinned", "-year-old", "-bearded"].iter().any(|end| key.ends_with(end));
    if looks {
        return LOOKS | MAKE | ADJ;
    }
    if key.chars().next().is_some_and(|c| c.is_ascii_digit()) {
        return listed.unwrap_or_default() | if key.chars().all(|c| c.is_ascii_digit()) { NUM } else { 0 };
    }
    let shape = match key {
        _ if listed == Some(0) => 0,
        _ if listed.is_some_and(|class| class & (MEDIUM | PREP | CONJ | AUX | PRON) != 0) => 0,
        _ if key.len() > 4 && key.ends_with("ing") => ING,
        _ if key.len() > 4 && key.ends_with("ed") && !key.ends_with("eed") => ED,
        _ if key.len() > 4 && key.ends_with("ly") && listed.is_none() => ADV,
        _ => 0,
    };
    listed.unwrap_or_default() | shape
}

/// Whether a name is also a word, so that not every mention of the word means the concept.
pub(crate) fn is_ordinary(key: &str) -> bool {
    CLASSES.contains_key(key)
}

/// `sitting` of `sits`.
pub(crate) fn participle(verb: &str) -> String {
    const DOUBLED: &[&str] = &["sit", "run", "swim", "hug", "put", "cut", "get", "nap"];
    let stem = match verb {
        "lies" => return "lying".into(),
        _ if verb.ends_with("ies") => format!("{}y", &verb[..verb.len() - 3]),
        _ if ["ches", "shes", "sses", "goes"].iter().any(|end| verb.ends_with(end)) => verb[..verb.len() - 2].into(),
        _ => verb.strip_suffix('s').unwrap_or(verb).to_owned(),
    };
    match stem.as_str() {
        stem if DOUBLED.contains(&stem) => format!("{stem}{}ing", &stem[stem.len() - 1..]),
        stem if stem.ends_with('e') && !stem.ends_with("ee") => format!("{}ing", &stem[..stem.len() - 1]),
        stem => format!("{stem}ing"),
    }
}

/// Whether a word begins with a vowel as it is spoken; none if one cannot tell.
pub(crate) fn vowel(word: &str) -> Option<bool> {
    let key = word.to_lowercase();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if !word.is_ascii() || letters > 0 && word.chars().all(|c| !c.is_lowercase()) {
        return None;
    }
    let first = key.chars().next()?;
    if first.is_ascii_digit() {
        return Some(["8", "11", "18"].iter().any(|start| key.starts_with(start)));
    }
    let silent = ["hour", "honest", "heir", "honor", "honour"].iter().any(|start| key.starts_with(start));
    let spoken = ["uni", "use", "usa", "usu", "eu", "one", "once", "ut", "ukulele", "ufo", "ubi", "ura"];
    let consonant = spoken.iter().any(|start| key.starts_with(start))
        && !["unin", "unim", "oner", "uttermost", "utter", "unid"].iter().any(|start| key.starts_with(start));
    Some(silent || "aeiou".contains(first) && !consonant)
}
