"""The words of the built-in corpus in both languages, with tags for which words go together.

A table line reads ``English | German | …``. Every English word has one German word and vice versa, so that a sentence
has one translation. Tags are the semantic classes by which verbs select subjects and objects, and adjectives nouns.
"""

from seq2seq.grammar.words import Adverb, Modal, read_adjectives, read_nouns, read_verbs

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
coffee - | Kaffee - m | drink mass goods warm
tea - | Tee - m | drink mass goods warm
milk - | Milch - f | drink mass goods warm
water - | Wasser - n | drink mass
wine - | Wein - m | drink mass goods
house houses | Haus Häuser n | place building inside indoor owned goods drawn
school schools | Schule Schulen f | place building inside goal indoor
kitchen kitchens | Küche Küchen f | place room inside owned indoor
garden gardens | Garten Gärten m | place inside owned outdoor
park parks | Park Parks m | place inside outdoor
station stations | Bahnhof Bahnhöfe m | place building goal
church churches | Kirche Kirchen f | place building inside goal visited drawn
hotel hotels | Hotel Hotels n | place building inside goal indoor
restaurant restaurants | Restaurant Restaurants n | place building inside indoor
office offices | Büro Büros n | place room inside owned indoor
city cities | Stadt Städte f | place inside visited
village villages | Dorf Dörfer n | place inside outdoor visited
room rooms | Zimmer Zimmer n | place room inside owned indoor
museum museums | Museum Museen n | place building inside goal indoor visited
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
red | rot | coloured absolute
blue | blau | coloured absolute
green | grün | coloured absolute
black | schwarz | coloured pet absolute
white | weiß | coloured pet absolute
heavy | schwer | furniture container
broken | kaputt | repaired absolute
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
# =preterite, sein | case, German preposition | tags of objects | flags: stative (no time, no modal), unwilled (neither
# modal nor future), once (no habit), makes (its object is not there before), consumes (it is not there afterwards),
# definite (its object), recipient (has one), animal or thing (as subject); place, for, with, direction, goal (phrases
# it goes with)
_VERBS = """
buy bought | kaufen gekauft | acc | goods | for once
sell sold | verkaufen verkauft | acc | goods | once
see saw | sehen *sieh gesehen | acc | person animal vehicle place nature furniture clothing | animal
look_for looked | suchen gesucht | acc | person animal portable clothing | place
find found | finden gefunden | acc | portable clothing pet | place once
need needed | brauchen gebraucht | acc | goods portable | stative
have had | haben =hatte | acc | owned | stative
like liked | mögen =mochte | acc | person animal text work place clothing food drink portable vehicle | stative definite
know knew | kennen =kannte | acc | person place work | stative definite
visit visited | besuchen besucht | acc | person visited
meet met | treffen *triff getroffen | acc | person | place
ask asked | fragen gefragt | acc | person
hear heard | hören gehört | acc | person animal heard asked | animal place
understand understood | verstehen verstanden | acc | person text asked | stative definite
eat ate | essen *iss gegessen | acc | food | animal place consumes
drink drank | trinken getrunken | acc | drink | place consumes
cook cooked | kochen gekocht | acc | cooked | for
read read | lesen *lies gelesen | acc | text | place
write wrote | schreiben geschrieben | acc | written | place for makes once
repair repaired | reparieren repariert | acc | repaired | for
clean cleaned | putzen geputzt | acc | room opening vehicle | for
wash washed | waschen *wäsch gewaschen | acc | washed
draw drew | zeichnen gezeichnet | acc | drawn | place for
lose lost | verlieren verloren | acc | portable | place once unwilled
forget forgot | vergessen *vergiss vergessen | acc | portable asked | place unwilled
open opened | auf+machen gemacht | acc | closed
close closed | zu+machen gemacht | acc | closed
turn~on turned | an+machen gemacht | acc | switched | definite
turn~off turned | aus+machen gemacht | acc | switched | definite
put~on put | an+ziehen gezogen | acc | clothing | definite
take~off took | aus+ziehen gezogen | acc | clothing | definite
pick~up picked | ab+holen geholt | acc | person
call called | an+rufen gerufen | acc | person
invite invited | ein+laden *läd geladen | acc | person
bring brought | mit+bringen gebracht | acc | portable food drink given
throw~away threw | weg+werfen *wirf geworfen | acc | portable clothing | once consumes
help helped | helfen *hilf geholfen | dat | person | place
thank thanked | danken gedankt | dat | person
follow followed | folgen gefolgt sein | dat | person pet | animal
listen_to listened | zu+hören gehört | dat | person
belong_to belonged | gehören gehört | dat | person | stative thing
wait_for waited | warten gewartet | acc auf | person mail | place
think_of thought | denken gedacht | acc an | person visited text | unwilled
dream_of dreamed | träumen geträumt | dat von | person visited vehicle | unwilled
talk_to talked | sprechen *sprich gesprochen | dat mit | person | place
give gave | geben *gib gegeben | acc | given food | recipient once
show showed | zeigen gezeigt | acc | given building vehicle pet room | recipient
send sent | schicken geschickt | acc | given | recipient once
work worked | arbeiten gearbeitet | acc | | place with
sleep slept | schlafen *schläf geschlafen | acc | | place animal
dance danced | tanzen getanzt | acc | | place with
sing sang | singen gesungen | acc | | place with
cry cried | weinen geweint | acc | | place unwilled
stay stayed | bleiben geblieben sein | acc | | place
arrive arrived | an+kommen gekommen sein | acc | |
get~up got | auf+stehen gestanden sein | acc | |
fall~asleep fell | ein+schlafen *schläf geschlafen sein | acc | | unwilled
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


NOUNS = tuple(read_nouns(_NOUNS))
ADJECTIVES = tuple(read_adjectives(_ADJECTIVES))
VERBS = tuple(read_verbs(_VERBS))
REPORTS = tuple(read_verbs(_REPORTS))
(BE,) = read_verbs(_BE)
(THERE_IS,) = read_verbs(_THERE_IS)

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
