/**
 * What handlers do.
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} title
 * @property {number} handlerUs CPU time of a handler beyond that of one which returns a small object
 * @property {number} heavyShare of the requests, which take `heavyUs` instead
 * @property {number} heavyUs
 */

/** @type {readonly Workload[]} */
export const WORKLOADS = [
  { id: 'light', title: 'light', handlerUs: 0, heavyShare: 0, heavyUs: 0 },
  { id: 'cpu-30us', title: '30 µs of CPU', handlerUs: 30, heavyShare: 0, heavyUs: 0 },
  { id: 'cpu-100us', title: '100 µs of CPU', handlerUs: 100, heavyShare: 0, heavyUs: 0 },
  { id: 'cpu-1ms', title: '1 ms of CPU', handlerUs: 1_000, heavyShare: 0, heavyUs: 0 },
  { id: 'mixed', title: '95 % light, 5 % 2 ms', handlerUs: 0, heavyShare: 0.05, heavyUs: 2_000 },
];

/** @param {Workload} workload returns the mean CPU time of its handlers, in microseconds */
export function meanHandlerUs({ handlerUs, heavyShare, heavyUs }) {
  return (1 - heavyShare) * handlerUs + heavyShare * heavyUs;
}
