/** Slots of the trips: 64 bytes each. */
export const SLOT_SHIFT = 6;
export const SLOTS = 256;
/** Slots that a thread takes at once: it returns them before it takes more, so that the other thread can work as well. */
export const BATCH = 64;
/** Sent instead of a slot or a question to end the worker. */
export const STOP = -1;
/** Words of the bare ping-pong, on separate cache lines. */
export const QUESTION_INDEX = 0;
export const ANSWER_INDEX = 32;
