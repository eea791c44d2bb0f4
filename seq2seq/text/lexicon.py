"""The words of the built-in corpus: English with German, and which of them go together.

A table line reads ``English | German | …``. Every English word has one German word and the reverse, so a sentence
has one translation. Tags are the classes by which verbs choose subjects and objects, and adjectives their nouns:
nobody eats a table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Gender(StrEnum):
    """Grammatical gender of a German noun."""

    masculine = "m"
    feminine = "f"
    neuter = "n"


class Case(StrEnum):
    """The German cases in use; the genitive is left out."""

    nominative = "nom"
    accusative = "acc"
    dative = "dat"


class Tense(StrEnum):
    """Time of a clause. The English simple past is the German perfect, or the preterite where a verb has one here."""

    present = "present"
    past = "past"
    future = "future"


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun in both languages; ``weak`` marks the n-declension (*der Junge, den Jungen*)."""

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: Gender
    weak: bool
    tags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective; ``stem`` is what endings are added to (*teuer, teur-*); ``passing`` states go with *yesterday*."""

    english: str
    german: str
    stem: str
    passing: bool
    tags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb in both languages.

    English has a particle (*turn it on*) or a preposition (*wait for it*). German has a separable ``prefix``, a
    ``changed`` stem for *du* and *er* (*sieh-*), a participle without prefix, perhaps a ``preterite`` that stands for
    the past in place of the perfect, and governs its object by ``case``, perhaps after ``german_preposition``.
    """

    base: str
    past: str
    particle: str
    preposition: str
    german: str
    prefix: str
    changed: str
    participle: str
    preterite: str
    moves: bool  # perfect with sein
    case: Case
    german_preposition: str
    tags: frozenset[str]  # of its objects
    flags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Modal:
    """A modal verb: English ``finite`` + ``rest``, how it is denied, and the key of its German forms."""

    finite: str
    rest: str
    denied: str
    german: str
    german_denied: str


@dataclass(frozen=True, eq=False)
class Adverb:
    """An adverb of time with the tenses it goes with; ``modal`` where it goes with modal verbs."""

    english: str
    german: str
    tenses: frozenset[str]
    habitual: bool = False


_NOUNS = """
man men | Mann Männer m | person adult
boy boys | Junge Jungen m weak | person child
father fathers | Vater Väter m | person adult family one
brother brothers | Bruder Brüder m | person adult family
son sons | Sohn Söhne m | person family child
uncle uncles | Onkel Onkel m | person adult family one
neighbour neighbours | Nachbar Nachbarn m weak | person adult known
student students | Student Studenten m weak | person adult
colleague colleagues | Kollege Kollegen m weak | person adult known
policeman policemen | Polizist Polizisten m weak | person adult
teacher teachers | Lehrer Lehrer m | person adult known
doctor doctors | Arzt Ärzte m | person adult known
friend friends | Freund Freunde m | person adult known
woman women | Frau Frauen f | person adult
mother mothers | Mutter Mütter f | person adult family one
sister sisters | Schwester Schwestern f | person adult family
daughter daughters | Tochter Töchter f | person family child
aunt aunts | Tante Tanten f | person adult family one
waitress waitresses | Kellnerin Kellnerinnen f | person adult
child children | Kind Kinder n | person child
girl girls | Mädchen Mädchen n | person child
dog dogs | Hund Hunde m | animal owned drawn pet
cat cats | Katze Katzen f | animal owned drawn pet
horse horses | Pferd Pferde n | animal owned drawn goods
bird birds | Vogel Vögel m | animal owned drawn
cow cows | Kuh Kühe f | animal owned drawn goods
key keys | Schlüssel Schlüssel m | thing portable owned
book books | Buch Bücher n | thing portable owned goods text written given
letter letters | Brief Briefe m | thing portable owned text written given mail closed
newspaper newspapers | Zeitung Zeitungen f | thing portable owned goods text given
story stories | Geschichte Geschichten f | text written work
song songs | Lied Lieder n | work heard written
film films | Film Filme m | work
question questions | Frage Fragen f | asked
car cars | Auto Autos n | thing owned goods vehicle washed coloured repaired
bicycle bicycles | Fahrrad Fahrräder n | thing owned goods vehicle washed coloured repaired
table tables | Tisch Tische m | thing owned goods furniture surface
chair chairs | Stuhl Stühle m | thing owned goods furniture repaired coloured
bed beds | Bett Betten n | thing owned goods furniture surface
lamp lamps | Lampe Lampen f | thing owned goods furniture switched repaired
bag bags | Tasche Taschen f | thing portable owned goods container closed coloured
suitcase suitcases | Koffer Koffer m | thing portable owned goods container closed coloured
bottle bottles | Flasche Flaschen f | thing portable owned container closed coloured
cup cups | Tasse Tassen f | thing portable owned goods washed container coloured
plate plates | Teller Teller m | thing portable owned goods washed container coloured
picture pictures | Bild Bilder n | thing portable owned goods given
ring rings | Ring Ringe m | thing portable owned goods given
clock clocks | Uhr Uhren f | thing owned goods repaired portable
computer computers | Computer Computer m | thing owned goods switched repaired
camera cameras | Kamera Kameras f | thing portable owned goods switched repaired given
radio radios | Radio Radios n | thing owned goods switched repaired heard
door doors | Tür Türen f | thing opening closed coloured repaired
window windows | Fenster Fenster n | thing opening closed repaired
gift gifts | Geschenk Geschenke n | portable owned goods given
flower flowers | Blume Blumen f | goods owned given coloured drawn
tree trees | Baum Bäume m | nature drawn
ball balls | Ball Bälle m | thing portable owned goods coloured given
hat hats | Hut Hüte m | thing portable owned goods clothing coloured
coat coats | Mantel Mäntel m | thing portable owned goods clothing washed coloured
shirt shirts | Hemd Hemden n | thing owned goods clothing washed coloured
dress dresses | Kleid Kleider n | thing owned goods clothing washed coloured
shoe shoes | Schuh Schuhe m | thing owned goods clothing coloured
jacket jackets | Jacke Jacken f | thing portable owned goods clothing washed coloured
apple apples | Apfel Äpfel m | food fruit goods washed
cake cakes | Kuchen Kuchen m | food sweet goods
egg eggs | Ei Eier n | food cooked goods
banana bananas | Banane Bananen f | food fruit goods
potato potatoes | Kartoffel Kartoffeln f | food cooked goods washed
tomato tomatoes | Tomate Tomaten f | food goods washed
soup soups | Suppe Suppen f | food cooked warm
sausage sausages | Wurst Würste f | food cooked goods
bread - | Brot - n | food mass goods
coffee - | Kaffee - m | drink mass goods warm cooked
tea - | Tee - m | drink mass goods warm cooked
milk - | Milch - f | drink mass goods warm
water - | Wasser - n | drink mass
wine - | Wein - m | drink mass goods
house houses | Haus Häuser n | place building inside owned goods drawn
school schools | Schule Schulen f | place building inside goal
kitchen kitchens | Küche Küchen f | place room inside owned
garden gardens | Garten Gärten m | place inside owned
park parks | Park Parks m | place inside
station stations | Bahnhof Bahnhöfe m | place building goal
church churches | Kirche Kirchen f | place building inside goal visited drawn
hotel hotels | Hotel Hotels n | place building inside goal
restaurant restaurants | Restaurant Restaurants n | place building inside
office offices | Büro Büros n | place room inside owned
city cities | Stadt Städte f | place inside visited
village villages | Dorf Dörfer n | place inside visited
room rooms | Zimmer Zimmer n | place room inside owned
museum museums | Museum Museen n | place building inside goal visited
"""

_ADJECTIVES = """
old | alt | adult animal thing building text
young | jung | adult animal
big | groß | animal place furniture container
small | klein | child animal place furniture container fruit
new | neu | thing building room
beautiful | schön | place clothing work heard coloured nature
friendly | freundlich | person
rich | reich | adult
poor | arm | adult
tired | müde müd | person animal passing
sick | krank | person animal passing
happy | glücklich | person passing
clever | klug | person pet
famous | berühmt | adult work visited
lazy | faul | person pet
strong | stark | adult
expensive | teuer teur | goods
cheap | billig | goods
red | rot | coloured
blue | blau | coloured
green | grün | coloured
black | schwarz | coloured pet
white | weiß | coloured pet
heavy | schwer | furniture container
broken | kaputt | repaired
dirty | schmutzig | clothing washed room opening
fresh | frisch | food drink
cold | kalt | drink room warm
hot | heiß | warm
sweet | süß | fruit sweet
interesting | interessant | text work asked visited
boring | langweilig | text work
long | lang | text asked
"""

# English base and past (~ particle, _ preposition) | German infinitive (prefix+), *changed stem, participle,
# =preterite, sein | case, German preposition | tags of objects | flags
_VERBS = """
buy bought | kaufen gekauft | acc | goods | place for
sell sold | verkaufen verkauft | acc | goods
see saw | sehen *sieh gesehen | acc | person animal vehicle place nature furniture clothing | animal place
look_for looked | suchen gesucht | acc | person animal portable clothing | place
find found | finden gefunden | acc | portable clothing pet | place
need needed | brauchen gebraucht | acc | goods portable | stative
have had | haben =hatte | acc | owned | stative
like liked | mögen =mochte | acc | person animal text work place clothing food drink portable vehicle | stative
know knew | kennen =kannte | acc | person place work | stative
visit visited | besuchen besucht | acc | person visited
meet met | treffen *triff getroffen | acc | person | place
ask asked | fragen gefragt | acc | person
hear heard | hören gehört | acc | person animal heard | animal place
understand understood | verstehen verstanden | acc | person text asked
eat ate | essen *iss gegessen | acc | food | animal place
drink drank | trinken getrunken | acc | drink | place
cook cooked | kochen gekocht | acc | cooked | for
read read | lesen *lies gelesen | acc | text | place
write wrote | schreiben geschrieben | acc | written | place for
repair repaired | reparieren repariert | acc | repaired | for
clean cleaned | putzen geputzt | acc | room opening vehicle | for
wash washed | waschen *wäsch gewaschen | acc | washed
draw drew | zeichnen gezeichnet | acc | drawn | place for
lose lost | verlieren verloren | acc | portable | place
forget forgot | vergessen *vergiss vergessen | acc | portable | place
open opened | auf+machen gemacht | acc | closed
close closed | zu+machen gemacht | acc | closed
turn~on turned | an+machen gemacht | acc | switched
turn~off turned | aus+machen gemacht | acc | switched
put~on put | an+ziehen gezogen | acc | clothing
take~off took | aus+ziehen gezogen | acc | clothing
pick~up picked | ab+holen geholt | acc | person
call called | an+rufen gerufen | acc | person
invite invited | ein+laden *läd geladen | acc | person
bring brought | mit+bringen gebracht | acc | portable food drink given
throw~away threw | weg+werfen *wirf geworfen | acc | portable clothing
help helped | helfen *hilf geholfen | dat | person | place
thank thanked | danken gedankt | dat | person
follow followed | folgen gefolgt sein | dat | person pet | animal
listen_to listened | zu+hören gehört | dat | person
belong_to belonged | gehören gehört | dat | person | stative thing
wait_for waited | warten gewartet | acc auf | person mail | place
think_of thought | denken gedacht | acc an | person place
dream_of dreamed | träumen geträumt | dat von | person place vehicle
talk_to talked | sprechen *sprich gesprochen | dat mit | person | place
give gave | geben *gib gegeben | acc | given food | recipient
show showed | zeigen gezeigt | acc | given building vehicle pet room | recipient
send sent | schicken geschickt | acc | given | recipient
work worked | arbeiten gearbeitet | acc | | place with
sleep slept | schlafen *schläf geschlafen | acc | | place animal
dance danced | tanzen getanzt | acc | | place with
sing sang | singen gesungen | acc | | place with
cry cried | weinen geweint | acc | | place
stay stayed | bleiben geblieben sein | acc | | place
arrive arrived | an+kommen gekommen sein | acc | |
get~up got | auf+stehen gestanden sein | acc | |
fall~asleep fell | ein+schlafen *schläf geschlafen sein | acc | |
come~back came | zurück+kommen gekommen sein | acc | |
go went | gehen gegangen sein | acc | | direction
run ran | laufen *läuf gelaufen sein | acc | | direction animal
drive drove | fahren *fähr gefahren sein | acc | | goal
"""

_REPORTS = """
say said | sagen gesagt | acc | |
believe believed | glauben geglaubt | acc | |
hope hoped | hoffen gehofft | acc | |
"""

_BE = "be was | sein =war | acc | |"
_THERE_IS = "be was | geben *gib =gab | acc | |"


def _rows(table: str) -> Iterator[list[list[str]]]:
    """Lines of a table as columns of words."""
    for line in table.strip().splitlines():
        yield [column.split() for column in line.split("|")]


def _nouns(table: str) -> Iterator[Noun]:
    for (english, plural), (german, german_plural, gender, *weak), tags in _rows(table):
        yield Noun(english, plural, german, german_plural, Gender(gender), bool(weak), frozenset(tags))


def _adjectives(table: str) -> Iterator[Adjective]:
    for english, german, tags in _rows(table):
        yield Adjective(english[0], german[0], german[-1], "passing" in tags, frozenset(tags) - {"passing"})


def _verbs(table: str) -> Iterator[Verb]:
    for (english, past), (infinitive, *forms), (case, *preposition), tags, *flags in _rows(table):
        particle = english.partition("~")[2]
        base, _, english_preposition = english.partition("~")[0].partition("_")
        prefix, _, german = infinitive.rpartition("+")
        marked = {form[0]: form[1:] for form in forms if form[0] in "*="}
        plain = [form for form in forms if form[0] not in "*=" and form != "sein"]
        yield Verb(
            base, past, particle, english_preposition, german, prefix, marked.get("*", ""), "".join(plain),
            marked.get("=", ""), "sein" in forms, Case(case), "".join(preposition), frozenset(tags),
            frozenset(*flags),
        )  # fmt: skip


NOUNS = tuple(_nouns(_NOUNS))
ADJECTIVES = tuple(_adjectives(_ADJECTIVES))
VERBS = tuple(_verbs(_VERBS))
REPORTS = tuple(_verbs(_REPORTS))
(BE,) = _verbs(_BE)
(THERE_IS,) = _verbs(_THERE_IS)

MODALS = (
    Modal("want", "to", "want", "wollen", "wollen"),
    Modal("can", "", "can", "können", "können"),
    Modal("should", "", "should", "sollte", "sollte"),
    Modal("would", "like to", "would", "möchte", "möchte"),
    Modal("may", "", "must", "dürfen", "dürfen"),  # denied: must not, darf nicht
    Modal("must", "", "", "müssen", ""),  # never denied
)

TIMES = tuple(
    Adverb(english.strip(), german.strip(), frozenset(tenses.split()), "habitual" in tenses)
    for english, german, tenses in (
        ("today", "heute", "present past future modal"),
        ("yesterday", "gestern", "past"),
        ("tomorrow", "morgen", "future modal"),
        ("now", "jetzt", "modal"),
        ("this morning", "heute Morgen", "past"),
        ("this evening", "heute Abend", "future modal"),
        ("last week", "letzte Woche", "past"),
        ("next week", "nächste Woche", "future modal"),
        ("on Monday", "am Montag", "past future modal"),
        ("on Sunday", "am Sonntag", "past future modal"),
        ("at the weekend", "am Wochenende", "past future modal"),
        ("every day", "jeden Tag", "present habitual"),
        ("every evening", "jeden Abend", "present habitual"),
    )
)
FREQUENCIES = tuple(
    Adverb(english, german, frozenset({"present", "past"}))
    for english, german in (("often", "oft"), ("always", "immer"), ("sometimes", "manchmal"), ("never", "nie"),
                            ("rarely", "selten"))
)  # fmt: skip
NUMBERS = {
    "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs", "seven": "sieben", "eight": "acht",
    "nine": "neun", "ten": "zehn", "eleven": "elf", "twelve": "zwölf", "twenty": "zwanzig",
}  # fmt: skip
POSSESSIVES = {"my": "mein", "your": "dein", "his": "sein", "her": "ihr", "our": "unser", "their": "ihr"}
DEGREES = {"very": "sehr", "too": "zu"}
CONJUNCTIONS = {"because": "weil", "although": "obwohl", "if": "wenn", "that": "dass", "but": "aber", "and": "und"}
