import { describe, expect, it } from 'vitest';
import { REMOVED_PLACES_MAX, RemovedPlaces } from '../../src/base/removed-places.ts';

describe('the places of removed streams', () => {
  it('are known for the last ones that were removed', () => {
    const places = new RemovedPlaces();
    const count = REMOVED_PLACES_MAX * 2 + 3;
    for (let i = 0; i < count; i++) places.add(`run-${i}`, i);
    expect(places.find(`run-${count - REMOVED_PLACES_MAX - 1}`)).toBeUndefined();
    expect(places.find(`run-${count - REMOVED_PLACES_MAX}`)).toBe(count - REMOVED_PLACES_MAX);
    expect(places.find(`run-${count - 1}`)).toBe(count - 1);
  });

  it('are known by the later place of a name that was removed twice, as long as that one is', () => {
    const places = new RemovedPlaces();
    places.add('twice', 1);
    for (let i = 1; i < REMOVED_PLACES_MAX - 1; i++) places.add(`run-${i}`, i);
    places.add('twice', 7);
    places.add('behind', 8);
    expect(places.find('twice')).toBe(7);
    for (let i = 0; i < REMOVED_PLACES_MAX - 2; i++) places.add(`more-${i}`, i);
    expect(places.find('twice')).toBe(7);
    places.add('last', 9);
    expect(places.find('twice')).toBeUndefined();
  });
});
