#!/usr/bin/env python3
"""What Python's jinja2 makes of template sources: the oracle for dev.qnext.text.ChatTemplate.

  jinja-diff.py expect FILE VARS        each line of FILE ({"source": ...}) with its "expected" or "error"
  jinja-diff.py random SEED COUNT VARS  the same for sources made at random

VARS is a JSON file with the variables of all sources. The environment is the one that transformers
5.23 builds for chat templates; needs `pip install jinja2==3.1.6`. To compare:

  jinja-diff.py random 1 5000 fixtures/src/main/resources/golden/templates/snippet_vars.json > /tmp/cases.jsonl
  QNEXT_TEMPLATE_CASES=/tmp/cases.jsonl mvn -q -pl engine -am test -Dtest=TemplateSnippetsTest \
      -Dsurefire.failIfNoSpecifiedTests=false
"""

import copy
import json
import random
import re
import signal
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.utils
from jinja2 import exceptions
from jinja2.sandbox import ImmutableSandboxedEnvironment


# -- the environment


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _body(self, context, caller):
        return caller()


class TemplateNamespace(jinja2.utils.Namespace):
    __module__ = "transformers.utils.chat_template_utils"

    def __init__(*args, **kwargs):
        values = dict(*args[1:], **kwargs)
        for name in values:
            check_name(name)
        jinja2.utils.Namespace.__init__(args[0], values)

    def __setitem__(self, name, value):
        check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)


def check_name(name):
    if isinstance(name, str) and name.startswith("_"):
        raise exceptions.SecurityError(
            "Chat templates cannot store underscore-prefixed attributes on a namespace,"
            f" but got {name!r}. Please rename the attribute."
        )


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


def raise_exception(message):
    raise exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters.update(tojson=tojson, from_json=json.loads)
    env.globals.update(raise_exception=raise_exception, dict=Dict(), namespace=TemplateNamespace)
    return env


# -- the outcome of one source


def kind(error):
    if isinstance(error, (exceptions.TemplateSyntaxError, SyntaxError)):
        return "syntax"
    if isinstance(error, exceptions.SecurityError):
        return "security"
    if isinstance(error, exceptions.UndefinedError):
        return "undefined"
    if isinstance(error, exceptions.TemplateRuntimeError):
        return "runtime"
    return "raise_exception" if type(error) is exceptions.TemplateError else "type"


def outcome(env, source, variables):
    """None where the text depends on addresses, or Python takes too long."""
    signal.alarm(5)
    try:
        text = env.from_string(source).render(**copy.deepcopy(variables))
        text.encode()
        return None if " at 0x" in text.lower() or "complex" in text else {"expected": text}
    except TimeoutError:
        return None
    except Exception as error:
        message = str(error)
        if isinstance(error, SyntaxError):  # Python's own, of the code that jinja2 makes
            message = re.sub(r"'l_\d+_", "'", error.msg)
        result = {"kind": kind(error), "message": message}
        if result["kind"] == "type":
            result["python"] = type(error).__name__
        return {"error": result}
    finally:
        signal.alarm(0)


def on_alarm(*_):
    raise TimeoutError


# -- sources at random

NAMES = "n t f i z neg fl f1 s e sp u l el ls d ed m html nl dup mix big keys missing".split()
STRINGS = (
    '"a"|\'b c\'|""|"Hello"|"l"|" x\\n"|"1"|"2.5"|"%s"|"%d-%s"|"{}"|"a,b,c"|","|"k"|"role"|"ÄÖü ß"|"\\n"'
    '|"é😀"|"{0:>5};{1}"|"%(k)s"|"it\'s"|"AbC dEf"|"0x1f"|" 7 "|"<b>"|"a\\tb"|"-12"|"+3.0e2"|"\\u3000x\\x85"'
    '|"items"|"A1b2"'
).split("|")
NUMBERS = "0 1 2 3 -1 7 10 1.5 0.1 2.0 1e16 1e-5 100 -2.5 123456789012345678901 3.14159 2.5 0.5 1_000".split()
OTHERS = (
    "true;false;none;[];{};();(1,);[3,1,2];['b','a','C'];{'b':1,'a':[2]};(2,'x');{1:2,'x':none};range(3)"
    ";range(5,0,-2);namespace(a=1);dict(a=1);[1,true,1.0,'1'];[[2,'b'],[1,'a']];[none,1];d.x;d.k;d['n'];m[0]"
    ";m[1].tool_calls;keys.b;l[0];ls[-1];u[6];d.x.y;keys['items'];m[0].missing"
).split(";")
FILTERS = (
    "abs|capitalize|count|d|default|dictsort|e|first|float|int|items|join|last|length|list|lower|max|min"
    "|reverse|round|safe|sort|string|sum|title|tojson|trim|unique|upper|wordcount|default(1, true)|join('-')"
    "|replace('l', 'L')|replace('', '.', 2)|trim('a1')|indent(2, true)|indent(1, blank=true)|tojson(indent=2)"
    "|tojson(sort_keys=true)|tojson(separators=(',', ':'))|map('upper')|map('string')|map(attribute='role')"
    "|map(attribute=0)|map(attribute='x.y', default='D')|select|select('odd')|select('string')|reject('none')"
    "|select('in', [1, 'a'])|selectattr('role')|selectattr('role', 'eq', 'tool')|rejectattr('role')"
    "|round(1)|round(1, 'ceil')|round(-1)|int(5)|int(0, 16)|float(1)|sort(reverse=true)|sort(attribute='role')"
    "|sort(case_sensitive=true)|unique(true)|dictsort(by='value')|batch(2, 'x')|slice(2)|sum(start=1)"
    "|min(attribute='role')|format(1)|format('a', 2)|center(9)|truncate(4, true)|groupby('role')|first|list|list"
).split("|")
TESTS = (
    "odd;even;defined;undefined;none;boolean;false;true;integer;float;lower;upper;string;mapping;number"
    ";sequence;iterable;callable;escaped;divisibleby 2;sameas none;eq 1;in [1, 'a', none];gt 1;ne 'a'"
    ";lessthan 2.5;in 'Hello'"
).split(";")
METHODS = (
    "strip() lstrip() rstrip() split() rsplit() splitlines() upper() lower() title() capitalize() swapcase()"
    " isalpha() isdigit() isalnum() isspace() isupper() islower() istitle() items() keys() values() copy()"
    " pop() append(1) get('k') get('q',1) index(1) count('a') expandtabs(3) strip('a1') lstrip('\\n')"
    " rstrip('l') split(',') split(',',1) split('l') rsplit('l',1) split(none,1) replace('a','b')"
    " replace('l','',1) startswith('H') endswith(('o','c')) startswith('a',1) find('l') rfind('l') find('l',-2)"
    " index('e') count('l') join('ab') join(ls) partition(',') rpartition('l') removeprefix('He')"
    " removesuffix('o') zfill(7) center(9,'*') ljust(7) rjust(7,'.') format(1) format('a','b') format(k=1)"
    " splitlines(true)"
).split()
FIELDS = "{} {0} {:>8} {:*^9} {:<6}| {:05} {:+} {:.2f} {:8.3f} {:e} {:g} {:,} {:x} {:#x} {:b} {:.1%} {!r} {:.3} {:08,} {:+08.2f}".split()
PERCENTS = "%s %d %5d| %-5d| %05d %+d %x %#x %o %e %.2e %f %.1f %g %.3g %r %10s| %-10s| %.2s %5.1f %%".split()


class Sources:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def chance(self, share):
        return self.random.random() < share

    def source(self):
        kind = self.random.random()
        if kind < 0.5:
            return "{{ " + self.expression(self.pick([1, 1, 2, 2, 3])) + " }}" + self.pick(["", "|"])
        if kind < 0.6:
            value = self.pick(NAMES + NUMBERS)
            if self.chance(0.5):
                return '{{ "' + self.pick(FIELDS) + '".format(' + value + ") }}"
            return '{{ "' + self.pick(PERCENTS) + '" % (' + value + ",) }}"
        parts = ["{% set ns = namespace(c=0) %}"] + [self.statement(2) for _ in range(self.pick([1, 2, 3]))]
        return "".join(parts) + self.pick(["", "\n", "\n\n"])

    def atom(self):
        return self.pick(self.pick([NAMES, NAMES, STRINGS, NUMBERS, OTHERS]))

    def operand(self, depth):
        return f"({self.expression(depth - 1)})" if self.chance(0.4) else self.atom()

    def expression(self, depth):
        if depth <= 0 or self.chance(0.1):
            return self.atom()
        kind = self.random.random()
        a = self.operand(depth)
        if kind < 0.25:
            return f"{a} {self.pick(['+', '-', '*', '/', '//', '%', '~', '+', '~'])} {self.operand(depth)}"
        if kind < 0.4:
            operator = self.pick(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"])
            return f"({a} {operator} {self.operand(depth)})"
        if kind < 0.45:
            return f"({a} if {self.operand(depth)} else {self.operand(depth)})"
        if kind < 0.65:
            return f"{a}|{self.pick(FILTERS)}"
        if kind < 0.85:
            return f"{self.pick([a, self.pick(NAMES), self.pick(STRINGS)])}.{self.pick(METHODS)}"
        if kind < 0.93:
            return f"({a} is{self.pick(['', ' not'])} {self.pick(TESTS)})"
        bounds = [self.pick(["", "", "1", "-1", "2", "i", "-2", "neg", "none"]) for _ in range(3)]
        return f"{self.pick(NAMES + STRINGS)}[{':'.join(bounds[: self.pick([2, 2, 3])])}]"

    def tag(self, content):
        return "{%" + self.pick(["", "", "-", "+"]) + f" {content} " + self.pick(["", "", "-", "+"]) + "%}"

    def text(self):
        return self.pick(["", "a", "\n", "  ", " x ", "\n\n", "\n  ", "\t\n", ".", "é", "\n x \n"])

    def body(self, depth):
        return "".join(
            self.statement(depth - 1) if self.chance(0.6) else self.text() for _ in range(self.pick([1, 2, 3]))
        )

    def block(self, head, depth, end, middle=""):
        other = self.tag(middle) + self.body(depth) if middle else ""
        return self.tag(head) + self.body(depth) + other + self.tag(end)

    def statement(self, depth):
        kind = self.random.random()
        if depth <= 0 or kind < 0.4:
            open, close = self.pick(["{{", "{{", "{{-"]), self.pick(["}}", "}}", "-}}"])
            return self.text() + f"{open} {self.expression(self.pick([1, 1, 2]))} {close}" + self.text()
        if kind < 0.52:
            middle = self.pick(["", "else", "elif " + self.expression(1)])
            return self.block("if " + self.expression(1), depth, "endif", middle)
        if kind < 0.7:
            head = self.pick(
                ["x in l", "x in ls", "x in el", "x in d", "k, v in d.items()", "k, v in keys|dictsort", "x in m"]
                + ["x in range(3)", "x in u", "a, b in [[1, 2], [3, 4]]", "x in l if x > 1", "x in mix if x"]
                + ["x in l|map('string')", "x in " + self.operand(1)]
            )
            first = self.pick(
                ["{{ loop.index }}", "{{ loop.last }}{{ loop.first }}", "{{ x }}", "{{ k }}{{ v }}"]
                + ["{{ loop.nextitem }}", "{{ loop.previtem }}", "{{ loop.length }}{{ loop.revindex0 }}"]
                + ["{{ loop.cycle('o', 'e') }}", "{{ loop.changed(x) }}", "{% set q = x %}{{ q }}"]
                + ["{% if loop.index == 2 %}{% " + self.pick(["break", "continue"]) + " %}{% endif %}"]
                + ["{% set ns.c = ns.c + 1 %}"]
            )
            middle = self.tag("else") + self.body(depth) if self.chance(0.2) else ""
            return self.tag("for " + head) + first + self.body(depth) + middle + self.tag("endfor")
        if kind < 0.78:
            return self.tag(f"set {self.pick(['q', 's', 'l', 'ns.c', 'x'])} = {self.expression(2)}")
        if kind < 0.82:
            return self.block("set q" + self.pick(["", " | upper", " | trim"]), depth, "endset") + "[{{ q }}]"
        if kind < 0.89:
            first = self.pick(["{{ a }}{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ a is defined }}"])
            call = self.pick(["", "1", "1, 2", "b=1", "1, c=2", "1, 2, 3", "*l", "**d", "s, b=i"])
            return (
                self.tag(f"macro g(a, b={self.atom()})") + first + self.body(depth) + self.tag("endmacro")
                + "{{ g(" + call + ") }}"
            )
        if kind < 0.92:
            return self.block("filter " + self.pick(["upper", "trim", "replace('a', 'b')", "indent"]), depth, "endfilter")
        if kind < 0.95:
            return self.block("with q = " + self.expression(1), depth, "endwith")
        if kind < 0.97:
            return self.block("generation", depth, "endgeneration")
        return self.pick(["{# c #}", "{#- c -#}", "{% raw %}{{ x }} {% endraw %}", "{%- raw -%}\n a \n{% endraw -%}"])


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    command, *rest = sys.argv[1:]
    with open(rest[-1], encoding="utf-8") as file:
        variables = json.load(file)
    if command == "expect":
        with open(rest[0], encoding="utf-8") as file:
            cases = [json.loads(line) for line in file]
        cases = [{key: case[key] for key in ("cat", "source") if key in case} for case in cases]
    else:
        sources = Sources(int(rest[0]))
        cases = [{"cat": "random", "source": sources.source()} for _ in range(int(rest[1]))]
    env = environment()
    for case in cases:
        result = outcome(env, case["source"], variables)
        if result is not None:
            print(json.dumps({**case, **result}, ensure_ascii=True, separators=(",", ":")))


if __name__ == "__main__":
    main()
