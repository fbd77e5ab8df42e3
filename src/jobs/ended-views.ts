import type { JobId } from '../core/ids.ts';
import type { JobView } from './mission.ts';

/** Views of the jobs that ended or were asked for most recently; ended jobs never change. */
export class EndedViews {
  readonly #capacity: number;
  /** A Map keeps the order of insertion: the first entry is the one unused for longest. */
  readonly #views = new Map<JobId, JobView>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(job: JobId): boolean {
    return this.#views.has(job);
  }

  get(job: JobId): JobView | undefined {
    const view = this.#views.get(job);
    if (view !== undefined) this.set(view);
    return view;
  }

  set(view: JobView): void {
    this.#views.delete(view.id);
    this.#views.set(view.id, view);
    if (this.#views.size <= this.#capacity) return;
    const [oldest] = this.#views.keys();
    if (oldest !== undefined) this.#views.delete(oldest);
  }
}
