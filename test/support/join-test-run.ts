import { chmodSync, mkdirSync } from 'node:fs';
import { currentTestRun, markerVariable } from './test-run.ts';

/** Setup file of every worker: what tests start and what they put into os.tmpdir() belongs to this run. */
const run = currentTestRun();
mkdirSync(run.directory, { recursive: true });
// As /tmp itself: engines run as another user, and make their temporary files here.
chmodSync(run.directory, 0o1777);
process.env[markerVariable] = run.id;
process.env['TMPDIR'] = run.directory;
