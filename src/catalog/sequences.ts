import { firstRow, numberOf, type Sql } from './sql.ts';

/** The next number of a sequence, from 1. Others wait for it until this transaction has ended. */
export async function nextNumber(sql: Sql, name: string): Promise<number> {
  await sql.execute(
    `INSERT INTO kluster_sequences (name, last_value) VALUES (?, 1)
     ON DUPLICATE KEY UPDATE last_value = last_value + 1`,
    [name],
  );
  const number = await firstRow(
    sql,
    'SELECT last_value FROM kluster_sequences WHERE name = ?',
    [name],
    (row) => numberOf(row, 'last_value'),
  );
  if (number === undefined) throw new Error(`sequence ${name} vanished inside of its transaction`);
  return number;
}
