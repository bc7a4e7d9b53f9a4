package dev.qnext.mlx;

import dev.qnext.mlx.face.MlxException;
import dev.qnext.mlx.face.MlxLibrary;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Tests that are skipped, with the reason, where MLX is not installed; with QNEXT_REQUIRE_MLX=1
 * they fail.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@ExtendWith(NeedsMlx.Condition.class)
public @interface NeedsMlx {
  /** Whether the library can be loaded. */
  final class Condition implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      if ("1".equals(System.getenv("QNEXT_REQUIRE_MLX"))) {
        return ConditionEvaluationResult.enabled("QNEXT_REQUIRE_MLX is 1");
      }
      try {
        return ConditionEvaluationResult.enabled("" + MlxLibrary.load().file());
      } catch (MlxException e) {
        return ConditionEvaluationResult.disabled(e.getMessage());
      }
    }
  }
}
