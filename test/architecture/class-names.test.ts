import { describe, expect, it } from 'vitest';
import { keepClassNames } from '../../tsup.config.ts';

describe('the classes of the built package', () => {
  it('have the names that they have in the source', () => {
    const built = [
      'var Task = class _Task extends Base {',
      '  static is(value) { return value instanceof _Task; }',
      '  copy() { return new _Task(this._Task, my_Task, _Tasks, "#_Task"); }',
      '};',
      'var _Other = class Other {};',
    ].join('\n');
    expect(keepClassNames(built).split('\n')).toEqual([
      'var Task = class Task extends Base {',
      '  static is(value) { return value instanceof Task; }',
      '  copy() { return new Task(this._Task, my_Task, _Tasks, "#_Task"); }',
      '};',
      'var _Other = class Other {};',
    ]);
  });
});
