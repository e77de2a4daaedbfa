/**
 * The input of a run. Any Standard Schema will do to check it: `z.object({ … })` of zod, or one of valibot or
 * arktype. This one is written by hand, to show how little it takes.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';

export type ResearchInput = {
  /** Where the documents are. */
  folder: string;
  /** Where the report goes. */
  out: string;
};

export const researchInput: StandardSchemaV1<ResearchInput> = {
  '~standard': { version: 1, vendor: 'research-report', validate },
};

function validate(value: unknown): StandardSchemaV1.Result<ResearchInput> {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'must be an object' }] };
  const { folder, out } = value as Partial<Record<keyof ResearchInput, unknown>>;
  const issues: StandardSchemaV1.Issue[] = [];
  if (typeof folder !== 'string' || folder === '')
    issues.push({ message: 'must name a folder', path: ['folder'] });
  if (typeof out !== 'string' || out === '') issues.push({ message: 'must name a folder', path: ['out'] });
  if (issues.length > 0) return { issues };
  return { value: { folder: String(folder), out: String(out) } };
}
