/** Who takes which exams. A real program would ask a database; here the lists are drawn, always the same ones. */

export type Faculty = {
  readonly name: string;
  readonly exams: number;
  readonly students: number;
  /** How many exams a student takes. */
  readonly each: number;
};

/** The mathematicians choose so freely that nearly half of all pairs of exams clash: that is what makes it hard. */
export const FACULTIES: readonly Faculty[] = [
  { name: 'law', exams: 40, students: 120, each: 3 },
  { name: 'mathematics', exams: 100, students: 800, each: 3 },
  { name: 'medicine', exams: 30, students: 100, each: 4 },
  { name: 'history', exams: 60, students: 150, each: 2 },
];

/** The exams of each student, by number. */
export function enrolments({ exams, students, each }: Faculty): readonly (readonly number[])[] {
  let state = exams * 7919 + students;
  const draw = (below: number): number => {
    // Lehmer's generator, with the multiplier of Park and Miller.
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  return Array.from({ length: students }, () => {
    const chosen = new Set<number>();
    while (chosen.size < each) chosen.add(draw(exams));
    return [...chosen];
  });
}
