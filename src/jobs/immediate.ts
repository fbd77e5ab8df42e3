import type Type from 'typebox';
import type { JsonObject } from '../core/json.ts';

/** A job type that answers at once: every query, and the few changes small enough to need no job. */
export interface ImmediateJob<Services, Paras extends Type.TObject = Type.TObject> {
  readonly jobType: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly paras: Paras;
  readonly example: JsonObject;
  /** Whether it changes anything (REST: POST instead of GET, audit). */
  readonly changes: boolean;
  /** The attachment of the reply. Throws a KlusterError when there is none to give. */
  answer(services: Services, paras: Type.Static<Paras>, signal: AbortSignal): Promise<JsonObject | null>;
}

export function defineImmediateJob<Services>() {
  return <Paras extends Type.TObject>(job: ImmediateJob<Services, Paras>): ImmediateJob<Services, Paras> =>
    job;
}
