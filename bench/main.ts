/** `npm run bench -- <name>…`: runs the benchmarks named, or tells which there are. */
const benches: Readonly<Record<string, () => Promise<void>>> = {
  http: async () => (await import('./http.ts')).benchHttp(),
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join(' | ')}`);
  process.exitCode = 2;
} else {
  for (const name of names) await benches[name]?.();
}
