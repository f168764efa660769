/** What a job's slot holds: two words, on cache lines of their own. */
export const JOB_BYTES = 128;
export const LIMIT_INDEX = 0;
export const RESULT_INDEX = 1;
/** In the place of a job: the worker that claims it ends. */
export const STOP = -1;
