/** Slots of the trips: 64 bytes each. */
export const SLOT_SHIFT = 6;
export const SLOTS = 256;
/** In the place of a slot or a question: the worker ends. */
export const STOP = -1;
/** Of a bare ping-pong: on cache lines of their own. */
export const QUESTION_INDEX = 0;
export const ANSWER_INDEX = 32;
