/** A table as text: the first row is the header. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const text = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join(' | ')
      .trimEnd();
  const [header = [], ...rest] = rows;
  return [text(header), widths.map((width) => '-'.repeat(width)).join('-|-'), ...rest.map(text)].join('\n');
}
