/**
 * What of a report is a defect. PostgreSQL itself leaves some allocations behind when a process ends; leaks count when the
 * extension or the client library of MySQL made them.
 */
export function findingsIn(report: string): readonly string[] {
  return report
    .split(/\n{2,}|(?=^\S+:\d+:\d+: runtime error:)/mu)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => {
      if (/^(?:Direct|Indirect) leak/mu.test(paragraph)) return /kluster\.so|libmariadb/u.test(paragraph);
      return /ERROR: AddressSanitizer|runtime error:/u.test(paragraph);
    });
}
