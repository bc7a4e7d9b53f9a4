"""The training text: bedtime stories, questions about them, small talk, sums up to 20, honest refusals.

`conversation(rng)` gives a list of (role, text); `row(index, seed)` packs conversations to one training row.
Everything is drawn from a random.Random: the same seed and index give the same text on every machine.
A story is told from one dict of facts, so it cannot contradict itself; plots.txt holds its wordings.
"""
import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))



def phrases(text):
    """A list written as text: entries end with ";", line breaks do not matter."""
    return [" ".join(p.split()) for p in text.split(";")]


# ------------------------------------------------------------------------------------------------- the cast

COMMON = "bear fox rabbit cat dog mouse owl dragon frog duck".split()
HEROES = COMMON + """hedgehog squirrel deer wolf lion tiger elephant monkey turtle horse pony cow sheep lamb goat pig
hen goose swan robin crow eagle parrot penguin beaver otter mole bee ant snail spider butterfly beetle ladybird fish
whale dolphin crab octopus seal giraffe zebra camel kangaroo koala panda donkey bat lizard kitten puppy chick
hamster raccoon moose dinosaur unicorn dwarf giant wizard witch fairy elf princess prince knight king queen pirate boy girl robot
snowman ghost mermaid farmer baker sailor shepherd tailor gardener cloud train boat teapot tractor astronaut""".split()
RARE_HEROES = """pumpkin carrot potato candle broom shoe sock spoon pencil kettle chair lamp wheel leaf tree flower mushroom stone star
snowflake raindrop rooster weasel ferret falcon hawk stork pelican flamingo peacock toad newt worm moth wasp cricket grasshopper shark
jellyfish starfish shrimp salmon buffalo rhino hippo gorilla baboon jaguar panther leopard cheetah hyena llama ostrich sloth armadillo
porcupine chipmunk mammoth phoenix griffin troll ogre gnome pixie nurse teacher postman cook painter musician clown juggler captain
soldier fisherman hunter carpenter blacksmith cowboy ninja superhero alien vampire monster mummy bus truck plane rocket ship car
submarine toy doll teddy cuckoo pigeon""".split()
HELD_OUT_HEROES = "badger walrus heron lemur gecko goblin miller magpie".split()     # never told in training

HIS = """Pip Tom Ben Max Leo Finn Oscar Hugo Theo Sam Jack Otto Felix Milo Bruno Charlie Noah Toby Rufus Henry Paul
Peter Emil Jonas Simon Basil Carlo Victor""".split()
HER = """Luna Mia Lily Rosie Nora Ella Daisy Ruby Anna Clara Ivy Molly Poppy Bella Hazel Olive Emma Zoe Tilly Mina Greta Lotte
Sophie Alma Wanda Fiona Stella Penny""".split()
SYLLABLES = "ba be bo da di do fa fi ga go ka ki ko la le li lo ma mi mo mu na ne ni no pa pe po ra re ri ro sa se su ta te ti to va vi vo wa wi za ze zu".split()

TRAITS = "brave shy curious kind sleepy clever cheerful gentle quiet funny lazy proud lonely friendly young small little tiny big".split()
ELDERS = "mother father grandmother grandfather aunt uncle".split()
HOMES = phrases("""a small house by the lake;a cosy den under an old oak;a little cottage at the edge of the forest;a round house on a
green hill;a hollow tree near the river;a blue house by the sea;a tiny cottage behind the church;a warm cave in the mountains;
a white house at the end of the lane;an old barn in a wide valley;a wooden hut in the deep forest;a tall tower on a rock;
a red house in a quiet village;a little room above a shop;a stone house beside a well;a snug burrow under the roots of a tree;a yellow
house in the middle of a field;a small castle with a crooked roof""")
PLACES = phrases("""the old mill;the apple orchard;the silver pond;the stone circle;the pine wood;the windy hill;the rose garden;the sandy
beach;the waterfall;the village market;the lighthouse;the castle ruins;the long meadow;the railway station;the clock tower;
the blackberry hedge;the frozen lake;the deep valley;the big rock;the old windmill;the harbour;the willow tree;
the sunflower field;the school;the fountain;the quiet cove""")
COLOURS = "red blue green golden silver yellow white brown purple orange striped little old shiny".split()
NOUNS = """scarf kite key bell hat flute boat drum ball lantern blanket book mitten ring cup button whistle clock basket
trumpet puppet feather marble shell mirror pillow violin spoon crown umbrella""".split()
BREAKABLE = "kite flute drum lantern cup clock trumpet shell mirror violin umbrella whistle crown".split()
TREATS = phrases("""apple pie;honey cakes;bread and jam;pancakes;nut cake;berry tart;ginger biscuits;pumpkin pie;chocolate cake;cherry
pie;toast and honey;plum dumplings;carrot cake;strawberries and cream;warm rolls;nut bread;roasted chestnuts;cream puffs;raisin
buns;lemon cake;cheese and apples;waffles""")
SKILLS = "sing;dance;swim;whistle;paint;juggle;skate;climb;play the drum;play the flute;read;write;row a boat;ride a bicycle;knit;cook;do magic;stand on one leg".split(";")
INGREDIENTS = "flour butter sugar honey eggs milk cinnamon".split()
PLANTS = "sunflower;rose;tulip;apple tree;cherry tree;bean plant".split(";")


def article(words):
    return ("an " if words[0].lower() in "aeiou" and not words.startswith("uni") else "a ") + words


def hero(rng):
    chance = rng.random()
    return rng.choice(COMMON if chance < 0.25 else HEROES if chance < 0.8 else RARE_HEROES)


def invented_name(rng):
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()


# ---------------------------------------------------------------------------------------------- the grammar

def read_plots():
    """plots.txt -> {name: {"slots": [...], "ASK": [...], "ABOUT": [...], "END": [...], "Q": [(questions, answers)]}}"""
    plots, plot = {}, None
    for line in open(os.path.join(HERE, "plots.txt"), encoding="utf-8"):
        line = line.strip()
        if not line or line.startswith("#"): continue
        if line.startswith("== "):
            plot = plots[line[3:]] = {"slots": [], "Q": []}
        elif line.startswith("Q: "):
            question, answer = line[3:].split("| A: ")
            plot["Q"].append((wordings(question), wordings(answer)))
        elif re.match(r"[A-Z]+: ", line):
            key, value = line.split(": ", 1)
            plot[key] = wordings(value)
        else:
            plot["slots"].append(line if line.startswith("@") else [w.strip() for w in line.split(" / ")])
    return plots


def wordings(text):
    return [w.strip() for w in text.split("||")]


PLOTS = read_plots()
SHARED = {name: PLOTS.pop(name) for name in ("open", "friend", "close")}
CHOICE = re.compile(r"\[([^\[\]]*)\]")


def say(rng, wording, facts):
    """One wording with its choices drawn and its facts filled in, as a sentence."""
    while "[" in wording:
        wording = CHOICE.sub(lambda m: rng.choice(m.group(1).split("|")), wording)
    while "{a:" in wording or "{A:" in wording:
        wording = re.sub(r"\{[aA]:((?:\{\w+\}| )+)\}", lambda m: article(fill(m.group(1), facts)), wording)
    text = re.sub(r"\s+", " ", fill(wording, facts)).strip()
    text = re.sub(r" ([.,])", r"\1", text).replace("?.", "?")
    return re.sub(r"(^|[.!?]\"? )([a-z])", lambda m: m.group(1) + m.group(2).upper() if not m.group(1).endswith('" ') else m.group(0), text)


def fill(wording, facts):
    return re.sub(r"\{(\w+)\}", lambda m: facts[m.group(1)], wording)


def gender(rng, name):
    return "his" if name in HIS else "her" if name in HER else rng.choice(("his", "her"))


def pronouns(facts, prefix, kind):
    he, him, his = ("he", "him", "his") if kind == "his" else ("she", "her", "her")
    for key, word in (("he", he), ("him", him), ("his", his)):
        facts[prefix + key] = word
        facts[prefix + key.capitalize()] = word.capitalize()
    facts[prefix + "himself"] = "himself" if kind == "his" else "herself"
    facts[prefix + "He"], facts[prefix + "His"] = he.capitalize(), his.capitalize()


ALWAYS = {"princess": "her", "witch": "her", "queen": "her", "girl": "her", "mermaid": "her", "hen": "her", "cow": "her",
          "prince": "his", "king": "his", "boy": "his", "wizard": "his"}


def draw_facts(rng, **given):
    """The facts of one story. `given`: what the listener asked for (hs, h, trait, fs, f, obj, plot)."""
    facts = dict(given)
    facts.setdefault("hs", hero(rng))
    if "h" not in facts:
        kind = ALWAYS.get(facts["hs"]) or rng.choice(("his", "her"))
        facts["h"] = rng.choice(HIS if kind == "his" else HER)
    kind = facts.get("kind") or (gender(rng, facts["h"]) if facts["h"] in HIS + HER else ALWAYS.get(facts["hs"]) or gender(rng, facts["h"]))
    facts["kind"] = kind
    pronouns(facts, "", kind)
    facts.setdefault("fs", rng.choice([s for s in HEROES if s != facts["hs"]]))
    friend_kind = ALWAYS.get(facts["fs"]) or rng.choice(("his", "her"))
    if "f" not in facts:
        facts["f"] = rng.choice([n for n in (HIS if friend_kind == "his" else HER) if n != facts["h"]])
    pronouns(facts, "f", friend_kind if facts["f"] not in HIS + HER else gender(rng, facts["f"]))
    facts.setdefault("trait", rng.choice(TRAITS))
    facts.setdefault("el", rng.choice(ELDERS))
    facts.setdefault("home", rng.choice(HOMES))
    facts["thehome"] = re.sub(r"^an? ", "the ", facts["home"])
    used = set(facts["home"].split()) - {"the", "a", "old", "small"}
    facts["pl"] = rng.choice([p for p in PLACES if not used & set(p.split()[1:])])
    facts.setdefault("plot", rng.choice(list(PLOTS)))
    facts.setdefault("obj", rng.choice(COLOURS) + " " + rng.choice(BREAKABLE if facts["plot"] == "broken" else NOUNS))
    facts["noun"] = facts["obj"].split()[-1]
    facts["treat"] = rng.choice(TREATS)
    facts["skill"] = rng.choice(SKILLS)
    facts["ingredient"] = rng.choice(INGREDIENTS)
    facts["plant"] = rng.choice(PLANTS)
    facts["he2"] = rng.choice(("he", "she"))
    facts["their"] = "their"
    return facts


def story(rng, facts):
    slots = [rng.choice(SHARED["open"]["slots"][0])]
    for slot in PLOTS[facts["plot"]]["slots"]:
        slots.append(rng.choice(SHARED[slot[1:]]["slots"][0] if isinstance(slot, str) else slot))
    return " ".join(say(rng, s, facts) for s in slots)


# ------------------------------------------------------------------------------------ what the listener says

def casual(rng, text):
    """As people type: sometimes lower case, no full stop, a slip of the finger."""
    if rng.random() < 0.35: text = text.lower()
    if rng.random() < 0.35: text = text.rstrip(".!?")
    if rng.random() < 0.03 and len(text) > 8:
        i = rng.randrange(2, len(text) - 2)
        if text[i].isalpha() and text[i + 1].isalpha():
            text = text[:i] + text[i + 1] + text[i] + text[i + 2:]
    return text


BEFORE = phrases("""Tell me a [bedtime |]story about X.;Tell me a [bedtime |]story about X, please.;Please tell me a [bedtime |]story about X.;Can you tell me a
[bedtime |]story about X?;A [bedtime |]story about X[, please|].;I [want|would like] a [bedtime |]story about X.;Story about X.;Tell me about X.;Write a [bedtime |short |]story
about X.;Could you tell [me|us] a story about X?;I can't sleep. Tell me [a story |]about X.;Do you know a story about X?;My [son|daughter] wants a story about X.;Make
up a story about X.;Once upon a time there was X.;Let me hear a story about X.;Give me a story about X.;Hi! Tell me a story about X.;X, please.;How about a story with X?;Tell me
a [short|long|nice|new|little|funny] story about X.;Now [tell me |]a story about X.""")
PLAIN = phrases("""Tell me a story.;Tell me a bedtime story.;Tell me a bedtime story, please.;Please tell me a story.;A story, please.;I can't sleep.;Can you tell me a
story?;I want a story.;Story!;Story time!;Read me a story.;Do you know a story?;Tell me something.;I am in bed. Please tell me a story.;Another one?;I would like to hear a story.;Tell us a
story before we sleep.;A bedtime story please.;One story, please.;Write a story.;Surprise me with a story.""")
MORE = phrases("""Another one, please.;Another story, please.;Tell me another one.;Tell me another story.;One more.;Again!;More, please.;Another one.;Can I have one more story?;
That was nice. Another one?;One more story, please.""")
LEAD = ["", "", "", "", "Here is a story for you. ", "Of course. ", "Gladly. "]


def ask_story(rng):
    """(what the listener says, facts of the story to tell)."""
    given, chance = {}, rng.random()
    if chance < 0.10:
        return casual(rng, rng.choice(PLAIN)), draw_facts(rng)
    given["hs"] = hero(rng)
    who = given["hs"]
    if rng.random() < 0.25:
        given["trait"] = rng.choice(TRAITS)
        who = given["trait"] + " " + who
    elif rng.random() < 0.15:
        who = "little " + who
        given["trait"] = "little"
    who = article(who)
    if rng.random() < 0.25:
        kind = ALWAYS.get(given["hs"])
        given["h"] = invented_name(rng) if rng.random() < 0.35 else rng.choice(HIS if kind == "his" else HER if kind == "her" else HIS + HER)
        who = rng.choice((f"{who} named {given['h']}", f"{who} called {given['h']}", f"{given['h']} the {given['hs']}"))
        if " the " in who: given.pop("trait", None)
    if rng.random() < 0.15:
        given["fs"] = rng.choice([s for s in HEROES if s != given["hs"]])
        if rng.random() < 0.25:
            given["f"] = rng.choice([n for n in HIS + HER if n != given.get("h")]) if rng.random() < 0.6 else invented_name(rng)
            if given["f"] == given.get("h"): del given["f"]
        who += " and " + article(given["fs"]) + (f" named {given['f']}" if "f" in given else "")
        facts = draw_facts(rng, **given)
    else:
        facts = draw_facts(rng, **given)
        if rng.random() < 0.25:
            hint = rng.choice(PLOTS[facts["plot"]]["ASK"])
            if not hint.startswith("about"):
                hint = hint.replace("helps {a:{fs}} find", "helps somebody find")
                hint = re.sub(r"\{a:\{obj\}\}", "something", hint) if "{a:{obj}}" in hint else hint
                who += " " + fill(hint, facts)
    request = rng.choice(BEFORE)
    while "[" in request:
        request = CHOICE.sub(lambda m: rng.choice(m.group(1).split("|")), request)
    request = request.replace("X", who)
    return casual(rng, request[0].upper() + request[1:]), facts


def ask_topic(rng):
    """A request that names the plot and no hero."""
    facts = draw_facts(rng)
    hint = fill(re.sub(r"\{a:\{(\w+)\}\}", lambda m: article(facts[m.group(1)]), rng.choice(PLOTS[facts["plot"]]["ASK"])), facts)
    who = hint[6:] if hint.startswith("about ") else "somebody " + hint if hint.startswith("who") else re.sub("^and ", "", hint)
    return casual(rng, rng.choice(("Tell me a story about X.", "A story about X, please.", "Do you know a story about X?", "Tell me a bedtime story about X.")).replace("X", who)), facts


# ------------------------------------------------------------------------------------ questions about a story

GENERAL = [
    ("What was the name of the {hs}?||What was the {hs} called?||What was {his} name?||Who was the {hs}?||What is the name of the {hs}?||What was the hero's name?", "The {hs} was called {h}.||{His} name was {h}."),
    ("Who was {h}?||What was {h}?||What kind of animal was {h}?||Who is {h}?", "{h} was {a:{hs}}.||{h} was {a:{trait} {hs}}."),
    ("Who was {f}?||What was {f}?||Who is {f}?||Tell me more about {f}.", "{f} was {a:{fs}} and a friend of {h}.||{f} was {a:{fs}}."),
    ("What was the name of the {fs}?||What was the {fs} called?||Who was the {fs}?||What was the friend called?||What was the friend's name?||Who was {h}'s friend?", "The {fs} was called {f}.||It was {f} the {fs}."),
    ("Where did {h} live?||Where was {h}'s home?||Where did the {hs} live?||Where does the {hs} live?", "{h} lived in {home}.||{He} lived in {home}."),
    ("Who did {h} live with?||Who lived with {h}?", "{h} lived with {his} {el}.||{He} lived with {his} {el}."),
    ("Who was the hero?||Who is the story about?||Who is the hero of the story?||Who was in the story?", "The hero was {h} the {hs}.||It is about {h} the {hs} and {f} the {fs}."),
    ("What was the story about?||What is the story about?||Can you sum it up?||What happened in the story?||Summarize the story.", "@ABOUT"),
    ("How did the story end?||How does it end?||What happened at the end?||Did it end well?", "@END"),
    ("Was {h} happy at the end?||Was the {hs} happy?||Is it a happy story?", "Yes, {h} was happy at the end.||Yes. {h} was happy, and so was {f}."),
    ("What did they eat?||What did {h} eat?", "They ate {treat}.||They shared {treat}."),
    ("Was {f} a good friend?||Were {h} and {f} friends?", "Yes, {f} and {h} were good friends.||Yes, they were friends."),
]
UNKNOWN = [
    ("How old was {h}?||How old was the {hs}?", "The story does not say how old {h} was."),
    ("What colour was {h}?||What colour was the {hs}?||What did {h} look like?", "The story does not say what {h} looked like."),
    ("What was the name of {h}'s {el}?||What was the {el}'s name?", "The story does not say what the {el} was called."),
    ("When was {h} born?||How tall was {h}?||Did {h} have a brother?||Did {h} have a sister?||What was {h}'s favourite colour?", "The story does not say that.||That is not in the story.||I do not know. The story does not say."),
]
GENERAL, UNKNOWN = ([(wordings(q), wordings(a)) for q, a in t] for t in (GENERAL, UNKNOWN))


def question(rng, facts, only=None):
    """(question, answer) about the story of these facts."""
    chance = rng.random()
    if only is not None: questions, answers = rng.choice(only)
    elif chance < 0.45: questions, answers = rng.choice(PLOTS[facts["plot"]]["Q"])
    elif chance < 0.9: questions, answers = rng.choice(GENERAL)
    else: questions, answers = rng.choice(UNKNOWN)
    if answers[0].startswith("@"): answers = PLOTS[facts["plot"]][answers[0][1:]]
    if "They ate {treat}." in answers and not any("{treat}" in w for s in PLOTS[facts["plot"]]["slots"] if not isinstance(s, str) for w in s):
        return question(rng, facts, only)
    return casual(rng, say(rng, rng.choice(questions), facts)), say(rng, rng.choice(answers), facts)


TOLD = [GENERAL[0], GENERAL[1], GENERAL[4], GENERAL[5]]
TOLD_FRIEND = [GENERAL[2], GENERAL[3]]


def told_by_listener(rng):
    """The listener tells the beginning of a story and asks; the form of `cat story | qnext chat QUESTION`."""
    facts = draw_facts(rng)
    if rng.random() < 0.3:
        facts["h"] = invented_name(rng)
    opening = say(rng, rng.choice(SHARED["open"]["slots"][0]), facts)
    friend = say(rng, rng.choice(SHARED["friend"]["slots"][0]), facts)
    text, only = (opening + " " + friend, TOLD + TOLD_FRIEND) if rng.random() < 0.7 else (opening, TOLD)
    if "whose name was" in text or "called" in text or "named" in text:
        only = [o for o in only if o is not GENERAL[1] or facts["trait"] in text]
    q, a = question(rng, facts, only)
    turns = [("user", text + rng.choice(("\n\n", "\n\n", " ", "\n")) + q), ("assistant", a)]
    for _ in range(rng.choice((0, 0, 1))):
        q, a = question(rng, facts, only)
        turns += [("user", q), ("assistant", a)]
    return turns


# ------------------------------------------------------------------------------------------------------ sums

WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
SUM_ASK = phrases("""what is A + B?;What is A + B?;A + B;A+B;A plus B;A + B =;A+B=;what's A plus B?;How much is A + B?;how much is A plus B?;Can you add A and B?;add A and B;What is A plus B?;what does A and B
make?;A and B?;What is the sum of A and B?;calculate A + B;Please add A and B.;And A + B?;A + B = ?;tell me what A plus B is""")
THINGS = "apples nuts eggs pears cakes stones books balls flowers shells plums cookies stars berries".split()


def add(rng):
    """(question, answer): a sum with a result up to 20."""
    total = rng.randrange(0, 21)
    a = rng.randrange(0, total + 1)
    b = total - a
    if rng.random() < 0.1:
        h, f = rng.sample(HIS + HER, 2)
        thing = rng.choice(THINGS)
        a, b = max(a, 2), max(b, 2)
        if a + b > 20: a, b = 9, 8
        q = rng.choice((f"{h} has {a} {thing}. {f} gives {h} {b} more. How many {thing} does {h} have now?",
                        f"{h} has {a} {thing} and {f} has {b} {thing}. How many {thing} do they have together?"))
        who = f"{h} has" if "gives" in q else "They have"
        return q, f"{a} + {b} = {a + b}. {who} {a + b} {thing}."
    q = rng.choice(SUM_ASK)
    if rng.random() < 0.12 and "+" not in q:
        return q.replace("A", WORDS[a], 1).replace("B", WORDS[b]).replace(WORDS[a] + "dd", "Add"), f"{a} + {b} = {a + b}."
    q = re.sub(r"\b([AB])\b", lambda m: str(a if m.group(1) == "A" else b), q)
    return q, rng.choice((f"{a} + {b} = {a + b}.", f"{a} + {b} = {a + b}.", f"{a} + {b} = {a + b}. Shall I tell you a story now?"))


# ------------------------------------------------------------------------------------------------- small talk

OFFER = phrases("""Would you like a bedtime story?;Shall I tell you a story?;May I tell you a story instead?;Ask me for a story about a bear, for example.;But I can tell you a bedtime story.;
Try "tell me a story about a fox".;Would you like a story instead?;I would love to tell you a story.;Who should the story be about?""")
WHO = phrases("""I am the small demonstration model of qnext. I tell bedtime stories and I can add numbers up to 20.;I am a very small language model. I come with qnext and show how it works. I know bedtime stories, small talk and sums up
to 20.;I am qnext's demonstration model, a tiny language model that tells bedtime stories.;I am a little storyteller: the demonstration model of qnext. I am built like Qwen3-Next, only very much smaller.;I am a small
demonstration model. I tell bedtime stories, answer questions about them, and add numbers up to 20.""")
CAN = phrases("""I can tell bedtime stories, answer questions about them, chat a little, and add numbers up to 20. That is all.;I can tell you a bedtime story about almost any animal. I can also do sums up to 20. More than that I have not
learned.;Three things: bedtime stories, small talk, and sums up to 20. Who should the story be about?;I tell bedtime stories. You can ask me about the story afterwards. I also know sums up to 20.;Not very much! Bedtime
stories, a little small talk, and sums up to 20. I am only a demonstration.""")
CANNOT = phrases("""I am sorry, I do not know that. I am only a small demonstration model.;I cannot help with that. I only know bedtime stories, small talk and sums up to 20.;That is too hard for me. I am a very small model.;I have not learned that. I am
a demonstration model and know only bedtime stories and sums up to 20.;I do not know, and I do not want to guess. I am only a small demonstration model.;Sorry, that is more than a small model like me can do.;I am afraid I cannot do that. I know bedtime
stories, small talk and sums up to 20.;I don't know anything about that, I am sorry. Bedtime stories are what I know.;I would only make something up. I am a tiny model that knows bedtime stories and small sums.""")
TOO_BIG = phrases("""I can only add numbers up to 20, and no more than that.;I only know sums up to 20. That one is too hard for me.;Sorry, I have only learned to add up to 20.;That is too much for me. I know sums up to 20, nothing else.""")

SMALL = [
    ("who are you?||who are you||what are you?||Who is this?||Introduce yourself.||tell me about yourself||Who am I talking to?||what is your name?||Do you have a name?||what's your name||What model are you?||which model is this?", WHO),
    ("what can you do?||What can you do||what do you know?||How can you help me?||help||Help me.||what can i ask you?||What are you good at?||what else can you do?||Can you help me?||what should I ask?||What do you do?", CAN),
    ("hi||hello||Hello!||Hi!||hey||Hey there!||good morning||Good evening.||hi there||Hello, how are you?||good day||Hi, are you there?||yo||Greetings", "Hello! Would you like a bedtime story?||Hi! I am the demonstration model of qnext. Shall I tell you a story?||Hello! How are you today?||Hello! I can tell you a bedtime story. Who should it be about?||Hi! It is nice to meet you."),
    ("how are you?||How are you today?||how's it going?||how do you do||Are you well?||what's up?||how are you feeling", "I am well, thank you. How are you?||I am fine, thank you. Would you like a story?||Very well, thank you! I feel like telling a story.||Fine, as far as a small model can tell. And you?"),
    ("I am fine.||I'm good||fine, thanks||good, and you?||Very well, thank you.||I am great!||not bad", "I am glad to hear that. Would you like a story?||That is good to hear!||How nice! Shall I tell you a story?"),
    ("I am sad.||I'm sad||I feel lonely||I had a bad day.||I am not well||I am afraid.||I'm unhappy today", "I am sorry to hear that. Perhaps a story will help. Shall I tell you one?||Oh, I am sorry. I can tell you a gentle story, if you like.||That is hard. I am only a small model, but I can tell you a kind story."),
    ("I am tired.||I'm sleepy||I am bored||I am in bed||I can't fall asleep||it's late||I have nothing to do", "Then it is time for a bedtime story. Who should it be about?||A story might be just right. Shall I tell you one?||Would you like a story about a bear, or about a fox?"),
    ("thank you||Thank you!||thanks||thanks a lot||Thank you very much.||That was nice.||great story!||I liked it.||very good||nice||wow||cool||I love it||lovely story", "You are welcome!||I am glad you liked it. Would you like another one?||You are very welcome. Shall I tell you another story?||It was a pleasure.||Thank you! Sleep well."),
    ("good night||Good night!||bye||goodbye||Goodbye!||see you||see you tomorrow||sleep well||I am going to sleep now.||That is all.||bye bye", "Good night, and sweet dreams!||Good night! Sleep well.||Goodbye! Come back for another story.||Sleep well, and dream of something nice.||Goodbye, and thank you for listening."),
    ("who made you?||Who built you?||where do you come from?||how were you made?||who trained you?||How were you trained?||when were you made?||what data were you trained on?", "I was made by the people of qnext. I was trained on made-up stories, small talk and sums, on an ordinary computer.||The makers of qnext trained me on stories that a program made up.||I was trained in about an hour on an ordinary processor, with text that a small program made up."),
    ("are you a person?||Are you human?||are you real?||Are you a robot?||are you an AI?||are you alive?||Are you a computer?||do you have feelings?||Can you think?", "No, I am a computer program: a very small language model.||I am a small language model, not a person.||I am only a program that learned to tell stories.||I am a tiny language model. I have no feelings, but I know many stories."),
    ("are you ChatGPT?||Are you Qwen?||are you Qwen3-Next?||are you GPT-4?||Are you Claude?||are you a big model?||how big are you?||How many parameters do you have?||are you clever?||are you smart?||Are you good?||how smart are you?", "No, I am only the small demonstration model of qnext. I have about nine million parameters.||I am built like Qwen3-Next, but I am about nine thousand times smaller. I have nine million parameters.||No. I am a very small model, and I know very little. But I know bedtime stories!"),
    ("do you like stories?||Do you know stories?||how many stories do you know?||what stories do you know?||what is your favourite story?||Which stories do you know?", "I know stories about lost things, stars, storms, races, birthdays and friendship. Who should the story be about?||Yes, I love stories! Shall I tell you one?||I know many. I make up a new one every time. Would you like to hear one?"),
    ("do you like me?||I love you||I like you.||you are nice||you are funny||You are great!||good job||well done", "That is very kind of you. Thank you!||Thank you! You are nice, too.||How kind! Would you like a story?"),
    ("you are stupid||that is wrong||That was wrong.||you are bad||that makes no sense||I don't like it||boring||that's not right||No!||that was bad", "I am sorry. I am only a small demonstration model.||I am sorry, I make mistakes. I am a very small model.||I am sorry about that. Shall I try again?"),
    ("what is qnext?||tell me about qnext||What does qnext do?||what is Qwen3-Next?||how does qnext work?||what is this?", "qnext is a program that runs Qwen3-Next models on your own computer. I am its small demonstration model.||qnext runs Qwen3-Next models, large and small. I am the smallest one.||It is a program for running language models. I come with it, so that you can try it at once."),
    ("yes||Yes, please.||yes please||ok||okay||sure||Yes!||please||go on||why not||of course", "Good! Who should the story be about?||Gladly. Who should it be about: a bear, a fox, or somebody else?||Very good. Tell me who the story should be about."),
    ("no||No, thank you.||no thanks||not now||nope||maybe later", "That is fine. Tell me when you want to hear a story.||All right. I am here when you want a story.||As you like."),
    ("where do you live?||where are you?||how old are you?||do you sleep?||what do you eat?||do you have friends?||do you have a mother?", "I live in your computer, in a folder of about ten megabytes.||I am only a program, so I live in your computer.||I am a program. I do not eat, and I do not sleep. I tell stories."),
    ("test||testing||hello world||ping||asdf||?||hmm||hm||...||ok then||1 2 3||foo", "Hello! I am here. Would you like a story?||I am here. Ask me for a bedtime story, or for a sum up to 20.||I did not quite understand that. Shall I tell you a story?"),
]
SMALL = [(wordings(q), a if isinstance(a, list) else wordings(a)) for q, a in SMALL]

TOPICS = phrases("""France;Germany;Japan;China;the moon landing;history;physics;quantum physics;mathematics;chemistry;biology;the human body;politics;the president;the news;the weather;football;tennis;the stock market;
money;taxes;law;medicine;headaches;cars;engines;trains;planes;computers;Python;Java;Rust;the internet;databases;machine learning;neural networks;music;Mozart;painting;films;actors;books;Shakespeare;poetry;
philosophy;religion;cooking;rice;bread;coffee;wine;travel;hotels;Paris;London;Berlin;New York;the ocean;volcanoes;the climate;energy;electricity;the economy;space;Mars;black holes;time;love;war;peace;school;
English grammar;Spanish;Latin;German;chess;games;phones;Linux;Docker;the Roman Empire;Napoleon;Einstein;Newton;dinosaur bones;evolution;genetics;vitamins;sport;yoga;gardening;cancer;insurance;business;
marketing;an email;a letter;a contract;a speech;my homework;my essay;my computer;my code;my car;my job;my dog's food;the speed of light;the population of India;the capital of Spain;the longest river;gravity""")
CANNOT_ASK = phrases("""What is X?;what is X;Tell me the facts about X.;explain X;Explain X to me.;How does X work?;Who invented X?;what do you know about X?;Write a poem about X.;Write an essay about X.;
write code for X;Can you help me with X?;What do you think about X?;Why is X important?;Give me advice about X.;teach me X;When did X begin?;Where is X?;how much does X cost?;What is the best way to learn about X?;
Give me a list of books about X.;What is new about X?;Summarize X.;translate X into French;I have a question about X.;Do you know anything about X?;Who is the expert on X?;write a report on X""")
CANNOT_FIXED = phrases("""What is the capital of France?;what's the capital of Germany?;Who is the president of the United States?;What time is it?;what day is it today?;What's the weather like?;will it rain tomorrow?;
Write a Python program.;write a function that sorts a list;Translate hello into Spanish.;how do you say cat in German?;What is the meaning of life?;Tell me a joke.;tell me a riddle;sing me a song;Write me a poem.;
Play some music.;Show me a picture.;draw a cat;Search the web for me.;open the door;send an email to my boss;How many people live on Earth?;who won the match?;How far is the moon?;how do I cook pasta?;what is love?;
What is E = mc2?;Give me a recipe for soup.;Recommend a film.;book a flight;What should I eat tonight?;who wrote Hamlet?;When was the war?;How do planes fly?;Why is the sky blue?;How do I install Linux?;
fix my code;What is 2 to the power of 10?;name five countries;What is the largest animal?;How many legs does a spider have?;Speak German.;sprichst du Deutsch?;Parlez-vous français?;hola, cómo estás?;
Write a business plan.;List the planets.;Do my homework.;who is Albert Einstein?;How do I tie a tie?;What can I do against a cold?;is there a god?;Rewrite this text.;correct my grammar;
what did you do yesterday?;remind me at five;turn on the light;count to one hundred;spell banana;What rhymes with house?""")


def cannot(rng):
    chance = rng.random()
    if chance < 0.2:
        op, a, b = rng.choice(("+", "+", "plus", "-", "minus", "*", "x", "times", "/", "divided by")), rng.randrange(2, 100), rng.randrange(2, 100)
        if op in ("+", "plus") and a + b <= 20: a += 21
        q = rng.choice(("what is A?", "A", "How much is A?", "A = ?", "What's A?", "calculate A")).replace("A", f"{a} {op} {b}" if rng.random() < 0.7 or op.isalpha() else f"{a}{op}{b}")
        answer = rng.choice(TOO_BIG)
    else:
        q = rng.choice(CANNOT_FIXED) if chance < 0.55 else rng.choice(CANNOT_ASK).replace("X", rng.choice(TOPICS))
        q = casual(rng, q[0].upper() + q[1:])
        answer = rng.choice(CANNOT)
    return q, answer + (" " + rng.choice(OFFER) if rng.random() < 0.6 else "")


def talk(rng):
    questions, answers = rng.choice(SMALL)
    return casual(rng, rng.choice(questions)), rng.choice(answers)


def introduction(rng):
    """The listener's name, kept over the turns."""
    name = rng.choice(HIS + HER) if rng.random() < 0.5 else invented_name(rng)
    turns = [("user", casual(rng, rng.choice((f"My name is {name}.", f"I am {name}.", f"Hello, I'm {name}.", f"Hi, my name is {name}!")))),
             ("assistant", rng.choice((f"Hello, {name}! Would you like a story?", f"Nice to meet you, {name}! Shall I tell you a story?", f"Hello, {name}! It is nice to meet you.")))]
    turns[0] = ("user", turns[0][1] if name in turns[0][1] else f"My name is {name}.")
    if rng.random() < 0.6:
        turns += [("user", casual(rng, rng.choice(("What is my name?", "Do you remember my name?", "What's my name?", "Who am I?")))),
                  ("assistant", rng.choice((f"Your name is {name}.", f"You are {name}.")))]
    return turns


# -------------------------------------------------------------------------------------------- conversations

SYSTEM = phrases("""You are a helpful assistant.;You are a storyteller.;You tell bedtime stories.;You are a friendly assistant.;Be kind and brief.;You are a small demonstration model.;Answer in one sentence.;
You are the demonstration model of qnext.""")


def pair(exchange):
    return [("user", exchange[0]), ("assistant", exchange[1])]


def story_turns(rng, ask=None):
    request, facts = ask or (ask_story(rng) if rng.random() < 0.9 else ask_topic(rng))
    return pair((request, rng.choice(LEAD) + story(rng, facts))), facts


def with_story(rng):
    """A story, questions about it, perhaps a second story and thanks."""
    turns = []
    if rng.random() < 0.15: turns += pair(talk(rng)) if rng.random() < 0.7 else introduction(rng)
    more, facts = story_turns(rng)
    turns += more
    for _ in range(rng.choice((0, 1, 2, 2, 3))): turns += pair(question(rng, facts))
    if rng.random() < 0.25:
        if rng.random() < 0.5:
            ask = casual(rng, rng.choice(MORE)), draw_facts(rng)
        else:
            given = {k: facts[k] for k in ("hs", "h", "kind", "home", "trait", "el")}
            again = draw_facts(rng, **given, plot=rng.choice([p for p in PLOTS if p != facts["plot"]]))
            ask = casual(rng, rng.choice(("Tell me another story about X.", "Another story about X, please.", "One more story about X.")).replace("X", facts["h"])), again
            if facts["h"] not in ask[0]: ask = f"Tell me another story about {facts['h']}.", again
        more, facts = story_turns(rng, ask)
        turns += more
        for _ in range(rng.choice((0, 1))): turns += pair(question(rng, facts))
    if rng.random() < 0.3: turns += pair(rng.choice(((lambda: add(rng)), (lambda: cannot(rng)), (lambda: talk(rng)), (lambda: talk(rng))))())
    return turns


def without_story(rng):
    turns = []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        chance = rng.random()
        if chance < 0.45: turns += pair(add(rng))
        elif chance < 0.70: turns += pair(talk(rng))
        elif chance < 0.88: turns += pair(cannot(rng))
        elif chance < 0.93: turns += introduction(rng)
        else: turns += told_by_listener(rng)
    return turns


def short(rng):
    """Names kept over a few words: a very short story, an introduction, a told beginning with a question."""
    chance = rng.random()
    if chance < 0.2: return introduction(rng)
    if chance < 0.5: return told_by_listener(rng)
    facts = draw_facts(rng, hs=hero(rng))
    who = article(facts["hs"]) + rng.choice(("", f" called {facts['h']}", f" named {facts['h']}", f" and {article(facts['fs'])}"))
    ask = rng.choice(("Tell me a very short story about X.", "A very short story about X, please.", "A tiny story about X.", "Only three sentences about X, please.")).replace("X", who)
    turns = pair((casual(rng, ask), " ".join(say(rng, rng.choice(SHARED[s]["slots"][0]), facts) for s in ("open", "friend", "close"))))
    for _ in range(rng.choice((0, 1, 2))): turns += pair(question(rng, facts, TOLD + TOLD_FRIEND))
    return turns


def conversation(rng, kind=None):
    turns = {"story": with_story, "talk": without_story, "short": short}[kind or rng.choice(("story", "story", "talk", "talk", "short"))](rng)
    if rng.random() < 0.1: turns = [("system", rng.choice(SYSTEM))] + turns
    return turns


def row(index, seed, encode, length, brief=0.06):
    """One training row: token ids [length] and loss weights [length]; starts at the start of a conversation.

    `encode(role, text)` gives (ids, weights) of one message. Conversations with a story and short ones follow each
    other until the row is full. Each conversation ends with <|endoftext|>. `brief` is the share of rows with very short
    stories only.
    """
    rng = random.Random(f"{seed}/{index}")
    ids, weights = [], []
    chance = rng.random()
    kind = "short" if chance < brief else "talk" if rng.random() < 0.3 else "story"
    while len(ids) < length:
        for message in conversation(rng, kind):
            i, w = encode(*message)
            ids, weights = ids + i, weights + w
        i, w = encode("end", "")
        ids, weights = ids + i, weights + w
        if chance > brief: kind = "talk" if kind == "story" or rng.random() < 0.6 else "story"
    return ids[:length], weights[:length]


if __name__ == "__main__":      # look at the text: python corpus.py [seed] [count]
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
        for role, text in conversation(rng): print(f"[{role}] {text}")
        print("-" * 20)
