import { setTimeout as sleep } from 'node:timers/promises';
import type { ManagerClient } from '../../src/client/manager.ts';
import type { DoctorJson } from '../../src/core/rest-types.ts';

/** What the manager mends by itself after a fault is mended within this. */
const settleMs = 45_000;

export async function askDoctor(client: ManagerClient): Promise<DoctorJson> {
  const reply = await client.submit({ job_type: 'doctor', paras: {}, user_name: 'test' });
  return reply.attachment as unknown as DoctorJson;
}

/** Fails with every difference between the catalog and reality that does not go away by itself. */
export async function expectHealthy(client: ManagerClient, deadlineMs = settleMs): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let report = await askDoctor(client);
  while (!report.clean && performance.now() < deadline) {
    await sleep(500);
    report = await askDoctor(client);
  }
  if (report.clean) return;
  throw new Error(`the doctor finds differences that stay: ${JSON.stringify(report, null, 1)}`);
}
