"""Messages of the JSON API. The OpenAPI description is generated from these classes.

The limits on lengths and counts are settings (`LimitsConfig`), which `limits` checks.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field


def check_encodable(text: str) -> str:
    """Return the text if UTF-8 can encode it. JSON strings can also contain lone surrogates.

    Raises:
        ValueError: the text contains a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text contains a lone surrogate: send valid Unicode") from None
    return text


Text = Annotated[str, AfterValidator(check_encodable)]


class Message(BaseModel):
    """Base of all messages. An unknown field is an error, since it would have no effect."""

    model_config = ConfigDict(extra="forbid")


def old_name(new: str, kind: Any) -> Any:
    """A field of a response under the name that it had before, for clients that read that one."""
    described = computed_field(
        return_type=kind, description=f"old name of {new}", json_schema_extra={"deprecated": True}
    )
    return described(property(lambda message: getattr(message, new)))


class ErrorMessage(Message):
    """An error in one line."""

    detail: str


class RunInfo(Message):
    """A served model."""

    name: str
    encoder: str
    decoder: str
    attention: str
    attends: bool = Field(description="whether the model has attention weights")
    vocabulary_size: int = Field(description="size of the target vocabulary")
    parameters: int
    precision: str
    beam_size: int = Field(description="default of the run")
    source_language: str = Field(description="BCP 47 tag; empty: unknown")
    target_language: str = Field(description="BCP 47 tag; empty: unknown")
    pieces = old_name("vocabulary_size", int)


class LimitsInfo(Message):
    """Limits of a request."""

    characters: int
    segment: int = Field(description="a text of more characters is split into sentences")
    inspected: int
    sentences: int
    beam_size: int


class ServerInfo(Message):
    """The served runs and the limits."""

    version: str
    program: str = Field(description="command that starts the server")
    runs: list[RunInfo]
    limits: LimitsInfo


class ConstrainedSentence(Message):
    """A sentence with constraints on its translation."""

    text: Text
    prefix: Text = Field("", description="start of the translation; it may end within a word")
    phrases: list[Text] = Field([], description="words or phrases that the translation must contain")


class RunRequest(Message):
    """Fields of every request."""

    run: Text | None = Field(None, description="name of the run; null: the first run")
    beam_size: int | None = Field(None, ge=1, description="number of hypotheses; 1: greedy search; null: run default")


class TranslateRequest(RunRequest):
    """Sentences to translate. A text that is too long to be one sentence is split, and its translations are joined."""

    sentences: list[Text | ConstrainedSentence] = Field(min_length=1)
    n_best: int | None = Field(None, ge=1, description="translations per sentence, at most beam_size")
    attention: bool = Field(False, description="whether to return attention weights; a split text has none")


class StreamRequest(RunRequest):
    """A sentence whose translation is streamed."""

    text: Text
    prefix: Text = Field("", description="start of the translation; it may end within a word")


class SegmentsRequest(RunRequest):
    """A text to split as it is translated."""

    text: Text


class SegmentsResponse(Message):
    """The lines of a text, each as the segments that are translated separately; none for a blank line."""

    run: str
    lines: list[list[str]]


class AlternativesRequest(RunRequest):
    """A position in a translation for which other words are suggested."""

    text: Text
    before: Text = Field(
        "",
        description="words of the translation before the position; without a space at the end, text of a script "
        "without spaces continues directly",
    )
    count: int = Field(5, ge=1)


class TraceRequest(RunRequest):
    """A sentence to trace through the model."""

    text: Text
    target: Text | None = Field(None, description="translation to trace; null: the result of the search")


class TranslationMessage(Message):
    """One translation."""

    text: str
    score: float = Field(description="length-normalized log-probability")
    log_probability: float = Field(description="log-probability in nats, including EOS")
    tokens: list[str]
    attention: list[list[float]] | None = Field(None, description="one row per target token, the last for EOS")
    pieces = old_name("tokens", list[str])


class SourceTranslation(TranslationMessage):
    """The translation of a sentence with its n-best list."""

    source: str
    source_tokens: list[str]
    n_best: list[TranslationMessage] = Field([], description="best first; empty unless n_best > 1")
    source_pieces = old_name("source_tokens", list[str])


class TranslateResponse(Message):
    """The translations of all sentences, in their order."""

    run: str
    translations: list[SourceTranslation]


class PartialTranslation(Message):
    """The final part of an unfinished translation (event ``growing``)."""

    text: str
    tokens: list[str]
    pieces = old_name("tokens", list[str])


class Alternative(Message):
    """Another word, and the translation that contains it."""

    word: str = Field(description="in a script without spaces, the text up to the next space")
    probability: float = Field(description="probability of this word among all words at this position")
    translation: TranslationMessage


class AlternativesResponse(Message):
    """Other words, most probable first."""

    run: str
    alternatives: list[Alternative]


class TokenAlternative(Message):
    """Another probable token."""

    token: str
    probability: float
    piece = old_name("token", str)


class DecoderStep(Message):
    """One step of the decoder: its input token, its output token, and other probable tokens."""

    read: str
    predicted: str
    probability: float
    alternatives: list[TokenAlternative]
    runners_up = old_name("alternatives", list[TokenAlternative])


class TraceResponse(Message):
    """The decoder steps and attention weights of a sentence."""

    run: str
    text: str
    source_tokens: list[str]
    steps: list[DecoderStep]
    attention: list[list[float]] | None = Field(description="one row per step, one column per source token")
    pictures: list[str] = Field(description="values of the parameter `name` of /api/picture")
    source_pieces = old_name("source_tokens", list[str])
