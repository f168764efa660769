/** The checks: configurations of the models (defines, ltl claim) that must hold, and mistakes that must be found. */

const CORRECT = [
  { model: 'slots', defines: ['REQUESTS=2', 'EXITS=1', 'GIVE_UPS=1'] },
  { model: 'slots', defines: ['REQUESTS=1', 'EXITS=2', 'SPAWN=1'] },
  // Giving up hides a lost request, so each configuration also runs without it.
  { model: 'slots', defines: ['REQUESTS=1', 'EXITS=2', 'SPAWN=1', 'GIVE_UPS=0'] },
  { model: 'slots', defines: ['REQUESTS=2', 'EXITS=0'] },
  { model: 'slots', defines: ['CAPACITY=1', 'REQUESTS=2', 'EXITS=0'] },
  { model: 'slots', defines: ['REQUESTS=1', 'EXITS=1', 'KINDS=2'] },
  { model: 'slots', defines: ['REQUESTS=2', 'EXITS=0', 'GIVE_UPS=0', 'KINDS=2'] },
  { model: 'slots', defines: ['HTTPS=2', 'REQUESTS=1', 'EXITS=1', 'GIVE_UPS=0'] },
  { model: 'slots', defines: ['HTTPS=2', 'REQUESTS=1', 'EXITS=0'] },
  { model: 'slots', defines: ['HTTPS=2', 'REQUESTS=1', 'EXITS=0', 'HTTP_EXITS=1', 'GIVE_UPS=0'] },
  { model: 'extents', defines: ['EXTENTS=1', 'EXITS=2', 'GIVE_UPS=2'] },
  { model: 'extents', defines: ['EXTENTS=1', 'EXITS=1', 'ORDERED=0', 'GIVE_UPS=1'] },
  { model: 'extents', defines: ['EXTENTS=2', 'RESERVED=1', 'BODIES=1', 'GIVE_UPS=2'] },
  { model: 'extents', defines: ['EXTENTS=2', 'RESERVED=1', 'BODIES=1', 'EXITS=0'] },
  { model: 'doorbells', defines: ['REQUESTS=2'] },
  { model: 'doorbells', defines: ['HTTPS=2', 'REQUESTS=1'] },
  { model: 'life', claim: 'close_ends' },
  { model: 'life', claim: 'start_ends' },
];

const MISTAKES = [
  ...[
    'REUSE_AFTER_TIMEOUT',
    'RECALL_BY_STORE',
    'REVOKE_BY_STORE',
    'START_BY_STORE',
    'CLAIM_BY_STORE',
    'RELEASE_BEFORE_FLUSH',
  ].map((mistake) => ({ model: 'slots', defines: ['REQUESTS=2', 'EXITS=0'], mistake })),
  { model: 'slots', defines: ['REQUESTS=2', 'EXITS=0', 'GIVE_UPS=0'], mistake: 'PUBLISH_BEFORE_OWNER' },
  ...['PUBLISH_BEFORE_COMPLETE', 'ABANDON_WITHOUT_NONCE', 'HANDLER_KEEPS_VIEW'].map((mistake) => ({
    model: 'slots',
    defines: ['REQUESTS=2', 'EXITS=0'],
    mistake,
  })),
  ...['PERMIT_KEPT', 'PERMIT_KEPT_WITHOUT_CLAIM', 'PERMIT_KEPT_WITHOUT_START'].map((mistake) => ({
    model: 'slots',
    defines: ['REQUESTS=2', 'EXITS=0'],
    mistake,
  })),
  { model: 'slots', defines: ['CAPACITY=1', 'REQUESTS=2', 'EXITS=0'], mistake: 'FAULT_4' },
  { model: 'slots', defines: ['REQUESTS=1', 'EXITS=1', 'SPAWN=1', 'GIVE_UPS=0'], mistake: 'FAULT_1' },
  { model: 'slots', defines: ['REQUESTS=1', 'EXITS=1', 'GIVE_UPS=0'], mistake: 'HANDLER_BEFORE_TIME' },
  ...['RECLAIM_BEFORE_EXIT', 'RECLAIM_WITHOUT_REAP', 'PERMITS_RESET_LATE', 'PERMITS_NOT_RESET'].map((mistake) => ({
    model: 'slots',
    defines: ['REQUESTS=1', 'EXITS=1', 'GIVE_UPS=0'],
    mistake,
  })),
  { model: 'slots', defines: ['HTTPS=2', 'REQUESTS=1', 'EXITS=1', 'GIVE_UPS=0'], mistake: 'RESTART_BEFORE_RECLAIM' },
  {
    model: 'slots',
    defines: ['HTTPS=2', 'REQUESTS=1', 'EXITS=0', 'HTTP_EXITS=1', 'GIVE_UPS=0'],
    mistake: 'DRAIN_WITHOUT_LOOK',
  },
  ...['FREE_BEFORE_FLUSH', 'SCAN_BEFORE_COMPLETIONS', 'RECLAIM_WITHOUT_TELLING', 'RECLAIM_BEFORE_EXIT'].map(
    (mistake) => ({ model: 'extents', mistake }),
  ),
  ...['POP_FIRST', 'TAKE_BY_STORE', 'NO_LAST_LOOK', 'KEEP_OUT_OF_ORDER'].map((mistake) => ({
    model: 'extents',
    mistake,
  })),
  ...['LATE_COMPLETION_KEEPS', 'SHARD_GIVES_BACK'].map((mistake) => ({
    model: 'extents',
    defines: ['EXITS=0', 'ORDERED=0', 'GIVE_UPS=1'],
    mistake,
  })),
  { model: 'extents', defines: ['EXTENTS=2', 'BODIES=1', 'EXITS=0'], mistake: 'RESERVED=0' },
  ...[
    'BELL_AFTER_ANNOUNCEMENT',
    'BELL_AFTER_LOOK',
    'NO_LAST_LOOK',
    'RING_BEFORE_SUBMISSION',
    'SUBMIT_WITHOUT_RING',
    'EXIT_WITHOUT_LOOK',
    'PARKED_RESET_LATE',
  ].map((mistake) => ({ model: 'doorbells', mistake })),
  ...['FAULT_1', 'CLOSE_WAITS'].map((mistake) => ({ model: 'life', claim: 'close_ends', mistake })),
  { model: 'life', claim: 'start_ends', mistake: 'NO_START_TIMEOUT' },
];

/**
 * @typedef {object} Run
 * @property {string} model the name of the file
 * @property {string[]} [defines]
 * @property {string} [claim] the ltl formula to check in fair runs; without one, checks assertions and invalid end states
 * @property {string} [mistake] the mistake that must be found
 */

/** @type {Run[]} */
export const RUNS = [...CORRECT, ...MISTAKES];
