package dev.qnext;

import dev.qnext.generate.Result;
import dev.qnext.text.ToolCall;
import java.util.List;

/**
 * A whole reply.
 *
 * @param thought empty if there was none
 */
public record Reply(String thought, String text, List<ToolCall> calls, Result result) {}
