import { firstRow, numberOf, type Sql } from './sql.ts';

/** The next number of a sequence, from 1. Others wait for it until this transaction has ended. */
export async function nextNumber(sql: Sql, name: string): Promise<number> {
  await sql.execute(
    `INSERT INTO kluster_sequences (name, newest) VALUES (?, 1)
     ON DUPLICATE KEY UPDATE newest = newest + 1`,
    [name],
  );
  const number = await firstRow(sql, 'SELECT newest FROM kluster_sequences WHERE name = ?', [name], (row) =>
    numberOf(row, 'newest'),
  );
  if (number === undefined) throw new Error(`sequence ${name} vanished inside of its transaction`);
  return number;
}
