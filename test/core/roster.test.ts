import { getHeapSpaceStatistics } from 'node:v8';
import { describe, expect, test } from '@jest/globals';
import { NumberedRoster, Roster } from '../../build/src/core/roster.js';
import { createRandom } from '../support/random.js';

describe('a roster', () => {
  test('has those that were added and not deleted', () => {
    const random = createRandom();
    const roster = new Roster<{ place: number }>();
    const expected = new Set<{ place: number }>();
    const all = Array.from({ length: 50 }, () => ({ place: -1 }));
    for (let i = 0; i < 10_000; i++) {
      const one = all[Math.floor(random() * all.length)];
      if (expected.delete(one)) roster.delete(one);
      else {
        expected.add(one);
        roster.add(one);
      }
      expect(roster.size).toBe(expected.size);
      if (i % 100 === 0) expect(new Set(roster)).toEqual(expected);
    }
  });

  test('ignores the deletion of what it does not have, and may change while it is iterated', () => {
    const roster = new Roster<{ place: number }>();
    const all = Array.from({ length: 5 }, () => ({ place: -1 }));
    for (const one of all) roster.add(one);
    roster.delete({ place: -1 });
    const seen = [];
    for (const one of roster) {
      seen.push(one);
      roster.delete(one);
      roster.delete(one);
    }
    expect(new Set(seen)).toEqual(new Set(all));
    expect(roster.size).toBe(0);
  });
});

test('a numbered roster has the latest member of each number', () => {
  const random = createRandom();
  const roster = new NumberedRoster<object>();
  const expected = new Map<number, object>();
  for (let i = 0; i < 10_000; i++) {
    const number = Math.floor(random() * 50) * 2 ** 40;
    if (random() < 0.4) expect(roster.delete(number)).toBe(expected.delete(number));
    else {
      const one = { i };
      roster.set(number, one);
      expected.set(number, one);
    }
    expect([roster.size, roster.has(number), roster.get(number)]).toEqual([
      expected.size,
      expected.has(number),
      expected.get(number),
    ]);
    if (i % 100 === 0) expect(new Set(roster)).toEqual(new Set(expected.values()));
  }
});

/** Bytes of objects that have survived minor collections, dead ones included. */
function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;
}

const MEMBER_WORDS = 100;
const MEMBERS = 60_000;

interface Churned {
  place: number;
  readonly number: number;
  readonly words: readonly number[];
}

/** Adds and deletes many objects, of which 50 are members at a time. Returns by how many bytes each has enlarged the old space. */
function churn(add: (member: Churned) => void, remove: (member: Churned) => void): number {
  const members: Churned[] = [];
  const run = () => {
    for (let number = 0; number < MEMBERS; number++) {
      const member = { place: -1, number, words: new Array<number>(MEMBER_WORDS).fill(number) };
      add(member);
      const oldest = members[number % 50];
      members[number % 50] = member;
      if (oldest !== undefined) remove(oldest);
    }
  };
  // The collection itself is old before it counts.
  run();
  const before = oldBytes();
  run();
  return (oldBytes() - before) / MEMBERS;
}

// With a Set or a Map of objects, most members survive: 450 bytes each.
test('members of neither survive a minor collection after they were deleted', () => {
  const roster = new Roster<Churned>();
  const ofRoster = churn(
    (one) => roster.add(one),
    (one) => roster.delete(one),
  );
  expect(ofRoster).toBeLessThan(5);
  const numbered = new NumberedRoster<Churned>();
  const ofNumbered = churn(
    (one) => numbered.set(one.number, one),
    (one) => numbered.delete(one.number),
  );
  expect(ofNumbered).toBeLessThan(100);
});
