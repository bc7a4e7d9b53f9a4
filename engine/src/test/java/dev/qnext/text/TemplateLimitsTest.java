package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.qnext.text.jinja.TemplateException;
import dev.qnext.text.jinja.TemplateException.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates that want all time, memory or stack get an error, and soon. */
@Timeout(120)
class TemplateLimitsTest {
  private static final String DOUBLED =
      "{% set ns = namespace(a=[], b=[], t=()) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}"
          + "{% set ns.b = [ns.b, ns.b] %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}";
  private static final String DEEP =
      "{% set ns = namespace(a=[], t=()) %}{% for i in range(5000) %}{% set ns.a = [ns.a] %}"
          + "{% set ns.t = (ns.t,) %}{% endfor %}";
  private static final String LONG = "{% set a = 'a' * 1000000 %}";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
        "{% for a in range(100000) %}{{ range(100000)|list|length }}{% endfor %}",
        "{% for a in range(100000) %}{{ -1 in range(100000) }}{% endfor %}",
        "{% for a in range(100000) %}{{ dict.fromkeys(range(100000))|length }}{% endfor %}",
        LONG + "{% for i in range(100000) %}{{ a|length }}{% endfor %}",
        LONG + "{% for i in range(100000) %}{{ a[i] }}{% endfor %}",
        LONG + "{% for i in range(100000) %}{{ 'b' in a }}{% endfor %}",
        LONG + "{% for i in range(100000) %}{{ a|upper|length }}{% endfor %}",
        LONG + "{% set b = 'a' * 500000 ~ 'b' %}{{ b in a }}",
        LONG + "{% set b = 'a' * 500000 ~ 'b' %}{{ a.split(b)|length }}",
        LONG + "{% set b = 'a' * 500000 ~ 'b' %}{{ a|replace(b, '') }}",
        "{% set x = 7 ** 20000 %}{% for i in range(100000) %}{{ x * x % 3 }}{% endfor %}",
        DOUBLED + "{{ ns.a == ns.b }}",
        DOUBLED + "{{ ns.a < ns.b }}",
        DOUBLED + "{{ {ns.t: 1} }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 2 ** (10 ** 9) }}",
        "{{ 2 ** 100000 * 2 ** 100000 }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        DOUBLED + "{{ ns.a }}",
        DOUBLED + "{{ ns.a|tojson }}",
        LONG + "{{ a.replace('', a) }}",
        LONG + "{{ a.join(a) }}",
        LONG + "{{ range(100000)|join(a) }}",
        "{{ 'a'.zfill(10 ** 9) }}",
        "{{ 'a'.center(10 ** 9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%.1000000000f' % 1.5 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:01000000000,}'.format(1) }}",
        "{{ [[1]]|tojson(indent=10 ** 9) }}",
        "{{ 'a\nb'|indent(10 ** 9) }}",
        "{{ '\t'.expandtabs(10 ** 9) }}",
        "{{ [1]|batch(10 ** 9, 'x')|list }}",
        "{{ [1]|slice(10 ** 9)|list }}",
        "{{ ('a,' * 20000000).split(',')|length }}",
        "{{ ('a\n' * 20000000).splitlines()|length }}",
        "{{ 'x' * 60000000 }}{{ 'x' * 60000000 }}",
        "{% for i in range(100000) %}{% set a = 'x' * 60000000 %}{% endfor %}",
        "{{ strftime_now('%c' * 1000000) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{% call g() %}{{ f() }}{% endcall %}{% endmacro %}{% macro g() %}{{ caller() }}{% endmacro %}{{ f() }}",
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
        DEEP + "{{ ns.a == [ns.a] }}",
        DEEP + "{{ {ns.t: 1} }}",
        "{% set ns = namespace(g=[1]) %}{% for i in range(3000) %}{% set ns.g = ns.g|unique %}{% endfor %}{{ ns.g|list }}",
        "{% set ns = namespace(g=[1]) %}{% for i in range(3000) %}{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
      })
  void limits(String source) {
    assertThat(kind(source, Map.of())).isEqualTo(Kind.LIMIT);
  }

  @ParameterizedTest
  @ValueSource(strings = {DEEP + "{{ ns.a }}", DEEP + "{{ ns.a|tojson }}", "{{ 10 ** 4300 }}"})
  void limitsThatPythonHasToo(String source) {
    assertThat(kind(source, Map.of())).isEqualTo(Kind.TYPE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"(", "[", "{1:", "not ", "- ", "1 if 1 else ", "x(", "x[", "1 + (", "'' ~ f(a="})
  void deeplyNestedSource(String piece) {
    assertThat(kind("{{ " + piece.repeat(100_000) + " }}", Map.of())).isEqualTo(Kind.LIMIT);
  }

  @ParameterizedTest
  @ValueSource(strings = {".b", "+1", "|abs", " and 1", "(1)", "[0]", " ** 1"})
  void longChains(String piece) {
    assertThat(kind("{{ 1" + piece.repeat(100_000) + " }}", Map.of())).isEqualTo(Kind.LIMIT);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% if 1 %}",
        "{% for x in [1] %}",
        "{% filter upper %}",
        "{% set a %}",
        "{% macro m() %}"
      })
  void deeplyNestedBlocks(String tag) {
    assertThat(kind(tag.repeat(100_000), Map.of())).isEqualTo(Kind.LIMIT);
  }

  @Test
  void whatAChatMayNeedIsWithinTheLimits() {
    String schema =
        "{% macro show(s, depth=0) %}{% for k, v in s.items() %}{% if v is mapping %}{{ '{' }}{{ show(v, depth + 1)|trim"
            + " }}{{ '}' }}{% else %}{{ k ~ '=' ~ v }}{% endif %}{% endfor %}{% endmacro %}{{ show(tree)|length }}";
    Map<String, Object> tree = new LinkedHashMap<>();
    tree.put("leaf", 1L);
    for (int depth = 0; depth < 90; depth++) {
      Map<String, Object> next = new LinkedHashMap<>();
      next.put("t", tree);
      tree = next;
    }
    assertThat(ChatTemplate.parse(schema, "t").render(Map.of("tree", tree))).isEqualTo("186");

    String chat =
        "{% for m in messages %}{% if '</think>' in m.content %}x{% endif %}{{ '<|im_start|>' + m.role + '\n' +"
            + " m.content|trim + '<|im_end|>\n' }}{% endfor %}";
    List<Map<String, Object>> messages = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      messages.add(Map.of("role", "user", "content", "words and words ".repeat(40)));
    }
    assertThat(ChatTemplate.parse(chat, "t").render(Map.of("messages", messages)))
        .hasSizeGreaterThan(6_000_000);
  }

  @Test
  void aSmallStackIsEnoughForAnError() throws InterruptedException {
    AtomicReference<Object> result = new AtomicReference<>();
    String recursion =
        "{% macro f(x) %}{% for y in [1] %}{% if 1 %}{{ [f(x)]|join|trim ~ 'a' }}{% endif %}{% endfor %}{% endmacro %}{{ f(1) }}";
    Thread thread =
        new Thread(null, () -> result.set(kind(recursion, Map.of())), "small stack", 128 << 10);
    thread.start();
    thread.join();
    assertThat(result.get()).isEqualTo(Kind.LIMIT);
  }

  @Test
  void aVariableThatIsNestedTooDeeplyIsRefused() {
    List<Object> nested = new ArrayList<>();
    nested.add(nested);
    assertThat(kind("x", Map.of("a", nested))).isEqualTo(Kind.LIMIT);
  }

  @Test
  void noJavaObjectIsReachable() {
    assertThat(kind("x", Map.of("a", new Object()))).isEqualTo(Kind.TYPE);
    for (String source :
        List.of(
            "{{ s.getClass() }}",
            "{{ s.class.forName }}",
            "{{ l.stream() }}",
            "{{ m.entrySet() }}")) {
      assertThat(kind(source, Map.of("s", "x", "l", List.of(1L), "m", Map.of("a", 1L))))
          .isEqualTo(Kind.UNDEFINED);
    }
  }

  private static Kind kind(String source, Map<String, Object> variables) {
    try {
      fail("a text of %d characters", ChatTemplate.parse(source, "t").render(variables).length());
      throw new AssertionError();
    } catch (TemplateException e) {
      return e.kind();
    }
  }
}
