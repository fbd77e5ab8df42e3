import { setTimeout as sleep } from 'node:timers/promises';
import type { ManagerClient } from '../../src/client/manager.ts';
import type { DoctorJson } from '../../src/core/rest-types.ts';

/** What the manager mends by itself after a fault is mended within this. */
const settleMs = 45_000;

export async function askDoctor(client: ManagerClient): Promise<DoctorJson> {
  const reply = await client.submit({ job_type: 'doctor', paras: {}, user_name: 'test' });
  return reply.attachment as unknown as DoctorJson;
}

/** Where a job is at work, the doctor finds nothing yet. */
export const isIdle = (report: DoctorJson): boolean => report.clean && report.jobs_under_way.length === 0;

/** Fails with every difference between the catalog and reality that does not go away by itself. */
export async function expectHealthy(
  client: ManagerClient,
  deadlineMs = settleMs,
  isEnough = (report: DoctorJson): boolean => report.clean,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let report = await askDoctor(client);
  while (!isEnough(report) && performance.now() < deadline) {
    await sleep(500);
    report = await askDoctor(client);
  }
  if (isEnough(report)) return;
  throw new Error(`the doctor finds differences that stay: ${JSON.stringify(report, null, 1)}`);
}
