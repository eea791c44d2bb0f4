"""What the JSON API takes and gives; the OpenAPI description is made of these classes.

How long a text and how many of them may be is a setting (`LimitsConfig`) and checked by `limits`.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def encodable(text: str) -> str:
    """Text that UTF-8 can write: JSON may name half a character (a lone surrogate), which is none.

    Raises:
        ValueError: it does.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone surrogate) is no text") from None
    return text


Text = Annotated[str, AfterValidator(encodable)]


class Message(BaseModel):
    """Base of all: a name that is not known is refused, for it would do nothing."""

    model_config = ConfigDict(extra="forbid")


class Problem(Message):
    """Why there is no answer, in one line."""

    detail: str


class Run(Message):
    """A model that translates here."""

    name: str
    encoder: str
    decoder: str
    attention: str
    attends: bool = Field(description="whether there are attention weights to show")
    pieces: int = Field(description="size of the target vocabulary")
    parameters: int
    precision: str
    beam_size: int = Field(description="of its search, where a question names none")


class Limits(Message):
    """How much is taken."""

    characters: int
    inspected: int
    sentences: int
    beam_size: int


class Served(Message):
    """What is here."""

    version: str
    runs: list[Run]
    limits: Limits


class Sentence(Message):
    """A sentence with what its translation must have."""

    text: Text
    prefix: Text = Field("", description="how the translation begins; it may end within a word")
    phrases: list[Text] = Field([], description="words or phrases that the translation contains")


class Question(Message):
    """What every question may say."""

    run: Text | None = Field(None, description="name of the run; null: the first")
    beam_size: int | None = Field(None, ge=1, description="hypotheses kept; 1 is greedy; null: as the run's search")


class TranslateQuestion(Question):
    """Sentences to translate."""

    sentences: list[Text | Sentence] = Field(min_length=1)
    n_best: int | None = Field(None, ge=1, description="translations of each sentence, at most beam_size")
    attention: bool = Field(False, description="give attention weights, where the model has attention")


class StreamQuestion(Question):
    """A sentence whose translation is followed while it grows."""

    text: Text
    prefix: Text = Field("", description="how the translation begins; it may end within a word")


class AlternativesQuestion(Question):
    """A place in a translation: what else could come there, and how the sentence would go on."""

    text: Text
    before: Text = Field("", description="the words of the translation before that place")
    count: int = Field(5, ge=1)


class TraceQuestion(Question):
    """A sentence to look into."""

    text: Text
    target: Text | None = Field(None, description="the translation to look at; null: that of the search")


class Answer(Message):
    """One translation."""

    text: str
    score: float = Field(description="length-normalised log-probability")
    log_probability: float = Field(description="in nats, the end mark's included")
    pieces: list[str]
    attention: list[list[float]] | None = Field(None, description="a row a target piece, the end marks last")


class Translated(Answer):
    """The translation of a sentence, and others of it."""

    source: str
    source_pieces: list[str]
    n_best: list[Answer] = Field([], description="best first; empty unless n_best > 1")


class Translations(Message):
    """Of every sentence, in order."""

    run: str
    translations: list[Translated]


class Growing(Message):
    """What of a translation is certain already (event ``growing``)."""

    text: str
    pieces: list[str]


class Alternative(Message):
    """Another word, and the translation with it."""

    word: str
    probability: float = Field(description="of this word among all that may come here")
    translation: Answer


class Alternatives(Message):
    """Likeliest first."""

    run: str
    alternatives: list[Alternative]


class RunnerUp(Message):
    """Another piece that was likely."""

    piece: str
    probability: float


class Step(Message):
    """What the decoder did at one step."""

    read: str
    predicted: str
    probability: float
    runners_up: list[RunnerUp]


class TraceAnswer(Message):
    """A sentence seen from inside."""

    run: str
    text: str
    source_pieces: list[str]
    steps: list[Step]
    attention: list[list[float]] | None = Field(description="a row a step, a column a source piece")
    pictures: list[str] = Field(description="names that /api/picture draws")
