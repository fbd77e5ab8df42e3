import { sortedJson, type JsonObject } from '../../core/json.ts';
import type { KlusterError } from '../../core/errors/kluster-error.ts';

/**
 * Replies are one line of JSON with the keys in alphabetical order: shell clients cut fields by their position.
 * The strings here are assembled by hand because the order and the set of keys are the contract.
 */
export type ReplyStatus = 'ongoing' | 'done' | 'failed';

export interface Reply {
  readonly attachment: JsonObject | null;
  /** Decimal digits, "0" when nothing is wrong. */
  readonly errorCode: string;
  readonly errorInfo: string;
  readonly jobId: string;
  readonly jobType: string;
  readonly status: ReplyStatus;
}

/** The job was recorded: exactly six keys. */
export function acceptReply(jobId: string): string {
  return `{"attachment":null,"error_code":"0","error_info":"","job_id":"${jobId}","status":"accept","version":"1.0"}\n`;
}

/** Everything else: exactly seven keys. */
export function fullReply(reply: Reply): string {
  return (
    `{"attachment":${sortedJson(reply.attachment)},"error_code":${JSON.stringify(reply.errorCode)},` +
    `"error_info":${JSON.stringify(reply.errorInfo)},"job_id":${JSON.stringify(reply.jobId)},` +
    `"job_type":${JSON.stringify(reply.jobType)},"status":"${reply.status}","version":"1.0"}\n`
  );
}

/** Consoles show error_info as it is, so it ends with what to do. */
export function errorInfo(message: string, hint: string): string {
  if (hint === '') return message;
  return /[.!?]$/.test(message) ? `${message} ${hint}` : `${message}. ${hint}`;
}

export interface ReplyContext {
  readonly jobId: string;
  readonly jobType: string;
}

export function failedReply(error: KlusterError, context: ReplyContext): string {
  return fullReply({
    attachment: null,
    errorCode: String(error.code),
    errorInfo: errorInfo(error.message, error.hint),
    ...context,
    status: 'failed',
  });
}
