/** Messages between the benchmark and its processes, over Node's IPC channel. */
export interface ServerReady {
  readonly constantPort: number;
  readonly managerPort: number;
  readonly jobId: number;
}

export interface CpuReading {
  /** Microseconds of user and system time of the server since its start. */
  readonly cpuMicros: number;
}

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  readonly body: string;
  readonly connections: number;
  readonly milliseconds: number;
  /** A reply that lacks it counts as an error. */
  readonly expect: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export const hostaddr = '127.0.5.2';
