package dev.qnext.checkpoint;

import java.util.List;

/**
 * The order of a matrix that is stored group by group ("for each key head: its q rows, its k rows,
 * ...") and bound kind by kind ("all q rows, all k rows, ..."), groups in order.
 *
 * @param rowsPerGroup rows of each kind in one group
 */
public record RowOrder(int groups, List<Integer> rowsPerGroup) {
  public RowOrder {
    rowsPerGroup = List.copyOf(rowsPerGroup);
  }

  /** The stored row of each bound row. */
  public int[] stored() {
    int perGroup = 0;
    for (int rows : rowsPerGroup) {
      perGroup += rows;
    }
    int[] stored = new int[groups * perGroup];
    int row = 0;
    int offset = 0;
    for (int rows : rowsPerGroup) {
      for (int group = 0; group < groups; group++) {
        for (int i = 0; i < rows; i++) {
          stored[row++] = group * perGroup + offset + i;
        }
      }
      offset += rows;
    }
    return stored;
  }
}
