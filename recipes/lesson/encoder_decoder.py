# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How an LSTM translates
#
# A network reads an English sentence, keeps it in one vector, and writes German from that vector alone. This page
# builds it up from its smallest part: a cell that can remember. Everything here runs on two cores in about ten
# minutes, on the toolkit's built-in corpus; the code uses the same parts as the recipes.
#
# The page is made from `recipes/lesson/encoder_decoder.py` by `jupytext --to ipynb --execute
# recipes/lesson/encoder_decoder.py`. Change the script, not the notebook.

# %%
import io
import math
import random

import matplotlib.pyplot as plt
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy

from seq2seq import SearchConfig, Translator
from seq2seq.analysis.beam_tree_picture import tree_picture
from seq2seq.analysis.pictures import attention_picture, layer_picture
from seq2seq.corpora.corpus import PairList
from seq2seq.data.batch import make_batch
from seq2seq.figures.contexts import principal_components
from seq2seq.grammar.sentences import BuiltinConfig, builtin_corpus
from seq2seq.inference.member import Member
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig, Network, Summary
from seq2seq.model.cell import LSTM, RNN, CellState, cell_of
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import BOS, EOS
from seq2seq.tokenizer.vocabulary import build_tokenizers

torch.manual_seed(1)
random.seed(1)


def show(png, width=9):
    """A picture that the toolkit has drawn."""
    image = Image.open(io.BytesIO(png))
    plt.figure(figsize=(width, width * image.height / image.width))
    plt.imshow(image)
    plt.axis("off")
    plt.show()


# %% [markdown]
# ## 1. Sentences become numbers
#
# The built-in corpus has English sentences and their German translations, written by a grammar. A network sees
# neither letters nor words but the numbers of *pieces*: frequent words are one piece, rare ones are several.

# %%
config = BuiltinConfig(train_size=80_000, validation_size=300, test_size=200)
train, validation, test = (builtin_corpus(config, split) for split in ("train", "validation", "test"))
for pair in train[:3]:
    print(pair.source, "|", pair.target)

# %%
tokenizers = build_tokenizers(TokenizerConfig(size=1500), PairList("lesson", train))
ids = tokenizers.source.encode(train[0].source)
print(ids)
print(tokenizers.source.pieces(ids))
print(tokenizers.source.decode(ids))

# %% [markdown]
# ## 2. A cell that can remember
#
# A recurrent network reads one piece after another and changes its state each time. The simplest such cell mixes
# what it reads with what it knew and squeezes the sum: $h' = \tanh(W x + U h + b)$. Whatever it knew is multiplied
# by $U$ and squeezed again at every step, so it fades, and the gradient that should teach it fades with it.
#
# The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000) keeps a second state, the *cell state* $c$,
# that is only ever scaled and added to:
#
# $$c' = f \cdot c + i \cdot g \qquad h' = o \cdot \tanh(c')$$
#
# Three gates between 0 and 1 decide: $f$, how much of the old is kept; $i$, how much of the candidate $g$ is
# written; $o$, how much is shown. Each is computed from the piece that is read and the hidden state $h$.
#
# If nothing is written, a value lasts as long as the forget gate lets it: after $t$ steps $f^t$ of it is left.

# %%
steps = range(41)
for f in (0.5, 0.9, 0.98, 1.0):
    half_life = math.log(0.5) / math.log(f) if f < 1 else math.inf
    plt.plot(steps, [f**t for t in steps], label=f"f = {f}: half of it after {half_life:.1f} steps")
plt.xlabel("steps")
plt.ylabel("what is left of a value in the cell state")
plt.legend()
plt.show()

# %% [markdown]
# A cell can be set by hand to do something useful: remember whether a mark has come by. One unit; the mark opens the
# input gate, the forget gate stays open. A simple recurrent cell given the same mark forgets it.

# %%
lstm, simple = LSTM(1, 1), RNN(1, 1)
with torch.no_grad():
    for parameter in (*lstm.parameters(), *simple.parameters()):
        parameter.zero_()
    input_gate, forget_gate, candidate, output_gate = range(4)
    lstm.weight_ih_l0[input_gate], lstm.bias_ih_l0[input_gate] = 10.0, -5.0  # open at the mark alone
    lstm.bias_ih_l0[forget_gate] = 8.0  # keep all
    lstm.weight_ih_l0[candidate] = 3.0
    lstm.bias_ih_l0[output_gate] = 5.0  # show all
    simple.weight_ih_l0[0], simple.weight_hh_l0[0] = 3.0, 0.9

marks = [0, 0, 1, *[0] * 17]
zero = torch.zeros(1, 1)
lstm_state, simple_state = CellState(zero, zero), CellState(zero, None)
shown = {"LSTM": [], "simple recurrent cell": []}
with torch.no_grad():
    for mark in marks:
        lstm_state, gates = lstm.step(torch.tensor([[float(mark)]]), lstm_state)
        simple_state, _ = simple.step(torch.tensor([[float(mark)]]), simple_state)
        shown["LSTM"].append(lstm_state.hidden_NH.item())
        shown["simple recurrent cell"].append(simple_state.hidden_NH.item())
for name, values in shown.items():
    plt.plot(values, ".-", label=name)
plt.axvline(marks.index(1), color="0.8", zorder=0)
plt.xlabel("step (the mark is the grey line)")
plt.ylabel("hidden state")
plt.legend()
plt.show()

# %% [markdown]
# Such steps in a Python loop are slow. Trained networks run the same equations through one fused call of PyTorch;
# the two agree to rounding.

# %%
cell, read = LSTM(16, 32), torch.randn(2, 7, 16)
with torch.no_grad():
    at_once, _ = cell.run(read)
    state, one_by_one = CellState(torch.zeros(2, 32), torch.zeros(2, 32)), []
    for position in range(7):
        state, gates = cell.step(read[:, position], state)
        one_by_one.append(state.hidden_NH)
print("largest difference:", (at_once - torch.stack(one_by_one, 1)).abs().max().item())
print("gates:", {name: tuple(gate.shape) for name, gate in gates.items()}, "cell state:", tuple(cell_of(state).shape))

# %% [markdown]
# ## 3. The encoder: a sentence in one vector
#
# An encoder reads all pieces of the source and hands on one summary of its states: the *context vector*. It has the
# same size for two words and for twenty. Sutskever et al. (2014) and Cho et al. (2014) found that this is enough to
# translate from. Here it is, number by number, the largest value among all states.

# %%
model = ModelConfig(
    embedding_size=128,
    encoder=EncoderConfig(size=128),
    summary=Summary.max,
    decoder=DecoderConfig(size=256, feed_context=True),
    dropout=0.1,
)
network = Network(model, tokenizers.source.size, tokenizers.target.size, joint=True)
print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters")

short, long = "We work.", "The old man that the children see repairs the small radio today."
batch = make_batch([tokenizers.source.encode(text) for text in (short, long)], [[], []])
with torch.no_grad():
    memory, state = network.encode(batch.source_BS, batch.source_lengths_B)
print("source pieces, end mark with them:", batch.source_lengths_B.tolist())
print("context vectors:", tuple(memory.context_BD.shape))
print("what the decoder begins with:", tuple(state.hidden_LNH.shape))

# %% [markdown]
# ## 4. The decoder, and its teacher
#
# The decoder is a second LSTM. It begins with a state made from the context vector, reads a beginning mark and says
# how likely each piece is to come first; then it reads the first piece, and so on to the end mark. The context vector
# is given to each step again, so that it need not be remembered (Cho et al. 2014).
#
# In training it does not read its own guesses but the right translation, shifted by one: *teacher forcing*. All
# predictions of a sentence come out of one pass, and one wrong guess does not spoil the rest of the lesson.

# %%
pair = train[0]
batch = make_batch([tokenizers.source.encode(pair.source)], [tokenizers.target.encode(pair.target)])
print("reads:   ", tokenizers.target.pieces(batch.target_BT[0].tolist()))
print("predicts:", tokenizers.target.pieces(batch.labels_P.tolist()))


def loss_of(network, batch):
    """The mean of -log p(right piece) over all pieces of a batch."""
    logits = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
    return cross_entropy(logits, batch.labels_P)


network.eval()
with torch.no_grad():
    print(f"loss before learning: {loss_of(network, batch).item():.2f} nats a piece")
print(f"of a blind guess:     {math.log(tokenizers.target.size):.2f}")

# %% [markdown]
# ## 5. Learning
#
# Take some pairs, see how surprised the network is by the right pieces, move every weight a little to where it would
# have been less surprised; again, many times, in ever smaller steps. Pairs of similar length share a batch, so that
# little of it is padding, and products run in 16 bits, which processors of today do several times as fast.
# `recipes/train.py` does all this with more care; the idea fits in a few lines.

# %%
encoded = [(tokenizers.source.encode(pair.source), tokenizers.target.encode(pair.target)) for pair in train]
held_out = make_batch(
    *zip(*[(tokenizers.source.encode(p.source), tokenizers.target.encode(p.target)) for p in validation], strict=True)
)
encoded.sort(key=lambda pair: (len(pair[1]), len(pair[0])))
batches = [encoded[start : start + 256] for start in range(0, len(encoded), 256)]


def learn(network, updates):
    """Train in place; the validation loss every 100 updates comes back."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=updates, pct_start=0.05)
    curve = []
    for update in range(1, updates + 1):
        network.train()
        batch = make_batch(*zip(*random.choice(batches), strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(network, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if update % 100 == 0:
            network.eval()
            with torch.no_grad():
                curve.append((update, loss_of(network, held_out).item()))
    network.eval()
    return curve


UPDATES = 2500
curve = learn(network, UPDATES)
plt.plot(*zip(*curve, strict=True))
plt.xlabel("updates")
plt.ylabel("validation loss, nats a piece")
plt.ylim(bottom=0)
plt.show()
print(f"validation loss {curve[-1][1]:.3f}: on average the right piece gets p = {math.exp(-curve[-1][1]):.2f}")

# %% [markdown]
# ## 6. Without the teacher
#
# To translate, the decoder has to read what it has written itself. The simplest way takes the likeliest piece each
# time: *greedy search*.


# %%
@torch.no_grad()
def greedy(network, text, longest=30):
    """Translate a sentence, the likeliest piece at each step."""
    source = make_batch([tokenizers.source.encode(text)], [[]])
    memory, state = network.encode(source.source_BS, source.source_lengths_B)
    written, last = [], BOS
    while len(written) < longest:
        embedded = network.target_embedding(torch.tensor([[last]]))
        features, state, _ = network.decoder(embedded, memory, state)
        last = network.output(features[:, -1]).argmax().item()
        if last == EOS:
            break
        written.append(last)
    return tokenizers.target.decode(written)


for pair in test[:5]:
    print("source:   ", pair.source)
    print("reference:", pair.target)
    print("greedy:   ", greedy(network, pair.source), "\n")

# %% [markdown]
# A choice that looks best now may lead to a bad end. *Beam search* keeps several beginnings and drops all but the
# best of them at each step. The toolkit's translator does it in batches and can draw the tree of what it looked at.

# %%
translator = Translator(
    [Member.prepare(network, tokenizers, torch.device("cpu"))], SearchConfig(beam_size=4, length_penalty=1.0)
)
sentence = test[0].source
print(translator.translate(sentence))
print([str(one) for one in translator.translate(sentence, n_best=4).n_best])
show(tree_picture(translator.trace(sentence)), width=12)

# %% [markdown]
# ## 7. Looking inside
#
# The gates of the decoder while it writes: each column is a piece it reads, each row a unit. Bright forget gates
# hold on to what the encoder has said.

# %%
trace = translator.trace(sentence)
show(layer_picture(trace, trace.layer("decoder")), width=12)

# %% [markdown]
# Context vectors of sentences, seen from their two widest sides. Who does what to whom is in there, though the words
# are the same: a bag of words could not tell these apart (Sutskever et al. 2014, figure 2).

# %%
sentences = [
    "The man sees the woman.",
    "The woman sees the man.",
    "The man calls the woman.",
    "The woman calls the man.",
    "The old man sees the woman.",
    "The old woman sees the man.",
]
batch = make_batch([tokenizers.source.encode(text) for text in sentences], [[]] * len(sentences))
with torch.no_grad():
    memory, _ = network.encode(batch.source_BS, batch.source_lengths_B)
points, shares = principal_components(memory.context_BD, 2)
for (x, y), text in zip(points.tolist(), sentences, strict=True):
    plt.plot(x, y, "o")
    plt.annotate(text, (x, y), xytext=(4, 4), textcoords="offset points", fontsize="small")
plt.xlabel(f"{shares[0]:.0%} of the variance")
plt.ylabel(f"{shares[1]:.0%} of the variance")
plt.margins(0.35)
plt.show()

# %% [markdown]
# ## 8. The bottleneck, and a way around it
#
# One vector has to hold all of a sentence, however long. *Attention* (Bahdanau et al. 2015) lets the decoder look
# back at the encoder's states, and weigh them anew for each piece it writes. It is one word in the settings.

# %%
attending = Network(
    ModelConfig(
        embedding_size=128,
        encoder=EncoderConfig(size=128),
        decoder=DecoderConfig(size=256),
        attention=AttentionKind.general,
        dropout=0.1,
    ),
    tokenizers.source.size,
    tokenizers.target.size,
    joint=True,
)
curves = {"one vector": curve, "with attention": learn(attending, UPDATES)}
for name, values in curves.items():
    plt.plot(*zip(*values, strict=True), label=f"{name}: {values[-1][1]:.3f}")
plt.xlabel("updates")
plt.ylabel("validation loss, nats a piece")
plt.ylim(bottom=0)
plt.legend()
plt.show()

# %%
with_attention = Translator([Member.prepare(attending, tokenizers, torch.device("cpu"))], translator.search)
show(attention_picture(with_attention.trace(sentence)), width=6)
for name, one in (("one vector", translator), ("with attention", with_attention)):
    found = one.translate([pair.source for pair in test])
    right = sum(str(mine) == pair.target for mine, pair in zip(found, test, strict=True))
    print(f"{name}: {right} of {len(test)} test sentences exactly as the reference")

# %% [markdown]
# ## Where to go from here
#
# - The same at full size, to the test score: `python recipes/train.py run=runs/demo`, and with `model=attention` for
#   attention.
# - Every gate of every layer for a sentence of yours: `python recipes/microscope.py run=runs/demo`.
# - BLEU by sentence length, the bottleneck's width, the source reversed: `python recipes/laboratory.py run=runs/demo`.
# - A page to play with in a browser: `python recipes/serve.py run=runs/demo`.
# - Questions to try: what if the encoder reads the source backwards (`model.encoder.direction=reversed`)? What does a
#   GRU lose without a cell state (`model.encoder.cell=gru model.decoder.cell=gru`)? How narrow may the context get
#   before it breaks (`model.encoder.size=16`)?
